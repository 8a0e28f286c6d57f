package plan

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// UsageError tells a person what is wrong with a request and what to write
// instead. Its text repeats at most 60 bytes of a word and holds no line break;
// whoever puts it into Markdown still escapes it.
type UsageError struct {
	Word string // the word or flag at fault, as written
	At   int    // its place among the words, from 1; 0 when it has none
	What string // what is wrong with it
	Do   string // what to write instead
}

// Error says all of it in one sentence.
func (e *UsageError) Error() string {
	var b strings.Builder
	if e.At > 0 {
		fmt.Fprintf(&b, "word %d: ", e.At)
	}
	if e.Word != "" {
		fmt.Fprintf(&b, "%q ", e.Word)
	}
	b.WriteString(e.What)
	if e.Do != "" {
		b.WriteString("; " + e.Do)
	}
	return b.String()
}

// ParseRequest reads the words of a comment's command, without its verb. An
// error is always a *UsageError. Flags and targets may stand in any order.
func ParseRequest(words []string) (Request, error) {
	if err := checkWords(words); err != nil {
		return Request{}, err
	}
	var r Request
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	BindFlags(fs, &r)
	if err := fs.Parse(words); err != nil {
		return Request{}, flagError(err, words)
	}
	for _, f := range flagTable() {
		if f.local && fs.Changed(f.long) {
			return Request{}, &UsageError{Word: "--" + f.long, At: place(words, "--"+f.long), What: "works only with ortest dispatch on your own machine", Do: "leave it out"}
		}
	}
	r.Targets = fs.Args()
	if len(r.Targets) == 0 {
		return Request{}, &UsageError{What: "nothing to test", Do: "name goals, projects or modes, such as tv-ngx_lua, ngx_lua or tv"}
	}
	if err := r.Validate(); err != nil {
		return Request{}, placed(err, words)
	}
	return r, nil
}

// checkWords bounds what may come from a stranger before anything reads it.
func checkWords(words []string) error {
	total := 0
	for i, w := range words {
		switch {
		case len(w) > maxWord:
			return &UsageError{Word: clip(w), At: i + 1, What: "is too long", Do: fmt.Sprintf("keep a word under %d bytes", maxWord)}
		case hasControl(w):
			return &UsageError{At: i + 1, What: "holds a control character or is not UTF-8", Do: "write plain words"}
		}
		total += len(w) + 1
	}
	if len(words) > maxWords || total > maxWordBytes {
		return &UsageError{What: fmt.Sprintf("the command has %d words and %d bytes", len(words), total),
			Do: fmt.Sprintf("keep it under %d words and %d bytes; a mode such as tv or a project such as ngx_lua names many goals", maxWords, maxWordBytes)}
	}
	return nil
}

func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

// flagError turns what pflag says into a sentence for a person.
func flagError(err error, words []string) *UsageError {
	var (
		unknown  *pflag.NotExistError
		missing  *pflag.ValueRequiredError
		bad      *pflag.InvalidValueError
		malform  *pflag.InvalidSyntaxError
		dashes   = func(name string) string { return strings.Repeat("-", 1+min(1, len(name)-1)) + name }
		withName = func(name string) int { return place(words, dashes(name)) }
	)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return &UsageError{Word: "-h", At: place(words, "-h"), What: "is asked for with its own command", Do: "write /ortest help"}
	case errors.As(err, &unknown):
		return unknownFlag(unknown, words)
	case errors.As(err, &missing):
		name := missing.GetSpecifiedName()
		return &UsageError{Word: dashes(name), At: withName(name), What: "needs a value", Do: "write it behind the flag"}
	case errors.As(err, &bad):
		f := bad.GetFlag()
		word := "--" + f.Name
		at := place(words, word)
		if f.Shorthand != "" && at == 0 {
			word = "-" + f.Shorthand
			at = place(words, word)
		}
		return &UsageError{Word: word + " " + clip(bad.GetValue()), At: at, What: "is not valid", Do: errors.Unwrap(bad).Error()}
	case errors.As(err, &malform):
		return &UsageError{Word: clip(malform.GetSpecifiedFlag()), At: place(words, malform.GetSpecifiedFlag()), What: "is no flag", Do: "write /ortest help for the flags"}
	}
	return &UsageError{What: clip(err.Error()), Do: "write /ortest help for the flags"}
}

func unknownFlag(err *pflag.NotExistError, words []string) *UsageError {
	name := err.GetSpecifiedName()
	word := "--" + name
	if err.GetSpecifiedShortnames() != "" {
		word = "-" + err.GetSpecifiedShortnames()
	}
	e := &UsageError{Word: clip(word), At: place(words, word), What: "is no flag", Do: "write /ortest help for the flags"}
	if len(word) > 3 {
		if near := Nearest("--"+strings.TrimLeft(word, "-"), flagNames()); len(near) > 0 {
			e.Do = "did you mean " + strings.Join(near, " or ") + "?"
		}
	}
	return e
}

// place finds the word that gives a flag, from 1; 0 when it is not to be seen.
func place(words []string, flag string) int {
	for i, w := range words {
		if w == flag || strings.HasPrefix(w, flag+"=") || len(flag) == 2 && strings.HasPrefix(w, flag) {
			return i + 1
		}
	}
	return 0
}

// placed replaces a target's number by the place of its word in the command.
func placed(err error, words []string) error {
	var e *UsageError
	if errors.As(err, &e) && e.At > 0 {
		e.At = 0
		for i, w := range words {
			if clip(w) == e.Word {
				e.At = i + 1
			}
		}
	}
	return err
}

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
