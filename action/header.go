package action

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// header starts the log in the shape of the old driver, which old tooling reads.
func (r *run) header() {
	fmt.Fprintf(r.spool, "DATE %s\n", time.Now().UTC().Format(time.DateTime))
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		text := func(b [65]byte) string { return string(b[:max(0, bytes.IndexByte(b[:], 0))]) }
		fmt.Fprintf(r.spool, "ARCH %s %s %s %s %s GNU/Linux\n",
			text(u.Sysname), text(u.Nodename), text(u.Release), text(u.Version), text(u.Machine))
	}
	fmt.Fprintf(r.spool, "making %s ...\n", r.cfg.Piece.Goal)
}

// versioned are the programs whose versions go into the manifest, with where
// their output has it.
var versioned = []struct {
	name string
	argv []string
	re   *regexp.Regexp
}{
	{"nginx", []string{"nginx", "-V"}, regexp.MustCompile(`nginx version: \S+?/([0-9][0-9.]*)`)},
	{"valgrind", []string{"valgrind", "--version"}, regexp.MustCompile(`valgrind-([0-9][\w.]*)`)},
	{"perl", []string{"perl", "-e", `print "perl $^V\n"`}, regexp.MustCompile(`perl v([0-9][0-9.]*)`)},
}

var reOpenSSL = regexp.MustCompile(`built with OpenSSL ([0-9][\w.]*)`)

// versions notes what the suite runs on. nginx -V goes into the log as the old
// driver printed it.
func (r *run) versions(ctx context.Context) error {
	for _, v := range versioned {
		if r.program(v.argv[0]) == "" || !r.uses(v.name) {
			continue
		}
		var out strings.Builder
		got, err := r.procs.run(ctx, command{argv: v.argv, dir: r.src, env: r.buildEnv, limit: time.Minute, output: 64 << 10}, &out)
		if err != nil {
			return fmt.Errorf("ask %s for its version: %w", v.name, err)
		}
		if got.exit != 0 {
			continue
		}
		if m := v.re.FindStringSubmatch(out.String()); m != nil {
			r.result.Manifest.Versions[v.name] = m[1]
		}
		if v.name == "nginx" {
			fmt.Fprint(r.spool, out.String())
			if m := reOpenSSL.FindStringSubmatch(out.String()); m != nil {
				r.result.Manifest.Versions["openssl"] = m[1]
			}
		}
	}
	return r.asked()
}

// asked stops a goal that would be tested on another nginx than was asked for, and
// says which options change nothing of it.
func (r *run) asked() error {
	o := r.cfg.Piece.Options
	if got := r.result.Manifest.Versions["nginx"]; o.Nginx != "" && r.uses("nginx") && got != o.Nginx {
		return &stopped{PhasePrepare, fmt.Sprintf("-v %s is asked for, and %s runs on nginx %s of this machine", o.Nginx, r.cfg.Piece.Goal, cmp.Or(got, "?"))}
	}
	if r.cfg.Project.Nginx == nil && (o.CCOpt != "" || o.RestyCore) {
		r.note("-c and -o change nothing of %s: no nginx is built for it", r.cfg.Piece.Goal)
	}
	return nil
}

// uses tells whether a program's version says anything about this goal.
func (r *run) uses(name string) bool {
	switch name {
	case "nginx":
		return strings.Contains(r.cfg.Project.Kind, "nginx") || strings.Contains(r.cfg.Project.Kind, "lua")
	case "valgrind":
		return r.cfg.Mode.Valgrind
	}
	return true
}
