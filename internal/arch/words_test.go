package arch

import (
	"fmt"
	"strings"
)

func wordCases() map[string][]ruleCase {
	return map[string][]ruleCase{
		"a package has a comment that says what it is for": {
			{"one file has it", files{"plan/x.go": "// Package plan packs.\npackage plan\n", "plan/y.go": "package plan\n"}, nil},
			{"none has", files{"plan/x.go": "package plan\n"}, []string{`plan: no comment that begins with "Package plan"`}},
			{"a test's does not count", files{"plan/x.go": "package plan\n", "plan/x_test.go": "// Package plan packs.\npackage plan\n"},
				[]string{`plan: no comment that begins with "Package plan"`}},
			{"a command says what it does", files{"cmd/ortest/x.go": "// Command ortest tests.\npackage main\n"}, nil},
		},
		"a package is not named for being useful": {
			{"named for what it holds", files{"plan/catalog/x.go": "package catalog\n"}, nil},
			{"named util", files{"plan/util/x.go": "package util\n"}, []string{"plan/util: says nothing about what is in it"}},
		},
		"a name uses the words of the design": {
			{"its words", files{"plan/x.go": "package plan\nfunc Pack(bucket int) {}\nfunc DoneAt() {}\n"}, nil},
			{"another word for a bucket", files{"plan/x.go": "package plan\ntype Shard int\n"},
				[]string{"plan/x.go:2: Shard: the design has another word"}},
			{"a verb that says nothing", files{"plan/x.go": "package plan\nfunc ProcessGoals() {}\n"},
				[]string{"plan/x.go:2: ProcessGoals: the verb says nothing"}},
			{"a getter", files{"plan/x.go": "package plan\nfunc (t T) GetName() {}\n"},
				[]string{"plan/x.go:2: GetName: a method that returns X is called X"}},
		},
		"a comment promises nothing": {
			{"TAP's TODO is a word", files{"report/x.go": "package report\n\n// A TODO test may fail; so may a SKIP.\n"}, nil},
			{"a promise at the start", files{"report/x.go": "package report\n\n// TODO count skips\n"},
				[]string{`report/x.go:3: "// TODO" in a comment`}},
			{"one with an owner", files{"report/x.go": "package report\n\n// Skips count, TODO(me): which?\n"},
				[]string{`report/x.go:3: "TODO(" in a comment`}},
			{"a loose end", files{"report/x.go": "package report\n\n// Good enough for now.\n"},
				[]string{`report/x.go:3: "for now" in a comment`}},
		},
		"there is no init": {
			{"a method of that name is none", files{"plan/x.go": "package plan\nfunc (t T) init() {}\n"}, nil},
			{"one", files{"plan/x.go": "package plan\nfunc init() {}\n"}, []string{"plan/x.go:2: an init function"}},
		},
		"only main ends the process": {
			{"main does, and TestMain", files{
				"cmd/ortest/x.go": "package main\nfunc main() { os.Exit(run()) }\n",
				"bot/x_test.go":   "package bot\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\n"}, nil},
			{"another function of main's package", files{"cmd/ortest/x.go": "package main\nfunc run() { log.Fatalf(`x`) }\n"},
				[]string{"cmd/ortest/x.go:2: log.Fatalf outside main"}},
		},
		"a test does not sleep": {
			{"waiting is for shipped code", files{"bot/x.go": "package bot\nfunc f() { time.Sleep(1) }\n"}, nil},
			{"a test", files{"bot/x_test.go": "package bot\nfunc f() { time.Sleep(1) }\n"}, []string{"bot/x_test.go:2: calls time.Sleep"}},
			{"a fake", files{"runnerfleet/fleettest/x.go": "package fleettest\nfunc f() { time.Sleep(1) }\n"},
				[]string{"runnerfleet/fleettest/x.go:2: calls time.Sleep"}},
		},
		"a test is not skipped": {
			{"another Skip", files{"plan/x_test.go": "package plan\nfunc f() { parser.Skip() }\n"}, nil},
			{"a skip", files{"plan/x_test.go": "package plan\nfunc f() { t.Skipf(`no`) }\n"}, []string{"plan/x_test.go:2: calls t.Skipf"}},
		},
	}
}

// drawnThree is the drawing of three rooms, of which the last imports both others.
const drawnThree = "```mermaid\nflowchart TD\n    plan[plan]\n    subgraph wing_report[report]\n        report[report]\n" +
	"        report_html[report/html]\n    end\n    report --> plan\n    report_html --> report\n```\n"

