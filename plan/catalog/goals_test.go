package catalog

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan"
)

func embeddedCatalog(t testing.TB) *Catalog {
	t.Helper()
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func names(goals []plan.Goal) string {
	var s []string
	for _, g := range goals {
		s = append(s, g.String())
	}
	return strings.Join(s, " ")
}

// TestGoalsEqualsTheOldTool holds the expansion against what the old
// gen-user-data makes of the same words.
func TestGoalsEqualsTheOldTool(t *testing.T) {
	c := embeddedCatalog(t)
	b, err := os.ReadFile("testdata/goals.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(b)) {
		words, want, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		cases++
		goals, dropped, err := c.Goals(strings.Fields(words), "")
		if err != nil || len(dropped) > 0 || names(goals) != want {
			t.Errorf("Goals(%s)\n got %s, dropped %v, %v\nwant %s", words, names(goals), dropped, err, want)
		}
	}
	if cases < 50 {
		t.Fatalf("testdata/goals.txt has %d cases", cases)
	}
}

func TestAllModesAre326Goals(t *testing.T) {
	c := embeddedCatalog(t)
	goals, _, err := c.Goals(strings.Fields("t tr tw tv trv twv th thv tl to"), "")
	if err != nil || len(goals) != 326 {
		t.Errorf("%d goals, %v; want 326", len(goals), err)
	}
	projects := 0
	for _, p := range c.Projects() {
		if !p.Example {
			projects++
		}
	}
	if projects != 39 {
		t.Errorf("%d projects, want 39", projects)
	}
}

// TestExclude drops what the old tool dropped, as its recorded warning names it.
func TestExclude(t *testing.T) {
	b, err := os.ReadFile("testdata/dispatcher/full-t120-exclude-v.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "WARNING: skipping goals ")
	if !ok {
		t.Fatal("the recorded output has no warning")
	}
	want, _, _ := strings.Cut(rest, "\n")
	c := embeddedCatalog(t)
	goals, dropped, err := c.Goals(strings.Fields("t tr tw tv trv twv th thv tl to"), `^t[rwh]?v-`)
	if err != nil || strings.Join(dropped, " ") != want {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	if len(goals)+len(dropped) != 326 {
		t.Errorf("%d goals and %d dropped, want 326 together", len(goals), len(dropped))
	}
}

func TestGoals(t *testing.T) {
	examples, err := Examples()
	if err != nil {
		t.Fatal(err)
	}
	def := embeddedCatalog(t)
	for _, tt := range []struct {
		name    string
		c       *Catalog
		targets string
		exclude string
		want    string
		dropped string
	}{
		{"an example project works by name everywhere", def, "hello", "", "t-hello tv-hello th-hello tl-hello", ""},
		{"in the demo a mode is the examples that have it", examples, "tv", "", "tv-hello tv-tally", ""},
		{"a mode that only one example has", examples, "tl th", "", "tl-hello th-hello", ""},
		{"an excluded goal comes back by no other target", def, "ngx_echo t-ngx_echo", "^t-", "tr-ngx_echo tw-ngx_echo trv-ngx_echo twv-ngx_echo tv-ngx_echo th-ngx_echo thv-ngx_echo tl-ngx_echo to-ngx_echo", "t-ngx_echo"},
		{"excluding everything leaves nothing, not everything", def, "hello", ".", "", "t-hello tv-hello th-hello tl-hello"},
		{"the pattern is not anchored", def, "tl-ngx_lua tl-ngx_lua_upstream", "tl-ngx_lua", "", "tl-ngx_lua tl-ngx_lua_upstream"},
		{"no targets are no goals", def, "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			goals, dropped, err := tt.c.Goals(strings.Fields(tt.targets), tt.exclude)
			if err != nil || names(goals) != tt.want || strings.Join(dropped, " ") != tt.dropped {
				t.Errorf("got %s, dropped %v, %v", names(goals), dropped, err)
			}
		})
	}
}

func TestUnknownNames(t *testing.T) {
	examples, err := Examples()
	if err != nil {
		t.Fatal(err)
	}
	def := embeddedCatalog(t)
	for _, tt := range []struct {
		c       *Catalog
		target  string
		nearest string
		what    string
	}{
		{examples, "t-helo", "t-hello", ""},
		{examples, "helo", "hello", ""},
		{examples, "tx-hello", "t-hello tv-hello th-hello", ""},
		{examples, "ngx_lua", "", ""},
		{def, "t-helo", "t-hello", ""},
		{def, "tv-ngx-lua", "tv-ngx_lua", ""},
		{def, "redis", "ngx_redis2 lua-resty-redis", ""},
		{def, "tvv", "tv trv twv", ""},
		{def, "qqqqqqqq", "", ""},
		{def, "", "", ""},
		{def, "tr-ngx_set_misc", "", "ngx_set_misc is not tested in mode tr, only in t tv th thv tl to"},
		{def, "th-sregex", "", "sregex is not tested in mode th, only in t tv"},
		{def, strings.Repeat("t-hello", 1000), "", ""},
	} {
		t.Run(clip(tt.target), func(t *testing.T) {
			_, _, err := tt.c.Goals([]string{"tv-hello", tt.target}, "")
			var unknown *UnknownError
			if !errors.As(err, &unknown) {
				t.Fatalf("error %v is no *UnknownError", err)
			}
			if strings.Join(unknown.Nearest, " ") != tt.nearest || unknown.What != tt.what || len(err.Error()) > 300 {
				t.Errorf("nearest %v, what %q", unknown.Nearest, unknown.What)
			}
		})
	}
}

func TestGoalsAreBounded(t *testing.T) {
	c := embeddedCatalog(t)
	for _, tt := range []struct {
		name    string
		targets []string
		exclude string
		want    string
	}{
		{"2,000 targets are the most", slices.Repeat([]string{"tv"}, 2000), "", ""},
		{"one more is refused", slices.Repeat([]string{"tv"}, 2001), "", "2001 targets"},
		{"ten thousand are refused", slices.Repeat([]string{"tv-ngx_lua"}, 10_000), "", "10000 targets"},
		{"a look-behind is refused with its place", []string{"t"}, `t-(?<!x)y`, `"(?<!x)y" at character 3`},
		{"a back-reference is refused with its place", []string{"t"}, `(a)\1`, `"\\1" at character 4`},
		{"an open bracket is refused", []string{"t"}, `a[`, "missing closing ]"},
		{"a pattern of 513 bytes is refused", []string{"t"}, strings.Repeat("a", 513), "under 512 bytes"},
		{"a repetition that would explode is refused", []string{"t"}, `((a{900}){900}){900}`, "repeat"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := c.Goals(tt.targets, tt.exclude)
			var usage *plan.UsageError
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("unexpected %v", err)
			case tt.want != "" && (!errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want a *plan.UsageError with %q", err, tt.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	c := embeddedCatalog(t)
	for _, tt := range []struct {
		name string
		o    plan.Options
		want string
	}{
		{"the three arches are known", plan.Options{Arch: "linux aarch64"}, ""},
		{"an unknown arch is refused with the list", plan.Options{Arch: "sparc"}, "choose one of 'linux x86_64', 'linux i386', 'linux aarch64'"},
		{"the arch of the old tool's recorded mistake is refused", plan.Options{Arch: "linux arm64"}, "is no arch"},
		{"a core that a release bundles is taken", plan.Options{Arch: "linux x86_64", Nginx: "1.29.2"}, ""},
		{"a core that none bundles is refused with the nearest", plan.Options{Arch: "linux x86_64", Nginx: "1.29.3"}, "1.29.2, 1.31.1"},
		{"below all cores only the oldest is near", plan.Options{Arch: "linux x86_64", Nginx: "0.1.0"}, "would work: 0.8.54"},
		{"above all cores only the newest is near", plan.Options{Arch: "linux x86_64", Nginx: "9.9.9"}, "would work: 1.31.1"},
		{"an instance type of the arch is taken", plan.Options{Arch: "linux x86_64", InstanceType: "c5.xlarge"}, ""},
		{"another arch's is refused", plan.Options{Arch: "linux x86_64", InstanceType: "c7g.large"}, "c5.large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := c.Check(plan.Request{Options: tt.o})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTick(t *testing.T) {
	c := embeddedCatalog(t)
	for _, tt := range []struct{ version, want string }{
		{"1.29.2.1", "tock"}, // the first on its core
		{"1.29.2.2", "tick"},
		{"1.29.2.6", "tick"}, // not yet in the catalog
		{"1.31.1.1", "tock"},
		{"1.33.0.1", "tock"}, // a core not yet in the catalog
		{"0.8.54.3", "tock"}, // the first known, though not numbered 1
		{"1.29.2", ""},
		{"1.29.2.x", ""},
		{"1.29.2.01", ""},
	} {
		t.Run(tt.version, func(t *testing.T) {
			got, err := c.Tick(tt.version)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("Tick = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
