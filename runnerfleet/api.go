package runnerfleet

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// API is the HTTP interface that agents call, to be mounted at /agent/. What an
// agent sends is validated data of a machine that is assumed stolen: it can
// speak for its own instance only, and after that ended not at all. Every
// field but Attest and Now is required.
type API struct {
	Store Store
	Work  Work
	// Attest says which machine an identity belongs to, and then no token is taken; nil
	// where agents enrol by token. Key makes its challenges: the fleet's.
	Attest Attestor
	Key    []byte
	// Binaries are the agents that machines fetch, by "uname -m"; nil where the cloud
	// starts them itself. The path is served as it is.
	Binaries map[string]string
	// Wake is called when an instance's end or a finished piece may call for a pass; Fleet.Wake.
	Wake func()
	Log  *slog.Logger
	// Now is the clock of the day; nil: time.Now.
	Now func() time.Time
}

// retryAfter is how long an agent with nothing to do waits before it asks again.
const retryAfter = time.Second

// ServeHTTP answers one request of an agent.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, apiPrefix)
	switch {
	case name == "enrol" && r.Method == http.MethodPost:
		a.enrol(w, r)
		return
	case name == "challenge" && r.Method == http.MethodPost:
		reply(w, http.StatusOK, challenge{newChallenge(a.Key, wall(a.Now))})
		return
	case strings.HasPrefix(name, "binary/") && r.Method == http.MethodGet:
		a.binary(w, r, strings.TrimPrefix(name, "binary/"))
		return
	}
	var handle func(http.ResponseWriter, *http.Request, Instance) error
	method := http.MethodPost
	switch name {
	case "next":
		handle = a.next
	case "entries":
		handle, method = a.entry, http.MethodPut
	case "finished":
		handle = a.finished
	case "heartbeat":
		handle = a.heartbeat
	case "bye":
		handle = a.bye
	default:
		a.fail(w, r, "", problem{http.StatusNotFound, "no such call"})
		return
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		a.fail(w, r, "", problem{http.StatusMethodNotAllowed, "method not allowed"})
		return
	}
	in, err := a.authenticate(r)
	if err == nil {
		err = handle(w, r, in)
	}
	if err != nil {
		a.fail(w, r, in.ID, err)
	}
}

