package workflows

import (
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/rhysd/actionlint"
)

// actionFile returns the top of an action's file; is is false of any other.
func actionFile(text []byte) (top ast.Node, is bool) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, false
	}
	top = file.Docs[0].Body
	return top, at(top, "$.runs") != nil && at(top, "$.jobs") == nil && at(top, "$.on") == nil
}

// action holds an action against what is said of a workflow's steps.
func (c *checker) action(top ast.Node) {
	if image := text(at(top, "$.runs.image")); image != nil && strings.HasPrefix(image.Value, "docker://") {
		c.pinned(image)
	}
	steps, _ := at(top, "$.runs.steps").(*ast.SequenceNode)
	if steps == nil {
		c.sort()
		return
	}
	for _, s := range steps.Values {
		if u := text(at(s, "$.uses")); u != nil {
			c.pinned(u)
		}
		for _, path := range []string{"$.run", "$.shell", "$.with.script"} {
			c.script(text(at(s, path)))
		}
		c.hands(text(at(s, "$.run")), variables(at(s, "$.env")))
	}
	c.sort()
}

// variables are those of a mapping that hold a person's text.
func variables(n ast.Node) (names []string) {
	env, ok := n.(ast.MapNode)
	if !ok {
		return nil
	}
	for all := env.MapRange(); all.Next(); {
		if v := text(all.Value()); v != nil && personal(v.Value) {
			names = append(names, strings.Trim(all.Key().String(), `"'`))
		}
	}
	return names
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
