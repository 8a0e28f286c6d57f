package plan

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Pattern compiles the -e pattern. What RE2 does not know, such as a
// look-behind, is refused with its construct and place; the error is a *UsageError.
func (r Request) Pattern() (*regexp.Regexp, error) {
	bad := &UsageError{Word: "-e " + clip(r.Exclude), Do: "patterns are RE2: no look-around and no back-references"}
	if len(r.Exclude) > maxWord {
		bad.What, bad.Do = "is too long", fmt.Sprintf("keep the pattern under %d bytes", maxWord)
		return nil, bad
	}
	re, err := regexp.Compile(r.Exclude)
	var se *syntax.Error
	switch {
	case errors.As(err, &se):
		bad.What = fmt.Sprintf("is no RE2 pattern: %s %q at character %d", se.Code, se.Expr, charOf(r.Exclude, se))
		return nil, bad
	case err != nil:
		bad.What = clip(err.Error())
		return nil, bad
	}
	return re, nil
}

// charOf is the character, from 1, at which what is wrong with a pattern begins. The
// same text may stand earlier, escaped or in a class, where nothing is wrong
// with it: what counts is the shortest beginning that is wrong in the same way.
func charOf(pattern string, wrong *syntax.Error) int {
	if wrong.Code == syntax.ErrMissingBracket { // which runs to the end
		return utf8.RuneCountInString(strings.TrimSuffix(pattern, wrong.Expr)) + 1
	}
	for end := range len(pattern) + 1 {
		var se *syntax.Error
		_, err := syntax.Parse(pattern[:end], syntax.Perl)
		if errors.As(err, &se) && *se == *wrong {
			return utf8.RuneCountInString(pattern[:end-len(se.Expr)]) + 1
		}
	}
	return 1
}
