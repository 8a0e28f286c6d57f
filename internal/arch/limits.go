package arch

import (
	"fmt"
	"go/ast"
	"strings"
)

// The limits. What counts as an exported name is a type or a function at the top
// level, since those are what a reader has to learn: methods and fields belong to
// their type, constants and errors to the functions that take or return them.
const (
	maxFile     = 500 // lines of a file, comments included
	maxFunction = 60  // lines between the braces
	maxParams   = 4   // besides ctx and the receiver
	maxExported = 25  // types and functions of a package
)

// wider are the packages that may export more, with the number they have
// reached: it only goes down. The bot declares the types of both its edges, the
// forge and the store, so that neither adapter defines them (decision 0007).
var wider = map[string]int{"bot": 36}

func limitRules() []Rule {
	return []Rule{
		{"a file has at most 500 lines", checkFiles},
		{"a function has at most 60 lines", checkFunctions},
		{"a function takes at most 4 parameters after ctx", checkParams},
		{"a package exports at most 25 types and functions", checkExported},
		{"ctx is the first parameter and never a field", checkContext},
	}
}

func checkFiles(t Tree) (out []Offence) {
	for _, f := range t.Files {
		if !f.Test && f.Lines > maxFile && !table(f) {
			out = append(out, Offence{Path: f.Path, Text: fmt.Sprintf("has %d lines", f.Lines)})
		}
	}
	return out
}

// table reports whether a file is data alone: it has no function.
func table(f File) bool {
	for _, d := range f.AST.Decls {
		if _, ok := d.(*ast.FuncDecl); ok {
			return false
		}
	}
	return true
}

func checkFunctions(t Tree) (out []Offence) {
	t.nodes(shipped, func(f File, n ast.Node) {
		fn, ok := n.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			return
		}
		if lines := t.span(fn.Body) - t.tables(fn.Body); lines > maxFunction {
			out = append(out, t.at(f, fn, "%s has %d lines", fn.Name.Name, lines))
		}
	})
	return out
}

// span returns how many lines lie between the first and the last of a node.
func (t Tree) span(n ast.Node) int {
	return t.set.Position(n.End()).Line - t.set.Position(n.Pos()).Line - 1
}

// tables returns how many lines of a function are rows of data: a literal
// whose elements are all literals themselves.
func (t Tree) tables(body *ast.BlockStmt) (lines int) {
	ast.Inspect(body, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok || len(lit.Elts) == 0 {
			return true
		}
		for _, row := range lit.Elts {
			if _, ok := row.(*ast.CompositeLit); !ok {
				return true
			}
		}
		lines += max(0, t.span(lit))
		return false
	})
	return lines
}

func checkParams(t Tree) (out []Offence) {
	t.nodes(shipped, func(f File, n ast.Node) {
		fn, ok := n.(*ast.FuncType)
		if !ok {
			return
		}
		count := fn.Params.NumFields()
		if count > 0 && isContext(fn.Params.List[0].Type) {
			count--
		}
		if count > maxParams {
			out = append(out, t.at(f, fn, "a function of %d parameters after ctx", count))
		}
	})
	return out
}

func checkExported(t Tree) (out []Offence) {
	for dir, files := range t.packages() {
		var names []string
		for _, f := range files {
			if f.AST.Name.Name == "main" {
				continue
			}
			for _, d := range f.AST.Decls {
				names = append(names, exported(d)...)
			}
		}
		if len(names) > max(maxExported, wider[dir]) {
			out = append(out, Offence{Path: dir, Text: fmt.Sprintf("exports %d names: %s", len(names), strings.Join(names, " "))})
		}
	}
	return out
}

// exported returns the names that a declaration adds to its package's door.
func exported(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
				names = append(names, s.Name.Name)
			}
		}
	}
	return names
}

func checkContext(t Tree) (out []Offence) {
	t.nodes(shipped, func(f File, n ast.Node) {
		switch n := n.(type) {
		case *ast.StructType:
			for _, field := range n.Fields.List {
				if isContext(field.Type) {
					out = append(out, t.at(f, field, "a context in a struct"))
				}
			}
		case *ast.FuncType:
			for i, p := range n.Params.List {
				if i > 0 && isContext(p.Type) {
					out = append(out, t.at(f, p, "a context that is not the first parameter"))
				}
			}
		}
	})
	return out
}

func isContext(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Context" {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == "context"
}
