package catalog

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan"
)

// TestAddAProject follows docs/add-a-project.md: what it shows must be so.
func TestAddAProject(t *testing.T) {
	b, err := os.ReadFile("../../docs/add-a-project.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```\\w+ (\\S+)\n(.*?)^```$").FindAllStringSubmatch(string(b), -1) {
		blocks[m[1]] = m[2]
	}
	const file = "projects/lua-resty-counter.yaml"
	if blocks[file] == "" || blocks["goals"] == "" || blocks["error"] == "" {
		t.Fatalf("the document has blocks %v", blocks)
	}
	c, err := Load(overlay(map[string]string{file: blocks[file]}))
	if err != nil {
		t.Fatal(err)
	}
	goals, _, err := c.Goals([]string{"lua-resty-counter"}, "")
	if err != nil || Line(goals) != strings.TrimSpace(blocks["goals"]) {
		t.Errorf("goals %s, %v", Line(goals), err)
	}
	all, _, err := c.Goals([]string{"t", "tr", "tw", "tv", "trv", "twv", "th", "thv", "tl", "to"}, "")
	if err != nil || len(all) != 326+6 {
		t.Errorf("%d goals in all modes, %v; want 6 more than before", len(all), err)
	}
	p, _ := c.Project("lua-resty-counter")
	if len(p.Build) != 0 || p.Test.Prove == nil || !strings.Contains(strings.Join(p.Packages, " "), "redis-server") {
		t.Errorf("the project inherits %+v", p)
	}
	if _, err := Load(overlay(map[string]string{"projects/lua-resty-tally.yaml": blocks["projects/lua-resty-tally.yaml"]})); err != nil {
		t.Error(err)
	}
	wrong := strings.Replace(blocks[file], "services: [redis]", "services: [reddis]", 1)
	if _, err := Load(overlay(map[string]string{file: wrong})); err == nil || err.Error() != strings.TrimSpace(blocks["error"]) {
		t.Errorf("the slip gives %v", err)
	}
	known := " " + strings.Join(keysOf(reflect.TypeFor[plan.Project]()), " ") + " "
	for _, m := range regexp.MustCompile("(?m)^\\| (`.*?) \\| ").FindAllStringSubmatch(string(b), -1) {
		for _, key := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(m[1], -1) {
			if !strings.Contains(known, " "+key[1]+" ") {
				t.Errorf("the document names a key %q", key[1])
			}
		}
	}
}
