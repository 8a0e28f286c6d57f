package expect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
)

// old is one entry of the old white list.
type old struct {
	Project string   `json:"project"`
	Mode    *string  `json:"mode"` // a regex over the mode's letters without the t; nil is any
	File    string   `json:"file"` // below t/
	Name    *Pattern `json:"name"`
	Details *Pattern `json:"details"`
	Arch    string   `json:"arch"`
}

// Importing is what an import depends on besides the list.
type Importing struct {
	Since  time.Time                     // day of the import
	Modes  func(project string) []string // of a project; none when it is unknown
	Source Source                        // where blocks are looked up; nil carries titles as they are
}

// Imported are the entries of each project, and what became of the others.
type Imported struct {
	Total   int
	Carried int // old entries that have a new one
	Entries map[string][]Entry
	Notes   []Note
}

// Note is what a reader should know of one old entry.
type Note struct {
	Number  int    `json:"entry"` // of the old entry, from 1
	Project string `json:"project"`
	ID      string `json:"id,omitempty"`      // of the new entry
	Dropped bool   `json:"dropped,omitempty"` // there is none
	Cause   string `json:"cause"`             // in a few words, the same for entries of one kind
	Text    string `json:"text"`
}

const (
	oldIssue    = "https://github.com/openresty/opsboy/blob/d61ccb5/misc/logs/parse-logs"
	oldOwner    = "openresty"
	importDays  = 120
	wholeBlock  = 8   // budget of an entry that names a block and nothing of it
	severalIn   = 4   // of one whose name several assertions of a block may have
	anyInFile   = 40  // of one that names no block
	anyAnywhere = 100 // of one that names no file
)

// Import reads the old list, a JSON array. An error means that it cannot be
// read; an entry that cannot be carried over is a note.
func Import(text []byte, in Importing) (Imported, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return Imported{}, fmt.Errorf("read old white list: %w; want an array of entries", err)
	}
	out := Imported{Total: len(raw), Entries: make(map[string][]Entry)}
	first := make(map[string]int)
	for i, b := range raw {
		var o old
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.DisallowUnknownFields()
		if err := d.Decode(&o); err != nil {
			return Imported{}, fmt.Errorf("read old white list: entry %d: %w", i+1, err)
		}
		c := carrier{in: in, old: o, note: Note{Number: i + 1, Project: o.Project}}
		canon, err := json.Marshal(o)
		if err != nil {
			return Imported{}, err
		}
		if n, twice := first[string(canon)]; twice {
			c.drop("duplicate", fmt.Sprintf("it says the same as entry %d", n))
		} else {
			first[string(canon)] = i + 1
			c.carry(hex.EncodeToString(sum(canon))[:6])
		}
		out.take(c)
	}
	return out, out.thin()
}

// thin takes out what another new entry covers: old doubles that name one block
// by two numbers, and narrow entries beside wide ones.
func (out *Imported) thin() error {
	for project, entries := range out.Entries {
		exps, err := report.ReadExpectations(project, Write(nil, entries))
		if err != nil {
			return fmt.Errorf("read what was carried: %w", err)
		}
		gone := make(map[string]string) // by the id of what covers it
		for i, e := range exps {
			for k, o := range exps {
				if i != k && gone[o.ID] == "" && covers(o, e) && (k < i || !covers(e, o)) {
					gone[e.ID] = o.ID
					break
				}
			}
		}
		out.Entries[project] = slices.DeleteFunc(entries, func(e Entry) bool {
			if gone[e.ID] != "" {
				out.Carried--
				out.Notes = append(out.Notes, Note{Number: e.From, Project: project, Dropped: true, Cause: "covered by another", Text: "all that it covers is covered by " + gone[e.ID]})
			}
			return gone[e.ID] != ""
		})
	}
	slices.SortStableFunc(out.Notes, func(a, b Note) int { return a.Number - b.Number })
	return nil
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

func (out *Imported) take(c carrier) {
	if c.dropped {
		out.Notes = append(out.Notes, c.notes[len(c.notes)-1])
		return
	}
	for _, n := range c.notes {
		n.ID = c.entry.ID
		out.Notes = append(out.Notes, n)
	}
	out.Carried++
	out.Entries[c.old.Project] = append(out.Entries[c.old.Project], c.entry)
}

// carrier carries one entry over.
type carrier struct {
	in      Importing
	old     old
	entry   Entry
	note    Note
	notes   []Note
	dropped bool
}

func (c *carrier) say(cause, text string) {
	n := c.note
	n.Cause, n.Text = cause, text
	c.notes = append(c.notes, n)
}

func (c *carrier) drop(cause, text string) {
	c.say(cause, text)
	c.notes[len(c.notes)-1].Dropped = true
	c.dropped = true
}

// carry makes the new entry, step by step; each may drop it.
func (c *carrier) carry(hash string) {
	o := c.old
	c.entry = Entry{
		Kind: "assert", Issue: oldIssue, Owner: oldOwner, Since: c.in.Since, Expires: c.in.Since.AddDate(0, 0, importDays),
		From:   c.note.Number,
		Reason: fmt.Sprintf("Entry %d of the old white list, which gives no reason for it.", c.note.Number),
	}
	if o.Arch != "" {
		c.entry.Arch = []string{o.Arch}
	}
	for _, step := range []func(){c.modes, c.place, c.name, c.details, c.block, c.kind, c.budget} {
		if step(); c.dropped {
			return
		}
	}
	slug := strings.Trim(reSlug.ReplaceAllString(strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(o.File, "t/"), ".t")), "-"), "-")
	if slug == "" {
		slug = "any"
	}
	c.entry.ID = slug[:min(len(slug), 40)]
	if c.entry.Number > 0 {
		c.entry.ID += fmt.Sprintf("-%d", c.entry.Number)
	}
	c.entry.ID += "-" + hash
	if _, err := report.ReadExpectations("entry", Write(nil, []Entry{c.entry})); err != nil {
		c.drop("not in the new form", strings.Join(strings.Fields(err.Error()), " "))
	}
}

