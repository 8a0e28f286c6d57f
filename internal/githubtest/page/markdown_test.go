package page

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	const rel = ` rel="nofollow noopener noreferrer"`
	cases := []struct{ name, in, want string }{
		{"a table", "| a |\n|---|\n| b |", "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>b</td>\n</tr>\n</tbody>\n</table>"},
		{"an aligned column", "| a |\n|--:|", "<table>\n<thead>\n<tr>\n<th align=\"right\">a</th>\n</tr>\n</thead>\n</table>"},
		{"a list of tasks", "- [x] a", "<ul>\n<li><input checked=\"\" disabled=\"\" type=\"checkbox\"> a</li>\n</ul>"},
		{"a line break is one", "a\nb", "<p>a<br>\nb</p>"},
		{"a fold", "<details><summary>More</summary>\n\n*a*\n\n</details>", "<details><summary>More</summary>\n<p><em>a</em></p>\n</details>"},
		{"an open fold", "<details open><summary>s</summary></details>", "<details open><summary>s</summary></details>"},
		{"a fold with attributes loses them", `<details ontoggle=alert(1) class="x" open=""><summary id=x>s</summary></details>`, "<details open><summary>s</summary></details>"},
		{"opening is a word of its own", `<details data-reopen>s</details>`, "<details>s</details>"},
		{"a fold left open ends with the text", "<details>\n\na", "<details>\n<p>a</p>\n</details>"},
		{"a fold left open ends with its list item", "- <details>\n- b", "<ul>\n<li>\n<details>\n</details></li>\n<li>b</li>\n</ul>"},
		{"an end without a beginning vanishes", "</details></p></div>a", "&lt;/p&gt;&lt;/div&gt;a"},
		{"ends in the wrong order are put right", "a <b><i>b</b> c</i>", "<p>a <b><i>b</i></b> c</p>"},
		{"a comment is not shown", "a <!-- b --> c\n\n<!-- ortest:runs -->\nd", "<p>a  c</p>\n\n<p>d</p>"},
		{"a comment that does not end hides the rest of its block", "<!-- a\n<b>", ""},
		{"a script is text", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
		{"a script in a line is text", "a <script>b</script>", "<p>a &lt;script&gt;b&lt;/script&gt;</p>"},
		{"an image tag is text", `a <img src=x onerror="y">`, "<p>a &lt;img src=x onerror=&#34;y&#34;&gt;</p>"},
		{"a style, a form, a frame are text", "<style>a{}</style>\n<form>\n<iframe>", "&lt;style&gt;a{}&lt;/style&gt;\n&lt;form&gt;\n&lt;iframe&gt;"},
		{"a tag cut short is text", "<details", "&lt;details"},
		{"an entity stays one", "<b>&lt;script&gt;</b>", "<p><b>&lt;script&gt;</b></p>"},
		{"a link of the web", "[a](https://e.org/?a=1&b=2)", `<p><a href="https://e.org/?a=1&amp;b=2"` + rel + `>a</a></p>`},
		{"a link to a script leads nowhere", "[a](javascript:alert(1))", `<p><a href="#"` + rel + `>a</a></p>`},
		{"so does one in other letters", "[a](JaVaScRiPt:alert(1))", `<p><a href="#"` + rel + `>a</a></p>`},
		{"so does one behind an entity", "[a](javascript&colon;alert(1))", `<p><a href="#"` + rel + `>a</a></p>`},
		{"so does one to data", "[a](data:text/html;base64,PHNjcmlwdD4=)", `<p><a href="#"` + rel + `>a</a></p>`},
		{"an automatic link to a script is text", "<javascript:alert(1)>", "<p>javascript:alert(1)</p>"},
		{"an automatic link of the web", "<https://e.org>", `<p><a href="https://e.org"` + rel + `>https://e.org</a></p>`},
		{"an address", "<a@e.org>", `<p><a href="mailto:a@e.org"` + rel + `>a@e.org</a></p>`},
		{"an image from data has no source", "![a](data:image/png;base64,AA==)", `<p><img src="" alt="a"></p>`},
		{"tags in an image's text vanish", "![*<b>* 🟢 <details open>](x)", `<p><img src="x" alt=" 🟢 "></p>`},
		{"a quote in a title stays inside", `[a](https://e.org "b\" onclick=\"c")`, `<p><a href="https://e.org" title="b&quot; onclick=&quot;c"` + rel + `>a</a></p>`},
		{"a language with a quote stays inside", "```\"><script>\na\n```", "<pre><code class=\"language-&quot;&gt;&lt;script&gt;\">a\n</code></pre>"},
		{"a sign is drawn", "🟢 pass", `<p><span class="disc" data-disc="🟢">🟢</span> pass</p>`},
		{"signs between words are drawn", "a 🔴 b ⛔\nc", `<p>a <span class="disc" data-disc="🔴">🔴</span> b <span class="disc" data-disc="⛔">⛔</span><br>` + "\nc</p>"},
		{"a sign in code is left alone", "`🟢`", "<p><code>🟢</code></p>"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := renderMarkdown(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(string(got)) != c.want {
				t.Errorf("got  %q\nwant %q", strings.TrimSpace(string(got)), c.want)
			}
			inert(t, string(got))
		})
	}
}

