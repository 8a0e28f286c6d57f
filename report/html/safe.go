package html

import (
	"regexp"
	"strings"
	"unicode"
)

// Terminal sequences: CSI, OSC up to its end, and the two-character ones.
var reANSI = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])")

// clean makes text that a screen shows as it is: terminal sequences, control
// characters and those that turn the direction of writing are removed, line
// ends and tabs stay.
func clean(s string) string {
	s = reANSI.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), hidden(r):
			return -1
		}
		return r
	}, s)
}

// hidden reports whether a character shows nothing and can deceive: direction
// marks, joiners, tags, fillers, variation selectors and the byte order mark.
func hidden(r rune) bool {
	return r > unicode.MaxASCII && unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// plain makes one line for a field that GitHub shows as text. Mentions,
// references and the runner's commands are broken by a character without width.
func plain(s string, most int) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	return clip(neutral(s), most)
}

// neutral breaks what somebody's software would act on in plain text.
func neutral(s string) string { return neutralizer.Replace(s) }

var neutralizer = strings.NewReplacer("@", "@\u200B", "##[", "#\u200B#[", "::", ":\u200B:", "://", ":\u200B//", "<!--", "<\u200B!--")

// cell makes a code span for a table, where a bar would end the cell.
func cell(s string, most int) string { return strings.ReplaceAll(code(s, most), "|", `\|`) }

// code makes a Markdown code span on one line.
func code(s string, most int) string {
	s = clip(strings.Join(strings.Fields(clean(s)), " "), most)
	if s == "" {
		return ""
	}
	mark := strings.Repeat("`", ticks(s)+1)
	pad := ""
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		pad = " "
	}
	return mark + pad + s + pad + mark
}

// ticks is the length of the longest run of backticks.
func ticks(s string) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// fence makes a Markdown code block that its text cannot close, of at most so
// many lines and bytes.
func fence(s string, lines, most int) string {
	s = excerpt(s, lines, most)
	mark := strings.Repeat("`", max(ticks(s)+1, 3))
	return mark + "text\n" + s + "\n" + mark + "\n"
}

// excerpt cuts text to its first lines and says how many more there are.
func excerpt(s string, lines, most int) string {
	s = strings.Trim(clean(s), "\n")
	all := strings.Split(s, "\n")
	left := 0
	if len(all) > lines {
		left = len(all) - lines
		all = all[:lines]
	}
	out := strings.Join(all, "\n")
	if cut := clip(out, most); cut != out {
		return cut + "\n…"
	}
	if left > 0 {
		out += "\n… " + plural(left, "more line")
	}
	return out
}

// clip cuts s to at most n bytes at the end of a character and marks the cut.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:max(n, 0)] + "…"
}

// link makes a Markdown link around a code span; without an address just that.
func link(s, address string) string {
	if address == "" || strings.ContainsAny(address, " <>()\n") {
		return code(s, 300)
	}
	return "[" + code(s, 300) + "](" + address + ")"
}
