package main

import (
	"fmt"
	"slices"
	"strings"
)

// perlOrder is the order in which Perl prints the flags of a regex.
const perlOrder = "msixn"

// quoted reads a text, a regex or a list of words, in whatever quotes.
func (r *perlReader) quoted(v *perlValue, operator string) error {
	body, quotes, err := r.body()
	if err != nil {
		return err
	}
	holds := quotes[0] != '\'' && perlHolds.MatchString(body)
	switch {
	case operator == "qw":
		v.kind, v.text = perlList, "qw"
		for _, word := range strings.Fields(body) {
			v.items = append(v.items, perlValue{kind: perlText, text: word, line: v.line})
		}
	case operator == "q":
		v.kind, v.text = perlText, unescaped(body, quotes, false)
	case holds || operator == "m":
		// Its text is known only when the program runs.
	case operator == "qq":
		v.kind, v.text = perlText, unescaped(body, quotes, true)
	default:
		if quotes[0] == quotes[1] {
			body = strings.ReplaceAll(body, `\`+quotes[:1], quotes[:1]) // the quote alone made it needed
		}
		v.kind, v.text = perlRegex, quotemeta(body)
		flags := []byte(perlFlags.FindString(r.text[r.at:]))
		r.at += len(flags)
		slices.SortFunc(flags, func(a, b byte) int { return strings.IndexByte(perlOrder, a) - strings.IndexByte(perlOrder, b) })
		if len(flags) > 0 {
			v.text = "(?" + string(flags) + ")" + v.text
		}
	}
	return nil
}

// body reads what stands between the quote at hand and the one that ends it; brackets
// nest. Both quotes are returned, too.
func (r *perlReader) body() (body, quotes string, err error) {
	line, open := r.line, r.next()
	closing, depth, begin := open, 1, r.at
	if at := strings.IndexByte("([{<", open); at >= 0 {
		closing = ")]}>"[at]
	}
	quotes = string([]byte{open, closing})
	for r.more() {
		switch c := r.next(); {
		case c == '\\' && r.more():
			r.next()
		case c == closing:
			if depth--; depth == 0 {
				return r.text[begin : r.at-1], quotes, nil
			}
		case c == open:
			depth++
		}
	}
	return "", quotes, fmt.Errorf("line %d: what %c begins here is not ended", line, open)
}

// unescaped is the text that a quoted one means; letters says that \n is a new line.
func unescaped(body, quotes string, letters bool) string {
	known := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'e': "\x1b", '0': "\x00", 'a': "\a", 'f': "\f"}
	var s strings.Builder
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c != '\\' || i+1 == len(body) {
			s.WriteByte(c)
			continue
		}
		i++
		if text, ok := known[body[i]]; letters && ok {
			s.WriteString(text)
			continue
		}
		if !letters && body[i] != '\\' && strings.IndexByte(quotes, body[i]) < 0 {
			s.WriteByte('\\')
		}
		s.WriteByte(body[i])
	}
	return s.String()
}

// quotemeta replaces \Q…\E, which RE2 has too but not Perl's printed form.
func quotemeta(body string) string {
	var s strings.Builder
	for {
		before, rest, found := cutEscape(body, 'Q')
		s.WriteString(before)
		if !found {
			return s.String()
		}
		literal, after, _ := cutEscape(rest, 'E')
		for _, c := range []byte(literal) {
			if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c < 0x80 {
				s.WriteByte('\\')
			}
			s.WriteByte(c)
		}
		body = after
	}
}

// cutEscape cuts a regex at an escape that is not itself escaped. A stray \E is
// nothing to Perl and is left out.
func cutEscape(body string, letter byte) (before, after string, found bool) {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if body[i+1] == letter {
			return body[:i], body[i+2:], true
		}
		i++
	}
	return body, "", false
}
