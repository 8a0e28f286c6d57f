package contract

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// operation is one method of one path of the description.
type operation struct {
	route   *routers.Route
	pattern *regexp.Regexp // of the escaped path
	names   []string       // of its groups
}

var placeholder = regexp.MustCompile(`\{([^}]+)\}`)

// compile returns the operations, those with the longest fixed text first:
// /commits/{ref}/check-runs must win over /commits/{ref}, whose parameter may
// hold slashes.
func compile(doc *openapi3.T) []operation {
	var ops []operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			ops = append(ops, newOperation(&routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}))
		}
	}
	slices.SortFunc(ops, func(a, b operation) int {
		return cmp.Or(cmp.Compare(fixed(b), fixed(a)), strings.Compare(a.route.Path, b.route.Path), strings.Compare(a.route.Method, b.route.Method))
	})
	return ops
}

func fixed(o operation) int { return len(placeholder.ReplaceAllString(o.route.Path, "")) }

func newOperation(route *routers.Route) operation {
	o := operation{route: route}
	slashes := func(name string) bool {
		for _, p := range route.Operation.Parameters {
			if p.Value.In == openapi3.ParameterInPath && p.Value.Name == name {
				return p.Value.Extensions["x-multi-segment"] == true
			}
		}
		return false
	}
	expr := placeholder.ReplaceAllStringFunc(route.Path, func(p string) string {
		name := strings.Trim(p, "{}")
		o.names = append(o.names, name)
		if slashes(name) {
			return "(.*)" // contents/ is the root folder
		}
		return "([^/]+)"
	})
	o.pattern = regexp.MustCompile("^" + expr + "$")
	return o
}

// find returns the operation that a request is for, with its path parameters.
func find(method string, path string) (*operation, map[string]string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i, o := range api() {
		if o.route.Method != method {
			continue
		}
		values := o.pattern.FindStringSubmatch(path)
		if values == nil {
			continue
		}
		params := make(map[string]string, len(o.names))
		for n, name := range o.names {
			params[name] = values[n+1]
			if plain, err := url.PathUnescape(values[n+1]); err == nil {
				params[name] = plain
			}
		}
		return &api()[i], params
	}
	return nil, nil
}

// isREST reports whether a path belongs to the REST interface rather than to
// repositories, pages or a private interface.
func isREST(path string) bool {
	for _, root := range []string{"/app", "/app-manifests", "/installation", "/repos", "/orgs", "/user", "/users", "/rate_limit"} {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}
