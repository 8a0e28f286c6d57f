package ec2_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

const x64 = "linux x86_64"

// notes are kept as long as the test.
type notes struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (n *notes) Note(_ context.Context, word string, until time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.until == nil {
		n.until = make(map[string]time.Time)
	}
	n.until[word] = until
	return nil
}

func (n *notes) Noted(_ context.Context, now time.Time) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var words []string
	for w, until := range n.until {
		if now.Before(until) {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	return words, nil
}

func (n *notes) words(t *testing.T) []string {
	t.Helper()
	words, err := n.Noted(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return words
}

func configure() ec2.Config {
	return ec2.Config{
		Fleet: "test", Subnets: []string{"subnet-a", "subnet-b"}, Groups: []string{"sg-1"}, Owners: []string{"self"},
		Arches: map[string]ec2.Arch{x64: {
			Image: "ortest-x64-*", Types: []string{"c5.large", "c6i.large"}, Spot: true, Digest: strings.Repeat("0", 64),
		}},
		AgentURL: "https://bot.example", MaxAge: 2 * time.Hour, Notes: new(notes), Log: slog.New(slog.DiscardHandler),
	}
}

func account() *ec2test.Server {
	return &ec2test.Server{
		Images: []ec2test.Image{
			{ID: "ami-old", Name: "ortest-x64-2026-01-01", Owner: "self", Created: "2026-01-01T00:00:00.000Z", Root: "/dev/xvda"},
			{ID: "ami-new", Name: "ortest-x64-2026-11-01", Owner: "self", Created: "2026-11-01T00:00:00.000Z", Root: "/dev/xvda"},
			{ID: "ami-evil", Name: "ortest-x64-2027-01-01", Owner: "stranger", Created: "2027-01-01T00:00:00.000Z", Root: "/dev/xvda"},
			{ID: "ami-arm", Name: "ortest-arm64-2026-12-01", Owner: "self", Created: "2026-12-01T00:00:00.000Z", Root: "/dev/xvda"},
		},
		Quotas: map[string]float64{"L-1216C47A": 64, "L-34B43A08": 64},
		Linger: time.Hour,
	}
}

// open returns a cloud on a server that stands for AWS.
func open(t *testing.T, s *ec2test.Server, cfg ec2.Config) *ec2.Cloud {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	credentials(t)
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	c, err := ec2.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// credentials are in the environment alone, whatever machine this is.
func credentials(t *testing.T) {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(k, v)
	}
}

func TestCloudKeepsTheContract(t *testing.T) {
	fleettest.CloudContract(t, func(t *testing.T) runnerfleet.Cloud { return open(t, account(), configure()) })
}

func launch() runnerfleet.Launch {
	return runnerfleet.Launch{
		Instance: "r1-b1-a1", Bucket: "r1/b1", Arch: x64, URL: "https://bot.example",
		Deadline: time.Date(2030, 1, 2, 15, 0, 0, 0, time.UTC),
	}
}

// buy prepares and launches.
func buy(t *testing.T, c *ec2.Cloud, l runnerfleet.Launch) (string, error) {
	t.Helper()
	params, err := c.Prepare(t.Context(), l)
	if err != nil {
		return "", err
	}
	l.Params = params
	return c.Launch(t.Context(), l)
}

func TestWhatAMachineIs(t *testing.T) {
	s := account()
	c := open(t, s, configure())
	id, err := buy(t, c, launch())
	if err != nil {
		t.Fatal(err)
	}
	all := s.Instances()
	if len(all) != 1 || all[0].ID != id {
		t.Fatalf("instances %+v, want %s alone", all, id)
	}
	in := all[0]
	if in.Image != "ami-new" {
		t.Errorf("image %s, want the newest of the owners'", in.Image)
	}
	if in.Market != "spot" {
		t.Errorf("market %s, want spot first", in.Market)
	}
	for k, want := range map[string]string{
		"ortest:fleet": "test", "ortest:instance": "r1-b1-a1", "ortest:bucket": "r1/b1", "ortest:deadline": "2030-01-02T15:00:00Z",
	} {
		if in.Tags[k] != want {
			t.Errorf("tag %s is %q, want %q", k, in.Tags[k], want)
		}
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(in.UserData, "#!/bin/sh\n"), "set -eu")
	if !strings.Contains(first, "\nshutdown -P +120\n") {
		t.Errorf("user-data does not begin with the machine's timer:\n%s", in.UserData)
	}
	for _, secret := range []string{"AKIDEXAMPLE", "secret", "r1-b1-a1"} {
		if strings.Contains(strings.ReplaceAll(in.UserData, "no secret", ""), secret) {
			t.Errorf("user-data holds %q", secret)
		}
	}
}

func TestMarkets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*ec2test.Server, *runnerfleet.Launch)
		market string
		kind   string
		err    error
		notes  []string
	}{
		{"spot is bought first", func(*ec2test.Server, *runnerfleet.Launch) {}, "spot", "c5.large", nil, nil},
		{"a bucket that must not be interrupted", func(_ *ec2test.Server, l *runnerfleet.Launch) { l.OnDemand = true }, "on-demand", "c5.large", nil, nil},
		{"a bucket that names its type", func(_ *ec2test.Server, l *runnerfleet.Launch) { l.Type = "m7i.large" }, "spot", "m7i.large", nil, nil},
		{"no spot capacity falls to on demand in the same launch", func(s *ec2test.Server, _ *runnerfleet.Launch) {
			s.Refuse = func(market, _, _ string) string {
				return map[string]string{"spot": "InsufficientInstanceCapacity"}[market]
			}
		}, "on-demand", "c5.large", nil, []string{
			"ec2 spot c5.large subnet-a", "ec2 spot c5.large subnet-b", "ec2 spot c6i.large subnet-a", "ec2 spot c6i.large subnet-b",
		}},
		{"nothing anywhere", func(s *ec2test.Server, _ *runnerfleet.Launch) {
			s.Refuse = func(_, _, _ string) string { return "InsufficientInstanceCapacity" }
		}, "", "", runnerfleet.ErrCapacity, nil},
		{"the account's quota is no offer's shortage", func(s *ec2test.Server, _ *runnerfleet.Launch) {
			s.Refuse = func(_, _, _ string) string { return "VcpuLimitExceeded" }
		}, "", "", runnerfleet.ErrCapacity, []string{}},
		{"a spot quota that is used up", func(s *ec2test.Server, _ *runnerfleet.Launch) { s.Quotas["L-34B43A08"] = 1 }, "on-demand", "c5.large", nil, nil},
		{"a quota that one machine just fits", func(s *ec2test.Server, _ *runnerfleet.Launch) { s.Quotas["L-34B43A08"] = 2 }, "spot", "c5.large", nil, nil},
		{"quotas that no machine ever fits", func(s *ec2test.Server, _ *runnerfleet.Launch) {
			s.Quotas["L-34B43A08"], s.Quotas["L-1216C47A"] = 1, 1
		}, "", "", runnerfleet.ErrRejected, nil},
		{"quotas that may not be read are none", func(s *ec2test.Server, _ *runnerfleet.Launch) { clear(s.Quotas) }, "spot", "c5.large", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, cfg, l := account(), configure(), launch()
			tt.change(s, &l)
			c := open(t, s, cfg)
			_, err := buy(t, c, l)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if all := s.Instances(); err == nil && (len(all) != 1 || all[0].Market != tt.market || all[0].Type != tt.kind) {
				t.Errorf("bought %+v, want one %s %s", all, tt.market, tt.kind)
			}
			if got := cfg.Notes.(*notes).words(t); tt.notes != nil && !slices.Equal(got, tt.notes) {
				t.Errorf("noted %q, want %q", got, tt.notes)
			}
		})
	}
}

