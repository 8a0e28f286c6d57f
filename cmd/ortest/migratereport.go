package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// migrationReport is what became of everything that a checkout knows.
type migrationReport struct {
	From     string         `json:"from"`
	Revision string         `json:"revision"`      // of the checkout
	Out      string         `json:"out,omitempty"` // "" is a dry run
	Parts    []migratedPart `json:"parts"`
	Written  []string       `json:"written"` // below out
}

// migratedPart is one kind of what is carried over. Found are all that the old file
// has, so that nothing is lost in silence: carried, known already, or left.
type migratedPart struct {
	Name    string        `json:"part"`
	Source  string        `json:"source"` // file and line in the checkout
	Missing string        `json:"missing,omitempty"`
	Found   int           `json:"found"`
	Carried int           `json:"carried"`
	Known   int           `json:"known"`
	Left    int           `json:"left"`
	Notes   []migrateNote `json:"notes"`
}

// migrateNote says what became of one thing, and where it stands in the checkout.
type migrateNote struct {
	Place string `json:"place"`
	Of    string `json:"of,omitempty"` // arch, project or entry
	Fate  string `json:"fate"`         // carried, known, left, or note: of one that was not left
	Cause string `json:"cause"`        // in a few words, the same for those of one kind
	Text  string `json:"text"`
}

func noteAt(place, of, cause, text string) migrateNote {
	return migrateNote{Place: place, Of: of, Cause: cause, Text: text}
}

// lineOf is the place of a line; 0 is the whole file.
func lineOf(file string, line int) string {
	if line < 1 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

func (p *migratedPart) missing(text string) { p.Missing = text }

func (p *migratedPart) add(fate string, n migrateNote) {
	n.Fate = fate
	p.Notes = append(p.Notes, n)
}

func (p *migratedPart) carry(n migrateNote) { p.Carried++; p.add("carried", n) }
func (p *migratedPart) know(n migrateNote)  { p.Known++; p.add("known", n) }
func (p *migratedPart) say(n migrateNote)   { p.add("note", n) }

func (p *migratedPart) leave(all ...migrateNote) {
	for _, n := range all {
		p.Left++
		p.add("left", n)
	}
}

// sort puts the parts in the order in which people read them.
func (r *migrationReport) sort() {
	order := []string{"durations", "expectations", "images", "projects"}
	slices.SortFunc(r.Parts, func(a, b migratedPart) int {
		return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name))
	})
	for i := range r.Parts {
		if r.Parts[i].Notes == nil {
			r.Parts[i].Notes = []migrateNote{}
		}
	}
	if r.Written == nil {
		r.Written = []string{}
	}
}

// migrated prints the report: a line for each part, then what a person should look
// at, line by line. What is known already or was carried as it is comes with --verbose.
func (a *app) migrated(w io.Writer, r migrationReport) error {
	if a.quiet {
		return nil
	}
	fmt.Fprintf(w, "opsboy %.12s in %s\n", r.Revision, shownText(r.From))
	for _, p := range r.Parts {
		if p.Missing != "" {
			fmt.Fprintf(w, "%s: nothing, no %s: %s\n", p.Name, p.Source, p.Missing)
			continue
		}
		fmt.Fprintf(w, "%s: %d in %s: %d carried, %d known already, %d left\n", p.Name, p.Found, p.Source, p.Carried, p.Known, p.Left)
	}
	for _, p := range r.Parts {
		for _, n := range p.Notes {
			if a.verbose > 0 || n.Fate == "left" || n.Fate == "note" || n.Fate == "carried" && p.Name != "expectations" {
				fmt.Fprintln(w, n.line(p.Name))
			}
		}
	}
	return r.next(w)
}

func (n migrateNote) line(part string) string {
	what := strings.TrimSuffix(part, "s")
	if n.Of != "" {
		what += " " + shownText(n.Of)
	}
	if n.Fate == "carried" || n.Fate == "known" {
		return fmt.Sprintf("%s: %s %s: %s", n.Place, what, n.Cause, shownText(n.Text))
	}
	return fmt.Sprintf("%s: %s: %s, %s: %s", n.Place, what, n.Fate, n.Cause, shownText(n.Text))
}

// next says what was written, and what to do with it.
func (r migrationReport) next(w io.Writer) error {
	if r.Out == "" {
		_, err := fmt.Fprintf(w, "nothing was written: a dry run. It would be: %s\n", strings.Join(r.Written, " "))
		return err
	}
	fmt.Fprintf(w, "written to %s: %s\n", shownText(r.Out), strings.Join(r.Written, " "))
	has := func(prefix string) bool {
		return slices.ContainsFunc(r.Written, func(name string) bool { return strings.HasPrefix(name, prefix) })
	}
	overlay := ""
	if has("catalog/") {
		overlay = " --catalog " + r.Out + "/catalog"
	}
	for _, c := range []struct {
		when    bool
		command string
	}{
		{has("catalog/"), "ortest catalog check " + r.Out + "/catalog"},
		{has("catalog/expectations/"), "ortest expectations lint" + overlay},
		{has("data/"), "ortest dispatch --data " + r.Out + "/data" + overlay + " -t 60 t"},
		{has("ortest.yaml"), "ortest doctor --config " + r.Out + "/ortest.yaml"},
	} {
		if c.when {
			fmt.Fprintf(w, "next: %s\n", c.command)
		}
	}
	return nil
}
