package ec2_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

// static is the same bad day for a fleet as scripts have it: a machine for each bucket, of
// one type in one subnet, asked for once and all at once; what a machine does not finish
// nobody does.
func (w *whole) static(t *testing.T) (done, machines int) {
	w.fill(326, 30)
	w.aws.Booted = nil
	account, err := config.LoadDefaultConfig(t.Context()) // which tries thrice when throttled
	if err != nil {
		t.Fatal(err)
	}
	account.HTTPClient = &http.Client{Transport: direct{w.aws}}
	api := sdk.NewFromConfig(account)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, pieces := range w.plan {
		all.Go(func() {
			_, err := api.RunInstances(t.Context(), &sdk.RunInstancesInput{
				MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ImageId: aws.String("ami-new"), InstanceType: types.InstanceTypeC5Large, SubnetId: aws.String("subnet-a"),
			})
			if err != nil {
				return
			}
			left := 24 * time.Hour
			if w.chance(interrupted) {
				left = time.Duration(w.draw() * float64(time.Hour))
			}
			left -= bootTime
			mu.Lock()
			defer mu.Unlock()
			machines++
			for _, p := range pieces {
				if left -= w.took[p]; left >= 0 {
					done++
				}
			}
		})
	}
	all.Wait()
	return done, machines
}

// hundred is a fleet that wants a hundred machines of an account.
func hundred(t testing.TB, s *ec2test.Server, cloud runnerfleet.Cloud) *runnerfleet.Fleet {
	work := new(fleettest.Work)
	for i := range 100 {
		work.Add(runnerfleet.Bucket{ID: fmt.Sprintf("r1/b%d", i), Arch: x64}, fmt.Sprintf("p%d", i))
	}
	t.Cleanup(func() {
		if n := len(s.Instances()); n != 100 {
			t.Errorf("%d machines, want 100", n)
		}
	})
	return fleetOf(cloud, new(fleettest.Store), work)
}

func fleetOf(cloud runnerfleet.Cloud, store runnerfleet.Store, work runnerfleet.Work) *runnerfleet.Fleet {
	return &runnerfleet.Fleet{
		Cloud: cloud, Store: store, Work: work, URL: "https://bot.example", Key: make([]byte, 32), Interval: time.Second, Log: slog.New(slog.DiscardHandler),
		Limits: runnerfleet.Limits{MaxInstances: 20000, MaxAge: 2 * time.Hour, BootGrace: time.Hour, Silence: time.Hour, Settle: time.Hour},
	}
}

// rich has capacity and quota for everybody.
func rich() *ec2test.Server {
	s := account()
	s.Quotas = map[string]float64{"L-1216C47A": 1e6, "L-34B43A08": 1e6}
	return s
}

func TestHundredLaunches(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rates map[string]ec2.Rate
		most  time.Duration
	}{
		{"AWS takes five at once and two a second", nil, 48 * time.Second},
		{"an account with a higher limit", map[string]ec2.Rate{"CreateFleet": {Burst: 100, PerSecond: 50}}, 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, cfg := rich(), configure()
			s.Throttle, cfg.Rates = tt.rates == nil, tt.rates
			inTime(t, s, cfg, func(t *testing.T, c *ec2.Cloud) {
				began := time.Now()
				if err := hundred(t, s, c).Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > tt.most {
					t.Errorf("took %s, want at most %s", took, tt.most)
				}
			})
		})
	}
}

// BenchmarkHundredLaunches is from a command's buckets to the last launch asked for, over
// HTTP, in an account whose limit is no matter: at most two seconds.
func BenchmarkHundredLaunches(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s, cfg := rich(), configure()
		cfg.Rates = map[string]ec2.Rate{"CreateFleet": {Burst: 100, PerSecond: 50}}
		f := hundred(b, s, reach(b, s, cfg))
		b.StartTimer()
		if err := f.Once(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPassOverTenThousand is a pass of the reaper over so many machines, over HTTP: at
// most two seconds.
func BenchmarkPassOverTenThousand(b *testing.B) {
	s, store, work := rich(), new(fleettest.Store), new(fleettest.Work)
	for i := range 10000 {
		bucket := runnerfleet.Bucket{ID: fmt.Sprintf("r1/b%d", i), Attempt: 1, Arch: x64}
		id, err := runnerfleet.InstanceID(bucket)
		if err != nil {
			b.Fatal(err)
		}
		s.Fill(1, map[string]string{"ortest:fleet": "test", "ortest:instance": id})
		work.Add(bucket, fmt.Sprintf("p%d", i))
		now := time.Now()
		in := runnerfleet.Instance{
			ID: id, Bucket: bucket.ID, Attempt: 1, Arch: x64, State: runnerfleet.Idle, CloudID: fmt.Sprintf("i-%017x", i+1),
			IntendedAt: now, LaunchedAt: now, EnrolledAt: now, SeenAt: now, Deadline: now.Add(time.Hour),
		}
		if err := store.AddInstance(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	f := fleetOf(reach(b, s, configure()), store, work)
	began := spent(b)
	for b.Loop() {
		if err := f.Once(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((spent(b)-began).Seconds()/float64(b.N), "cpu-s/op") // the stand-in's half included
	if n := s.Calls("TerminateInstances") + s.Calls("CreateFleet"); n != 0 {
		b.Errorf("%d calls that change something", n)
	}
}

// spent is how long this process has computed: what a busy machine does not change.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reach returns a cloud on a server over HTTP.
func reach(b *testing.B, s *ec2test.Server, cfg ec2.Config) *ec2.Cloud {
	b.Helper()
	srv := httptest.NewServer(s)
	b.Cleanup(srv.Close)
	for k, v := range map[string]string{
		"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": srv.URL,
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		b.Setenv(k, v)
	}
	c, err := ec2.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	return c
}
