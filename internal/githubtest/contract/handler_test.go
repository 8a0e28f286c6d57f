package contract

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// reply is what the handler behind the contract answers.
type reply struct {
	status int
	body   string
	header http.Header
}

// exchange sends a request through the contract to a handler that gives one
// reply, and returns what the client got and what was reported.
func exchange(t *testing.T, method, path, body string, rep reply) (*http.Response, []error) {
	t.Helper()
	var reported []error
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
			t.Errorf("the handler behind read %q, %v; want the body as sent", got, err)
		}
		if rep.body != "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		for name, values := range rep.header {
			w.Header()[name] = values
		}
		w.WriteHeader(rep.status)
		_, _ = io.WriteString(w, rep.body)
	})
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	Handler(next, func(err error) { reported = append(reported, err) }).ServeHTTP(w, r)
	for _, err := range reported {
		if v := (*Violation)(nil); !errors.As(err, &v) {
			t.Errorf("reported %T, want a *Violation", err)
		}
	}
	return w.Result(), reported
}
