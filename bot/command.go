package bot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/kballard/go-shellquote"
)

// Bounds on what one comment may ask; more is answered with a refusal.
const (
	maxCommands   = 10   // in a comment
	maxCommandLen = 4096 // bytes of one command line
)

// Verb is what a command asks for.
type Verb string

// The verbs. A command without one asks for a run.
const (
	VerbRun    Verb = "run"
	VerbPlan   Verb = "plan"
	VerbStatus Verb = "status"
	VerbCancel Verb = "cancel"
	VerbHelp   Verb = "help"
)

type verbDoc struct {
	Verb
	Use, Does string
	Starts    bool // needs the right to start or stop runs
}

// verbs in the order in which help shows them.
var verbs = []verbDoc{
	{VerbRun, "[run] [flags] TARGET…", "plan the goals, start machines, run and judge", true},
	{VerbPlan, "plan [flags] TARGET…", "show buckets, machines and minutes; start nothing", false},
	{VerbStatus, "status", "say how the runs of this pull request stand", false},
	{VerbCancel, "cancel", "stop the live runs of this pull request", true},
	{VerbHelp, "help", "show this", false},
}

// ParseCommand splits a command line as a shell splits words, without any
// expansion, and reads its verb. Its error is meant for the author.
func ParseCommand(line string) (v Verb, words []string, err error) {
	if len(line) > maxCommandLen {
		return "", nil, fmt.Errorf("the command is %d bytes long, the limit is %d. Name a mode (`tv`) or a project (`ngx_lua`) instead of each goal, or split the command over several comments",
			len(line), maxCommandLen)
	}
	words, err = shellquote.Split(line)
	if err != nil {
		return "", nil, fmt.Errorf("the command ends inside a quoted word (%w); close the quote", err)
	}
	words = words[1:]
	if len(words) == 0 {
		return "", nil, fmt.Errorf("the command names no goal. Say what to run, such as a goal, a mode or a project, or ask for `help`")
	}
	for _, known := range verbs {
		if words[0] != string(known.Verb) {
			continue
		}
		if known.Verb == VerbRun || known.Verb == VerbPlan {
			return known.Verb, words[1:], nil
		}
		if len(words) > 1 {
			return "", nil, fmt.Errorf("`%s` takes nothing after it, but %s follows", known.Verb, code(words[1]))
		}
		return known.Verb, nil, nil
	}
	return VerbRun, words, nil
}

// nearVerb returns the verb that a word was probably meant to be, or "".
func nearVerb(word string) string {
	for _, v := range verbs {
		if word != string(v.Verb) && len(word) > 3 && levenshtein.ComputeDistance(word, string(v.Verb)) <= 2 {
			return string(v.Verb)
		}
	}
	return ""
}

func (v Verb) starts() bool {
	return slices.ContainsFunc(verbs, func(k verbDoc) bool { return k.Verb == v && k.Starts })
}

// code shows a person's text as inline code that cannot end early, in one bounded line.
func code(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '`' {
			return '\''
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > 80 {
		s = string(r[:79]) + "…"
	}
	return "`" + s + "`"
}
