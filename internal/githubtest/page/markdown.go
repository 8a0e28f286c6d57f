package page

import (
	"bytes"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown is GitHub's dialect. The renderer's unsafe mode stays off: HTML that
// a writer sent reaches the page only through sanitize. Columns are aligned by
// attribute, since the pages' policy forbids styles.
var markdown = goldmark.New(
	goldmark.WithExtensions(
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		extension.Strikethrough, extension.Linkify, extension.TaskList,
	),
	goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(sanitizer{}, 1000))),
	goldmark.WithRendererOptions(html.WithHardWraps()),
)

// renderMarkdown returns a text as the page shows it. Whatever the text is, the
// result is well nested and has no attribute but those named here.
func renderMarkdown(body string) (template.HTML, error) {
	var out bytes.Buffer
	if err := markdown.Convert([]byte(body), &out); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil
}

// sanitizer replaces what a writer could do harm with before it is rendered.
type sanitizer struct{}

// Transform walks the document. Each node's raw HTML is balanced among the
// node's own children: a tag left open ends with its paragraph, list item or
// document, and none can close what the page opened.
func (sanitizer) Transform(doc *ast.Document, reader text.Reader, _ parser.Context) {
	var parents []ast.Node
	// The walk only collects: it must not see the tree change.
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering && n.HasChildren() {
			parents = append(parents, n)
		}
		return ast.WalkContinue, nil
	})
	for _, parent := range parents {
		if inImage(parent) {
			stripTags(parent)
			continue
		}
		sanitizeChildren(parent, reader.Source())
	}
}

// inImage reports whether a node's children become an attribute, the image's
// alternative text, where no markup may be.
func inImage(n ast.Node) bool {
	for ; n != nil; n = n.Parent() {
		if n.Kind() == ast.KindImage {
			return true
		}
	}
	return false
}

func stripTags(parent ast.Node) {
	for child := parent.FirstChild(); child != nil; {
		next := child.NextSibling()
		if child.Kind() == ast.KindRawHTML {
			parent.RemoveChild(parent, child)
		}
		child = next
	}
}

func sanitizeChildren(parent ast.Node, source []byte) {
	var open []string
	for child := parent.FirstChild(); child != nil; {
		next := child.NextSibling()
		switch n := child.(type) {
		case *ast.HTMLBlock:
			raw := n.Lines().Value(source)
			if n.HasClosure() {
				raw = append(raw, n.ClosureLine.Value(source)...)
			}
			parent.ReplaceChild(parent, child, verbatim(sanitize(string(raw), &open)))
		case *ast.RawHTML:
			parent.ReplaceChild(parent, child, verbatim(sanitize(string(n.Segments.Value(source)), &open)))
		case *ast.AutoLink:
			guard(n)
			if n.AutoLinkType != ast.AutoLinkEmail && !harmless(n.URL(source)) {
				parent.ReplaceChild(parent, child, verbatim(template.HTMLEscapeString(string(n.Label(source)))))
			}
		case *ast.Link:
			guard(n)
			if !harmless(n.Destination) {
				n.Destination = []byte("#")
			}
		case *ast.Text:
			if parent.Kind() != ast.KindCodeSpan {
				drawDiscs(parent, n, source)
			}
		case *ast.Image:
			if !harmless(n.Destination) {
				n.Destination = nil
			}
		}
		child = next
	}
	for _, name := range slices.Backward(open) {
		parent.AppendChild(parent, verbatim("</"+name+">"))
	}
}

// verbatim is a node that is written as it is.
func verbatim(markup string) ast.Node {
	n := ast.NewString([]byte(markup))
	n.SetCode(true)
	return n
}

// disc matches the signs that the bot and many others mark states with. A
// system without a font for them shows empty boxes, so the style sheet draws
// them; the text stays the sign itself.
var disc = regexp.MustCompile("[🟢🟠🔴🟣🔵⚪⛔]")

// drawDiscs splits a text around its signs. What is left of it keeps its line break.
func drawDiscs(parent ast.Node, n *ast.Text, source []byte) {
	for {
		value := n.Segment.Value(source)
		at := disc.FindIndex(value)
		if at == nil {
			return
		}
		sign := string(value[at[0]:at[1]])
		parent.InsertBefore(parent, n, ast.NewTextSegment(text.NewSegment(n.Segment.Start, n.Segment.Start+at[0])))
		parent.InsertBefore(parent, n, verbatim(`<span class="disc" data-disc="`+sign+`">`+sign+`</span>`))
		n.Segment = text.NewSegment(n.Segment.Start+at[1], n.Segment.Stop)
	}
}

// guard tells the browser to give a link's target nothing.
func guard(n ast.Node) { n.SetAttributeString("rel", []byte("nofollow noopener noreferrer")) }

// harmless reports whether a link may lead to a URL: one of the web, of mail, or
// of this server. The renderer resolves entities, so they are resolved here.
func harmless(raw []byte) bool {
	u, err := url.Parse(string(util.URLEscape(raw, true)))
	return err == nil && slices.Contains([]string{"", "http", "https", "mailto"}, strings.ToLower(u.Scheme))
}

var (
	tag = regexp.MustCompile(`^<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s[^<>]*)?)/?>`)
	// wasOpen finds the one attribute that is kept, that of details.
	wasOpen = regexp.MustCompile(`(?i)(?:^|\s)open(?:\s|=|/|$)`)
)

// paired are the elements a writer may use; void those that have no end.
var (
	paired = []string{
		"details", "summary", "b", "strong", "i", "em", "code", "kbd", "sub", "sup", "del", "ins", "s", "samp", "var", "q",
	}
	void = []string{"br", "hr", "wbr"}
)

// sanitize returns raw HTML with allowed tags alone, without attributes, and
// everything else as text. open is the stack of elements that are open; an end
// tag closes what was opened after its element, and without one it vanishes.
func sanitize(raw string, open *[]string) string {
	var out strings.Builder
	for raw != "" {
		if strings.HasPrefix(raw, "<!--") {
			_, rest, _ := strings.Cut(raw[len("<!--"):], "-->")
			raw = rest
			continue
		}
		if m := tag.FindStringSubmatch(raw); m != nil {
			if markup, ok := allowed(m, open); ok {
				out.WriteString(markup)
				raw = raw[len(m[0]):]
				continue
			}
		}
		// Entities stay: they are text whatever they decode to.
		if strings.IndexByte(`<>"`, raw[0]) >= 0 {
			out.WriteString(template.HTMLEscapeString(raw[:1]))
		} else {
			out.WriteByte(raw[0])
		}
		raw = raw[1:]
	}
	return out.String()
}

func allowed(m []string, open *[]string) (markup string, ok bool) {
	closing, name := m[1] == "/", strings.ToLower(m[2])
	if slices.Contains(void, name) {
		return "<" + name + ">", true
	}
	if !slices.Contains(paired, name) {
		return "", false
	}
	if !closing {
		*open = append(*open, name)
		if name == "details" && wasOpen.MatchString(m[3]) {
			return "<details open>", true
		}
		return "<" + name + ">", true
	}
	at := len(*open) - 1
	for at >= 0 && (*open)[at] != name {
		at--
	}
	if at < 0 {
		return "", true
	}
	for _, inner := range slices.Backward((*open)[at:]) {
		markup += "</" + inner + ">"
	}
	*open = (*open)[:at]
	return markup, true
}
