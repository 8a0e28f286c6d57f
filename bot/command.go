package bot

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"github.com/kballard/go-shellquote"
)

// Bounds on what one comment may ask; more is answered with a refusal.
const (
	maxCommands   = 10   // in a comment
	maxCommandLen = 4096 // bytes of one command line
)

// verb is what a command asks for.
type verb string

// The verbs. A command without one asks for a run.
const (
	verbRun     verb = "run"
	verbPlan    verb = "plan"
	verbStatus  verb = "status"
	verbCancel  verb = "cancel"
	verbRetry   verb = "retry"
	verbWhy     verb = "why"
	verbApprove verb = "approve"
	verbConfirm verb = "confirm"
	verbHelp    verb = "help"

	verbRollback verb = "rollback"
)

// verbDoc is one row of the only table of verbs: parser and help read it.
type verbDoc struct {
	verb
	use, does string
	writes    bool // only people who may write to the repository
	most      int  // words after it; -1 is any number
	least     int
}

// verbs in the order in which help shows them.
var verbs = []verbDoc{
	{verb: verbRun, use: "[run] [flags] TARGET…", does: "plan the goals, start machines, run and judge", most: -1},
	{verb: verbPlan, use: "plan [flags] TARGET…", does: "show buckets, machines, minutes and price; start nothing", most: -1},
	{verb: verbStatus, use: "status", does: "say how the runs of this pull request stand"},
	{verb: verbCancel, use: "cancel [GOAL…]", does: "stop the live runs of this pull request, or only these goals", writes: true, most: -1},
	{verb: verbRetry, use: "retry [failed|GOAL…]", does: "run again what failed, or these goals, on the same commit; the results are merged", most: -1},
	{verb: verbWhy, use: "why [GOAL]", does: "show how the newest run came about and what was decided since, or a goal's attempts", most: 1},
	{verb: verbApprove, use: "approve SHA", does: "let anybody's commands run this commit, the pull request's head; starts what waits for it", writes: true, most: 1, least: 1},
	{verb: verbConfirm, use: "confirm", does: "start what was over the budget, or the stages that the one before held up: what you asked for, or the only thing that waits", writes: true},
	{verb: verbRollback, use: "rollback REV", does: "put an earlier revision of the catalog in force; for people who maintain the repository that it comes from", most: 1, least: 1},
	{verb: verbHelp, use: "help", does: "show this"},
}

// signed reports whether a verb asks who exactly says so: it takes more than the right
// to run something here, which whoever may edit another one's text has as well, or it
// is a decision that the audit log keeps under a name.
func (d verbDoc) signed() bool { return d.writes || d.verb == verbRollback }

func docOf(v verb) verbDoc {
	return verbs[slices.IndexFunc(verbs, func(d verbDoc) bool { return d.verb == v })]
}

// shaPrefix is what may be meant as a commit. approve takes a whole one alone, and
// answers a part with it.
var shaPrefix = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// parseCommand splits a command line as a shell splits words, without any
// expansion, and reads its verb. Its error is meant for the author.
func parseCommand(line string) (v verb, words []string, err error) {
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
	for _, d := range verbs {
		if words[0] == string(d.verb) {
			return d.verb, words[1:], d.check(words[1:])
		}
	}
	return verbRun, words, nil
}

// check holds what follows a verb to the table.
func (d verbDoc) check(words []string) error {
	switch {
	case d.verb == verbRun || d.verb == verbPlan: // the flag table says more
		return nil
	case len(words) < d.least:
		return fmt.Errorf("`%s` needs a word after it: %s", d.verb, code(Prefix+" "+d.use))
	case d.most == 0 && len(words) > 0:
		return fmt.Errorf("`%s` takes nothing after it, but %s follows", d.verb, code(words[0]))
	case d.most > 0 && len(words) > d.most:
		return fmt.Errorf("`%s` takes one word, but %s follows as well; write %s", d.verb, code(words[d.most]), code(Prefix+" "+d.use))
	case d.verb == verbApprove && !shaPrefix.MatchString(words[0]):
		return fmt.Errorf("%s is no commit; give all hex digits of the pull request's head, in lower case", code(words[0]))
	}
	return nil
}

func isVerb(word string) bool {
	return slices.ContainsFunc(verbs, func(d verbDoc) bool { return word == string(d.verb) })
}

// nearVerb returns the verb that a word was probably meant to be, or "".
func nearVerb(word string) string {
	for _, v := range verbs {
		if word != string(v.verb) && len(word) > 2 && levenshtein.ComputeDistance(word, string(v.verb)) <= min(2, len(word)/2) {
			return string(v.verb)
		}
	}
	return ""
}

// code shows a person's text as inline code that cannot end early, in one
// bounded line without anything that turns the direction of what is around it.
func code(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '`' || hidden(r) {
			return '\''
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > 80 {
		s = string(r[:79]) + "…"
	}
	return "`" + s + "`"
}

// hidden reports whether a character shows nothing of itself: a control, or a
// mark such as those that turn the writing direction.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
