package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestRules shows every rule an offender, and beside it what it must let pass.
func TestRules(t *testing.T) {
	cases := ruleCases()
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			own := cases[rule.Name]
			if own == nil {
				t.Fatal("no case proves that this rule catches anything")
			}
			for _, tt := range own {
				t.Run(tt.name, func(t *testing.T) {
					tree, err := Parse(moduleOf(tt.files))
					if err != nil {
						t.Fatal(err)
					}
					var got []string
					for _, o := range rule.Check(tree) {
						got = append(got, o.String())
					}
					slices.Sort(got)
					if !slices.Equal(got, tt.want) {
						t.Errorf("offences\n got %q\nwant %q", got, tt.want)
					}
				})
			}
		})
	}
	for name := range cases {
		if !slices.ContainsFunc(Rules(), func(r Rule) bool { return r.Name == name }) {
			t.Errorf("cases for %q, which is no rule", name)
		}
	}
}

type files map[string]string

type ruleCase struct {
	name  string
	files files
	want  []string
}

// moduleOf is a small module of the given files.
func moduleOf(in files) fstest.MapFS {
	fsys := fstest.MapFS{"plan": {Mode: 0o755 | 1<<31}}
	for name, text := range in {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// imports is a file of a package that imports the paths; "@" is our module.
func imports(name string, paths ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", name)
	for _, p := range paths {
		fmt.Fprintf(&b, "import _ %q\n", strings.Replace(p, "@", module, 1))
	}
	return b.String()
}

// body is a function of so many lines between its braces.
func body(lines int) string {
	return "package plan\nfunc f() {\n" + strings.Repeat("\tg()\n", lines) + "}\n"
}

// names is a file that exports so many types.
func names(count int) string {
	var b strings.Builder
	b.WriteString("package plan\n")
	for i := range count {
		fmt.Fprintf(&b, "type T%d int\n", i)
	}
	return b.String()
}

func ruleCases() map[string][]ruleCase {
	all := map[string][]ruleCase{}
	for _, group := range []map[string][]ruleCase{importCases(), limitCases(), wordCases(), documentCases()} {
		for name, c := range group {
			all[name] = c
		}
	}
	return all
}

func importCases() map[string][]ruleCase {
	return map[string][]ruleCase{
		"a package imports only what the import table allows": {
			{"a room of the row is allowed", files{"bot/x.go": imports("bot", "@/plan", "fmt", "example.org/x")}, nil},
			{"a room that is not in the row", files{"plan/x.go": imports("plan", "@/report")},
				[]string{"plan/x.go:2: plan imports github.com/ortest/ortest/report"}},
			{"a row for a folder does not hold for those below it", files{"runnerfleet/ec2/x.go": imports("ec2", "@/plan")},
				[]string{"runnerfleet/ec2/x.go:2: runnerfleet/ec2 imports github.com/ortest/ortest/plan"}},
			{"a package above imports internal", files{"bot/x.go": imports("bot", "@/internal/githubtest")},
				[]string{"bot/x.go:2: bot imports github.com/ortest/ortest/internal/githubtest"}},
			{"its test may", files{"bot/x_test.go": imports("bot_test", "@/internal/githubtest", "@/examples", "@/bot")}, nil},
			{"its test may import what lies beside it", files{"bot/web/x_test.go": imports("web_test", "@/bot/github")}, nil},
			{"the root is for the demo", files{"action/x.go": imports("action", "@")},
				[]string{"action/x.go:2: action imports github.com/ortest/ortest"}},
			{"a test is held to the row otherwise", files{"plan/x_test.go": imports("plan", "@/bot")},
				[]string{"plan/x_test.go:2: plan imports github.com/ortest/ortest/bot"}},
			{"cmd/ortest imports anything", files{"cmd/ortest/x.go": imports("main", "@/store", "@/internal/githubtest")}, nil},
			{"nobody imports cmd/ortest", files{"internal/x/x.go": imports("x", "@/cmd/ortest")},
				[]string{"internal/x/x.go:2: internal/x imports github.com/ortest/ortest/cmd/ortest"}},
			{"a fake is not shipped", files{"store/x.go": imports("store", "@/runnerfleet/fleettest")},
				[]string{"store/x.go:2: store imports github.com/ortest/ortest/runnerfleet/fleettest"}},
			{"a package without a row", files{"plan/deep/x.go": imports("deep")},
				[]string{"plan/deep/x.go: plan/deep is not in the import table"}},
		},
		"a vendor comes in by its own door": {
			{"through the door", files{"bot/github/x.go": imports("github", "github.com/google/go-github/v60/github")}, nil},
			{"beside it", files{"bot/x.go": imports("bot", "github.com/google/go-github/v60/github")},
				[]string{"bot/x.go:2: bot imports github.com/google/go-github/v60/github; only bot/github may"}},
			{"a test has no other door", files{"bot/x_test.go": imports("bot", "database/sql")},
				[]string{"bot/x_test.go:2: bot imports database/sql; only store may"}},
			{"a package below the door's room", files{"internal/x/y/x.go": imports("y", "github.com/getkin/kin-openapi/openapi3")}, nil},
		},
		"plan and report are pure": {
			{"an import that reaches outside", files{"plan/x.go": imports("plan", "os")}, []string{"plan/x.go:2: plan imports os"}},
			{"the clock", files{"report/x.go": "package report\nvar _ = time.Now()\n"}, []string{"report/x.go:2: calls time.Now"}},
			{"a time that is handed in, and what others read", files{
				"report/x.go": "package report\nvar _ = time.Unix(0, 0)\n", "bot/x.go": imports("bot", "os")}, nil},
			{"a test may read its files", files{"plan/x_test.go": imports("plan", "os")}, nil},
		},
		"the top level has no other folder than the design names": {
			{"a folder of the design, and a hidden one", files{"store/x": "", ".ci/run": "", "README.md": ""}, nil},
			{"another", files{"scripts/x": ""}, []string{"scripts: is a new top-level folder"}},
			{"a second binary", files{"cmd/other/x.go": "package main\n"},
				[]string{"cmd/other: is a second binary; there is one, with subcommands"}},
		},
	}
}

func limitCases() map[string][]ruleCase {
	long := "package plan\nfunc f() {}\n" + strings.Repeat("//\n", 498)
	table := "package plan\nvar rows = []T{\n" + strings.Repeat("\t{},\n", 600) + "}\n"
	return map[string][]ruleCase{
		"a file has at most 500 lines": {
			{"exactly 500", files{"plan/x.go": long}, nil},
			{"501", files{"plan/x.go": long + "//\n"}, []string{"plan/x.go: has 501 lines"}},
			{"a test", files{"plan/x_test.go": long + "//\n"}, nil},
			{"a table of data", files{"plan/x.go": table}, nil},
		},
		"a function has at most 60 lines": {
			{"exactly 60", files{"plan/x.go": body(60)}, nil},
			{"61", files{"plan/x.go": body(61)}, []string{"plan/x.go:2: f has 61 lines"}},
			{"a test", files{"plan/x_test.go": body(61)}, nil},
			{"a package made for tests", files{"runnerfleet/fleettest/x.go": body(61)}, nil},
			{"rows of data do not count", files{"plan/x.go": "package plan\nfunc f() {\n\t_ = []T{\n" + strings.Repeat("{1},\n", 99) + "}\n}\n"}, nil},
		},
		"a function takes at most 4 parameters after ctx": {
			{"4 and ctx", files{"plan/x.go": "package plan\nfunc f(ctx context.Context, a, b int, c, d string) {}\n"}, nil},
			{"5", files{"plan/x.go": "package plan\nfunc f(a, b int, c, d, e string) {}\n"},
				[]string{"plan/x.go:2: a function of 5 parameters after ctx"}},
			{"5 of an interface's method", files{"plan/x.go": "package plan\ntype I interface {\n\tF(a, b, c, d, e int)\n}\n"},
				[]string{"plan/x.go:3: a function of 5 parameters after ctx"}},
		},
		"a package exports at most 25 types and functions": {
			{"exactly 25, and methods", files{"plan/x.go": names(25) + "func (T1) F() {}\nconst C = 1\n", "plan/x_test.go": names(9)}, nil},
			{"26 over two files", files{"plan/x.go": names(25), "plan/y.go": "package plan\nfunc F() {}\n"},
				[]string{"plan: exports 26 names: " + strings.Join(strings.Fields(
					"T0 T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16 T17 T18 T19 T20 T21 T22 T23 T24 F"), " ")}},
		},
		"ctx is the first parameter and never a field": {
			{"first", files{"plan/x.go": "package plan\nfunc f(ctx context.Context, a int) {}\n"}, nil},
			{"second", files{"plan/x.go": "package plan\nfunc f(a int, ctx context.Context) {}\n"},
				[]string{"plan/x.go:2: a context that is not the first parameter"}},
			{"a field", files{"plan/x.go": "package plan\ntype T struct {\n\tctx context.Context\n}\n"},
				[]string{"plan/x.go:3: a context in a struct"}},
		},
	}
}
