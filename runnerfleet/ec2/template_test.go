package ec2_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// tap keeps what is asked of AWS.
type tap struct{ asked []url.Values }

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	if form, err := url.ParseQuery(string(b)); err == nil {
		t.asked = append(t.asked, form)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (t *tap) of(action string) url.Values {
	i := slices.IndexFunc(t.asked, func(v url.Values) bool { return v.Get("Action") == action })
	if i < 0 {
		return nil
	}
	return t.asked[i]
}

// Nothing that a job could misuse, nothing that stays, no secret.
func TestWhatEveryMachineHas(t *testing.T) {
	wire, cfg := new(tap), configure()
	cfg.HTTP = &http.Client{Transport: wire}
	if _, err := buy(t, open(t, account(), cfg), launch()); err != nil {
		t.Fatal(err)
	}
	const data = "LaunchTemplateData."
	made := wire.of("CreateLaunchTemplate")
	for key, want := range map[string]string{
		"MetadataOptions.HttpTokens": "required", "MetadataOptions.HttpPutResponseHopLimit": "1", "MetadataOptions.HttpProtocolIpv6": "disabled",
		"InstanceInitiatedShutdownBehavior": "terminate", "BlockDeviceMapping.1.Ebs.Encrypted": "true", "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
		"SecurityGroupId.1": "sg-1", "ImageId": "ami-new",
	} {
		if got := made.Get(data + key); got != want {
			t.Errorf("%s is %q, want %s", key, got, want)
		}
	}
	for key := range made {
		if strings.Contains(key, "IamInstanceProfile") || strings.Contains(key, "KeyName") {
			t.Errorf("a machine has %s=%s", key, made.Get(key))
		}
	}
	script, err := base64.StdEncoding.DecodeString(made.Get(data + "UserData"))
	if err != nil || !strings.HasPrefix(strings.Join(commands(string(script)), "\n"), "shutdown -P +120\n") {
		t.Errorf("%v: the timer is not first of all:\n%s", err, script)
	}
	if l := launch(); l.Token != "" && strings.Contains(string(script), l.Token) || strings.Contains(string(script), l.Instance) {
		t.Errorf("user-data are of one machine:\n%s", script)
	}
	fleet := wire.of("CreateFleet")
	if fleet.Get("Type") != "instant" || fleet.Get("SpotOptions.AllocationStrategy") != "price-capacity-optimized" || fleet.Get("TargetCapacitySpecification.TotalTargetCapacity") != "1" {
		t.Errorf("asked for %v", fleet)
	}
}

// commands are a script's lines but for comments.
func commands(script string) (lines []string) {
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}