func TestShortOfferIsNotAskedForAgain(t *testing.T) {
	s, cfg := account(), configure()
	s.Refuse = func(market, kind, _ string) string {
		return map[string]string{"spot c5.large": "InsufficientInstanceCapacity"}[market+" "+kind]
	}
	c := open(t, s, cfg)
	if _, err := buy(t, c, launch()); err != nil {
		t.Fatal(err)
	}
	s.Change(func() { s.Refuse = nil })
	l := launch()
	l.Instance = "r1-b2-a1"
	if _, err := buy(t, open(t, s, cfg), l); err != nil { // the next process
		t.Fatal(err)
	}
	if all := s.Instances(); all[1].Type != "c6i.large" {
		t.Errorf("bought %s, want the type that was there", all[1].Type)
	}
}

func TestLaunchCutAnywhereBuysOneMachine(t *testing.T) {
	for _, after := range []bool{false, true} {
		s := account()
		c := open(t, s, configure())
		l := launch()
		var err error
		if l.Params, err = c.Prepare(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		cut := true
		s.Change(func() {
			s.Fault = func(action string, then bool) error {
				if cut && action == "CreateFleet" && then == after {
					return errors.New("cut")
				}
				return nil
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := c.Launch(ctx, l); err == nil {
			t.Fatal("the cut call answered")
		}
		cancel()
		s.Change(func() { cut = false })
		id, err := c.Launch(t.Context(), l)
		if all := s.Instances(); err != nil || len(all) != 1 || all[0].ID != id {
			t.Errorf("after=%v: %s, %v; machines %+v, want one", after, id, err, all)
		}
	}
}

func TestTryAfterNoCapacityIsAnotherCall(t *testing.T) {
	s := account()
	s.Refuse = func(_, _, _ string) string { return "InsufficientInstanceCapacity" }
	cfg := configure()
	c := open(t, s, cfg)
	l := launch()
	if _, err := buy(t, c, l); !errors.Is(err, runnerfleet.ErrCapacity) {
		t.Fatalf("got %v, want ErrCapacity", err)
	}
	s.Change(func() { s.Refuse = nil })
	clear(cfg.Notes.(*notes).until) // three minutes later
	l.Try = 1
	if _, err := buy(t, c, l); err != nil {
		t.Error(err)
	}
}

func TestImages(t *testing.T) {
	for _, tt := range []struct {
		name, image, id, err string
	}{
		{"a pattern means the newest", "ortest-x64-*", "ami-new", ""},
		{"an ID is taken as it is", "ami-old", "ami-old", ""},
		{"a parameter holds the ID", "ssm:/ortest/image", "ami-old", ""},
		{"a pattern that nothing has", "ortest-riscv-*", "", "no image ortest-riscv-* of self"},
		{"a parameter that is not there", "ssm:/nothing", "", "get parameter /nothing"},
		{"an ID that is not there", "ami-none", "", "InvalidAMIID.NotFound"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, cfg := account(), configure()
			s.Parameters = map[string]string{"/ortest/image": "ami-old"}
			a := cfg.Arches[x64]
			a.Image = tt.image
			cfg.Arches[x64] = a
			_, err := buy(t, open(t, s, cfg), launch())
			switch {
			case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Fatalf("got %v, want %q", err, tt.err)
			case err == nil && s.Instances()[0].Image != tt.id:
				t.Errorf("image %s, want %s", s.Instances()[0].Image, tt.id)
			}
		})
	}
}

func TestListGoesThroughAllPagesOfThisFleetAlone(t *testing.T) {
	s, cfg := account(), configure()
	clear(s.Quotas)
	other := cfg
	other.Fleet = "other"
	if _, err := buy(t, open(t, s, other), launch()); err != nil {
		t.Fatal(err)
	}
	s.Fill(2500, map[string]string{"ortest:fleet": "test", "ortest:instance": "x"})
	all, err := open(t, s, cfg).List(t.Context())
	if err != nil || len(all) != 2500 {
		t.Errorf("%d machines, %v; want 2500", len(all), err)
	}
}

func TestConsoleOutput(t *testing.T) {
	s := account()
	c := open(t, s, configure())
	id, err := buy(t, c, launch())
	if err != nil {
		t.Fatal(err)
	}
	s.Print(id, "ortest: no agent after 30 tries\n")
	if text, err := c.ConsoleOutput(t.Context(), id); err != nil || text != "ortest: no agent after 30 tries\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

// authority is a key as AWS has one, and its certificate.
func authority(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// AWS's own are long expired and in use.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestAttest(t *testing.T) {
	key, cert := authority(t)
	stranger, _ := authority(t)
	document := []byte(`{"instanceId":"i-1","pendingTime":"2026-11-21T08:00:00Z","region":"us-west-2","accountId":"123456789012"}`)
	sign := func(k *rsa.PrivateKey, d []byte) []byte {
		sum := sha256.Sum256(d)
		sig, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	cfg := configure()
	_, other := authority(t)
	cfg.Certificates = slices.Concat(other, cert)
	c := open(t, account(), cfg)
	for _, tt := range []struct {
		name      string
		document  []byte
		signature []byte
		ok        bool
	}{
		{"signed by AWS", document, sign(key, document), true},
		{"signed by somebody else", document, sign(stranger, document), false},
		{"one byte changed", append([]byte(" "), document...), sign(key, document), false},
		{"no signature", document, nil, false},
		{"no instance in it", []byte(`{"pendingTime":"2026-11-21T08:00:00Z"}`), sign(key, []byte(`{"pendingTime":"2026-11-21T08:00:00Z"}`)), false},
		{"no JSON", []byte(`i-1`), sign(key, []byte(`i-1`)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, started, err := c.Attest(tt.document, tt.signature)
			if (err == nil) != tt.ok {
				t.Fatalf("got %v", err)
			}
			if tt.ok && (id != "i-1" || !started.Equal(time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC))) {
				t.Errorf("got %s at %v", id, started)
			}
		})
	}
}

func TestConfigIsWhole(t *testing.T) {
	for name, change := range map[string]func(*ec2.Config){
		"no fleet":                 func(c *ec2.Config) { c.Fleet = "" },
		"no arch":                  func(c *ec2.Config) { c.Arches = nil },
		"an arch without image":    func(c *ec2.Config) { c.Arches[x64] = ec2.Arch{Types: []string{"t"}, Digest: strings.Repeat("0", 64)} },
		"no subnet":                func(c *ec2.Config) { c.Subnets = nil },
		"no agent URL":             func(c *ec2.Config) { c.AgentURL = "" },
		"certificates without one": func(c *ec2.Config) { c.Certificates = []byte("hello") },
	} {
		cfg := configure()
		change(&cfg)
		if _, err := ec2.Open(t.Context(), cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}
