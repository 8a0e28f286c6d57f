package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// recorder keeps an answer until it has been checked, so that whatever a test
// finds in it was reported before the test goes on.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// replay sends what was recorded. A client that went away gets no second chance.
func (r *recorder) replay(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.code())
	_, _ = w.Write(r.body.Bytes())
}

// everywhere are the statuses that GitHub gives on any operation without
// describing them there.
var everywhere = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity,
	http.StatusBadRequest, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
}

// checkAnswer returns what is wrong with the answer to a good request.
func (c call) checkAnswer(rec *recorder) []Fault {
	status := rec.code()
	if status >= http.StatusInternalServerError && status != http.StatusBadGateway && status != http.StatusServiceUnavailable {
		return []Fault{{Where: "status", What: "the stand-in broke: " + rec.body.String()}}
	}
	var described *openapi3.ResponseRef
	if c.op != nil {
		described = c.op.route.Operation.Responses.Status(status)
	}
	switch {
	case described == nil && slices.Contains(everywhere, status):
		return checkErrorBody(rec)
	case described == nil:
		return []Fault{{Where: "status", What: "is not described for " + c.r.Method + " " + c.path}}
	case status == http.StatusNoContent && rec.body.Len() > 0:
		return []Fault{{Where: "/", What: "204 comes with a body"}}
	case status == http.StatusFound && rec.header.Get("Location") == "":
		return []Fault{{Where: "header Location", What: "is missing"}}
	}
	faults := c.checkMediaType(rec, described.Value)
	if len(faults) > 0 {
		return faults
	}
	return c.checkDescribed(rec)
}

// checkDescribed validates status, headers and body against the description.
// What is not JSON, such as a file's raw bytes, is not described further.
func (c call) checkDescribed(rec *recorder) []Fault {
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: c.input(), Status: rec.code(), Header: rec.header,
		Body: io.NopCloser(bytes.NewReader(rec.body.Bytes())),
		Options: &openapi3filter.Options{
			MultiError: true, IncludeResponseStatus: true,
			ExcludeResponseBody:     !isJSON(rec.header.Get("Content-Type")) || c.r.Method == http.MethodHead,
			SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.EnableFormatValidation()},
		},
	}
	err := openapi3filter.ValidateResponse(c.r.Context(), in)
	if err == nil {
		return nil
	}
	if resp := (*openapi3filter.ResponseError)(nil); errors.As(err, &resp) && resp.Err != nil {
		faults := faultsOf(resp.Err)
		for i := range faults {
			if strings.Contains(resp.Reason, "header") {
				faults[i].Where = resp.Reason
			}
		}
		return faults
	}
	what, _, _ := strings.Cut(err.Error(), "\n")
	return []Fault{{Where: "/", What: what}}
}

// checkMediaType holds the answer's type to the request's: a raw media type
// asks for bytes, everything else is answered with JSON.
func (c call) checkMediaType(rec *recorder, described *openapi3.Response) []Fault {
	kind := rec.header.Get("Content-Type")
	if len(described.Content) == 0 || rec.code() >= http.StatusBadRequest {
		return nil
	}
	raw := strings.Contains(c.r.Header.Get("Accept"), "raw")
	if !raw && !isJSON(kind) {
		return []Fault{{Where: "header Content-Type", What: "is " + kind + " where JSON is described"}}
	}
	return nil
}

// checkErrorBody checks the shape that all of GitHub's errors share.
func checkErrorBody(rec *recorder) []Fault {
	var body struct {
		Message *string `json:"message"`
		URL     *string `json:"documentation_url"`
	}
	if err := json.Unmarshal(rec.body.Bytes(), &body); err != nil {
		return []Fault{{Where: "/", What: "an error without a JSON object: " + err.Error()}}
	}
	var faults []Fault
	if body.Message == nil || *body.Message == "" {
		faults = append(faults, Fault{Where: "/message", What: "is missing"})
	}
	if body.URL == nil {
		faults = append(faults, Fault{Where: "/documentation_url", What: "is missing"})
	}
	return faults
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json") && !strings.Contains(kind, "raw"))
}
