package plan

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
)

// Policy says what a comment may choose. The zero value allows no instance
// type, no catalog revision, and the compiler flags of the built-in list.
type Policy struct {
	InstanceTypes []string
	Revisions     []string // of the configured catalog's protected branch
	CCOpts        []string // RE2 patterns; each word must match one wholly. nil: the built-in list
}

// safeCCOpts are flags that change code but name no file, plugin or program.
var safeCCOpts = []string{
	`-O[0-3sgz]?`, `-g[0-3]?`, `-g(gdb|dwarf)[0-5]?`,
	`-[DU][A-Za-z_][A-Za-z0-9_]*(=[A-Za-z0-9_.]*)?`,
	`-W(no-)?[a-z][a-z0-9+-]*(=[0-9]+)?`, `-w`, `-pedantic`, `-pipe`, `-std=(c|gnu)[0-9]{2}`,
	`-m(arch|tune|cpu)=[a-z0-9._+-]+`, `-m(no-)?(sse[0-9.]*|avx[0-9a-z]*|bmi2?|popcnt)`, `-m(32|64)`,
	`-f(no-)?(sanitize=[a-z,]+|omit-frame-pointer|strict-aliasing|(un)?signed-char|stack-protector(-all|-strong)?|common|PIC|pic|PIE|pie|lto|inline|unroll-loops|wrapv|trapv|delete-null-pointer-checks)`,
}

// Check returns a *UsageError for the first thing in r that a comment may not choose.
func (p Policy) Check(r Request) error {
	o := r.Options
	if o.InstanceType != "" && !slices.Contains(p.InstanceTypes, o.InstanceType) {
		return badValue("-i", o.InstanceType, oneOf("instance types", p.InstanceTypes))
	}
	if o.Revision != "" && !slices.Contains(p.Revisions, o.Revision) {
		return badValue("-b", o.Revision, "only revisions of the configured catalog's protected branch are taken")
	}
	return p.checkCCOpt(o.CCOpt)
}

func (p Policy) checkCCOpt(opt string) error {
	words, err := shellquote.Split(opt)
	if err != nil {
		return badValue("-o", opt, "close the quotes")
	}
	allowed := p.CCOpts
	if allowed == nil {
		allowed = safeCCOpts
	}
	for _, w := range words {
		matches := func(pattern string) bool {
			ok, err := regexp.MatchString(`\A(?:`+pattern+`)\z`, w)
			return err == nil && ok
		}
		if !slices.ContainsFunc(allowed, matches) {
			return badValue("-o", w, "in a comment only flags such as -O2, -g, -DNAME=VALUE, -W… and a few -f… and -m… are taken; no plugins, no paths")
		}
	}
	return nil
}

func oneOf(what string, known []string) string {
	if len(known) == 0 {
		return "this bot lets nobody choose " + what
	}
	return "choose one of the configured " + what + ": " + strings.Join(known, ", ")
}
