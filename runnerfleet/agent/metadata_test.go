package agent

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
)

// imds is an instance metadata service, version 2, in the shapes that AWS documents:
// without a session's token it answers nothing.
type imds struct {
	withdrawn, atRisk atomic.Bool
}

const (
	document = "{\n  \"instanceId\" : \"m-1\"\n}"
	signed   = "signature of m-1"
)

func (m *imds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const session = "AQAEexample=="
	switch {
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
		_, _ = w.Write([]byte(session))
	case r.Header.Get("X-aws-ec2-metadata-token") != session:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/latest/dynamic/instance-identity/document":
		_, _ = w.Write([]byte(document))
	case r.URL.Path == "/latest/dynamic/instance-identity/signature":
		sig := base64.StdEncoding.EncodeToString([]byte(signed))
		_, _ = w.Write([]byte(sig[:8] + "\n" + sig[8:]))
	case r.URL.Path == "/latest/meta-data/spot/instance-action" && m.withdrawn.Load():
		_, _ = w.Write([]byte(`{"action": "terminate", "time": "2026-11-21T08:22:00Z"}`))
	case r.URL.Path == "/latest/meta-data/events/recommendations/rebalance" && m.atRisk.Load():
		_, _ = w.Write([]byte(`{"noticeTime": "2026-11-21T08:10:00Z"}`))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// registrar lets in whoever shows the document of m-1 with its signature.
type registrar struct{ started time.Time }

func (r registrar) Attest(d, signature []byte) (string, time.Time, error) {
	if string(d) != document || string(signature) != signed {
		return "", time.Time{}, errors.New("signature does not match")
	}
	return "m-1", r.started, nil
}

func TestAgentEnrolsByItsMachine(t *testing.T) {
	s := newSite(t, nil, "entry:ok")
	s.attested()
	srv := httptest.NewServer(&imds{})
	defer srv.Close()
	s.run(runnerfleet.EnvMetadata + "=" + srv.URL)
	s.end(0)
	if in := s.instance(); in.EnrolledAt.IsZero() || in.Reason != "bucket finished" {
		t.Errorf("instance %+v, want one that served its bucket", in)
	}
}

func TestNotices(t *testing.T) {
	m := new(imds)
	srv := httptest.NewServer(m)
	defer srv.Close()
	md := &metadata{base: srv.URL, poll: time.Millisecond}
	for _, tt := range []struct {
		name string
		set  *atomic.Bool
		word func(context.Context) (notice, error)
		why  string
		stop time.Time
	}{
		{"withdrawn", &m.withdrawn, md.withdrawn, `spot interruption: "terminate" at "2026-11-21T08:22:00Z"`, time.Date(2026, 11, 21, 8, 21, 15, 0, time.UTC)},
		{"at risk", &m.atRisk, md.atRisk, `rebalance recommendation of "2026-11-21T08:10:00Z"`, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			type answer struct {
				notice
				err error
			}
			got := make(chan answer, 1)
			go func() {
				n, err := tt.word(t.Context())
				got <- answer{n, err}
			}()
			tt.set.Store(true)
			if a := <-got; a.err != nil || a.why != tt.why || !a.stop.Equal(tt.stop) {
				t.Errorf("got %+v", a)
			}
			tt.set.Store(false)
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("bucket finished")
			cancel(why)
			if _, err := tt.word(ctx); !errors.Is(err, why) {
				t.Errorf("got %v, want the end of the context", err)
			}
		})
	}
}
