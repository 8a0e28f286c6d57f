package result

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// Bundle is what it takes to see a failing block again, by file name: README.md
// with the versions and the command, the failure as the log has it, the error
// log as far as it is in there, and the block alone as a test file. src is the
// test file at the goal's commit; without it the last is left out. Findings
// without a file have no bundle.
func Bundle(c Cell, f report.Finding, src []byte) map[string][]byte {
	if f.File == "" || !strings.HasSuffix(f.File, ".t") || f.Class == report.Expected {
		return nil
	}
	files := make(map[string][]byte)
	if f.Detail != "" {
		files["failure.txt"] = []byte(strings.TrimRight(f.Name+"\n\n"+f.Detail, "\n") + "\n")
	}
	if lines := errorLog(f.Detail); lines != "" {
		files["error.log"] = []byte(lines)
	}
	name := ""
	if alone := standalone(f, src); alone != nil {
		name = "t/" + blockFile(f)
		files[name] = alone
	}
	files["README.md"] = []byte(readme(c, f, name, slices.Sorted(maps.Keys(files))))
	return files
}

// blockFile names the test file of one block for its file and its place there.
func blockFile(f report.Finding) string {
	base := strings.TrimSuffix(slug(f.File[strings.LastIndexByte(f.File, '/')+1:]), ".t")
	if f.Number > 0 {
		return fmt.Sprintf("%s-%d.t", base, f.Number)
	}
	return base + "-alone.t"
}

var (
	reErrorLog = regexp.MustCompile(`(?m)^[ \t#]*(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] .*)$`)
	// How a test file says how many assertions it makes; one block makes fewer.
	rePlan = regexp.MustCompile(`(?s)\bplan[\s(]+tests\s*=>.*?;`)
	reUse  = regexp.MustCompile(`(?m)^(use\s+(?:Test::Nginx|t::)\S*)\s+tests\s*=>[^;]*;`)
)

// errorLog returns the lines of nginx's error log in a text.
func errorLog(detail string) string {
	var s strings.Builder
	for _, m := range reErrorLog.FindAllStringSubmatch(detail, -1) {
		s.WriteString(m[1] + "\n")
	}
	return s.String()
}

// standalone cuts one block out of a test file with what stands before the
// blocks, or returns nil when the file does not have it.
func standalone(f report.Finding, src []byte) []byte {
	b, ok := find(f, src)
	if !ok {
		return nil
	}
	lines := bytes.SplitAfter(src, []byte("\n"))
	data := slices.IndexFunc(lines, func(l []byte) bool {
		l = bytes.TrimRight(l, "\r\n")
		return bytes.Equal(l, []byte("__DATA__")) || bytes.Equal(l, []byte("__END__"))
	})
	if data < 0 || b.EndLine > len(lines) || b.Line <= data {
		return nil
	}
	head := bytes.Join(lines[:data], nil)
	head = rePlan.ReplaceAll(head, []byte("plan 'no_plan';"))
	head = reUse.ReplaceAll(head, []byte("$1 'no_plan';"))
	return bytes.Join([][]byte{head, lines[data], []byte("\n"), bytes.Join(lines[b.Line-1:b.EndLine], nil)}, nil)
}

// find returns the block of a finding in its file: the same title and ordinal,
// or where the ordinal is not known the same title and number.
func find(f report.Finding, src []byte) (report.Block, bool) {
	if len(src) == 0 || f.Block == "" {
		return report.Block{}, false
	}
	blocks := report.ReadTestFile(f.File, src).Blocks
	i := slices.IndexFunc(blocks, func(b report.Block) bool {
		return b.Title == f.Block && (f.Ordinal == b.Ordinal || f.Ordinal == 0 && f.Number == b.Number)
	})
	if i < 0 {
		return report.Block{}, false
	}
	return blocks[i], true
}

// Locate fills in a finding's line and ordinal from its test file at the goal's
// commit, unless it has them.
func Locate(f *report.Finding, src []byte) {
	if f.Line > 0 {
		return
	}
	if b, ok := find(*f, src); ok {
		f.Ordinal, f.Line, f.EndLine = b.Ordinal, b.Line, b.Line
	}
}

func readme(c Cell, f report.Finding, alone string, others []string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "# %s\n\n", inline(strings.TrimSpace(f.File+" "+f.BlockName())))
	fmt.Fprintf(&s, "%s\n\n", inline(f.Name))
	row := func(k, v string) {
		if v != "" {
			fmt.Fprintf(&s, "- %s: %s\n", k, inline(v))
		}
	}
	row("goal", c.Result.Goal)
	row("repository", c.Result.Repo)
	row("commit", c.Result.Commit)
	row("arch", c.Arch)
	row("tested (UTC)", c.Tested)
	for _, d := range deps(c.Result) {
		row(d.Name, d.Version)
	}
	s.WriteString("\nThe whole goal again, with ortest:\n\n")
	fmt.Fprintf(&s, "    ortest run %s --files %s\n", quote(c.Result.Goal), quote(f.File))
	if alone != "" {
		s.WriteString("\nOnly this block, in a checkout of the repository at the commit:\n\n")
		fmt.Fprintf(&s, "    cp %s t/ && prove -v %s\n", quote(alone), quote(alone))
	}
	if len(others) > 0 {
		s.WriteString("\nBeside this file: " + strings.Join(others, ", ") + ".\n")
	}
	return s.String()
}

// inline makes foreign text one line of Markdown that is only text.
func inline(v string) string {
	v = strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	mark := "`"
	for strings.Contains(v, mark) && len(mark) < 100 {
		mark += "`"
	}
	return mark + " " + strings.ReplaceAll(v, mark, "") + " " + mark
}

// quote makes foreign text one word of a shell line that a person copies.
func quote(v string) string {
	if v != "" && v[0] != '-' && strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return v
	}
	v = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, v)
	return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}
