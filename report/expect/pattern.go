package expect

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Pattern is a text of the old list: plain, which was looked for as it is, or a
// regex of Perl's. Its JSON is a string or {"regex": …}.
type Pattern struct {
	Text  string
	Regex bool
}

// UnmarshalJSON reads either form.
func (p *Pattern) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &p.Text); err == nil {
		return nil
	}
	var o struct {
		Regex string `json:"regex"`
	}
	if err := json.Unmarshal(b, &o); err != nil || o.Regex == "" {
		return fmt.Errorf(`%s is neither a string nor {"regex": …}`, b)
	}
	p.Text, p.Regex = o.Regex, true
	return nil
}

// literal returns what a regex of no special characters matches, and else the
// literal text that it begins with; rest is the regex after that text.
func (p Pattern) literal() (text, rest string) {
	if !p.Regex {
		return p.Text, ""
	}
	var s strings.Builder
	for i := 0; i < len(p.Text); i++ {
		c, n := p.Text[i], 1
		switch {
		case c == '\\' && i+1 < len(p.Text) && !isWord(p.Text[i+1]):
			c, n = p.Text[i+1], 2
		case strings.IndexByte(`\.+*?()|[]{}^$`, c) >= 0:
			return s.String(), p.Text[i:]
		}
		if i+n < len(p.Text) && strings.IndexByte(`*+?{`, p.Text[i+n]) >= 0 {
			return s.String(), p.Text[i:] // the character is repeated
		}
		s.WriteByte(c)
		i += n - 1
	}
	return s.String(), ""
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// match makes a condition of a pattern. Perl looks for it anywhere, ours is
// anchored at both ends, and the end of a line that ends the text is an end too.
func (p Pattern) match(field string) (Match, error) {
	text, rest := p.literal()
	if rest == "" {
		return Match{Field: field, Contains: text}, nil
	}
	re := p.Text
	if strings.HasSuffix(re, "$") && !strings.HasSuffix(re, `\$`) {
		re = re[:len(re)-1] + `\n?$`
	}
	re = ".*(?-s:" + re + ").*"
	if _, err := regexp.Compile(re); err != nil {
		return Match{}, fmt.Errorf("the regex %q is Perl's alone: %w", p.Text, err)
	}
	return Match{Field: field, Regex: re}, nil
}
