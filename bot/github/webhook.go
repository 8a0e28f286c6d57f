package github

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
)

// maxPayload is less than the 25 MB that GitHub may send: what the bot reads
// of an event is small, and the rest would only fill the database.
const maxPayload = 10 << 20

// Verify reports whether header, the X-Hub-Signature-256 of a webhook, was
// made of body with one of the secrets. While a secret is changed, give the
// old one and the new one. An empty secret verifies nothing.
func Verify(secrets [][]byte, header string, body []byte) bool {
	sum, err := hex.DecodeString(strings.TrimPrefix(header, "sha256="))
	if err != nil || !strings.HasPrefix(header, "sha256=") {
		return false
	}
	ok := false
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write(body) // a hash never errs
		ok = hmac.Equal(mac.Sum(nil), sum) || ok
	}
	return ok
}

// Webhook is where GitHub sends events. It answers 202 once a delivery is
// stored, 200 when it was stored and processed before or is of an account that
// is not served, and an error code for anything else that is not stored, so
// that GitHub shows it as failed. All fields but Owners are required.
type Webhook struct {
	Secrets    [][]byte // one, or two while it is changed
	Owners     []string // as Config has them
	Deliveries interface {
		AddDelivery(ctx context.Context, d bot.Delivery) (fresh bool, err error)
	}
	Log *slog.Logger
	Now func() time.Time
}

// ServeHTTP checks the signature before it looks at anything else.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks are POSTed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		http.Error(w, "payload is longer than 10 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "payload was cut off", http.StatusBadRequest)
		return
	}
	guid := r.Header.Get("X-GitHub-Delivery")
	if !Verify(h.Secrets, r.Header.Get("X-Hub-Signature-256"), body) {
		h.Log.Warn("webhook with a wrong signature refused", "remote", r.RemoteAddr)
		http.Error(w, "signature is missing or wrong: is the webhook's secret the same on both sides?", http.StatusUnauthorized)
		return
	}
	event := r.Header.Get("X-GitHub-Event")
	if why := malformed(r, body, guid, event); why != "" {
		h.Log.Warn("webhook refused", "delivery", guid, "reason", why)
		http.Error(w, why, http.StatusBadRequest)
		return
	}
	if who := stranger(h.Owners, body); who != "" {
		h.Log.Debug("webhook ignored", "delivery", guid, "event", event, "owner", who)
		_, _ = fmt.Fprintf(w, "ignored: github.owners of this bot's configuration does not name %q\n", who) // for whoever looks at GitHub's list
		return
	}
	fresh, err := h.Deliveries.AddDelivery(r.Context(), bot.Delivery{GUID: guid, Event: event, Payload: body, ReceivedAt: h.Now()})
	if err != nil {
		h.Log.Error("webhook could not be stored", "delivery", guid, "err", err)
		w.Header().Set("Retry-After", "60") // the sweep asks GitHub for it again
		http.Error(w, "could not be stored now; send it again", http.StatusServiceUnavailable)
		return
	}
	h.Log.Debug("webhook stored", "delivery", guid, "event", event, "fresh", fresh)
	if !fresh {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// malformed says what is wrong with a signed webhook, or "".
func malformed(r *http.Request, body []byte, guid, event string) string {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case !word(guid):
		return "X-GitHub-Delivery is missing or no GUID"
	case !word(event):
		return "X-GitHub-Event is missing or no name"
	case err != nil || media != "application/json":
		return "set the webhook's content type to application/json"
	case !json.Valid(body):
		return "payload is not JSON"
	}
	return ""
}

// stranger returns the account that a webhook is of when owners do not name it.
// What names no account, such as a ping, is of no repository either, and nothing
// comes of it.
func stranger(owners []string, body []byte) string {
	if len(owners) == 0 {
		return ""
	}
	var p struct {
		Repository struct {
			Owner struct {
				Login string `json:"login"`
				Name  string `json:"name"` // as Pushed has it
			} `json:"owner"`
		} `json:"repository"`
		Organization account `json:"organization"`
		Installation struct {
			Account account `json:"account"`
		} `json:"installation"`
	}
	_ = json.Unmarshal(body, &p) // of another form it names no account, and the decoder says so
	who := cmp.Or(p.Repository.Owner.Login, p.Repository.Owner.Name, p.Organization.Login, p.Installation.Account.Login)
	if who == "" || serves(owners, who) {
		return ""
	}
	return who
}

// serves reports whether owners name an account; where there are none, each is served.
func serves(owners []string, login string) bool {
	return len(owners) == 0 || slices.ContainsFunc(owners, func(o string) bool { return strings.EqualFold(o, login) })
}

// word reports whether s is short and made of letters, digits, - and _.
func word(s string) bool {
	return s != "" && len(s) <= 100 && validName(s) && !strings.Contains(s, ".")
}
