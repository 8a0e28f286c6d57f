package githubtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// obj is a JSON object of an answer.
type obj = map[string]any

// refusal is an answer that is an error to GitHub's client.
type refusal struct {
	status  int
	message string
	errors  []obj // of a 422 that names fields
}

// Error returns the message that the client is sent.
func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

// invalid is the 422 that names the field at fault.
func invalid(resource, field, why string) error {
	return &refusal{status: http.StatusUnprocessableEntity, message: "Validation Failed", errors: []obj{
		{"resource": resource, "field": field, "code": "custom", "message": field + " " + why},
	}}
}

func notFound() error { return refuse(http.StatusNotFound, "Not Found") }

// reply is a good answer; a nil body sends none.
type reply struct {
	status int
	body   any
	header http.Header
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

func (s *Server) writeReply(w http.ResponseWriter, rep reply) {
	for k, v := range rep.header {
		w.Header()[k] = v
	}
	if rep.body == nil {
		w.WriteHeader(rep.status)
		return
	}
	if raw, isRaw := rep.body.([]byte); isRaw {
		w.WriteHeader(rep.status)
		s.write(w, raw)
		return
	}
	s.writeJSON(w, rep.status, rep.body)
}

func (s *Server) writeError(w http.ResponseWriter, err error) {
	ref := (*refusal)(nil)
	if !errors.As(err, &ref) {
		s.log.Error("request failed", "err", err)
		ref = &refusal{status: http.StatusInternalServerError, message: err.Error()}
	}
	body := obj{
		"message":           ref.message,
		"documentation_url": "https://docs.github.com/rest",
		"status":            strconv.Itoa(ref.status),
	}
	if ref.errors != nil {
		body["errors"] = ref.errors
	}
	s.writeJSON(w, ref.status, body)
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		s.log.Error("encode answer", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	s.write(w, raw)
}

// write sends a body; a client that went away gets no second chance.
func (s *Server) write(w http.ResponseWriter, raw []byte) {
	if _, err := w.Write(raw); err != nil {
		s.log.Debug("write answer", "err", err)
	}
}
