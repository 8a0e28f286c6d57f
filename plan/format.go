package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
)

// WriteText writes the plan as dispatch shows it: the machines, one line per
// bucket, and then what the old tool did not say, on lines that begin with #.
func (p Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Requires at least %d machines.\n", len(p.Buckets))
	for i, bucket := range p.Buckets {
		fmt.Fprintf(&b, "bucket %d:", i+1)
		for _, pc := range bucket.Pieces {
			b.WriteString(" " + pc.String())
		}
		for _, o := range p.Options.words() {
			b.WriteString(" " + o)
		}
		fmt.Fprintf(&b, " (%d min)\n", ceilMinutes(bucket.P90))
	}
	for _, note := range p.Notes() {
		b.WriteString("# " + note + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// words are the options as a bucket carried them to a machine of the old tool.
func (o Options) words() []string {
	var words []string
	add := func(on bool, word string) {
		if on {
			words = append(words, word)
		}
	}
	quoted := func(key, value string) string {
		if value == "" {
			return ""
		}
		return shellquote.Join(key + "=" + value)
	}
	add(o.Force, "force=1")
	add(o.Nginx != "", quoted("nginx_version", o.Nginx))
	add(o.RestyCore, "use_lua_resty_core=1")
	add(o.CCOpt != "", quoted("nginx_cc_opt", o.CCOpt))
	add(o.NoSystemTap, "use_stap=0")
	add(o.Revision != "", quoted("opsboy_branch", o.Revision))
	return words
}

// Notes says in sentences how good the plan is, what its estimates rest on and
// what it costs.
func (p Plan) Notes() []string {
	if len(p.Buckets) == 0 {
		return []string{"nothing to run"}
	}
	notes := []string{p.proof()}
	if p.Basis != "" {
		notes = append(notes, "estimates: "+p.Basis)
	}
	if least, most := p.cost(); most > 0 {
		from := p.Price.Source
		if from == "" {
			from = "the catalog"
		}
		notes = append(notes, fmt.Sprintf("price: %.2f to %.2f USD (%s, spot to on demand, prices of %s from %s)", least, most, p.Price.Type, p.Price.Date, from))
		if before := p.Whole.Hours() * p.Price.OnDemand; before > 0 {
			notes = append(notes, fmt.Sprintf("saving: %.2f (on demand) to %.2f USD (spot) against whole goals on demand, %.2f USD",
				cents(before-most), cents(before-least), before))
		}
	}
	return notes
}

func (p Plan) proof() string {
	note := fmt.Sprintf("machines: %d, at least %d needed", len(p.Buckets), p.Lower)
	if p.Optimal {
		note += ", proven fewest"
	}
	return note + fmt.Sprintf("; end: %d min, not below %d min with as many machines; machine time: %d min",
		ceilMinutes(p.End()), ceilMinutes(p.EndLower), ceilMinutes(p.Machine()))
}

// cents rounds dollars as they are shown; it has no -0.00.
func cents(usd float64) float64 { return math.Round(usd*100)/100 + 0 }

// cost returns the plan's price in dollars, all on spot and all on demand.
// Machines are paid by the second, a minute at least.
func (p Plan) cost() (least, most float64) {
	for _, b := range p.Buckets {
		hours := max(b.Estimate, time.Minute).Hours()
		least += hours * p.Price.Spot
		most += hours * p.Price.OnDemand
	}
	return least, most
}

// planJSON is the form of dispatch --json, which is a contract.
type planJSON struct {
	Machines   int          `json:"machines"`
	LowerBound int          `json:"lower_bound"`
	Optimal    bool         `json:"optimal"`
	Minutes    int          `json:"minutes"`
	Price      priceJSON    `json:"price_usd"`
	Buckets    []bucketJSON `json:"buckets"`
}

type priceJSON struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

type bucketJSON struct {
	Pieces  []pieceJSON `json:"pieces"`
	Minutes int         `json:"minutes"`
}

type pieceJSON struct {
	Goal    string   `json:"goal"`
	Part    int      `json:"part"`
	Parts   int      `json:"parts"`
	Files   []string `json:"files"` // empty: all that the goal has
	Minutes float64  `json:"minutes"`
}

// WriteJSON writes the plan as dispatch --json shows it. Minutes are those of
// the longest bucket.
func (p Plan) WriteJSON(w io.Writer) error {
	up := func(x float64) float64 { return math.Ceil(x*100) / 100 }
	least, most := p.cost()
	out := planJSON{Machines: len(p.Buckets), LowerBound: p.Lower, Optimal: p.Optimal, Minutes: ceilMinutes(p.End()),
		Price: priceJSON{up(least), up(most)}, Buckets: []bucketJSON{}}
	for _, b := range p.Buckets {
		bj := bucketJSON{Minutes: ceilMinutes(b.P90), Pieces: []pieceJSON{}}
		for _, pc := range b.Pieces {
			files := pc.Files
			if files == nil {
				files = []string{}
			}
			bj.Pieces = append(bj.Pieces, pieceJSON{pc.Goal.String(), pc.Part, pc.Parts, files, math.Round(pc.Estimate.Minutes()*100) / 100})
		}
		out.Buckets = append(out.Buckets, bj)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
