package steps

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
)

// failure is an attempt to deliver a webhook, as the App's list has it.
type failure struct {
	ID   int64     `json:"id"`
	GUID string    `json:"guid"`
	At   time.Time `json:"delivered_at"`

	sent bot.Delivery
}

// deliver sends the webhooks. Where they are refused, the first attempt fails and GitHub
// makes no other by itself; elsewhere it is patient.
func (w *world) deliver(ctx context.Context) {
	all := w.outbox
	w.outbox = nil
	for _, d := range all {
		if !w.story.refused {
			if _, err := w.desk.AddDelivery(ctx, d); err != nil {
				w.outbox = append(w.outbox, d)
			}
			continue
		}
		if w.asked[d.GUID] > 0 {
			if _, err := w.desk.AddDelivery(ctx, d); err == nil {
				continue
			}
		}
		w.failed = append(w.failed, failure{ID: int64(len(w.failed) + 1), GUID: d.GUID, At: time.Now(), sent: d})
	}
}

// appKey is any key: nobody looks at what is signed with it.
var appKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})

// newHub is what asks GitHub for the webhooks that failed.
func (w *world) newHub(log *slog.Logger) *github.Forge {
	hub, err := github.New(github.Config{
		AppID: 1, Key: appKey(), BaseURL: "https://api.example", Redeliver: time.Minute, Transport: (*hub)(w), Log: log,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return hub
}

// hub is GitHub's list of an App's deliveries.
type hub world

func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/json")
	var err error
	if r.Method == http.MethodGet {
		err = h.life.reads(func() error {
			newest := slices.Clone(h.failed)
			slices.Reverse(newest)
			return json.NewEncoder(rec).Encode(newest)
		})
	} else {
		err = h.life.does("Redeliver", func() error {
			for _, f := range h.failed {
				if strings.HasSuffix(r.URL.Path, fmt.Sprintf("/deliveries/%d/attempts", f.ID)) {
					h.asked[f.GUID]++
					h.outbox = append(h.outbox, f.sent)
				}
			}
			rec.WriteHeader(http.StatusAccepted)
			_, err := rec.WriteString("{}")
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	res := rec.Result()
	res.Request = r
	return res, nil
}
