package plan

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// Observation is one measured duration: of a test file, of a whole goal when
// File is "", or of an overhead when Phase says so.
type Observation struct {
	Arch    string    `json:"arch"`
	Nginx   string    `json:"nginx,omitempty"` // core, such as 1.29.2; "" where none is involved
	Goal    string    `json:"goal,omitempty"`  // "" for a boot
	File    string    `json:"file,omitempty"`
	Phase   string    `json:"phase,omitempty"` // boot or build; "" is testing
	Seconds float64   `json:"seconds"`         // wall
	CPU     float64   `json:"cpu,omitempty"`   // CPU seconds; 0 when not measured
	At      time.Time `json:"at"`
	Run     string    `json:"run,omitempty"`     // of ours, or where it was imported from
	Outcome string    `json:"outcome,omitempty"` // "" good, failed, interrupted
}

// History is what is known of durations. The zero value is empty and usable.
// It keeps the newest observations of each key and is not safe for concurrent use.
type History struct {
	seen  map[historyKey][]Observation // newest first
	cores map[historyKey][]string      // the nginx cores of a key without one, newest first
}

type historyKey struct{ arch, nginx, goal, file, phase string }

const (
	keepRuns   = 20  // observations of a key that are kept
	recency    = 0.8 // weight of a run against the one after it
	recent     = 31 * 24 * time.Hour
	maxSeconds = 7 * 24 * 3600
)

func (o Observation) key() historyKey {
	return historyKey{o.Arch, o.Nginx, o.Goal, o.File, o.Phase}
}

func (o Observation) validate() error {
	switch {
	case !(o.Seconds >= 0 && o.Seconds <= maxSeconds) || !(o.CPU >= 0 && o.CPU <= 1024*maxSeconds):
		return fmt.Errorf("%s %s: %v seconds, %v of CPU: not between 0 and a week", o.Goal, o.File, o.Seconds, o.CPU)
	case o.Outcome != "" && o.Outcome != "failed" && o.Outcome != "interrupted":
		return fmt.Errorf("%s %s: outcome %q is none of failed, interrupted", o.Goal, o.File, o.Outcome)
	case o.Phase != "" && o.Phase != "boot" && o.Phase != "build":
		return fmt.Errorf("%s %s: phase %q is none of boot, build", o.Goal, o.File, o.Phase)
	case o.Arch == "" || o.Goal == "" && o.Phase != "boot":
		return fmt.Errorf("%s %s: an observation has an arch and a goal", o.Goal, o.File)
	case len(o.Arch) > 100 || len(o.Goal) > 200 || len(o.File) > 1000 || len(o.Run) > 200 || len(o.Nginx) > 40:
		return fmt.Errorf("%.60q: a name in an observation is too long", o.Goal)
	case hasControl(o.Arch + o.Nginx + o.Goal + o.File + o.Run):
		return fmt.Errorf("%q: control character in an observation", o.Goal)
	}
	return nil
}

// Add remembers one observation. Adding the same one again changes nothing.
func (h *History) Add(o Observation) error {
	if err := o.validate(); err != nil {
		return err
	}
	o.At = o.At.UTC()
	if h.seen == nil {
		h.seen = map[historyKey][]Observation{}
	}
	all := h.seen[o.key()]
	if slices.Contains(all, o) {
		return nil
	}
	if len(all) == 0 {
		h.addCore(o)
	}
	at, _ := slices.BinarySearchFunc(all, o, newestFirst)
	all = slices.Insert(all, at, o)
	h.seen[o.key()] = all[:min(len(all), keepRuns)]
	return nil
}

// addCore remembers that something is known on a core.
func (h *History) addCore(o Observation) {
	if h.cores == nil {
		h.cores = map[historyKey][]string{}
	}
	k := o.key()
	k.nginx = ""
	at, _ := slices.BinarySearchFunc(h.cores[k], o.Nginx, func(a, b string) int { return compareCores(b, a) })
	h.cores[k] = slices.Insert(h.cores[k], at, o.Nginx)
}

func newestFirst(a, b Observation) int {
	return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Run, b.Run), strings.Compare(a.Outcome, b.Outcome),
		cmp.Compare(a.Seconds, b.Seconds), cmp.Compare(a.CPU, b.CPU))
}

