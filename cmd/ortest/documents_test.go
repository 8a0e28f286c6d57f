package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ran is how a command of a document ends when it is typed, and what it says.
type ran struct {
	code int
	says string // in its output, of either kind
}

// tried are the commands of the documents that are typed here, word for word, in
// the order of their document, in a folder of their own.
var tried = map[string]ran{
	"ortest goals t-ngx_echo tv-ngx_lua":                  {says: "t-ngx_echo tv-ngx_lua\n"},
	"ortest dispatch -t 60 -e tl-ngx_lua t tv":            {says: "Requires at least "},
	"ortest judge run.log.gz":                             {code: exitBad, says: "t-ngx_echo"},
	"ortest explain run.log.gz t-ngx_echo":                {says: "t-ngx_echo"},
	"ortest report --out report run.log.gz":               {says: "report"},
	"ortest parse --format opsboy run.log.gz":             {says: `"ngx_echo"`},
	"ortest catalog check DIR":                            {says: "40 projects"},
	"ortest catalog show --catalog DIR lua-resty-counter": {says: "name: lua-resty-counter"},
	"ortest goals --catalog DIR lua-resty-counter":        {says: "t-lua-resty-counter tv-lua-resty-counter"},
	"ortest catalog use DIR":                              {},
	"ortest catalog revisions":                            {},
	"ortest catalog rollback REV":                         {code: exitUsage, says: "REV"},
	"ortest serve --example > ortest.yaml":                {},
	"ortest doctor --config ortest.yaml":                  {code: exitBad, says: "app.pem"},
	"ortest workflows render --out .":                     {},
	"ortest workflows check":                              {},
	"ortest history import ast.json":                      {says: "326"},
	"ortest dispatch -f -t 230 t-lua-resty-redis ngx_lua": {says: "Requires at least "},
	"ortest simulate -t 60 t":                             {},
	"ortest version":                                      {says: "commit "},
}

// elsewhere are the commands that are not typed here: where they are tried, or what
// they would need.
var elsewhere = []struct {
	like *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`^make demo`), "TestTheDemoInABrowser"},
	{regexp.MustCompile(`^make `), "what CI does, or what needs the network or an hour"},
	{regexp.MustCompile(`^ortest demo --release`), "TestDemoRelease"},
	{regexp.MustCompile(`^ortest demo`), "TestTheDemoInABrowser, TestACommandsLife; every variant in TestExamples"},
	{regexp.MustCompile(`^ortest run`), "testdata/script/run.txtar; real suites need a mirror"},
	{regexp.MustCompile(`^ortest migrate|/carried-over`), "testdata/script/migrate.txtar, with a checkout"},
	{regexp.MustCompile(`^ortest serve --config`), "TestSecretsOfSystemd, TestAKilledReplicaLosesNothing; it needs an App"},
	{regexp.MustCompile(`^ortest doctor --config`), "TestDoctorAsksTheApp; it needs an App"},
	{regexp.MustCompile(`^ortest app create`), "TestAnAppIsMade; it needs GitHub"},
	{regexp.MustCompile(`^ortest workflows install`), "TestScripts; it needs GitHub"},
	{regexp.MustCompile(`^ortest image `), "TestImageIsBuiltAndPromoted; it needs AWS"},
	{regexp.MustCompile(`^ortest fleet `), "TestSweepEndsWhatIsPastItsDeadlineAndNothingElse, TestFleetLsAsksGitHub; it needs AWS"},
	{regexp.MustCompile(`^ortest audit`), "TestAnEarlierExportIsHeldAgainstTheLog; it needs a database of runs"},
	{regexp.MustCompile(`^ortest logs`), "TestLogs; it needs a database of runs"},
}

// told is a command that a document tells people to type.
type told struct {
	line string // without prompt, folder of the program and comment
	at   string
}

var (
	listing = regexp.MustCompile("^```([a-z]*)")
	typed   = regexp.MustCompile(`^(?:\$ )?(?:sudo )?(?:\./)?(?:bin/)?((?:ortest|make) .*)$`)
	aside   = regexp.MustCompile(`\s+# .*$`)
	inline  = regexp.MustCompile("`(?:bin/)?((?:ortest|make) [^`]+)`")
	target  = regexp.MustCompile(`(?m)^([a-z][a-z0-9/_-]*):`)
)

// documented returns the documents by name.
func documented(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		names, err := filepath.Glob("../../" + pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d documents, %v", pattern, len(names), err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			docs[strings.TrimPrefix(filepath.ToSlash(name), "../../")] = string(text)
		}
	}
	return docs
}

// commands are what a document shows in listings, fenced or indented.
func commands(name, doc string) (all []told) {
	fence, before := false, ""
	for i, line := range strings.Split(doc, "\n") {
		if listing.MatchString(strings.TrimSpace(line)) {
			fence = !fence
			continue
		}
		shown := strings.TrimSpace(line)
		if !fence && !strings.HasPrefix(line, "    ") {
			continue
		}
		shown, before = before+shown, ""
		if cut, more := strings.CutSuffix(shown, "\\"); more {
			before = cut
			continue
		}
		if m := typed.FindStringSubmatch(aside.ReplaceAllString(shown, "")); m != nil {
			all = append(all, told{line: m[1], at: fmt.Sprintf("%s:%d", name, i+1)})
		}
	}
	return all
}

