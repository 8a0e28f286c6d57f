package workflows

import (
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/rhysd/actionlint"
)

// composite returns the steps of an action's file; is is false of any other.
func composite(text []byte) (steps []ast.Node, is bool) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, false
	}
	top := file.Docs[0].Body
	if at(top, "$.runs") == nil || at(top, "$.jobs") != nil || at(top, "$.on") != nil {
		return nil, false
	}
	if all, ok := at(top, "$.runs.steps").(*ast.SequenceNode); ok {
		steps = all.Values
	}
	return steps, true
}

// action holds steps against what is said of a workflow's.
func (c *checker) action(steps []ast.Node) {
	for _, s := range steps {
		if u := text(at(s, "$.uses")); u != nil {
			c.pinned(u)
		}
		for _, path := range []string{"$.run", "$.shell", "$.with.script"} {
			c.script(text(at(s, path)))
		}
	}
	c.sort()
}

// at returns what stands at a path, nil where there is nothing.
func at(n ast.Node, path string) ast.Node {
	p, err := yaml.PathString(path)
	if err != nil {
		return nil
	}
	got, err := p.FilterNode(n)
	if err != nil {
		return nil
	}
	return got
}

// text is a scalar and its place.
func text(n ast.Node) *actionlint.String {
	switch n := n.(type) {
	case *ast.StringNode:
		return &actionlint.String{Value: n.Value, Pos: &actionlint.Pos{Line: n.Token.Position.Line, Col: n.Token.Position.Column}}
	case *ast.LiteralNode:
		return &actionlint.String{Value: n.Value.Value, Pos: &actionlint.Pos{Line: n.Start.Position.Line, Col: n.Start.Position.Column}}
	}
	return nil
}
