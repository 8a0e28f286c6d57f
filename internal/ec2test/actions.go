package ec2test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"
)

type template struct {
	id, name      string
	image, script string
	shutdown      string
	tags          map[string]string
	made          time.Time
}

type templateAnswer struct {
	ID      string `xml:"launchTemplateId"`
	Name    string `xml:"launchTemplateName"`
	Default int    `xml:"defaultVersionNumber"`
	Latest  int    `xml:"latestVersionNumber"`
	Made    string `xml:"createTime"`
}

func (t *template) answer() templateAnswer {
	return templateAnswer{t.id, t.name, 1, 1, t.made.UTC().Format(time.RFC3339)}
}

func (s *Server) createTemplate(r request) (any, *failure) {
	name := r.get("LaunchTemplateName")
	if slices.ContainsFunc(s.templates, func(t *template) bool { return t.name == name }) {
		return nil, bad("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
	}
	const data = "LaunchTemplateData."
	script, err := base64.StdEncoding.DecodeString(r.get(data + "UserData"))
	switch {
	case err != nil:
		return nil, bad("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	case len(script) > 16<<10:
		return nil, bad("InvalidUserData.Malformed", "User data is limited to 16384 bytes.")
	}
	t := &template{
		id: fmt.Sprintf("lt-%017x", s.calls["CreateLaunchTemplate"]), name: name, image: r.get(data + "ImageId"), script: string(script),
		shutdown: r.get(data + "InstanceInitiatedShutdownBehavior"), tags: r.tags("launch-template"), made: s.now(),
	}
	s.templates = append(s.templates, t)
	return struct {
		Template templateAnswer `xml:"launchTemplate"`
	}{t.answer()}, nil
}

func (s *Server) describeTemplates(r request) (any, *failure) {
	var found []templateAnswer
	for _, name := range r.list("LaunchTemplateName") {
		i := slices.IndexFunc(s.templates, func(t *template) bool { return t.name == name })
		if i < 0 {
			return nil, bad("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", name)
		}
		found = append(found, s.templates[i].answer())
	}
	if !r.has("LaunchTemplateName.") {
		for _, t := range s.templates {
			if tagged(r.filters(), t.tags) {
				found = append(found, t.answer())
			}
		}
	}
	return struct {
		All []templateAnswer `xml:"launchTemplates>item"`
	}{found}, nil
}

type fleetAnswer struct {
	ID        string          `xml:"fleetId"`
	Errors    []fleetError    `xml:"errorSet>item"`
	Instances []fleetInstance `xml:"fleetInstanceSet>item"`
}

type fleetError struct {
	Code      string `xml:"errorCode"`
	Message   string `xml:"errorMessage"`
	Lifecycle string `xml:"lifecycle"`
	Type      string `xml:"launchTemplateAndOverrides>overrides>instanceType"`
	Subnet    string `xml:"launchTemplateAndOverrides>overrides>subnetId"`
}

type fleetInstance struct {
	IDs       []string `xml:"instanceIds>item"`
	Type      string   `xml:"instanceType"`
	Lifecycle string   `xml:"lifecycle"`
}

// createFleet buys one machine of the first offer that has capacity, and tells why
// those before it had none. A token's first answer stays its answer.
func (s *Server) createFleet(r request) (any, *failure) {
	token := r.get("ClientToken")
	if got, ok := s.fleets[token]; ok && token != "" {
		if got.request != r.fingerprint() {
			return nil, bad("IdempotentParameterMismatch", "The client token you have provided is associated with a resource with different parameters.")
		}
		return got.body, nil
	}
	switch {
	case len(token) > 64:
		return nil, bad("InvalidParameterValue", "The client token is longer than 64 characters.")
	case r.get("Type") != "instant":
		return nil, bad("InvalidParameterValue", "Only fleets of type instant are known here.")
	case r.get("TargetCapacitySpecification.TotalTargetCapacity") != "1":
		return nil, bad("InvalidParameterValue", "Only fleets of one instance are known here.")
	}
	const cfg = "LaunchTemplateConfigs.1."
	i := slices.IndexFunc(s.templates, func(t *template) bool {
		return t.id == r.get(cfg+"LaunchTemplateSpecification.LaunchTemplateId")
	})
	if i < 0 {
		return nil, bad("InvalidLaunchTemplateId.NotFound", "The specified launch template does not exist.")
	}
	market := r.get("TargetCapacitySpecification.DefaultTargetCapacityType")
	answer := fleetAnswer{ID: fmt.Sprintf("fleet-%d", len(s.fleets)+1)}
	r.each(cfg+"Overrides", func(o string) {
		if len(answer.Instances) > 0 {
			return
		}
		in := &Instance{Type: r.get(o + "InstanceType"), Subnet: r.get(o + "SubnetId"), Market: market}
		if code := s.refused(in); code != "" {
			answer.Errors = append(answer.Errors, fleetError{code, "We currently do not have sufficient capacity.", market, in.Type, in.Subnet})
			return
		}
		s.boot(in, s.templates[i], r.tags("instance"))
		answer.Instances = []fleetInstance{{[]string{in.ID}, in.Type, market}}
	})
	if s.fleets == nil {
		s.fleets = make(map[string]answered)
	}
	s.fleets[token] = answered{r.fingerprint(), answer}
	return answer, nil
}

func (s *Server) refused(in *Instance) string {
	if s.Refuse != nil {
		if code := s.Refuse(in.Market, in.Type, in.Subnet); code != "" {
			return code
		}
	}
	left, ok := s.Capacity[in.offer()]
	if ok && left <= 0 {
		return "InsufficientInstanceCapacity"
	}
	if ok {
		s.Capacity[in.offer()] = left - 1
	}
	return ""
}

func (s *Server) deleteTemplate(r request) (any, *failure) {
	id := r.get("LaunchTemplateId")
	i := slices.IndexFunc(s.templates, func(t *template) bool { return t.id == id })
	if i < 0 {
		return nil, bad("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", id)
	}
	gone := s.templates[i]
	s.templates = slices.Delete(s.templates, i, i+1)
	return struct {
		Template templateAnswer `xml:"launchTemplate"`
	}{gone.answer()}, nil
}

func (s *Server) boot(in *Instance, t *template, tags map[string]string) {
	s.machines++
	in.ID, in.State, in.LaunchedAt = fmt.Sprintf("i-%017x", s.machines), "running", s.now()
	in.Image, in.UserData, in.Tags, in.AtShutdown = t.image, t.script, tags, t.shutdown
	s.instances = append(s.instances, in)
}

type tagAnswer struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

type instanceAnswer struct {
	ID        string      `xml:"instanceId"`
	Image     string      `xml:"imageId"`
	State     stateAnswer `xml:"instanceState"`
	Type      string      `xml:"instanceType"`
	Launched  string      `xml:"launchTime"`
	Subnet    string      `xml:"subnetId"`
	Lifecycle string      `xml:"instanceLifecycle,omitempty"`
	Cores     int         `xml:"cpuOptions>coreCount"`
	Threads   int         `xml:"cpuOptions>threadsPerCore"`
	Tags      []tagAnswer `xml:"tagSet>item"`
}

type stateAnswer struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

func state(name string) stateAnswer {
	return stateAnswer{map[string]int{"pending": 0, "running": 16, "terminated": 48, "stopped": 80}[name], name}
}

const pageSize = 1000

func (s *Server) describeInstances(r request) (any, *failure) {
	want, now, ids := r.filters(), s.now(), r.list("InstanceId")
	var all []instanceAnswer
	for _, in := range s.instances {
		gone := in.State == "terminated" && now.Sub(in.EndedAt) >= s.Linger
		if now.Sub(in.LaunchedAt) < s.Lag || gone || !in.wanted(want) || len(ids) > 0 && !slices.Contains(ids, in.ID) {
			continue
		}
		all = append(all, s.answer(in))
	}
	if len(all) < len(ids) {
		return nil, bad("InvalidInstanceID.NotFound", "The instance IDs '%s' do not exist", ids)
	}
	from, _ := strconv.Atoi(r.get("NextToken"))
	size, err := strconv.Atoi(r.get("MaxResults"))
	if err != nil || size > pageSize {
		size = pageSize
	}
	from = min(from, len(all))
	to := min(from+size, len(all))
	answer := struct {
		All  []instanceAnswer `xml:"reservationSet>item>instancesSet>item"`
		Next string           `xml:"nextToken,omitempty"`
	}{All: all[from:to]}
	if to < len(all) {
		answer.Next = strconv.Itoa(to)
	}
	return answer, nil
}

func (in *Instance) wanted(filters map[string][]string) bool {
	for name, values := range filters {
		value := in.State
		if len(name) > 4 && name[:4] == "tag:" {
			value = in.Tags[name[4:]]
		} else if name != "instance-state-name" {
			return false
		}
		if !matches(values, value) {
			return false
		}
	}
	return true
}

func (s *Server) answer(in *Instance) instanceAnswer {
	a := instanceAnswer{
		ID: in.ID, Image: in.Image, State: state(in.State), Type: in.Type, Subnet: in.Subnet,
		Launched: in.LaunchedAt.UTC().Format(time.RFC3339), Cores: s.vcpus(in.Type), Threads: 1,
	}
	if in.Market == "spot" {
		a.Lifecycle = "spot"
	}
	for k, v := range in.Tags {
		a.Tags = append(a.Tags, tagAnswer{k, v})
	}
	return a
}

func (s *Server) vcpus(instanceType string) int {
	if n, ok := s.VCPUs[instanceType]; ok {
		return n
	}
	return 2
}

type changeAnswer struct {
	ID       string      `xml:"instanceId"`
	Current  stateAnswer `xml:"currentState"`
	Previous stateAnswer `xml:"previousState"`
}

func (s *Server) terminate(r request) (any, *failure) {
	var all []changeAnswer
	for _, id := range r.list("InstanceId") {
		if !instanceID.MatchString(id) {
			return nil, bad("InvalidInstanceID.Malformed", "Invalid id: %q", id)
		}
		if !s.end(id) {
			return nil, bad("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
		all = append(all, changeAnswer{id, state("terminated"), state("running")})
	}
	return struct {
		All []changeAnswer `xml:"instancesSet>item"`
	}{all}, nil
}

type typeAnswer struct {
	Type  string `xml:"instanceType"`
	VCPUs int    `xml:"vCpuInfo>defaultVCpus"`
}

func (s *Server) describeTypes(r request) (any, *failure) {
	var all []typeAnswer
	for _, t := range r.list("InstanceType") {
		all = append(all, typeAnswer{t, s.vcpus(t)})
	}
	return struct {
		All []typeAnswer `xml:"instanceTypeSet>item"`
	}{all}, nil
}

func (s *Server) consoleOutput(r request) (any, *failure) {
	id := r.get("InstanceId")
	if !slices.ContainsFunc(s.instances, func(in *Instance) bool { return in.ID == id }) {
		return nil, bad("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
	}
	text := s.console[id]
	if len(text) > 64<<10 {
		text = text[len(text)-64<<10:]
	}
	return struct {
		ID     string `xml:"instanceId"`
		Output string `xml:"output"`
	}{id, base64.StdEncoding.EncodeToString([]byte(text))}, nil
}
