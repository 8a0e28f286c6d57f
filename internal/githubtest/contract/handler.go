package contract

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Handler checks what passes to and from the REST interface of next, at / or
// below /api/v3/, and hands a *Violation to report for whatever breaks
// GitHub's description. report may be called from several goroutines at once,
// and always before the client has its answer.
//
// A faulty request is answered here, as GitHub answers it (400, 404 or 422);
// next does not see it. One without credentials goes on, since GitHub looks at
// these first. A faulty answer is sent as it is. Other paths are passed by.
func Handler(next http.Handler, report func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, versioned := strings.CutPrefix(r.URL.EscapedPath(), "/api/v3")
		if !isREST(path) && !versioned {
			next.ServeHTTP(w, r)
			return
		}
		c := call{r: r, path: path}
		c.op, c.params = find(r.Method, path)
		rec := &recorder{header: make(http.Header)}
		if status, faults := c.checkRequest(); len(faults) > 0 {
			report(c.violation(false, status, faults))
			refuse(rec, status, faults)
		} else {
			next.ServeHTTP(rec, r)
			// Whoever went away took what was under way along, and reads no answer.
			if faults := c.checkAnswer(rec); len(faults) > 0 && r.Context().Err() == nil {
				report(c.violation(true, rec.code(), faults))
			}
		}
		rec.replay(w)
	})
}

// call is one request on its way through the handler.
type call struct {
	r      *http.Request
	path   string // below the interface's root, escaped
	op     *operation
	params map[string]string
}

func (c call) violation(answer bool, status int, faults []Fault) *Violation {
	return &Violation{Answer: answer, Method: c.r.Method, Path: c.path, Status: status, Faults: faults}
}

func (c call) input() *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{
		Request: c.r, PathParams: c.params, Route: c.op.route,
		Options: &openapi3filter.Options{
			MultiError: true, SkipSettingDefaults: true, ExcludeRequestBody: true,
			SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.EnableFormatValidation()},
		},
	}
}

// checkRequest returns the faults of the request and the status that GitHub
// refuses it with.
func (c call) checkRequest() (status int, faults []Fault) {
	if c.r.Header.Get("Authorization") == "" && (c.op == nil || c.op.route.Operation.OperationID != fromManifest) {
		return 0, nil
	}
	if c.op == nil {
		return http.StatusNotFound, []Fault{{Where: c.r.Method + " " + c.path, What: "is not in the kept part of GitHub's description (subset.txt)"}}
	}
	if status, faults := c.checkParameters(); len(faults) > 0 {
		return status, faults
	}
	return c.checkBody()
}

// fromManifest is the one operation that takes no credentials: its code is one.
const fromManifest = "apps/create-from-manifest"

func (c call) checkParameters() (status int, faults []Fault) {
	status = http.StatusUnprocessableEntity
	in := c.input()
	for _, p := range c.op.route.Operation.Parameters {
		err := openapi3filter.ValidateParameter(c.r.Context(), in, p.Value)
		if err == nil || p.Value.In == openapi3.ParameterInPath && c.params[p.Value.Name] == "" {
			continue // the pattern says where nothing may stand
		}
		if p.Value.In == openapi3.ParameterInPath {
			status = http.StatusNotFound
		}
		what, _, _ := strings.Cut(err.Error(), "\n")
		faults = append(faults, Fault{Where: p.Value.In + " " + p.Value.Name, What: what})
	}
	known := c.op.route.Operation.Parameters
	for name := range c.r.URL.Query() {
		if known.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			faults = append(faults, Fault{Where: "query " + name, What: "is no parameter of this operation"})
		}
	}
	return status, faults
}

func (c call) checkBody() (status int, faults []Fault) {
	raw, err := io.ReadAll(c.r.Body)
	if err != nil {
		return http.StatusBadRequest, []Fault{{Where: "/", What: "cannot be read: " + err.Error()}}
	}
	c.r.Body = io.NopCloser(bytes.NewReader(raw))
	described := c.op.route.Operation.RequestBody
	raw = bytes.TrimSpace(raw)
	if described == nil {
		if len(raw) > 0 && string(raw) != "{}" && string(raw) != "null" {
			faults = []Fault{{Where: "/", What: "this operation takes no body"}}
		}
		return http.StatusUnprocessableEntity, faults
	}
	if len(raw) == 0 && !described.Value.Required {
		return 0, nil
	}
	var body any
	if err := json.Unmarshal(raw, &body); err != nil {
		return http.StatusBadRequest, []Fault{{Where: "/", What: "is no JSON: " + err.Error()}}
	}
	schema := described.Value.Content.Get("application/json").Schema
	err = schema.Value.VisitJSON(body, openapi3.VisitAsRequest(), openapi3.MultiErrors(), openapi3.EnableFormatValidation())
	faults = append(faultsOf(err), unknownFields(schema, body, "")...)
	if fields, ok := body.(map[string]any); ok {
		faults = append(faults, broken(c.op.route.Operation.OperationID, fields)...)
	}
	return http.StatusUnprocessableEntity, faults
}

// refuse answers as GitHub does.
func refuse(w http.ResponseWriter, status int, faults []Fault) {
	body := map[string]any{"documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}
	switch status {
	case http.StatusNotFound:
		body["message"] = "Not Found"
	case http.StatusBadRequest:
		body["message"] = "Problems parsing JSON"
	default:
		body["message"] = "Invalid request.\n\n" + join(faults)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic("contract: encode refusal: " + err.Error()) // strings only
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // to memory
}
