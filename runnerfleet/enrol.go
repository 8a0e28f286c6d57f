package runnerfleet

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var drawn = regexp.MustCompile(`^[0-9a-f]{64}$`)

// attestGrace is how long after its launch a machine may enrol by its identity: an
// identity can be read for as long as the machine lives, by whoever runs on it.
const attestGrace = 30 * time.Minute

// enrol binds an instance to the first agent process that proves to be on its
// machine. Another one with the same proof means that the proof leaked, and nobody
// can tell which of the two is ours: the instance ends.
func (a *API) enrol(w http.ResponseWriter, r *http.Request) {
	var e enrolment
	err := a.decode(w, r, &e)
	if err == nil && !drawn.MatchString(e.Secret) {
		err = problem{http.StatusBadRequest, "secret is not 64 hex digits"}
	}
	var in Instance
	if err == nil {
		in, err = a.prove(r, e)
	}
	if err == nil {
		in, err = a.bind(r, in, e.Secret)
	}
	if err != nil {
		a.fail(w, r, e.Instance, err)
		return
	}
	reply(w, http.StatusOK, Enrolled{Instance: in.ID, Deadline: in.Deadline, Lanes: in.lanes()})
}

// prove returns the instance that an enrolment is for.
func (a *API) prove(r *http.Request, e enrolment) (Instance, error) {
	if a.Attest != nil {
		return a.attested(r, e)
	}
	in, err := a.Store.Instance(r.Context(), e.Instance)
	switch {
	case errors.Is(err, ErrNotFound):
		return in, ErrRefused
	case err != nil:
		return in, err
	case subtle.ConstantTimeCompare(in.Enrol, digest(e.Token)) != 1:
		return in, ErrRefused
	}
	return in, nil
}

// attested finds the instance of a machine that shows its identity, soon after its
// launch and in answer to a challenge of ours.
func (a *API) attested(r *http.Request, e enrolment) (Instance, error) {
	now := wall(a.Now)
	if !challenged(a.Key, e.Challenge, now) {
		return Instance{}, ErrRefused
	}
	machine, started, err := a.Attest.Attest(e.Document, e.Signature)
	if err != nil {
		a.Log.Warn("identity refused", "err", err)
		return Instance{}, ErrRefused
	}
	all, err := a.Store.Instances(r.Context())
	if err != nil {
		return Instance{}, err
	}
	for _, in := range all {
		switch {
		case in.CloudID != machine:
		case now.Sub(started) >= attestGrace || now.Sub(in.LaunchedAt) >= attestGrace:
			return in, ErrRefused
		default:
			return in, nil
		}
	}
	if now.Sub(started) >= attestGrace {
		return Instance{}, ErrRefused
	}
	// The cloud's answer to its launch may still be on its way to the store.
	return Instance{}, problem{http.StatusTooEarly, "machine is not known yet"}
}

// bind gives an instance to the agent that drew the secret.
func (a *API) bind(r *http.Request, in Instance, secret string) (Instance, error) {
	if !in.live() {
		return in, ErrNoMore
	}
	in, err := a.move(r, in.ID, event{kind: enrolled, secret: digest(secret)})
	switch {
	case err != nil:
		return in, err
	case in.Reason == reasonTwice:
		a.Wake()
		return in, ErrRefused
	case !in.live():
		return in, ErrNoMore
	}
	return in, nil
}

// challengeLife is how old an answered challenge may be.
const challengeLife = 2 * time.Minute

// newChallenge returns a value that only the holder of key could have made, and
// tells when it did.
func newChallenge(key []byte, now time.Time) string {
	at := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("ortest challenge\x00" + at))
	return at + "." + hex.EncodeToString(mac.Sum(nil))
}

func challenged(key []byte, answer string, now time.Time) bool {
	at, _, _ := strings.Cut(answer, ".")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return false
	}
	made := time.UnixMilli(ms)
	return hmac.Equal([]byte(newChallenge(key, made)), []byte(answer)) && now.Sub(made) < challengeLife && !made.After(now)
}
