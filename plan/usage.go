package plan

import (
	"errors"
	"fmt"
	"strings"

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
