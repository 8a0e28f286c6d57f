package bot

import (
	"slices"
	"testing"
)

func TestFindCommands(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       []string
	}{
		{name: "nothing in an empty comment"},
		{name: "a line of its own", body: "/ortest tv-ngx_lua", want: []string{"/ortest tv-ngx_lua"}},
		{name: "an empty command is a command", body: "/ortest", want: []string{"/ortest"}},
		{name: "trailing blanks and carriage returns go", body: "/ortest t \r\n\r\nthanks", want: []string{"/ortest t"}},
		{name: "a NUL is what Markdown makes of it", body: "/ortest t\x00v", want: []string{"/ortest t\uFFFDv"}},
		{name: "several in one paragraph", body: "please\n/ortest t-a\nand\n/ortest plan tv", want: []string{"/ortest t-a", "/ortest plan tv"}},
		{name: "several paragraphs", body: "/ortest t\n\n/ortest tv", want: []string{"/ortest t", "/ortest tv"}},
		{name: "underscores and stars stay", body: "/ortest tv-ngx_lua tl-ngx_lua", want: []string{"/ortest tv-ngx_lua tl-ngx_lua"}},
		{name: "another word with the same start is none", body: "/ortester t"},
		{name: "in the middle of a line is none", body: "use /ortest t"},
		{name: "inline code is none", body: "`/ortest t`"},
		{name: "a code span over lines is none", body: "see `a\n/ortest t\nb`"},
		{name: "fenced code is none", body: "```\n/ortest t\n```"},
		{name: "an unclosed fence is none", body: "```\n/ortest t\n"},
		{name: "indented code is none", body: "    /ortest t"},
		{name: "a quotation is none", body: "> /ortest t"},
		{name: "a lazy line of a quotation is none", body: "> a\n/ortest t"},
		{name: "a list is none", body: "- /ortest t"},
		{name: "an HTML comment is none", body: "<!--\n/ortest t\n-->"},
		{name: "an HTML comment inside a paragraph is none", body: "a <!--\n/ortest t\n--> b"},
		{name: "a hidden details block is none", body: "<details>\n/ortest t\n</details>"},
		{name: "a heading is none", body: "# /ortest t"},
		{name: "a line of dashes below separates", body: "/ortest t\n---\nthanks", want: []string{"/ortest t"}},
		{name: "also below several lines", body: "please\n  /ortest t\n===", want: []string{"/ortest t"}},
		{name: "but not in a quotation", body: "> /ortest t\n> ---"},
		{name: "a telephone begins with a capital", body: "/Ortest t", want: []string{"/Ortest t"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := FindCommands(tt.body); !slices.Equal(got, tt.want) {
				t.Errorf("FindCommands(%q) = %q, want %q", tt.body, got, tt.want)
			}
		})
	}
}
