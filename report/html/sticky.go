package html

import (
	"fmt"
	"strings"
	"time"
)

// Sticky is the comment on a pull request that follows a run: what is planned
// and where the goals are, and at the end what failed. No line of it outside of
// code begins with a command.
func Sticky(run RunView) string {
	s := newSheet(run, budget)
	word := run.word()
	name := "run " + plain(run.ID, 40)
	if run.URL != "" {
		name = "[" + name + "](" + run.URL + ")"
	}
	s.addf("### %s ortest %s: %s\n\n", sign(word), name, word)
	s.add(run.asked())
	for _, t := range run.Trouble {
		s.addf("- %s\n", code(t, 500))
	}
	if len(run.Trouble) > 0 {
		s.add("\n")
	}
	if run.State == "done" {
		results := run.results()
		s.addf("%s. %s\n\n", upper(tally(results...)), meaning(word))
		run.findings(s, results, shownFindings)
	}
	s.add(goalTable(run))
	s.add(run.planned())
	s.add(run.hints())
	return s.String()
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// asked says who asked for what.
func (r RunView) asked() string {
	var parts []string
	if r.Command != "" {
		parts = append(parts, code(r.Command, 1000))
	}
	if r.Author != "" {
		parts = append(parts, "by "+code(r.Author, 100))
	}
	if r.Head != "" {
		parts = append(parts, "at "+code(r.Head[:min(12, len(r.Head))], 12))
	}
	if r.Cancelled != "" {
		parts = append(parts, "cancelled by "+code(r.Cancelled, 100))
	}
	if r.State == "done" && !r.EndedAt.IsZero() && !r.CreatedAt.IsZero() {
		parts = append(parts, "took "+r.EndedAt.Sub(r.CreatedAt).Round(time.Second).String())
	}
	if len(parts) == 0 {
		return ""
	}
	return "Asked: " + strings.Join(parts, ", ") + "\n\n"
}

// planned is the plan's buckets, folded once the run is over.
func (r RunView) planned() string {
	if len(r.Plan.Buckets) == 0 {
		return ""
	}
	var s strings.Builder
	open := " open"
	if r.State == "done" {
		open = ""
	}
	fmt.Fprintf(&s, "<details%s><summary>Plan: %s", open, plural(len(r.Plan.Buckets), "machine"))
	if r.Plan.Options.Arch != "" {
		fmt.Fprintf(&s, " (%s)", escape(plain(r.Plan.Options.Arch, 40)))
	}
	s.WriteString("</summary>\n\n| Bucket | Pieces, in order | Estimate |\n|--:|---|--:|\n")
	for i, b := range r.Plan.Buckets {
		if i == 50 {
			fmt.Fprintf(&s, "| … | %s more | |\n", plural(len(r.Plan.Buckets)-i, "bucket"))
			break
		}
		var pieces []string
		for _, p := range b.Pieces {
			pieces = append(pieces, p.String())
		}
		fmt.Fprintf(&s, "| %d | %s | %s |\n", i+1, cell(strings.Join(pieces, " "), 2000), minutes(b.Estimate))
	}
	s.WriteString("\n")
	for i, w := range r.Plan.Warnings {
		if i == 20 {
			break
		}
		fmt.Fprintf(&s, "- %s\n", code(w, 300))
	}
	return s.String() + "\n</details>\n\n"
}

// hints names the commands that make sense now, each inside of code.
func (r RunView) hints() string {
	if r.State == "done" {
		return "<sub>`/ortest help` shows what can be asked next.</sub>\n"
	}
	return "<sub>`/ortest cancel` stops the run, `/ortest status` says where it is.</sub>\n"
}

// escape makes text for the few places that are HTML within Markdown.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "&#96;", "*", "&#42;", "_", "&#95;", "[", "&#91;").Replace(s)
}
