package ec2_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ortest/ortest/runnerfleet/ec2"
)

// policy is what an IAM policy allows; a single action is a list of one.
type policy struct {
	Statement []struct {
		Sid       string
		Effect    string
		Action    any
		Resource  any
		Condition map[string]map[string]any
	}
}

func readPolicy(t *testing.T, path string) (p policy) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func words(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			all = append(all, x.(string))
		}
	}
	return all
}

// actions returns what a policy allows, and fails on a wildcard.
func (p policy) actions(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, s := range p.Statement {
		for _, a := range words(s.Action) {
			if strings.Contains(a, "*") {
				t.Errorf("%s allows %s", s.Sid, a)
			}
			all[a] = true
		}
	}
	return all
}

// The other names under which IAM knows a call: what it does on the way.
var meant = map[string][]string{"ec2:CreateFleet": {"ec2:RunInstances", "ec2:CreateTags"}}

func TestPoliciesAllowWhatIsAskedAndNothingElse(t *testing.T) {
	s := account()
	s.Parameters = map[string]string{"/ortest/image": "ami-old"}
	s.Refuse = func(market, _, _ string) string {
		return map[string]string{"spot": "InsufficientInstanceCapacity"}[market]
	}
	cfg := configure()
	a := cfg.Arches[x64]
	a.Image = "ssm:/ortest/image"
	cfg.Arches[x64] = a
	c := open(t, s, cfg)
	id, err := buy(t, c, launch())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buy(t, open(t, s, cfg), launch()); err != nil { // which finds the template there
		t.Fatal(err)
	}
	if _, err := c.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ConsoleOutput(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := c.Terminate(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Check(t.Context()) {
		if f.Err != nil {
			t.Errorf("%s: %v", f.About, f.Err)
		}
	}
	asked := s.Asked()
	// Of AskPrice, and where an arch has a placement or another machine its own list.
	for _, also := range []string{"ec2:DescribeSpotPriceHistory", "pricing:GetProducts", "ec2:DeleteLaunchTemplate"} {
		asked[also] = true
	}
	for call, others := range meant {
		if asked[call] {
			for _, o := range others {
				asked[o] = true
			}
		}
	}
	if got, want := sorted(readPolicy(t, "aws/bot-policy.json").actions(t)), sorted(asked); !slices.Equal(got, want) {
		t.Errorf("bot may %q\nbot does %q", got, want)
	}
}

func TestImageBuildNeedsItsOwnPolicyAlone(t *testing.T) {
	s := builds("ortest: the image is ready\n", true)
	s.Storing, s.Parameters = 0, map[string]string{"/aws/service/debian": "ami-stock"}
	c := open(t, s, configure())
	b := build()
	b.Poll, b.From = time.Millisecond, "ssm:/aws/service/debian"
	img, err := c.BuildImage(t.Context(), b)
	if err == nil {
		err = errors.Join(c.PromoteImage(t.Context(), img.ID), c.RemoveImage(t.Context(), img))
	}
	if err != nil {
		t.Fatal(err)
	}
	asked := s.Asked()
	asked["ec2:CreateTags"] = true // of what is made
	if got, want := sorted(readPolicy(t, "aws/image-policy.json").actions(t)), sorted(asked); !slices.Equal(got, want) {
		t.Errorf("image build may %q\nimage build does %q", got, want)
	}
}

func TestSweepNeedsItsOwnPolicyAlone(t *testing.T) {
	s := account()
	open(t, s, configure()) // for the environment
	r, err := ec2.OpenReaper(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	s.Fill(1, map[string]string{"ortest:fleet": "test"})
	all, err := r.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := r.Terminate(t.Context(), all[0].CloudID); err != nil {
		t.Fatal(err)
	}
	if got, want := sorted(readPolicy(t, "aws/sweep-policy.json").actions(t)), sorted(s.Asked()); !slices.Equal(got, want) {
		t.Errorf("sweep may %q\nsweep does %q", got, want)
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// What changes or ends something is held to the fleet's tag, or to the call that makes it.
func TestPoliciesAreHeldToTheFleet(t *testing.T) {
	for _, path := range []string{"aws/bot-policy.json", "aws/alone-policy.json", "aws/image-policy.json", "aws/sweep-policy.json"} {
		for _, s := range readPolicy(t, path).Statement {
			open := slices.Contains([]string{"Look", "ReadImageParameters", "ReadStockImageParameters", "LaunchWithWhatTheTemplatesName", "LaunchWithWhatABuilderHas"}, s.Sid)
			if s.Effect != "Allow" || !open && len(s.Condition["StringEquals"]) != 1 {
				t.Errorf("%s: %s has condition %v", path, s.Sid, s.Condition)
			}
		}
	}
}

func TestStackHasThePolicies(t *testing.T) {
	b, err := os.ReadFile("aws/stack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("!Ref Fleet", "FLEET", "!Ref ", "", "!Sub ", "", "!Select ", "", "!GetAtt ", "", "!GetAZs ", "").Replace(string(b))
	var stack struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				PolicyDocument       any `yaml:"PolicyDocument"`
				SecurityGroupIngress any `yaml:"SecurityGroupIngress"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(text), &stack); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"BotPolicy": "aws/bot-policy.json", "AlonePolicy": "aws/alone-policy.json", "ImagePolicy": "aws/image-policy.json", "SweepPolicy": "aws/sweep-policy.json"} {
		var want any
		raw, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(raw, &want)
		}
		if err != nil {
			t.Fatal(err)
		}
		// Through JSON, so that both have the same kinds of maps.
		again, err := json.Marshal(stack.Resources[name].Properties.PolicyDocument)
		var got any
		if err == nil {
			err = json.Unmarshal(again, &got)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s differs from %s: %v\n%s", name, path, err, again)
		}
	}
	for name, r := range stack.Resources {
		if r.Properties.SecurityGroupIngress != nil {
			t.Errorf("%s lets somebody in", name)
		}
	}
}
