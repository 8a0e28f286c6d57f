package ec2_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

func TestCheckSaysWhatIsMissing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*ec2test.Server, *ec2.Config)
		about  string
		says   string
		mild   bool
	}{
		{"nothing", func(*ec2test.Server, *ec2.Config) {}, "", "", false},
		{"an image", func(s *ec2test.Server, _ *ec2.Config) { s.Images = nil }, "image of linux x86_64", "no image ortest-x64-* of self", false},
		{"an image of one arch alone", func(_ *ec2test.Server, c *ec2.Config) {
			a := c.Arches[x64]
			a.Image = "ortest-i386-*"
			c.Arches["linux i386"] = a
		}, "image of linux i386", "no image ortest-i386-* of self", true},
		{"a permission", func(s *ec2test.Server, _ *ec2.Config) { s.Forbid = []string{"RunInstances"} }, "launch of linux x86_64", "ec2:RunInstances is not allowed", false},
		{"another", func(s *ec2test.Server, _ *ec2.Config) { s.Forbid = []string{"DescribeSubnets"} }, "subnets", "ec2:DescribeSubnets is not allowed", false},
		{"a quota of nothing", func(s *ec2test.Server, _ *ec2.Config) {
			s.Quotas = map[string]float64{"L-1216C47A": 0, "L-34B43A08": 1}
		}, "quota of linux x86_64", "no machine may start", false},
		{"the right to read quotas", func(s *ec2test.Server, _ *ec2.Config) { s.Quotas = nil }, "quota of linux x86_64", "not known", true},
		{"a subnet", func(_ *ec2test.Server, c *ec2.Config) { c.Subnets = []string{"subnet-none"} }, "subnets", "InvalidSubnetID.NotFound", false},
		{"a second zone", func(_ *ec2test.Server, c *ec2.Config) { c.Subnets = []string{"subnet-a"} }, "subnets", "one zone alone", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, cfg := account(), configure()
			tt.change(s, &cfg)
			found := open(t, s, cfg).Check(t.Context())
			i := slices.IndexFunc(found, func(f ec2.Finding) bool { return f.About == tt.about })
			switch {
			case tt.about == "":
				for _, f := range found {
					if f.Err != nil || f.Says == "" {
						t.Errorf("%+v, want it good", f)
					}
				}
			case i < 0 || found[i].Err == nil || !strings.Contains(found[i].Err.Error(), tt.says) || found[i].Mild != tt.mild || found[i].Do == "":
				t.Errorf("found %+v, want %s", found, tt.says)
			}
			if n := len(s.Instances()); n != 0 {
				t.Errorf("%d machines were started", n)
			}
		})
	}
}

func TestCheckSaysOnceThatThereAreNoCredentials(t *testing.T) {
	credentials(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	c, err := ec2.Open(t.Context(), configure())
	if err != nil {
		t.Fatal(err)
	}
	if found := c.Check(t.Context()); len(found) != 1 || found[0].About != "credentials" || found[0].Err == nil || found[0].Do == "" {
		t.Errorf("found %+v, want the credentials alone", found)
	}
}