// FuzzMarkdown: whatever is written, what comes out is well nested and has
// nothing but the elements and attributes that can do no harm.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{
		"*a <b>* </b> <details>", "> <details>\n> - <summary>\n\n</details>", "| <b> |\n|---|\n| </b> <i> |", "[<b>](x) </b>",
		"<details><summary>\n\n# <kbd>\n\n</summary>", "![<b>](x \"</b>\")", "<details/><br/><b/>", "<<b>script>", "<b\n>", "a<!--><b>--><i>",
		"<svg/onload=alert(1)>", "<b a='>'>", "- [ ] <s>\n  - </s>", "~~<s>~~</s>", "&#60;script&#62;", "<details open\topen>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, err := renderMarkdown(in)
		if err != nil {
			t.Fatal(err)
		}
		inert(t, string(out))
	})
}

var (
	anyTag    = regexp.MustCompile(`<(/?)([a-zA-Z0-9]*)([^<>]*)>`)
	attribute = regexp.MustCompile(`^\s+([a-z-]+)(?:="([^"]*)")?`)
)

var (
	elements = append([]string{
		"p", "a", "img", "input", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "span",
		"table", "thead", "tbody", "tr", "th", "td",
	}, append(paired, void...)...)
	attributes = []string{
		"href", "rel", "title", "src", "alt", "class", "start", "open", "align", "checked", "disabled", "type", "data-disc",
	}
)

// inert checks that markup is well nested and harmless.
func inert(t *testing.T, markup string) {
	t.Helper()
	if rest := anyTag.ReplaceAllString(markup, ""); strings.ContainsAny(rest, "<") {
		t.Errorf("a stray < is left in %q", markup)
	}
	var open []string
	for _, m := range anyTag.FindAllStringSubmatch(markup, -1) {
		closing, name, rest := m[1] == "/", m[2], m[3]
		if !slices.Contains(elements, name) {
			t.Errorf("element %q in %q", name, markup)
		}
		for rest != "" && rest != " /" {
			a := attribute.FindStringSubmatch(rest)
			if a == nil || !slices.Contains(attributes, a[1]) {
				t.Errorf("attribute %q in %q", rest, markup)
				break
			}
			if (a[1] == "href" || a[1] == "src") && !harmless([]byte(a[2])) {
				t.Errorf("link %q in %q", a[2], markup)
			}
			rest = rest[len(a[0]):]
		}
		switch {
		case slices.Contains(append([]string{"img", "input"}, void...), name):
		case !closing:
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Errorf("</%s> closes nothing in %q", name, markup)
			return
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%v left open in %q", open, markup)
	}
}
