package ec2test

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var instanceID = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)

// request is a call in the query protocol: lists are numbered from 1.
type request struct{ form url.Values }

func (r request) get(key string) string { return r.form.Get(key) }

// list returns KEY.1, KEY.2, …
func (r request) list(key string) []string {
	var all []string
	for i := 1; r.form.Has(key + "." + strconv.Itoa(i)); i++ {
		all = append(all, r.get(key+"."+strconv.Itoa(i)))
	}
	return all
}

// each calls f with KEY.1., KEY.2., … while the request has such a prefix.
func (r request) each(key string, f func(prefix string)) {
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("%s.%d.", key, i)
		if !r.has(prefix) {
			return
		}
		f(prefix)
	}
}

func (r request) has(prefix string) bool {
	for k := range r.form {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}

// tags returns the tags of a resource type.
func (r request) tags(resource string) map[string]string {
	tags := make(map[string]string)
	r.each("TagSpecification", func(spec string) {
		if r.get(spec+"ResourceType") == resource {
			r.each(spec+"Tag", func(t string) { tags[r.get(t+"Key")] = r.get(t + "Value") })
		}
	})
	return tags
}

// filters returns what the request asks for, by the filter's name.
func (r request) filters() map[string][]string {
	all := make(map[string][]string)
	r.each("Filter", func(f string) { all[r.get(f+"Name")] = r.list(f + "Value") })
	return all
}

// matches reports whether one of the patterns, which may hold * and ?, is of value.
func matches(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(strings.ReplaceAll(p, "[", `\[`), value)
		return ok && err == nil
	})
}

// fingerprint is the request without what differs between repeats.
func (r request) fingerprint() string {
	f := url.Values{}
	for k, v := range r.form {
		if k != "Version" {
			f[k] = v
		}
	}
	return f.Encode()
}

// published is what AWS publishes of its request buckets, and CreateFleet's taken to
// be RunInstances': size, and refill a second.
var published = map[string][2]float64{
	"CreateFleet": {5, 2}, "RunInstances": {5, 2}, "TerminateInstances": {100, 5}, "DescribeInstances": {100, 20}, "DescribeImages": {100, 20},
	"CreateLaunchTemplate": {50, 5}, "GetConsoleOutput": {50, 5},
}

type bucket struct {
	left float64
	at   time.Time
}

// throttled takes a token of the action's bucket, or says that none is left.
func (s *Server) throttled(action string) *failure {
	size, ok := published[action]
	if !ok || !s.Throttle {
		return nil
	}
	now := s.now()
	b := s.buckets[action]
	if b == nil {
		if s.buckets == nil {
			s.buckets = make(map[string]*bucket)
		}
		b = &bucket{left: size[0], at: now}
		s.buckets[action] = b
	}
	b.left = min(size[0], b.left+size[1]*now.Sub(b.at).Seconds())
	b.at = now
	if b.left < 1 {
		return &failure{503, "RequestLimitExceeded", "Request limit exceeded."}
	}
	b.left--
	return nil
}
