// Package ec2test is an EC2 for tests, over HTTP as the SDK speaks it: instances,
// launch templates, instant fleets, images and console output, and of Systems
// Manager and Service Quotas what a fleet asks.
//
// Images are made of instances that are off, and are pending for a while.
//
// It keeps what AWS documents: tokens that make a repeat the same call and another
// request an error, request buckets that refuse what comes too fast, offers that
// are out of capacity, lists that lag behind, and machines that stay listed for
// a while after their end. Time is the caller's.
package ec2test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is one account in one region. The zero value has unlimited capacity, no
// images and no quotas; set what is needed before the first request, or under
// Change.
type Server struct {
	Now func() time.Time // nil: time.Now
	// Capacity is what offers have left, by "market type subnet"; no entry: enough.
	Capacity map[string]int
	// Refuse is asked for each offer, before its capacity; an error code, or "".
	Refuse func(market, instanceType, subnet string) string
	Images []Image
	// Parameters of Systems Manager, and quotas by code.
	Parameters map[string]string
	Quotas     map[string]float64
	VCPUs      map[string]int // by type; 2 where a type is not named
	// Lag is how long a launched instance is not listed, Linger how long a terminated one
	// still is. AWS promises neither; an hour is usual for the second.
	Lag, Linger time.Duration
	// Storing is how long an image that was made of an instance is pending; StoreFails says
	// why it then is none.
	Storing    time.Duration
	StoreFails string
	// Forbid are actions that the caller has no permission for.
	Forbid []string
	// Throttle holds callers to AWS's published request buckets.
	Throttle bool
	// Fault is asked before an action is taken and after; an error cuts the connection,
	// as if the answer had been lost.
	Fault func(action string, after bool) error
	// Silent says which actions get no answer: the caller waits until it gives up.
	Silent func(action string) bool
	// Booted and Ended are told of each instance that starts or ends, without a lock held.
	Booted, Ended func(Instance)

	mu        sync.Mutex
	instances []*Instance
	templates []*template
	fleets    map[string]answered  // by client token
	launches  map[string]answered  // by client token, of RunInstances
	made      map[string]time.Time // when an image was asked for
	snapshots []string
	buckets   map[string]*bucket
	calls     map[string]int
	console   map[string]string
	machines  int
	ended     []Instance // Ended is still to be told
}

// Image is one of the account's images.
type Image struct {
	ID, Name, Owner, Created, Root string
	State                          string // "": available
	Snapshot                       string // "": none that this account sees
	Tags                           map[string]string
}

// Instance is a machine as the account sees it.
type Instance struct {
	ID, Type, Subnet, Market string
	State                    string // pending, running, stopped, terminated
	Image, UserData          string // user-data as text
	Tags                     map[string]string
	LaunchedAt, EndedAt      time.Time
	AtShutdown               string            // what a machine that powers itself off becomes: terminated or stopped
	Placement                map[string]string // what a launch said of it, such as Placement.Tenancy
}

type answered struct {
	request string
	body    any
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Change runs f while no request is served.
func (s *Server) Change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Instances returns all that ever were, in the order of their launch.
func (s *Server) Instances() []Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Instance
	for _, in := range s.instances {
		all = append(all, *in)
	}
	return all
}

// Calls returns how often an action was asked for, refused calls included.
func (s *Server) Calls(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[action]
}

// Asked returns the actions that were asked for, as IAM names them.
func (s *Server) Asked() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]bool)
	for action := range s.calls {
		service := "ec2"
		switch action {
		case "GetParameter":
			service = "ssm"
		case "GetServiceQuota":
			service = "servicequotas"
		}
		all[service+":"+action] = true
	}
	return all
}

// Print sets what an instance shows on its console.
func (s *Server) Print(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.console == nil {
		s.console = make(map[string]string)
	}
	s.console[id] = text
}

// PowerOff is an instance's own: it ends, or stops if it was launched to do so.
func (s *Server) PowerOff(id string) {
	s.mu.Lock()
	i := slices.IndexFunc(s.instances, func(in *Instance) bool { return in.ID == id })
	stops := i >= 0 && s.instances[i].AtShutdown == "stop"
	if stops && s.instances[i].State == "running" {
		s.instances[i].State = "stopped"
	}
	s.mu.Unlock()
	if !stops {
		s.Kill(id)
	}
}

// Kill ends an instance without anybody having asked, as an interruption does.
func (s *Server) Kill(id string) {
	s.mu.Lock()
	s.end(id)
	s.mu.Unlock()
	s.tell()
}

// tell passes on what has ended.
func (s *Server) tell() {
	s.mu.Lock()
	ended := s.ended
	s.ended = nil
	s.mu.Unlock()
	for _, in := range ended {
		if s.Ended != nil {
			s.Ended(in)
		}
	}
}

