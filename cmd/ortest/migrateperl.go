package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A perlKind is what a literal of Perl's is.
type perlKind int

const (
	perlOther perlKind = iota // no literal: a variable, a call, an interpolation
	perlUndef
	perlText
	perlRegex // its flags in front, as Perl itself prints them
	perlList
)

// perlValue is one literal in a Perl program. Data there is written as literals; what
// is none can be known only by running the program, which is not done.
type perlValue struct {
	kind  perlKind
	text  string // of a text or regex; of another what stands there
	items []perlValue
	line  int // from 1, where it begins
	end   int // where it ends
}

// maxPerlDepth is far more than the old lists need.
const maxPerlDepth = 100

// perlReader reads literals, and remembers the comments between them.
type perlReader struct {
	text     string
	at, line int
	depth    int // of lists in each other
	comments []perlValue
}

// perlVariable returns the list that a program gives to a variable such as
// %white_list; false: it gives none. An error says in which line the list is broken.
func perlVariable(text, name string) (list perlValue, comments []perlValue, found bool, err error) {
	where := regexp.MustCompile(`(?m)^[ \t]*(?:my|our)?[ \t]*` + regexp.QuoteMeta(name) + `[ \t]*=\s*`).FindStringIndex(text)
	if where == nil {
		return perlValue{}, nil, false, nil
	}
	r := perlReader{text: text, at: where[1], line: 1 + strings.Count(text[:where[1]], "\n")}
	if list, err = r.value(); err == nil && list.kind != perlList {
		err = fmt.Errorf("line %d: %s is no list in parentheses", list.line, name)
	}
	return list, r.comments, true, err
}

// pairs returns a list's values by their keys, in order; the last of a key counts,
// as in Perl, and the ones before it are returned too.
func (v perlValue) pairs() (keys, values, lost []perlValue) {
	for i := 0; i+1 < len(v.items); i += 2 {
		k := v.items[i]
		if at := slices.IndexFunc(keys, func(o perlValue) bool { return o.text == k.text }); at >= 0 {
			lost = append(lost, keys[at])
			keys, values = slices.Delete(keys, at, at+1), slices.Delete(values, at, at+1)
		}
		keys, values = append(keys, k), append(values, v.items[i+1])
	}
	return keys, values, lost
}

func (r *perlReader) more() bool { return r.at < len(r.text) }

// next returns the character at hand and steps over it.
func (r *perlReader) next() byte {
	c := r.text[r.at]
	r.at++
	if c == '\n' {
		r.line++
	}
	return c
}

// blanks steps over blanks and comments.
func (r *perlReader) blanks() {
	for r.more() {
		switch c := r.text[r.at]; {
		case c == '#':
			end := r.at + strings.IndexByte(r.text[r.at:]+"\n", '\n')
			r.comments = append(r.comments, perlValue{text: strings.TrimSpace(r.text[r.at+1 : end]), line: r.line})
			r.at = end
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			r.next()
		default:
			return
		}
	}
}

var (
	perlWord  = regexp.MustCompile(`^-?[A-Za-z_]\w*`)
	perlDigit = regexp.MustCompile(`^-?[0-9]+(?:\.[0-9]+)?`)
	perlQuote = regexp.MustCompile(`^(qr|qw|q|qq|m)\s*([^\w\s,;=])`)
	perlFlags = regexp.MustCompile(`^[a-z]*`)
	perlHolds = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*[$@][A-Za-z_{]`) // a variable's value
)

// value reads one literal, or over whatever else stands there.
func (r *perlReader) value() (perlValue, error) {
	r.blanks()
	begin, v := r.at, perlValue{line: r.line}
	err := r.literal(&v)
	if err != nil {
		return v, err
	}
	v.end = r.line
	r.blanks()
	if r.more() && !strings.ContainsRune(",=)]};", rune(r.text[r.at])) {
		// Something is done with it: 'a' . $b
		v.kind, v.items = perlOther, nil
	}
	if v.kind == perlOther {
		if err := r.skip(); err != nil {
			return v, err
		}
		v.text = strings.Join(strings.Fields(r.text[begin:r.at]), " ")
	}
	return v, nil
}

func (r *perlReader) literal(v *perlValue) error {
	rest := r.text[r.at:]
	switch {
	case rest == "":
		return fmt.Errorf("line %d: the list is not closed", r.line)
	case strings.ContainsRune("([{", rune(rest[0])):
		v.kind = perlList
		return r.list(v)
	case rest[0] == '\'' || rest[0] == '"':
		return r.quoted(v, map[byte]string{'\'': "q", '"': "qq"}[rest[0]])
	}
	if m := perlQuote.FindStringSubmatch(rest); m != nil {
		r.at += len(m[0]) - 1
		r.line += strings.Count(m[0], "\n")
		return r.quoted(v, m[1])
	}
	word := perlWord.FindString(rest)
	if word == "" {
		word = perlDigit.FindString(rest)
	}
	r.at += len(word)
	switch {
	case word == "undef":
		v.kind = perlUndef
	case word != "" && (rest[0] <= '9' || strings.HasPrefix(strings.TrimLeft(r.text[r.at:], " \t\r\n"), "=>")):
		v.kind, v.text = perlText, word // a number, or a key, which needs no quotes
	}
	return nil
}

// list reads values up to the bracket that closes the one at hand.
func (r *perlReader) list(v *perlValue) error {
	if r.depth++; r.depth > maxPerlDepth {
		return fmt.Errorf("line %d: more than %d lists are in each other", r.line, maxPerlDepth)
	}
	defer func() { r.depth-- }()
	closing := map[byte]byte{'(': ')', '[': ']', '{': '}'}[r.next()]
	for {
		r.blanks()
		switch {
		case !r.more():
			return fmt.Errorf("line %d: the list that begins here is not closed", v.line)
		case r.text[r.at] == closing:
			r.next()
			return nil
		case strings.ContainsRune(")]};", rune(r.text[r.at])):
			return fmt.Errorf("line %d: %q stands where %q closes the list of line %d", r.line, r.text[r.at], closing, v.line)
		case r.text[r.at] == ',':
			r.next()
			continue
		case strings.HasPrefix(r.text[r.at:], "=>"):
			r.at += 2
			continue
		}
		item, err := r.value()
		if err != nil {
			return err
		}
		if item.kind == perlList && item.text == "qw" {
			v.items = append(v.items, item.items...)
			continue
		}
		v.items = append(v.items, item)
	}
}

// skip steps to the comma or bracket that ends an expression.
func (r *perlReader) skip() error {
	depth, line := 0, r.line
	for r.more() {
		switch c := r.text[r.at]; {
		case c == '\'' || c == '"':
			if _, _, err := r.body(); err != nil {
				return err
			}
			continue
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case depth == 0 && (strings.IndexByte(",)]};", c) >= 0 || strings.HasPrefix(r.text[r.at:], "=>")):
			return nil
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		}
		r.next()
	}
	return fmt.Errorf("line %d: the list is not closed", line)
}
