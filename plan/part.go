package plan

import (
	"cmp"
	"slices"
)

// part is what becomes a piece: some files of one goal, and its build.
type part struct {
	work  int   // index in Input.Work
	files []int // indexes in Work.Files, ascending
	wall  int64 // build and files at the 90th percentile, nanoseconds
	cpu   int64 // CPU nanoseconds of the same

	serial bool // has the machine to itself
}

// parter makes parts and knows their sizes.
type parter struct {
	in    Input
	desc  [][]int // of each goal, its files, the longest first
	steps int     // left for filling lanes: machines looked at for a part, and files for a cut
}

func newParter(in Input) *parter {
	in.Work = slices.Clone(in.Work)
	p := &parter{in: in, desc: make([][]int, len(in.Work)), steps: laneSteps}
	for i, w := range in.Work {
		if w.CPUShare == 0 {
			w.CPUShare = 1
		}
		// What was measured on a larger machine cannot use more than this one has.
		in.Work[i].CPUShare = min(w.CPUShare, float64(in.Cores))
		p.desc[i] = make([]int, len(w.Files))
		for f := range w.Files {
			p.desc[i][f] = f
		}
		slices.SortStableFunc(p.desc[i], func(a, b int) int { return cmp.Compare(w.Files[b].P90, w.Files[a].P90) })
	}
	return p
}

// of makes the part of a goal that has these files.
func (p *parter) of(work int, files []int) part {
	w := p.in.Work[work]
	slices.Sort(files)
	var wall int64
	for _, f := range files {
		wall += int64(w.Files[f].P90)
	}
	// A build keeps one core busy while it runs.
	return part{work: work, files: files, wall: wall + int64(w.Build), cpu: int64(w.Build) + int64(w.CPUShare*float64(wall))}
}

// wholes makes one part of each goal.
func (p *parter) wholes() []part {
	parts := make([]part, len(p.in.Work))
	for i := range p.in.Work {
		parts[i] = p.of(i, slices.Clone(p.desc[i]))
	}
	return parts
}

// laneParts makes the parts that machines of several lanes begin with: of each
// goal what may run beside others, and apart from it what may not. A goal that
// is not cut has the machine to itself when one of its files wants that.
func (p *parter) laneParts() []part {
	var parts []part
	for i, w := range p.in.Work {
		var beside, serial []int
		for _, f := range p.desc[i] {
			if w.Files[f].Serial {
				serial = append(serial, f)
			} else {
				beside = append(beside, f)
			}
		}
		if p.in.Split == "never" && len(serial) > 0 {
			beside, serial = nil, slices.Clone(p.desc[i])
		}
		if len(beside) > 0 {
			parts = append(parts, p.of(i, beside))
		}
		if len(serial) > 0 {
			pt := p.of(i, serial)
			pt.serial = true
			parts = append(parts, pt)
		}
	}
	return parts
}

// cut takes from a part as many files as fit into wall and cpu, the build
// included. ok is false when not one does; rest is then the part itself.
func (p *parter) cut(from part, wall, cpu int64) (taken, rest part, ok bool) {
	w := p.in.Work[from.work]
	room := int64(min(float64(wall-int64(w.Build)), float64(cpu-int64(w.Build))/w.CPUShare))
	files := p.longestFirst(from)
	p.steps -= len(files)
	best, most := -1, int64(-1)
	// The greedy choice loses where its first file is a bad one: begin it
	// with each of the first few.
	for skip := range min(8, len(files)) {
		n, sum := 0, int64(0)
		for _, f := range files[skip:] {
			if d := int64(w.Files[f].P90); sum+d <= room {
				n, sum = n+1, sum+d
			}
		}
		if n == len(files) {
			return part{}, from, false
		}
		if n > 0 && sum > most {
			best, most = skip, sum
		}
	}
	if best < 0 {
		return part{}, from, false
	}
	var chosen []int
	left := slices.Clone(files[:best])
	for _, f := range files[best:] {
		if d := int64(w.Files[f].P90); d <= room {
			chosen, room = append(chosen, f), room-d
		} else {
			left = append(left, f)
		}
	}
	taken, rest = p.of(from.work, chosen), p.of(from.work, left)
	taken.serial, rest.serial = from.serial, from.serial
	return taken, rest, true
}

// longestFirst lists the files of a part, the longest first.
func (p *parter) longestFirst(pt part) []int {
	all := p.desc[pt.work]
	in := make([]bool, len(all))
	for _, f := range pt.files {
		in[f] = true
	}
	files := make([]int, 0, len(pt.files))
	for _, f := range all {
		if in[f] {
			files = append(files, f)
		}
	}
	return files
}

// chop cuts every part that is longer than limit alone into parts that fill
// limit, and what is left of it. Parts that cannot be cut stay.
func (p *parter) chop(parts []part, limit int64) []part {
	var out []part
	for _, pt := range parts {
		for pt.wall > limit {
			taken, rest, ok := p.cut(pt, limit, 1<<62)
			if !ok {
				break
			}
			out = append(out, taken)
			pt = rest
		}
		out = append(out, pt)
	}
	return out
}

// smallest returns the shortest time that some machine needs, boot included,
// and for what: below it not even a single file, or a whole goal when goals
// are not cut, fits.
func (p *parter) smallest() (need int64, work, file int) {
	for i, w := range p.in.Work {
		if p.in.Split == "never" {
			if n := int64(p.in.Boot) + p.of(i, slices.Clone(p.desc[i])).wall; n > need {
				need, work, file = n, i, -1
			}
			continue
		}
		f := p.desc[i][0]
		if n := int64(p.in.Boot + w.Build + w.Files[f].P90); n > need {
			need, work, file = n, i, f
		}
	}
	return need, work, file
}

func walls(parts []part) []int64 {
	out := make([]int64, len(parts))
	for i, p := range parts {
		out[i] = p.wall
	}
	return out
}
