package ec2test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type imageAnswer struct {
	ID       string      `xml:"imageId"`
	Name     string      `xml:"name"`
	Created  string      `xml:"creationDate"`
	Root     string      `xml:"rootDeviceName"`
	State    string      `xml:"imageState"`
	Reason   string      `xml:"stateReason>message,omitempty"`
	Snapshot string      `xml:"blockDeviceMapping>item>ebs>snapshotId,omitempty"`
	Tags     []tagAnswer `xml:"tagSet>item"`
}

func (s *Server) describeImages(r request) (any, *failure) {
	ids, owners, want := r.list("ImageId"), r.list("Owner"), r.filters()
	var found []imageAnswer
	for _, i := range s.Images {
		a := s.image(i)
		names, states := want["name"], want["state"]
		if len(ids) > 0 && !slices.Contains(ids, i.ID) || len(owners) > 0 && !slices.Contains(owners, i.Owner) ||
			len(names) > 0 && !matches(names, i.Name) || len(states) > 0 && !matches(states, a.State) || !tagged(want, i.Tags) {
			continue
		}
		found = append(found, a)
	}
	if len(ids) > 0 && len(found) == 0 {
		return nil, bad("InvalidAMIID.NotFound", "The image id '%s' does not exist", ids[0])
	}
	return struct {
		All []imageAnswer `xml:"imagesSet>item"`
	}{found}, nil
}

func (s *Server) image(i Image) imageAnswer {
	a := imageAnswer{ID: i.ID, Name: i.Name, Created: i.Created, Root: i.Root, State: i.State, Snapshot: i.Snapshot}
	if a.State == "" {
		a.State = "available"
	}
	if made, ok := s.made[i.ID]; ok && a.State == "pending" && s.now().Sub(made) >= s.Storing {
		a.State = "available"
		if s.StoreFails != "" {
			a.State, a.Reason = "failed", s.StoreFails
		}
	}
	for _, k := range slices.Sorted(maps.Keys(i.Tags)) {
		a.Tags = append(a.Tags, tagAnswer{k, i.Tags[k]})
	}
	return a
}

// tagged reports whether tags are what a request's filters ask for.
func tagged(filters map[string][]string, tags map[string]string) bool {
	for name, values := range filters {
		if key, ok := strings.CutPrefix(name, "tag:"); ok && !matches(values, tags[key]) {
			return false
		}
	}
	return true
}

// createImage makes an image of an instance that is off: of one that runs it would hold
// what happened to be on its disk.
func (s *Server) createImage(r request) (any, *failure) {
	id, name := r.get("InstanceId"), r.get("Name")
	i := slices.IndexFunc(s.instances, func(in *Instance) bool { return in.ID == id })
	switch {
	case i < 0:
		return nil, bad("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
	case s.instances[i].State != "stopped":
		return nil, bad("IncorrectState", "instance '%s' is %s, and only what is off is made an image here", id, s.instances[i].State)
	case slices.ContainsFunc(s.Images, func(i Image) bool { return i.Name == name && i.Owner == "self" }):
		return nil, bad("InvalidAMIName.Duplicate", "AMI name %s is already in use", name)
	}
	now, n := s.now(), s.calls["CreateImage"]
	img := Image{
		ID: fmt.Sprintf("ami-%017x", n), Name: name, Owner: "self", Root: "/dev/xvda", State: "pending", Snapshot: fmt.Sprintf("snap-%017x", n),
		Created: now.UTC().Format("2006-01-02T15:04:05.000Z"), Tags: r.tags("image"),
	}
	if s.made == nil {
		s.made = make(map[string]time.Time)
	}
	s.made[img.ID] = now
	s.Images = append(s.Images, img)
	s.snapshots = append(s.snapshots, img.Snapshot)
	return struct {
		ID string `xml:"imageId"`
	}{img.ID}, nil
}

type done struct {
	Return bool `xml:"return"`
}

func (s *Server) deregister(r request) (any, *failure) {
	i := slices.IndexFunc(s.Images, func(i Image) bool { return i.ID == r.get("ImageId") })
	if i < 0 {
		return nil, bad("InvalidAMIID.NotFound", "The image id '%s' does not exist", r.get("ImageId"))
	}
	s.Images = slices.Delete(s.Images, i, i+1)
	return done{true}, nil
}

// deleteSnapshot refuses one that an image still is stored in, as AWS does.
func (s *Server) deleteSnapshot(r request) (any, *failure) {
	id := r.get("SnapshotId")
	if i := slices.IndexFunc(s.Images, func(i Image) bool { return i.Snapshot == id }); i >= 0 {
		return nil, bad("InvalidSnapshot.InUse", "The snapshot %s is currently in use by %s", id, s.Images[i].ID)
	}
	i := slices.Index(s.snapshots, id)
	if i < 0 {
		return nil, bad("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
	}
	s.snapshots = slices.Delete(s.snapshots, i, i+1)
	return done{true}, nil
}

func (s *Server) deleteTags(r request) (any, *failure) {
	for _, id := range r.list("ResourceId") {
		i := slices.IndexFunc(s.Images, func(i Image) bool { return i.ID == id })
		if i < 0 {
			return nil, bad("InvalidAMIID.NotFound", "The image id '%s' does not exist", id)
		}
		r.each("Tag", func(t string) { delete(s.Images[i].Tags, r.get(t+"Key")) })
	}
	return done{true}, nil
}

// Snapshots returns what images are stored in.
func (s *Server) Snapshots() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.snapshots)
}

