package plan

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/pflag"
)

// Request is what somebody asks for, as its words say it. Whether the targets
// exist is the catalog's to say.
type Request struct {
	Targets   []string      `json:"targets"`
	Exclude   string        `json:"exclude,omitempty"` // -e: RE2 over goal names
	Limit     time.Duration `json:"limit,omitempty"`   // -t: whole minutes; 0 when not given
	Options   Options       `json:"options"`
	Split     string        `json:"split"` // "auto" or "never"
	Lanes     int           `json:"lanes"` // pieces at once on an instance; 0: auto
	Boot      time.Duration `json:"boot,omitempty"`
	Build     time.Duration `json:"build,omitempty"`
	BootSet   bool          `json:"boot_set,omitempty"` // --boot was given; else history decides
	BuildSet  bool          `json:"build_set,omitempty"`
	AllAtOnce bool          `json:"all_at_once,omitempty"` // no stages
	Run       bool          `json:"run,omitempty"`         // -r
	AST       string        `json:"-"`                     // --ast: a file of durations; dispatch only
	JSON      bool          `json:"-"`                     // --json; dispatch only
}

// Bounds of what one comment may say: whatever is longer was not typed by a
// person, and a mode's name says 30 goals in two letters.
const (
	maxWords     = 400
	maxWord      = 512
	maxWordBytes = 4000
)

var (
	targetWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*$`)
	nginxCore  = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){2}$`)
	typeName   = regexp.MustCompile(`^[a-z0-9-]{1,24}\.[a-z0-9-]{1,24}$`)
	revision   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)
)

// Validate checks everything that needs no catalog. Its error is a *UsageError.
func (r Request) Validate() error {
	for i, t := range r.Targets {
		if len(t) > maxWord || !targetWord.MatchString(t) {
			return &UsageError{Word: clip(t), At: i + 1, What: "is no target", Do: "name goals, projects or modes, such as tv-ngx_lua, ngx_lua or tv"}
		}
	}
	if err := r.validateOptions(); err != nil {
		return err
	}
	if r.Split != "auto" && r.Split != "never" {
		return badValue("--split", r.Split, "write --split auto or --split never")
	}
	if r.Lanes < 0 || r.Lanes > 64 {
		return badValue("--lanes", fmt.Sprint(r.Lanes), "write --lanes auto or a number from 1 to 64")
	}
	if r.Limit != 0 && (r.Limit < time.Minute || r.Limit > maxLimit || r.Limit%time.Minute != 0) {
		return badValue("-t", fmt.Sprint(r.Limit.Minutes()), "give whole minutes from 1 to 1440, such as -t 60")
	}
	_, err := r.Pattern()
	return err
}

func (r Request) validateOptions() error {
	o := r.Options
	switch {
	case o.Arch == "" || len(o.Arch) > 40:
		return badValue("-a", o.Arch, "name an arch, such as -a 'linux x86_64'")
	case o.Nginx != "" && !nginxCore.MatchString(o.Nginx):
		return badValue("-v", o.Nginx, "give an nginx core version, such as -v 1.29.2")
	case o.InstanceType != "" && !typeName.MatchString(o.InstanceType):
		return badValue("-i", o.InstanceType, "give an instance type, such as -i c5.large")
	case o.Revision != "" && (!revision.MatchString(o.Revision) || strings.Contains(o.Revision, "..")):
		return badValue("-b", o.Revision, "give a catalog revision")
	case len(o.CCOpt) > maxWord || hasControl(o.CCOpt):
		return badValue("-o", o.CCOpt, fmt.Sprintf("give compiler flags of at most %d bytes on one line", maxWord))
	}
	return nil
}

// String writes the request as the words of a comment or of dispatch, in the
// table's order, quoted for a shell; ParseRequest reads the split words back.
func (r Request) String() string { return shellquote.Join(r.Words()...) }

// Words returns the words of String, unquoted. Flags that have their default
// are left out.
func (r Request) Words() []string {
	var words []string
	for _, f := range flagTable() {
		if w := f.write(r); w != nil {
			words = append(words, w...)
		}
	}
	return append(words, r.Targets...)
}

// Stages cuts goals of more than one mode into what runs first and what runs
// only if that was good: the goals in mode t, then all others. Goals of one
// mode, or without any in t, are one stage, and so is everything when the
// request asks for it.
func (r Request) Stages(goals []Goal) [][]Goal {
	var first, rest []Goal
	for _, g := range goals {
		if g.Mode == "t" {
			first = append(first, g)
		} else {
			rest = append(rest, g)
		}
	}
	if r.AllAtOnce || len(first) == 0 || len(rest) == 0 {
		return [][]Goal{goals}
	}
	return [][]Goal{first, rest}
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
