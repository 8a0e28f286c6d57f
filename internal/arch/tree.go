// Package arch holds the rules of the house that no linter knows: who may
// import whom, what a folder may be called, how long a function may be.
//
// Its test parses every Go file of the module itself. It reads them through
// the os package from within the module, and the go command notes what a test
// opens there, folders included: a file that is added, removed or changed makes
// a cached pass invalid.
package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const module = "github.com/ortest/ortest"

// Tree is what the rules look at: every Go file of the module, parsed, and the
// rest of it as files.
type Tree struct {
	FS    fs.FS // the module's root
	Files []File
	set   *token.FileSet
}

// File is one Go file.
type File struct {
	Path  string // from the module's root, with slashes
	Test  bool   // its name ends in _test.go
	Lines int
	AST   *ast.File
}

// Dir returns the folder of the file, which names its package: "bot/github".
func (f File) Dir() string { return path.Dir(f.Path) }

// Offence is one place that breaks a rule.
type Offence struct {
	Path string
	Line int // 0 when it is about the file or folder as a whole
	Text string
}

func (o Offence) String() string {
	if o.Line == 0 {
		return fmt.Sprintf("%s: %s", o.Path, o.Text)
	}
	return fmt.Sprintf("%s:%d: %s", o.Path, o.Line, o.Text)
}

// Rule is one rule of the house; its name is a sentence that Check holds to.
type Rule struct {
	Name  string
	Check func(Tree) []Offence
}

// Rules returns every rule.
func Rules() []Rule {
	return slices.Concat(importRules(), limitRules(), wordRules(), documentRules())
}

// Parse reads a module. What the go command leaves out (testdata, hidden
// folders) is left out, and so is bin, which make fills.
func Parse(fsys fs.FS) (Tree, error) {
	t := Tree{FS: fsys, set: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		f, err := t.parse(name)
		t.Files = append(t.Files, f)
		return err
	})
	if err != nil {
		return Tree{}, fmt.Errorf("read module: %w", err)
	}
	return t, nil
}

// hidden reports whether a folder holds no code of ours.
func hidden(dir string) bool {
	base := path.Base(dir)
	return dir == "bin" || base == "testdata" || base == "node_modules" ||
		dir != "." && strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
}

func (t Tree) parse(name string) (File, error) {
	src, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return File{}, err
	}
	parsed, err := parser.ParseFile(t.set, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	return File{
		Path:  name,
		Test:  strings.HasSuffix(name, "_test.go"),
		Lines: bytes.Count(src, []byte("\n")),
		AST:   parsed,
	}, nil
}

// packages returns the files that are no tests by their folder.
func (t Tree) packages() map[string][]File {
	out := map[string][]File{}
	for _, f := range t.Files {
		if !f.Test {
			out[f.Dir()] = append(out[f.Dir()], f)
		}
	}
	return out
}

// at makes an offence of a node.
func (t Tree) at(f File, n ast.Node, format string, args ...any) Offence {
	return Offence{Path: f.Path, Line: t.set.Position(n.Pos()).Line, Text: fmt.Sprintf(format, args...)}
}

// nodes calls visit with every node of the files that want accepts.
func (t Tree) nodes(want func(File) bool, visit func(File, ast.Node)) {
	for _, f := range t.Files {
		if !want(f) {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if n != nil {
				visit(f, n)
			}
			return true
		})
	}
}

// What a rule looks at. A fake counts as a test.
func every(File) bool     { return true }
func tests(f File) bool   { return f.Test || slices.Contains(fakes, f.Dir()) }
func shipped(f File) bool { return !tests(f) }

// called returns the package (or receiver) and the name of a call such as
// time.Sleep(…), and empty strings for any other node.
func called(n ast.Node) (on, name string) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return "", ""
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return id.Name, sel.Sel.Name
}