// binary hands out an agent. Everybody may have it: it is no secret, and the machine
// knows its digest.
func (a *API) binary(w http.ResponseWriter, r *http.Request, machine string) {
	path, ok := a.Binaries[machine]
	if !ok {
		a.fail(w, r, "", problem{http.StatusNotFound, "no agent for this machine"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeFile(w, r, path)
}

// problem is an error whose text may be shown to an agent.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

// fail answers with an error. What it does not know is our own trouble: the agent
// learns only that it should come again, and the log what it was.
func (a *API) fail(w http.ResponseWriter, r *http.Request, instance string, err error) {
	status, text := http.StatusServiceUnavailable, "try again later"
	var p problem
	if errors.As(err, &p) {
		status, text = p.status, p.text
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			status, text = s.status, s.err.Error()
		}
	}
	if r.Context().Err() != nil {
		return // the agent went away, which is no trouble of ours
	}
	if status >= http.StatusInternalServerError {
		a.Log.Error("agent request", "instance", instance, "call", r.URL.Path, "err", err)
	} else if status != http.StatusGone {
		a.Log.Warn("agent refused", "instance", instance, "call", r.URL.Path, "err", err)
	}
	reply(w, status, failure{Error: text})
}

func reply(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"no answer"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the agent that is gone asks again
}

// authenticate returns the live instance that the bearer speaks for.
func (a *API) authenticate(r *http.Request) (Instance, error) {
	unknown := problem{http.StatusUnauthorized, "unknown instance or secret"}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	id, secret, ok2 := strings.Cut(bearer, ".")
	if !ok || !ok2 {
		return Instance{}, unknown
	}
	in, err := a.Store.Instance(r.Context(), id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Instance{}, unknown
	case err != nil:
		return Instance{}, err
	case in.Secret == nil || subtle.ConstantTimeCompare(in.Secret, digest(secret)) != 1:
		return Instance{}, unknown
	case !in.live():
		return in, ErrNoMore
	}
	return in, nil
}

// next hands out a piece. The instance is Busy only once Work has chosen: had it
// ended meanwhile, advance notes that the piece is owed another.
func (a *API) next(w http.ResponseWriter, r *http.Request, in Instance) error {
	var q want
	if err := a.decodeLane(w, r, &q, in); err != nil {
		return err
	}
	in.Asking = q.Lane
	job, err := a.Work.Next(r.Context(), in)
	if errors.Is(err, ErrNoMore) {
		err = a.finish(r, in.ID, q.Lane)
	}
	switch {
	case errors.Is(err, ErrWait):
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		w.WriteHeader(http.StatusNoContent)
		return nil
	case err != nil:
		return err
	}
	in, err = a.move(r, in.ID, event{kind: took, lane: q.Lane})
	switch {
	case err != nil:
		return err
	case !in.live():
		a.Wake()
		return ErrNoMore
	}
	reply(w, http.StatusOK, job)
	return nil
}

// finish ends an instance that has nothing left to do, and returns ErrNoMore. While
// another of its lanes has a piece it is not the end yet: ErrWait.
func (a *API) finish(r *http.Request, id string, lane int) error {
	in, err := update(r.Context(), a.Store, a.Log, id, func(in *Instance) bool {
		return in.Taken&^(1<<lane) == 0 && in.advance(event{kind: ended, reason: reasonFinished}, wall(a.Now))
	})
	switch {
	case err != nil:
		return err
	case in.live():
		return ErrWait
	}
	a.Wake()
	return ErrNoMore
}

// entry stores a report entry. A repeat is stored once by Work.
func (a *API) entry(w http.ResponseWriter, r *http.Request, in Instance) error {
	piece := r.URL.Query().Get("piece")
	size, err := strconv.Atoi(r.URL.Query().Get("meta"))
	if err != nil || piece == "" || size < 0 {
		return problem{http.StatusBadRequest, "want ?piece=ID&meta=BYTES"}
	}
	if size > MaxMeta {
		return problem{http.StatusRequestEntityTooLarge, "meta is too long"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(size)+MaxLog))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return problem{http.StatusRequestEntityTooLarge, "log is too long"}
	case err != nil, len(body) < size:
		return problem{http.StatusBadRequest, "body was cut"}
	}
	meta := json.RawMessage(body[:size:size])
	if !json.Valid(meta) {
		return ErrInvalid
	}
	if err := a.Work.Entry(r.Context(), in, piece, meta, body[size:]); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// finished reports a piece. The lane is idle again even if the piece was
// stale: its agent asks for the next one either way.
func (a *API) finished(w http.ResponseWriter, r *http.Request, in Instance) error {
	var f finish
	if err := a.decodeLane(w, r, &f, in); err != nil {
		return err
	}
	err := a.Work.Finished(r.Context(), in, f.Piece, f.Exit, printable(f.Reason))
	if err != nil && !errors.Is(err, ErrStale) {
		return err
	}
	if _, merr := a.move(r, in.ID, event{kind: freed, lane: f.Lane}); merr != nil {
		return merr
	}
	a.Wake()
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// beatTime is how long a database may take to store a heartbeat.
const beatTime = time.Minute

func (a *API) heartbeat(w http.ResponseWriter, r *http.Request, in Instance) error {
	var b beating
	if err := a.decode(w, r, &b); err != nil {
		return err
	}
	// It was heard, however long the database takes and though its sender gives up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), beatTime)
	defer cancel()
	in, err := a.move(r.WithContext(ctx), in.ID, event{kind: beat})
	if err != nil {
		return err
	}
	if !in.live() {
		return ErrNoMore
	}
	if b.Piece != "" {
		if err := a.Work.Holds(r.Context(), in, b.Piece); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// bye ends an instance whose agent stops before Work said ErrNoMore.
func (a *API) bye(w http.ResponseWriter, r *http.Request, in Instance) error {
	var b bye
	if err := a.decode(w, r, &b); err != nil {
		return err
	}
	if _, err := a.move(r, in.ID, event{kind: ended, reason: "agent: " + printable(b.Reason), lost: true}); err != nil {
		return err
	}
	a.Wake()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) move(r *http.Request, id string, e event) (Instance, error) {
	return update(r.Context(), a.Store, a.Log, id, func(in *Instance) bool { return in.advance(e, wall(a.Now)) })
}

// decodeLane reads a body that is about one of the instance's lanes.
func (a *API) decodeLane(w http.ResponseWriter, r *http.Request, into interface{ lane() int }, in Instance) error {
	err := a.decode(w, r, into)
	if n := into.lane(); err == nil && (n < 0 || n >= in.lanes()) {
		err = problem{http.StatusBadRequest, "the instance has no such lane"}
	}
	return err
}

func (a *API) decode(w http.ResponseWriter, r *http.Request, into any) error {
	err := decodeStrict(http.MaxBytesReader(w, r.Body, maxBody), into)
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return problem{http.StatusRequestEntityTooLarge, "body is too long"}
	case err != nil:
		return problem{http.StatusBadRequest, "body is not the JSON that this call takes"}
	}
	return nil
}

// printable makes a stranger's sentence one short line of text.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}