type launchAnswer struct {
	Reservation string           `xml:"reservationId"`
	Instances   []instanceAnswer `xml:"instancesSet>item"`
}

// runInstances starts one machine of exactly one offer. A token's first answer stays its
// answer.
func (s *Server) runInstances(r request) (any, *failure) {
	token := r.get("ClientToken")
	if got, ok := s.launches[token]; ok && token != "" {
		if got.request != r.fingerprint() {
			return nil, bad("IdempotentParameterMismatch", "The client token you have provided is associated with a resource with different parameters.")
		}
		return got.body, nil
	}
	if r.get("MinCount") != "1" || r.get("MaxCount") != "1" {
		return nil, bad("InvalidParameterValue", "Only launches of one instance are known here.")
	}
	t, fail := s.launched(r)
	if fail != nil {
		return nil, fail
	}
	if r.get("DryRun") == "true" {
		return nil, &failure{http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."}
	}
	in := &Instance{Type: r.get("InstanceType"), Subnet: r.get("SubnetId"), Market: "on-demand", Placement: make(map[string]string)}
	for k := range r.form {
		if strings.HasPrefix(k, "Placement.") || strings.HasPrefix(k, "CapacityReservationSpecification.") {
			in.Placement[k] = r.get(k)
		}
	}
	if code := s.refused(in); code != "" {
		return nil, bad(code, "We currently do not have sufficient capacity.")
	}
	s.boot(in, t, r.tags("instance"))
	answer := launchAnswer{"r-" + strconv.Itoa(s.machines), []instanceAnswer{s.answer(in)}}
	if s.launches == nil {
		s.launches = make(map[string]answered)
	}
	s.launches[token] = answered{r.fingerprint(), answer}
	return answer, nil
}

// launched is what a launch starts from: a template, or its own parameters.
func (s *Server) launched(r request) (*template, *failure) {
	if id := r.get("LaunchTemplate.LaunchTemplateId"); id != "" {
		i := slices.IndexFunc(s.templates, func(t *template) bool { return t.id == id })
		if i < 0 {
			return nil, bad("InvalidLaunchTemplateId.NotFound", "The specified launch template does not exist.")
		}
		return s.templates[i], nil
	}
	if !slices.ContainsFunc(s.Images, func(i Image) bool { return i.ID == r.get("ImageId") }) {
		return nil, bad("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", r.get("ImageId"))
	}
	script, err := base64.StdEncoding.DecodeString(r.get("UserData"))
	if err != nil || len(script) > 16<<10 {
		return nil, bad("InvalidUserData.Malformed", "User data is no base64, or more than 16384 bytes.")
	}
	return &template{image: r.get("ImageId"), script: string(script), shutdown: r.get("InstanceInitiatedShutdownBehavior")}, nil
}

// Templates returns the names of the launch templates.
func (s *Server) Templates() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.templates {
		names = append(names, t.name)
	}
	return names
}

type subnetAnswer struct {
	ID   string `xml:"subnetId"`
	Zone string `xml:"availabilityZone"`
}

// describeSubnets takes every subnet for one in a zone of its own, unless its name says
// that it is not there.
func (s *Server) describeSubnets(r request) (any, *failure) {
	var all []subnetAnswer
	for _, id := range r.list("SubnetId") {
		if strings.HasSuffix(id, "-none") {
			return nil, bad("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
		}
		all = append(all, subnetAnswer{id, "zone-" + id})
	}
	return struct {
		All []subnetAnswer `xml:"subnetSet>item"`
	}{all}, nil
}

type groupAnswer struct {
	ID   string `xml:"groupId"`
	Open []struct {
		Protocol string `xml:"ipProtocol"`
	} `xml:"ipPermissions>item"`
}

func (s *Server) describeGroups(r request) (any, *failure) {
	var all []groupAnswer
	for _, id := range r.list("GroupId") {
		all = append(all, groupAnswer{ID: id})
	}
	return struct {
		All []groupAnswer `xml:"securityGroupInfo>item"`
	}{all}, nil
}
