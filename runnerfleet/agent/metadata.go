package agent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// metadata is the instance metadata service of EC2, version 2: a session token
// first, and then with it everything else.
//
//	PUT /latest/api/token
//	GET /latest/dynamic/instance-identity/document, …/signature
//	GET /latest/meta-data/spot/instance-action     404 until capacity is withdrawn
//	GET /latest/meta-data/events/recommendations/rebalance   404 until that is likely
type metadata struct {
	base string
	poll time.Duration // between two looks for a notice
}

const (
	// AWS asks for the notice to be looked for every 5 s.
	noticePoll      = 5 * time.Second
	metadataTimeout = 2 * time.Second
	metadataMax     = 64 << 10
)

var errNotThere = errors.New("metadata has no such entry")

// identity returns the machine's identity document as it is, and the signature of
// those bytes.
func (m *metadata) identity(ctx context.Context) (document, signature []byte, err error) {
	if document, err = m.get(ctx, "dynamic/instance-identity/document"); err != nil {
		return nil, nil, err
	}
	text, err := m.get(ctx, "dynamic/instance-identity/signature")
	if err != nil {
		return nil, nil, err
	}
	signature, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return nil, nil, fmt.Errorf("read identity signature: %w", err)
	}
	return document, signature, nil
}

// notice is the cloud's word that the machine is to be left.
type notice struct {
	why  string
	stop time.Time // when what runs has to end; zero: it may go on
}

// handOver is how long before a machine is taken its agent begins to stop: what it
// has is to be handed over before.
const handOver = 45 * time.Second

// withdrawn returns once the cloud has announced that it takes the machine back,
// usually two minutes before.
func (m *metadata) withdrawn(ctx context.Context) (notice, error) {
	b, err := m.await(ctx, "meta-data/spot/instance-action")
	if err != nil {
		return notice{}, err
	}
	var n struct{ Action, Time string }
	_ = json.Unmarshal(b, &n) // its coming is the news, whatever it says
	at, err := time.Parse(time.RFC3339, n.Time)
	if err != nil {
		at = time.Now().Add(2 * time.Minute)
	}
	return notice{why: fmt.Sprintf("spot interruption: %.20q at %.40q", n.Action, n.Time), stop: at.Add(-handOver)}, nil
}

// atRisk returns once the cloud recommends to go elsewhere: an interruption has
// become likely, and often comes within a quarter of an hour.
func (m *metadata) atRisk(ctx context.Context) (notice, error) {
	b, err := m.await(ctx, "meta-data/events/recommendations/rebalance")
	if err != nil {
		return notice{}, err
	}
	var n struct{ NoticeTime string }
	_ = json.Unmarshal(b, &n)
	return notice{why: fmt.Sprintf("rebalance recommendation of %.40q", n.NoticeTime)}, nil
}

// await returns an entry once it is there, or why ctx ended.
func (m *metadata) await(ctx context.Context, entry string) ([]byte, error) {
	tick := time.NewTicker(m.poll)
	defer tick.Stop()
	for {
		if b, err := m.get(ctx, entry); err == nil {
			return b, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (m *metadata) get(ctx context.Context, entry string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	token, err := m.ask(ctx, http.MethodPut, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	if err != nil {
		return nil, fmt.Errorf("open metadata session: %w", err)
	}
	b, err := m.ask(ctx, http.MethodGet, "/latest/"+entry, "X-aws-ec2-metadata-token", string(token))
	if err != nil {
		return nil, fmt.Errorf("read metadata %s: %w", entry, err)
	}
	return b, nil
}

func (m *metadata) ask(ctx context.Context, method, path string, header ...string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(m.base, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(header[0], header[1])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return io.ReadAll(io.LimitReader(resp.Body, metadataMax))
	case http.StatusNotFound:
		return nil, errNotThere
	}
	return nil, fmt.Errorf("metadata answered %s", resp.Status)
}