// TestWhatDocumentsTellToTypeIsThere holds every command of a document, in listings
// and in the text, against the real commands, flags and make targets.
func TestWhatDocumentsTellToTypeIsThere(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	found := 0
	for name, doc := range documented(t) {
		for _, c := range commands(name, doc) {
			found++
			if err := understood(c.line, targets); err != nil {
				t.Errorf("%s: %s: %v", c.at, c.line, err)
			}
		}
		for _, m := range inline.FindAllStringSubmatch(doc, -1) {
			if err := named(m[1], targets); err != nil {
				t.Errorf("%s: `%s`: %v", name, m[1], err)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands in listings: the documents are not read as they should be", found)
	}
}

// understood lets the real parser of the command line read a line.
func understood(line string, targets map[string]bool) error {
	line, _, _ = strings.Cut(line, " > ")
	words, err := shellquote.Split(line)
	if err != nil {
		return err
	}
	if words[0] == "make" {
		return madeOf(words[1:], targets)
	}
	root := newRoot()
	cmd, rest, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return fmt.Errorf("%s has no %q", cmd.CommandPath(), cmd.Flags().Arg(0))
	}
	if cmd.Args == nil {
		return nil
	}
	return cmd.Args(cmd, cmd.Flags().Args())
}

func madeOf(words []string, targets map[string]bool) error {
	for _, word := range words {
		if !strings.Contains(word, "=") && !targets[word] {
			return fmt.Errorf("the Makefile has no target %q", word)
		}
	}
	return nil
}

// named looks for the command and the flags that a sentence names; the rest may be
// as in a synopsis: GOAL…, [--flag], one|two.
func named(line string, targets map[string]bool) error {
	words := strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(line))
	if words[0] == "make" {
		return madeOf(words[1:2], targets)
	}
	if words[1] == "/" {
		return nil // the name of a check run
	}
	cmd, rest := newRoot(), words[1:]
	for len(rest) > 0 && cmd.HasSubCommands() && !strings.HasPrefix(rest[0], "-") {
		var next *cobra.Command
		for one := range strings.SplitSeq(rest[0], "|") {
			i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == one || c.HasAlias(one) })
			if i < 0 {
				return fmt.Errorf("%s has no %q", cmd.CommandPath(), one)
			}
			next = cmd.Commands()[i]
		}
		cmd, rest = next, rest[1:]
	}
	cmd.InitDefaultHelpFlag()
	for _, word := range rest {
		name, _, _ := strings.Cut(word, "=")
		long, isLong := strings.CutPrefix(name, "--")
		switch {
		case isLong && long != "" && cmd.Flags().Lookup(long) == nil && cmd.InheritedFlags().Lookup(long) == nil:
			return fmt.Errorf("%s has no flag --%s", cmd.CommandPath(), long)
		case !isLong && len(name) == 2 && name[0] == '-' && cmd.Flags().ShorthandLookup(name[1:]) == nil && cmd.InheritedFlags().ShorthandLookup(name[1:]) == nil:
			return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), name)
		}
	}
	return nil
}

// TestWhatDocumentsTellToTypeRuns types it: what needs neither account nor hours.
func TestWhatDocumentsTellToTypeRuns(t *testing.T) {
	unused := map[string]bool{}
	for line := range tried {
		unused[line] = true
	}
	for name, doc := range documented(t) {
		all := commands(name, doc)
		for _, c := range all {
			delete(unused, c.line)
		}
		if len(all) > 0 {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				typeAll(t, all)
			})
		}
	}
	known := declaredTests(t)
	for _, e := range elsewhere {
		for _, name := range regexp.MustCompile(`\bTest\w+`).FindAllString(e.why, -1) {
			if !known[name] {
				t.Errorf("elsewhere names %s, which is nowhere", name)
			}
		}
	}
	for line := range unused {
		t.Errorf("no document tells to type %q any more", line)
	}
}

// typeAll types the commands of one document.
func typeAll(t *testing.T, all []told) {
	dir := readersFolder(t)
	for _, c := range all {
		want, runs := tried[c.line]
		if !runs {
			if !isElsewhere(c.line) {
				t.Errorf("%s: %s is neither in tried nor in elsewhere", c.at, c.line)
			}
			continue
		}
		line, file, toFile := strings.Cut(c.line, " > ")
		words, err := shellquote.Split(line)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self(t), words[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		code := cmd.ProcessState.ExitCode()
		if code < 0 {
			t.Fatalf("%s: %s: %v", c.at, c.line, err)
		}
		if code != want.code || !strings.Contains(string(out), want.says) {
			t.Errorf("%s: %s ends with %d and says\n%s\nwant %d and %q", c.at, c.line, code, out, want.code, want.says)
		}
		if toFile {
			must(t, os.WriteFile(filepath.Join(dir, file), out, 0o600))
		}
	}
}

func isElsewhere(line string) bool {
	for _, e := range elsewhere {
		if e.like.MatchString(line) {
			return true
		}
	}
	return false
}

// readersFolder has what the documents speak of: an overlay, a log, durations.
func readersFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	page, err := os.ReadFile("../../docs/add-a-project.md")
	must(t, err)
	project := regexp.MustCompile("(?ms)^```yaml (projects/\\S+)\n(.*?)^```$").FindSubmatch(page)
	if project == nil {
		t.Fatal("docs/add-a-project.md shows no project")
	}
	must(t, os.MkdirAll(filepath.Join(dir, "DIR", "projects"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "DIR", string(project[1])), project[2], 0o644))
	must(t, os.MkdirAll(filepath.Join(dir, ".github"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, ".github", "ortest.yml"), []byte("commit: "+strings.Repeat("0123456789", 4)+"\n"), 0o644))
	for from, to := range map[string]string{
		"../../report/opsboy/testdata/logs/echo-t-dns-down.log.gz": "run.log.gz",
		"../../plan/catalog/testdata/dispatcher/ast-full.json":     "ast.json",
	} {
		in, err := os.Open(from)
		must(t, err)
		out, err := os.Create(filepath.Join(dir, to))
		must(t, err)
		_, err = io.Copy(out, in)
		must(t, errors.Join(err, in.Close(), out.Close()))
	}
	return dir
}
