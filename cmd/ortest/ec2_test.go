package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/local"
	"github.com/ortest/ortest/store"
)

// region is a stand-in for AWS whose machines are agents on this computer: each has a
// metadata service of its own, and nothing but that tells it who it is.
type region struct {
	*ec2test.Server
	t    *testing.T
	key  *rsa.PrivateKey
	cert []byte
	argv []string
	env  []string

	mu     sync.Mutex
	agents map[string]*exec.Cmd
	done   sync.WaitGroup
}

func newRegion(t *testing.T) *region {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	r := &region{
		t: t, key: key, cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), agents: make(map[string]*exec.Cmd),
		Server: &ec2test.Server{
			Images: []ec2test.Image{{ID: "ami-1", Name: "ortest-x64-2026-11-01", Owner: "self", Created: "2026-11-01", Root: "/dev/xvda"}},
			Linger: time.Hour,
		},
	}
	r.Booted, r.Ended = r.boot, r.end
	srv := httptest.NewServer(r.Server)
	t.Cleanup(srv.Close)
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": srv.URL, "AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(k, v)
	}
	return r
}

// boot starts a machine's agent. When that ends the machine is off.
func (r *region) boot(in ec2test.Instance) {
	imds := httptest.NewServer(r.metadata(in.ID))
	cmd := exec.Command(r.argv[0], r.argv[1:]...)
	cmd.Env = append(slices.Clone(r.env),
		runnerfleet.EnvMetadata+"="+imds.URL, runnerfleet.EnvDir+"="+filepath.Join(r.t.TempDir(), "agent"))
	cmd.Stderr = r.t.Output()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		r.t.Error(err)
		return
	}
	r.agents[in.ID] = cmd
	r.done.Go(func() {
		_ = cmd.Wait() // however it ended
		imds.Close()
		r.Kill(in.ID)
	})
}

// end takes the power from a machine.
func (r *region) end(in ec2test.Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cmd := r.agents[in.ID]; cmd != nil {
		_ = cmd.Process.Kill() // it may have ended by itself
	}
}

func (r *region) metadata(id string) http.Handler {
	document, err := json.Marshal(map[string]string{"instanceId": id, "pendingTime": time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		r.t.Error(err)
	}
	sum := sha256.Sum256(document)
	signature, err := rsa.SignPKCS1v15(rand.Reader, r.key, crypto.SHA256, sum[:])
	if err != nil {
		r.t.Error(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("session")) })
	for path, text := range map[string]string{
		"document": string(document), "signature": base64.StdEncoding.EncodeToString(signature),
	} {
		mux.HandleFunc("GET /latest/dynamic/instance-identity/"+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	return mux
}

// serves starts a bot whose machines are this region's.
func (r *region) serves(t *testing.T) *place {
	t.Helper()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) {
		machines(c, act)
		c.FleetKey = bytes.Repeat([]byte("k"), 32) // as a file may have it
		home := c.Cloud.(*local.Cloud)
		r.argv, r.env = home.Exe, append(slices.Clone(home.Env), runnerfleet.EnvURL+"="+c.URL)
		c.OpenCloud = func(ctx context.Context, notes *store.Store) (runnerfleet.Cloud, error) {
			return ec2.Open(ctx, ec2.Config{
				Fleet: "test", Subnets: []string{"subnet-1"}, Groups: []string{"sg-1"}, Owners: []string{"self"},
				Arches: map[string]ec2.Arch{"linux x86_64": {
					Image: "ortest-x64-*", Types: []string{"c5.large"}, Spot: true, Digest: strings.Repeat("0", 64),
				}},
				AgentURL: c.URL, MaxAge: time.Hour, Certificates: r.cert, Notes: notes, Log: c.Log,
			})
		}
	})
	t.Cleanup(r.done.Wait)
	return p
}

// TestRunOnEC2 is the main job with the cloud of production: from a comment to a verdict,
// over an instance that knows only what its metadata say.
func TestRunOnEC2(t *testing.T) {
	aws := newRegion(t)
	_, result := testRun(t, aws.serves(t))
	if result.Verdict != report.Pass {
		t.Errorf("verdict %s: %+v", result.Verdict, result)
	}
	all := aws.Instances()
	if len(all) != 1 || all[0].State != "terminated" || all[0].Market != "on-demand" {
		t.Errorf("machines %+v, want one, bought on demand as the run's longest, and gone", all)
	}
}
