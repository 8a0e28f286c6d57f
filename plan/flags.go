package plan

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// flagSpec is one row of the only table of flags: comment, dispatch and help
// all read it.
type flagSpec struct {
	long, short string
	usage       string // the quoted word is shown as the value's name
	local       bool   // refused in a comment: it names a file or a format of one's own machine
	str         func(*Request) *string
	on          func(*Request) *bool
	val         func(*Request) pflag.Value
}

// flagTable returns the table; its order is the help's and Request.String's.
func flagTable() []flagSpec {
	return []flagSpec{
		{long: "arch", short: "a", usage: "test on `ARCH`: 'linux x86_64', 'linux i386' or 'linux aarch64'", str: func(r *Request) *string { return &r.Options.Arch }},
		{long: "time", short: "t", usage: "no machine may take longer than `MINUTES`, a whole number", val: func(r *Request) pflag.Value { return limitValue{r} }},
		{long: "run", short: "r", usage: "run, as a comment does without it too; ortest dispatch starts no machines, and answers with the comment to write", on: func(r *Request) *bool { return &r.Run }},
		{long: "force", short: "f", usage: "force a clean rebuild", on: func(r *Request) *bool { return &r.Options.Force }},
		{long: "resty-core", short: "c", usage: "load lua-resty-core with its checks switched on", on: func(r *Request) *bool { return &r.Options.RestyCore }},
		{long: "no-systemtap", short: "S", usage: "do not use systemtap", on: func(r *Request) *bool { return &r.Options.NoSystemTap }},
		{long: "nginx", short: "v", usage: "use nginx core `N.N.N`, one that an OpenResty release bundles", str: func(r *Request) *string { return &r.Options.Nginx }},
		{long: "cc-opt", short: "o", usage: "give the C compiler `CCOPT` too", str: func(r *Request) *string { return &r.Options.CCOpt }},
		{long: "instance", short: "i", usage: "start machines of instance `TYPE`", str: func(r *Request) *string { return &r.Options.InstanceType }},
		{long: "exclude", short: "e", usage: "leave out the goals that `RE`, an RE2 pattern, matches", str: func(r *Request) *string { return &r.Exclude }},
		{long: "branch", short: "b", usage: "use catalog `REVISION`", str: func(r *Request) *string { return &r.Options.Revision }},
		{long: "split", usage: "cut goals by test file where that helps, or not: `auto|never`", val: func(r *Request) pflag.Value { return splitValue{r} }},
		{long: "lanes", usage: "run `auto|N` pieces at once on a machine", val: func(r *Request) pflag.Value { return lanesValue{r} }},
		{long: "boot", usage: "count `MIN` minutes before a machine can work", val: func(r *Request) pflag.Value { return overheadValue{&r.Boot, &r.BootSet} }},
		{long: "build", usage: "count `MIN` minutes of build for each goal on a machine", val: func(r *Request) pflag.Value { return overheadValue{&r.Build, &r.BuildSet} }},
		{long: "all-at-once", usage: "no stages: start every mode together", on: func(r *Request) *bool { return &r.AllAtOnce }},
		{long: "ast", usage: "read durations from `FILE`, in the old ast.json's form", local: true, str: func(r *Request) *string { return &r.AST }},
		{long: "json", usage: "write the plan as JSON", local: true, on: func(r *Request) *bool { return &r.JSON }},
	}
}

// BindFlags adds every flag of a request to fs and gives r their defaults.
// The limit's default is 0: configuration knows it, the words do not.
func BindFlags(fs *pflag.FlagSet, r *Request) {
	*r = defaultRequest()
	for _, f := range flagTable() {
		f.bind(fs, r)
	}
	fs.SortFlags = false
}

func defaultRequest() Request {
	return Request{Options: Options{Arch: "linux x86_64"}, Split: "auto", Lanes: 1}
}

func (f flagSpec) bind(fs *pflag.FlagSet, r *Request) {
	switch {
	case f.str != nil:
		fs.StringVarP(f.str(r), f.long, f.short, *f.str(r), f.usage)
	case f.on != nil:
		fs.BoolVarP(f.on(r), f.long, f.short, *f.on(r), f.usage)
	default:
		fs.VarP(f.val(r), f.long, f.short, f.usage)
	}
}

// write returns the flag and its value as words, nil when r has the default.
func (f flagSpec) write(r Request) []string {
	def := defaultRequest()
	name := "--" + f.long
	if f.short != "" {
		name = "-" + f.short
	}
	switch {
	case f.str != nil:
		if v := *f.str(&r); v != *f.str(&def) {
			return []string{name, v}
		}
	case f.on != nil:
		if *f.on(&r) {
			return []string{name}
		}
	default:
		if v := f.val(&r).String(); v != f.val(&def).String() {
			return []string{name, v}
		}
	}
	return nil
}

// FlagHelp returns the help of the flags that a comment may use, one a line.
func FlagHelp() string {
	var r Request
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	BindFlags(fs, &r)
	for _, f := range flagTable() {
		if f.local {
			fs.Lookup(f.long).Hidden = true
		}
	}
	return fs.FlagUsages()
}

// flagNames returns every way to write a flag that a comment may use.
func flagNames() []string {
	var names []string
	for _, f := range flagTable() {
		if !f.local {
			names = append(names, "--"+f.long)
		}
	}
	return names
}

// badValue is the error of a flag's value.
func badValue(flag, value, do string) *UsageError {
	return &UsageError{Word: flag + " " + clip(value), What: "is not valid", Do: do}
}

// clip shortens what a stranger wrote before it is shown to anyone.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:most], ""), len(s))
}
