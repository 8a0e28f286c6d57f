package report

import (
	"fmt"
	"regexp"
	"strings"
)

// A mass failure is one cause behind nearly all that failed: massBlocks blocks
// at least, and massShare of a hundred of the blocks that failed. Fewer may be
// the tests of that very service.
const (
	massBlocks = 10
	massShare  = 80
)

// causes are what a machine, a service or the network says when it is not
// there. nginx itself listens on 1984 and up in the suites: a refusal there is
// no service's.
var causes = []struct {
	name string
	re   *regexp.Regexp
}{
	{"no connection to redis", refused(`6379`, `redis`)},
	{"no connection to memcached", refused(`1121[0-9]`, `memcached?`)},
	{"no connection to mysql", refused(`3306`, `mysql`)},
	{"no connection to postgresql", refused(`5432`, `postgres(?:ql)?`)},
	{"the name server does not answer", regexp.MustCompile(`(?i)could not be resolved \((?:2|5|110): |Temporary failure in name resolution|"errstr":"(?:refused|server failure)"|` +
		`no servers could be reached|failed to (?:query|resolve)[^\n]{0,200}(?:timed? ?out|connection refused|refused)`)},
	{"no space is left on the disk", regexp.MustCompile(`No space left on device`)},
	{"no memory is left", regexp.MustCompile(`Cannot allocate memory`)},
	{"too many files are open", regexp.MustCompile(`Too many open files`)},
	{"the network is unreachable", regexp.MustCompile(`(?:Network is unreachable|No route to host)`)},
	{"a service refuses connections", regexp.MustCompile(`(?i)failed to connect[^\n]{0,200}connection refused|connect\(\) to [0-9.]+:(?:[02-9]\d*|1(?:[0-8]\d*|9(?:[0-79]\d*)?)?) failed \(111: `)},
}

// refused compiles what a refused connection to a service looks like: by its
// port, or by its name in the same line.
func refused(port, name string) *regexp.Regexp {
	return regexp.MustCompile(`(?i):` + port + `\b[^\n]{0,200}connection refused|connection refused[^\n]{0,400}:` + port + `\b|` +
		`\b` + name + `\b[^\n]{0,200}connection refused|connection refused[^\n]{0,200}\b` + name + `\b|can't connect to (?:local )?` + name + `\b`)
}

// mismatch is what nginx says when a library that was checked out beside it asks
// for another version of it: bailing out, no file runs.
var mismatch = regexp.MustCompile(`failed to load the 'resty\.core' module[^\n]*\(reason: [^\n)]*?: (\S+ \S+ required but got \S+)\)`)

// mass joins a mass failure to one finding of class infrastructure. What a crash,
// a sanitizer or a leak shows is never joined: no service is to blame for it.
func (j *judge) mass() {
	j.mismatched()
	j.refused()
	failed := make(map[string]bool) // blocks
	by := make([]map[string]bool, len(causes))
	of := make([]int, len(j.out.Findings)) // index of the cause; -1 is none
	for i, f := range j.out.Findings {
		of[i] = -1
		if !f.news() || f.Kind != kindAssert {
			continue
		}
		block := f.File + " " + f.BlockName()
		failed[block] = true
		for c := range causes {
			if causes[c].re.MatchString(f.Name) || causes[c].re.MatchString(f.Detail) {
				if by[c] == nil {
					by[c] = make(map[string]bool)
				}
				by[c][block] = true
				of[i] = c
				break
			}
		}
	}
	for c, blocks := range by {
		if len(blocks) < massBlocks || len(blocks)*100 < massShare*len(failed) {
			continue
		}
		j.join(causes[c].name, blocks, func(i int, f Finding) bool {
			return of[i] == c || of[i] < 0 && f.Kind == kindAssert && f.news() && blocks[f.File+" "+f.BlockName()]
		})
		return
	}
}

// news reports whether a failure is one that nobody has claimed.
func (f Finding) news() bool {
	return (f.Class == New || f.Class == Flaky) && f.Rule == ""
}

// join puts one finding in the place of those that one cause explains. Another
// assertion of a block that lost its service fails with it.
func (j *judge) join(cause string, blocks map[string]bool, is func(int, Finding) bool) {
	var kept []Finding
	var detail strings.Builder
	var first *Finding
	n := 0
	for i, f := range j.out.Findings {
		if !is(i, f) {
			kept = append(kept, f)
			continue
		}
		n++
		if first == nil {
			first = &j.out.Findings[i]
		}
		fmt.Fprintf(&detail, "%s (byte %d)\n", f.headline(), f.Offset)
	}
	sum := Finding{Kind: kindInfra, Class: Infrastructure, Offset: first.Offset, what: cause,
		Name:   fmt.Sprintf("%s: %s in %s", cause, plural(n, "failure"), plural(len(blocks), "block")),
		Detail: first.Detail + "\n" + detail.String(),
		Why:    fmt.Sprintf("one cause outside of the tests explains %s (from %d blocks and %d %% of those that failed on it is one finding)", plural(n, "failure"), massBlocks, massShare)}
	j.out.Findings = kept
	j.add(sum)
}

// mismatched joins a bail-out with its cause when nginx cannot start because two
// things that were checked out beside the project do not fit each other. Where
// the project is one of the two, it is the project's failure.
func (j *judge) mismatched() {
	switch _, project, _ := strings.Cut(j.goal, "-"); project {
	case "ngx_lua", "ngx_stream_lua", "lua-resty-core":
		return
	}
	var said Finding
	for _, w := range j.out.Warnings {
		if m := mismatch.FindStringSubmatch(w.Name); m != nil {
			said = w
			said.Name = m[1]
			break
		}
	}
	if said.Name == "" {
		return
	}
	for i := range j.out.Findings {
		f := &j.out.Findings[i]
		if f.Kind != kindBailout || !f.news() || !strings.Contains(f.Name, "Cannot start nginx") {
			continue
		}
		f.Class, f.Why = Infrastructure, fmt.Sprintf("nginx could not start because what was checked out beside the project does not fit: %s (byte %d)", said.Name, said.Offset)
		f.Name = "nginx cannot start: " + said.Name
	}
}

// refused gives a bail-out the sentence with which nginx would not start: its
// name holds the command only.
func (j *judge) refused() {
	for i := range j.out.Findings {
		f := &j.out.Findings[i]
		if f.Kind != kindBailout || f.Detail != "" || !strings.Contains(f.Name, "Cannot start nginx") {
			continue
		}
		for _, w := range j.out.Warnings {
			if w.File == f.File && w.Offset < f.Offset && strings.HasPrefix(w.Name, "nginx: [emerg] ") {
				f.Detail = w.Name
			}
		}
	}
}