// Read adds observations from JSON lines, as Write writes them. An error names
// the line; lines before it have been added.
func (h *History) Read(r io.Reader) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<16)
	for n := 1; sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		var o Observation
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		err := dec.Decode(&o)
		if err == nil && dec.More() {
			err = fmt.Errorf("more than one value")
		}
		if err == nil {
			err = h.Add(o)
		}
		if err != nil {
			return fmt.Errorf("read history: line %d: %w", n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	return nil
}

// All returns every observation in a fixed order, each key's newest last.
func (h *History) All() []Observation {
	var all []Observation
	for _, list := range h.seen {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b Observation) int {
		return cmp.Or(strings.Compare(a.Arch, b.Arch), strings.Compare(a.Nginx, b.Nginx), strings.Compare(a.Goal, b.Goal),
			strings.Compare(a.Phase, b.Phase), strings.Compare(a.File, b.File), -newestFirst(a, b))
	})
	return all
}

// Write writes the history as JSON lines in a fixed order.
func (h *History) Write(w io.Writer) error {
	bw := bufio.NewWriter(w)
	for _, o := range h.All() {
		b, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("write history: %w", err)
		}
		bw.Write(append(b, '\n'))
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// Estimate looks a goal or one of its files up, on the arch and the nginx core
// named; where that core was never measured, the newest measured one decides.
// False: nothing is known.
func (h *History) Estimate(o Observation) (File, bool) {
	k := o.key()
	if e, ok := estimate(h.seen[k]); ok {
		e.Path = o.File
		return e, true
	}
	k.nginx = ""
	for _, core := range h.cores[k] {
		k.nginx = core
		if e, ok := estimate(h.seen[k]); ok {
			e.Path = o.File
			return e, true
		}
	}
	return File{}, false
}

// Files returns the test files of a goal on an arch that were run in the month
// before its newest run, sorted: which files there are where nobody lists them.
func (h *History) Files(of Observation) []string {
	var newest time.Time
	last := map[string]time.Time{}
	for k, all := range h.seen {
		if k.arch == of.Arch && k.goal == of.Goal && k.file != "" && k.phase == "" && !all[0].At.Before(last[k.file]) {
			last[k.file] = all[0].At
			if all[0].At.After(newest) {
				newest = all[0].At
			}
		}
	}
	var files []string
	for file, at := range last {
		if newest.Sub(at) <= recent {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// estimate weighs a key's observations. Interrupted runs say nothing of a
// duration; failed ones are used only when there is no good one.
func estimate(all []Observation) (File, bool) {
	pick := func(outcome string) []Observation {
		return slices.DeleteFunc(slices.Clone(all), func(o Observation) bool { return o.Outcome != outcome })
	}
	e := File{}
	used := pick("")
	if len(used) == 0 {
		used, e.Failed = pick("failed"), true
	}
	if len(used) == 0 {
		return File{}, false
	}
	var total, sum, cpu, cpuWall float64
	weights := map[int]float64{}
	weight := 1.0
	for i, o := range used {
		weights[i] = weight
		total += weight
		sum += weight * o.Seconds
		if o.CPU > 0 {
			cpu += weight * o.CPU
			cpuWall += weight * o.Seconds
		}
		weight *= recency
	}
	order := make([]int, len(used))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(used[a].Seconds, used[b].Seconds) })
	p90, below := used[order[len(order)-1]].Seconds, 0.0
	for _, i := range order {
		if below += weights[i]; below >= 0.9*total {
			p90 = used[i].Seconds
			break
		}
	}
	e.Median = seconds(sum / total)
	e.P90 = max(seconds(p90), e.Median)
	e.Runs, e.Newest = len(used), used[0].At
	if cpuWall > 0 {
		e.CPUShare = cpu / cpuWall
	}
	return e, true
}

func seconds(s float64) time.Duration {
	return time.Duration(math.Round(s * float64(time.Second)))
}

// compareCores orders version numbers; what is none comes first.
func compareCores(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if c := cmp.Or(cmp.Compare(len(as[i]), len(bs[i])), strings.Compare(as[i], bs[i])); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(as), len(bs)), strings.Compare(a, b))
}