var (
	reSlug    = regexp.MustCompile(`[^a-z0-9]+`)
	rePlanned = regexp.MustCompile(`^(?:# )?Looks like you planned`)
	reMemory  = regexp.MustCompile(`Memcheck|definitely lost|possibly lost|loss record|Invalid (?:read|write)|uninitialised|depends on uninit|Syscall param`)
)

// modes turns the regex over letters into the project's modes that it matches.
func (c *carrier) modes() {
	if c.old.Mode == nil {
		return
	}
	letters := *c.old.Mode
	if letters == "" {
		c.entry.Mode = []string{"t"}
		c.say("empty mode", `its mode is "", which Perl reads as the last pattern that matched; it is carried for t`)
		return
	}
	re, err := regexp.Compile(letters)
	if err != nil {
		c.drop("mode", fmt.Sprintf("its mode %q is Perl's alone: %v", letters, err))
		return
	}
	all := c.in.Modes(c.old.Project)
	if len(all) == 0 {
		c.drop("unknown project", fmt.Sprintf("the catalog has no project %q", c.old.Project))
		return
	}
	for _, m := range all {
		if re.MatchString(strings.TrimPrefix(m, "t")) {
			c.entry.Mode = append(c.entry.Mode, m)
		}
	}
	if len(c.entry.Mode) == 0 {
		c.drop("no such mode", fmt.Sprintf("no mode of %s has the letters %q: it could never match", c.old.Project, letters))
	}
}

// place sets where the entry looks.
func (c *carrier) place() {
	if len(c.in.Modes(c.old.Project)) == 0 {
		c.drop("unknown project", fmt.Sprintf("the catalog has no project %q", c.old.Project))
		return
	}
	c.entry.Test = "t/" + c.old.File
	if c.old.File == "" {
		c.entry.Test, c.entry.Broad = "**", true
	}
}

func (c *carrier) broad() {
	c.entry.Broad, c.entry.Block = true, "any"
}

func (c *carrier) match(p Pattern, field string) {
	if p.Text == "" {
		return // it is in every text
	}
	m, err := p.match(field)
	if err != nil {
		c.drop("Perl's regex", err.Error())
		return
	}
	c.entry.Match = append(c.entry.Match, m)
}

func (c *carrier) details() {
	if c.old.Details != nil {
		c.match(*c.old.Details, "stack")
	}
}

// kind says what the entry waives: never more than it names.
func (c *carrier) kind() {
	var says []string
	for _, p := range []*Pattern{c.old.Name, c.old.Details} {
		if p != nil {
			says = append(says, p.Text)
		}
	}
	leak := len(c.entry.Mode) > 0 && !slices.ContainsFunc(c.entry.Mode, func(m string) bool { return !strings.Contains(m, "l") })
	valgrind := len(c.entry.Mode) == 0 || slices.ContainsFunc(c.entry.Mode, func(m string) bool { return strings.Contains(m, "v") })
	switch text := strings.Join(says, "\n"); {
	case c.entry.Kind == "plan":
	case strings.Contains(text, "the nginx process"):
		c.entry.Kind = "crash"
	case leak:
		c.entry.Kind = "rss_leak"
	case reMemory.MatchString(text):
		c.entry.Kind = "memcheck"
	case valgrind && len(c.entry.Match) == 0 && c.entry.Block != "":
		c.say("memory errors not waived", "it names no assertion: failed assertions are covered, memory errors need an entry of their own")
	}
}

// budget is as wide as the old entry was: it could match any number.
func (c *carrier) budget() {
	switch {
	case c.entry.Test == "**":
		c.entry.Budget = anyAnywhere
	case c.entry.Broad:
		c.entry.Budget = anyInFile
	case len(c.entry.Match) == 0:
		c.entry.Budget = wholeBlock
	default:
		c.entry.Budget = severalIn
	}
}
