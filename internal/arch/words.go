package arch

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

func wordRules() []Rule {
	return []Rule{
		{"a package has a comment that says what it is for", checkPackageComment},
		{"a package is not named for being useful", checkPackageName},
		{"a name uses the words of the design", checkNames},
		{"a comment promises nothing", checkComments},
		{"there is no init", checkInit},
		{"only main ends the process", checkExit},
		{"a test does not sleep", checkSleep},
		{"a test is not skipped", checkSkip},
	}
}

func checkPackageComment(t Tree) (out []Offence) {
	for dir, files := range t.packages() {
		doc := ""
		for _, f := range files {
			if f.AST.Doc != nil {
				doc = f.AST.Doc.Text()
			}
		}
		name := files[0].AST.Name.Name
		if doc == "" || name != "main" && !strings.HasPrefix(doc, "Package "+name+" ") {
			out = append(out, Offence{Path: dir, Text: fmt.Sprintf("no comment that begins with %q", "Package "+name)})
		}
	}
	return out
}

// useful are names that attract whatever has no other home.
var useful = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib", "base", "core", "tools"}

func checkPackageName(t Tree) (out []Offence) {
	for dir, files := range t.packages() {
		if slices.Contains(useful, files[0].AST.Name.Name) || slices.Contains(useful, path.Base(dir)) {
			out = append(out, Offence{Path: dir, Text: "says nothing about what is in it"})
		}
	}
	return out
}

// Words that the design has another one for, where they cannot mean anything
// else, and verbs that say nothing.
var (
	otherWord = regexp.MustCompile(`(?i)flavou?r|shard|white_?list|black_?list`)
	emptyVerb = regexp.MustCompile(`^((Process|Manage|Handle|Do)|(Process|Manage)[A-Z]\w*)$`)
	getter    = regexp.MustCompile(`^Get[A-Z]`)
)

func checkNames(t Tree) (out []Offence) {
	t.nodes(every, func(f File, n ast.Node) {
		switch n := n.(type) {
		case *ast.Ident:
			if otherWord.MatchString(n.Name) {
				out = append(out, t.at(f, n, "%s: the design has another word", n.Name))
			}
		case *ast.FuncDecl:
			if emptyVerb.MatchString(n.Name.Name) {
				out = append(out, t.at(f, n, "%s: the verb says nothing", n.Name.Name))
			}
			if n.Recv != nil && getter.MatchString(n.Name.Name) {
				out = append(out, t.at(f, n, "%s: a method that returns X is called X", n.Name.Name))
			}
		}
	})
	return out
}

// promise finds what a comment should not say. TODO is also a word of TAP: it
// promises something only at the start, or before a colon or a name.
var promise = regexp.MustCompile(`^//\s*(TODO|FIXME|XXX|HACK)\b|\b(TODO|FIXME|XXX|HACK)[:(]|` +
	`(?i)\bfor now\b|\bplace` + `holder\b|\bst` + `ub(bed|s)?\b|\bnot implemented\b`)

func checkComments(t Tree) (out []Offence) {
	for _, f := range t.Files {
		for _, group := range f.AST.Comments {
			for _, c := range group.List {
				if word := promise.FindString(c.Text); word != "" {
					out = append(out, t.at(f, c, "%q in a comment", word))
				}
			}
		}
	}
	return out
}

func checkInit(t Tree) (out []Offence) {
	t.nodes(every, func(f File, n ast.Node) {
		if fn, ok := n.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			out = append(out, t.at(f, fn, "an init function"))
		}
	})
	return out
}

// checkExit looks at functions by their names, since that is where a process
// may end: main, and TestMain of a test.
func checkExit(t Tree) (out []Offence) {
	for _, f := range t.Files {
		for _, d := range f.AST.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && (fn.Name.Name == "TestMain" && f.Test || fn.Name.Name == "main" && f.AST.Name.Name == "main") {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				on, name := called(n)
				if on == "os" && name == "Exit" || on == "log" && strings.HasPrefix(name, "Fatal") {
					out = append(out, t.at(f, n, "%s.%s outside main", on, name))
				}
				return true
			})
		}
	}
	return out
}

func checkSleep(t Tree) []Offence { return t.calls(tests, "time", "Sleep") }

func checkSkip(t Tree) (out []Offence) {
	for _, on := range []string{"t", "b", "f", "tb"} {
		out = append(out, t.calls(every, on, "Skip", "Skipf", "SkipNow")...)
	}
	return out
}

// calls returns the calls of any of the names on a package or receiver.
func (t Tree) calls(want func(File) bool, on string, names ...string) (out []Offence) {
	t.nodes(want, func(f File, n ast.Node) {
		if x, name := called(n); x == on && slices.Contains(names, name) {
			out = append(out, t.at(f, n, "calls %s.%s", on, name))
		}
	})
	return out
}