func documentCases() map[string][]ruleCase {
	rows := make([]string, len(rooms))
	for i, r := range rooms {
		rows[i] = r.String()
	}
	table := strings.Join(rows, "\n")
	states := files{
		"bot/x.go":         "package bot\nconst (\n\tA RunState = `a`\n\tP PieceState = `p`\n)\n",
		"runnerfleet/x.go": "package runnerfleet\nconst S State = `s`\n",
	}
	drawing := "`bot.RunState`\n```mermaid\n    [*] --> a\n```\n`bot.PieceState`\n```mermaid\n    [*] --> p : why\n```\n`runnerfleet.State`\n```mermaid\n    s --> "
	with := func(name, text string) files {
		out := files{name: text}
		for k, v := range states {
			out[k] = v
		}
		return out
	}
	three := func(page string) files {
		return files{architecture: page, "plan/x.go": imports("plan", "fmt"), "plan/x_test.go": imports("plan", "@/report"),
			"report/x.go": imports("report", "@/plan"), "report/html/x.go": imports("html", "@/report", "@/plan"), "internal/x/x.go": imports("x", "@/plan")}
	}
	mod := "module x\n\nrequire (\n\texample.org/a v1.0.0\n\texample.org/b v1.0.0 // indirect\n)\n"
	return map[string][]ruleCase{
		architecture + " shows the import table": {
			{"it does", files{architecture: "# Rooms\n\n" + table + "\n"}, nil},
			{"a row is missing", files{architecture: "# Rooms\n\n" + strings.Join(rows[1:], "\n") + "\n"},
				[]string{architecture + ": the table should be\n" + table}},
		},
		architecture + " draws the states that the code has": {
			{"it does", with(architecture, drawing+"[*]\n```\n"), nil},
			{"a state too many", with(architecture, drawing+"z\n```\n"),
				[]string{architecture + `: runnerfleet.State: the diagram has ["s" "z"], the code ["s"]`}},
		},
		dependencies + " has a reason for each direct dependency": {
			{"it does", files{"go.mod": mod, dependencies: "| `example.org/a` | because |\n"}, nil},
			{"one is missing, one is gone", files{"go.mod": mod, dependencies: "| `example.org/b` | because |\n"}, []string{
				dependencies + ": explains what go.mod does not require: example.org/b", dependencies + ": has no reason for example.org/a"}},
		},
		"go.mod requires directly what is imported, and nothing else": {
			{"a package of the module is enough", files{"go.mod": mod, "plan/x.go": imports("plan", "example.org/a/deep", "fmt", "@/bot")}, nil},
			{"a stranger's, and one that nobody needs", files{"go.mod": mod, "plan/x_test.go": imports("plan", "example.org/b", "example.org/ab")}, []string{
				"go.mod: does not require by itself example.org/ab", "go.mod: does not require by itself example.org/b",
				"go.mod: requires what nothing imports: example.org/a"}},
		},
		"a link in a document leads to a file, and to a heading that it has": {
			{"it does, or leaves the house", files{"README.md": "[a](docs/a.md#b) [c](https://example.org/#x) [d](#d)\n# D\n", "docs/a.md": "## `B`\n"}, nil},
			{"it does not", files{"docs/a.md": "[b](../b.md)"}, []string{"docs/a.md: leads to ../b.md, which is not there"}},
			{"a heading has GitHub's name", files{"docs/a.md": "# A b, `c-d`\n# Twice\n# Twice\n[a](#a-b-c-d) [b](#twice-1)"}, nil},
			{"a heading in a listing is none", files{"docs/a.md": "```\n# c\n```\n[a](#c)"},
				[]string{"docs/a.md: leads to #c of docs/a.md, which has no such heading"}},
			{"a file has no headings", files{"docs/a.md": "[a](x.yaml#L3)", "docs/x.yaml": ""}, nil},
		},
		"a decision is in the list of decisions": {
			{"it is", files{"docs/decisions/README.md": "| [0001](0001-a.md) | A |", "docs/decisions/0001-a.md": ""}, nil},
			{"it is not", files{"docs/decisions/README.md": "", "docs/decisions/0001-a.md": ""},
				[]string{"docs/decisions/0001-a.md: the list of decisions lacks it"}},
		},
		"a picture is small, and a document shows it": {
			{"exactly 150000 bytes", files{"README.md": "![a](docs/pictures/a.png)", "docs/pictures/a.png": strings.Repeat("x", 150_000)}, nil},
			{"150001, and one that nobody shows", files{"README.md": "![a](docs/pictures/a.png)", "docs/pictures/a.png": strings.Repeat("x", 150_001), "docs/pictures/b.png": ""},
				[]string{"docs/pictures/a.png: has 150001 bytes, more than 150000", "docs/pictures/b.png: no document shows it"}},
		},
		architecture + " draws the imports that the code has": {
			{"it does: one arrow where another leads there too", three(drawingBegins + drawnThree + drawingEnds), nil},
			{"another import", three(drawingBegins + "```mermaid\n```\n" + drawingEnds),
				[]string{architecture + ": the imports are others than drawn; go generate ./internal/arch draws\n" + drawnThree}},
			{"no place for it", three(""), []string{fmt.Sprintf(
				"%s: %s has no place for the drawing of the imports: %q and %q", architecture, architecture, drawingBegins, drawingEnds)}},
		},
	}
}