func (s *Server) end(id string) bool {
	i := slices.IndexFunc(s.instances, func(in *Instance) bool { return in.ID == id })
	if i < 0 {
		return false
	}
	if in := s.instances[i]; in.State != "terminated" {
		in.State, in.EndedAt = "terminated", s.now()
		s.ended = append(s.ended, *in)
		if left, ok := s.Capacity[in.offer()]; ok {
			s.Capacity[in.offer()] = left + 1
		}
	}
	return true
}

func (in *Instance) offer() string { return in.Market + " " + in.Type + " " + in.Subnet }

// failure is an error that AWS answers with.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func bad(code, format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// ServeHTTP answers one call of the SDK.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, "body was cut", http.StatusBadRequest)
		return
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, action, _ := strings.Cut(target, ".")
		s.serveJSON(w, action, body)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		http.Error(w, "body is no form", http.StatusBadRequest)
		return
	}
	action := form.Get("Action")
	if s.Silent != nil && s.Silent(action) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	answer, booted, fail := s.serve(action, form)
	s.tell()
	if fail == errCut {
		panic(http.ErrAbortHandler)
	}
	if booted != nil && s.Booted != nil {
		s.Booted(*booted)
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	if fail != nil {
		w.WriteHeader(fail.status)
		answer = errorAnswer{Code: fail.code, Message: fail.message, Request: "req-1"}
	}
	start := xml.StartElement{Name: xml.Name{Local: action + "Response"}}
	if fail != nil {
		start.Name.Local = "Response"
	}
	_ = xml.NewEncoder(w).EncodeElement(answer, start)
}

type errorAnswer struct {
	Code    string `xml:"Errors>Error>Code"`
	Message string `xml:"Errors>Error>Message"`
	Request string `xml:"RequestID"`
}

var errCut = &failure{code: "cut"}

// serve takes an action between the two moments at which it may be cut.
func (s *Server) serve(action string, form url.Values) (any, *Instance, *failure) {
	if s.Fault != nil && s.Fault(action, false) != nil {
		return nil, nil, errCut
	}
	s.mu.Lock()
	s.count(action)
	var answer any
	before := len(s.instances)
	fail := s.throttled(action)
	if fail == nil && slices.Contains(s.Forbid, action) {
		fail = &failure{http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation."}
	}
	if fail == nil {
		answer, fail = s.act(action, request{form})
	}
	var booted *Instance
	if len(s.instances) > before {
		in := *s.instances[before]
		booted = &in
	}
	s.mu.Unlock()
	if s.Fault != nil && s.Fault(action, true) != nil {
		if booted != nil && s.Booted != nil {
			s.Booted(*booted)
		}
		return nil, nil, errCut
	}
	return answer, booted, fail
}

func (s *Server) count(action string) {
	if s.calls == nil {
		s.calls = make(map[string]int)
	}
	s.calls[action]++
}

func (s *Server) act(action string, r request) (any, *failure) {
	switch action {
	case "CreateFleet":
		return s.createFleet(r)
	case "CreateLaunchTemplate":
		return s.createTemplate(r)
	case "DescribeLaunchTemplates":
		return s.describeTemplates(r)
	case "DeleteLaunchTemplate":
		return s.deleteTemplate(r)
	case "RunInstances":
		return s.runInstances(r)
	case "CreateImage":
		return s.createImage(r)
	case "DeregisterImage":
		return s.deregister(r)
	case "DeleteSnapshot":
		return s.deleteSnapshot(r)
	case "DeleteTags":
		return s.deleteTags(r)
	case "DescribeSubnets":
		return s.describeSubnets(r)
	case "DescribeSecurityGroups":
		return s.describeGroups(r)
	case "DescribeInstances":
		return s.describeInstances(r)
	case "TerminateInstances":
		return s.terminate(r)
	case "DescribeImages":
		return s.describeImages(r)
	case "DescribeInstanceTypes":
		return s.describeTypes(r)
	case "GetConsoleOutput":
		return s.consoleOutput(r)
	}
	return nil, bad("InvalidAction", "The action %s is not valid for this web service.", action)
}

// serveJSON answers Systems Manager and Service Quotas.
func (s *Server) serveJSON(w http.ResponseWriter, action string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(action)
	var in struct{ Name, QuotaCode, ServiceCode string }
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, "body is no JSON", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var answer any
	switch action {
	case "GetParameter":
		if v, ok := s.Parameters[in.Name]; ok {
			answer = map[string]any{"Parameter": map[string]any{"Name": in.Name, "Type": "String", "Value": v, "Version": 1}}
		}
	case "GetServiceQuota":
		if v, ok := s.Quotas[in.QuotaCode]; ok {
			answer = map[string]any{"Quota": map[string]any{"QuotaCode": in.QuotaCode, "ServiceCode": in.ServiceCode, "Value": v}}
		}
	}
	if answer == nil {
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]string{"__type": map[string]string{"GetParameter": "ParameterNotFound"}[action] + "NoSuchResourceException"}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// Fill adds n running instances with the same tags.
func (s *Server) Fill(n int, tags map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.boot(&Instance{Type: "c5.large", Market: "on-demand"}, &template{}, tags)
	}
}
