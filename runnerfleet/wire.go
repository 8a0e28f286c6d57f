package runnerfleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The agents' HTTP interface, version 1. Bodies are JSON but for an entry's, which
// is its meta followed by its log, the query's meta giving the meta's length:
//
//	GET  /agent/v1/binary/MACHINE             the agent for what "uname -m" says
//	POST /agent/v1/challenge  {}              200 challenge, where agents enrol by identity
//	POST /agent/v1/enrol      enrolment       200 Enrolled, 403 refused, 425 launch not noted yet
//	POST /agent/v1/next       want            200 Assignment, 204 with Retry-After
//	PUT  /agent/v1/entries?piece=P&meta=N     204, 409 stale, 413, 422 not well-formed
//	POST /agent/v1/finished   finish          204, 409 stale
//	POST /agent/v1/heartbeat  beating         204, 409 its piece is stale
//	POST /agent/v1/bye        bye             204
//
// All but the first three want "Authorization: Bearer INSTANCE.SECRET" (401 otherwise), and
// all answer 410 once the instance has ended: the agent is to power off. 5xx
// and no answer at all mean: the same again, later. An error is {"error": "…"}.
const apiPrefix = "/agent/v1/"

// What an entry may hold. An agent cuts a longer log and says so in it.
const (
	MaxMeta = 4 << 20
	MaxLog  = 32 << 20
)

const maxBody = 64 << 10 // of every other request

// maxAnswer is room for an assignment with its catalog.
const maxAnswer = 8 << 20

// enrolment shows either a one-time token of an instance, or a machine's signed
// identity with the answer to a challenge.
type enrolment struct {
	Instance  string `json:"instance,omitempty"`
	Token     string `json:"token,omitempty"`
	Document  []byte `json:"document,omitempty"`
	Signature []byte `json:"signature,omitempty"`
	Challenge string `json:"challenge,omitempty"`
	Secret    string `json:"secret"` // 64 hex digits that this agent process drew
}

type challenge struct {
	Challenge string `json:"challenge"`
}

// Enrolled is what an agent learns when it is let in.
type Enrolled struct {
	Instance string    `json:"instance"`
	Deadline time.Time `json:"deadline"` // the machine is to be off by then
	Lanes    int       `json:"lanes"`    // how many pieces to run at once
}

// want asks for a lane's next piece.
type want struct {
	Lane int `json:"lane,omitempty"` // from 0
}

func (w *want) lane() int   { return w.Lane }
func (f *finish) lane() int { return f.Lane }

type finish struct {
	Lane   int    `json:"lane,omitempty"`
	Piece  string `json:"piece"`
	Exit   int    `json:"exit"`
	Reason string `json:"reason,omitempty"`
}

// beating names the piece that the agent works on, so that one which nobody
// wants any more ends although it has nothing to report.
type beating struct {
	Piece string `json:"piece,omitempty"`
}

type bye struct {
	Reason string `json:"reason"`
}

type failure struct {
	Error string `json:"error"`
}

// statuses is how the errors that an agent branches on travel.
var statuses = []struct {
	err    error
	status int
}{
	{ErrRefused, http.StatusForbidden},
	{ErrStale, http.StatusConflict},
	{ErrNoMore, http.StatusGone},
	{ErrInvalid, http.StatusUnprocessableEntity},
}

// decodeStrict reads exactly one JSON value with known keys only.
func decodeStrict(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("decode body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("decode body: more than one value")
	}
	return nil
}
