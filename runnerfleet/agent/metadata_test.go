package agent

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
)

// imds is an instance metadata service, version 2, in the shapes that AWS documents:
// without a session's token it answers nothing.
type imds struct {
	withdrawn atomic.Bool
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
	s.api.Attest, s.api.Key = registrar{time.Now()}, make([]byte, 32)
	srv := httptest.NewServer(&imds{})
	defer srv.Close()
	s.run(runnerfleet.EnvMetadata + "=" + srv.URL)
	s.end(0)
	if in := s.instance(); in.EnrolledAt.IsZero() || in.Reason != "bucket finished" {
		t.Errorf("instance %+v, want one that served its bucket", in)
	}
}

func TestNoticeOfWithdrawal(t *testing.T) {
	m := new(imds)
	srv := httptest.NewServer(m)
	defer srv.Close()
	md := &metadata{base: srv.URL, poll: time.Millisecond}
	ended := make(chan error, 1)
	go func() { ended <- md.withdrawn(t.Context()) }()
	m.withdrawn.Store(true)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), `spot interruption: "terminate"`) {
		t.Errorf("got %v", err)
	}
	m.withdrawn.Store(false)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("bucket finished")
	cancel(why)
	if err := md.withdrawn(ctx); !errors.Is(err, why) {
		t.Errorf("got %v, want the end of the context", err)
	}
}
