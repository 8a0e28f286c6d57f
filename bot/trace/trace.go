// Package trace tells collectors of OpenTelemetry where the time of a run went:
// from the command, over dispatches, machines and pieces, to the last machine's end.
//
// A trace is made from what is stored of a run, when it is closed. Nothing has to
// be carried from process to process for that: whichever replica closes the run
// has all of it, and every name in the trace is derived from the run, so that a
// second telling is the same trace and not another one.
package trace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
)

// Span is a part of a run's time.
type Span struct {
	Trace, ID, Parent string // hex, as W3C's trace context has them; the root has no parent
	Name              string
	Start, End        time.Time
	Facts             map[string]string
	Wrong             string // why it did not end well; "" when it did
}

// IDs returns the names of a run's trace and of its root span. at is the server's
// address: runs of two servers are told apart.
func IDs(at string, r bot.Run) (trace, root string) {
	sum := sha256.Sum256(fmt.Appendf(nil, "ortest trace\x00%s\x00%s\x00%d", at, r.ID, r.CreatedAt.UnixNano()))
	return hex.EncodeToString(sum[:16]), hex.EncodeToString(sum[16:24])
}

// Spans returns a run as spans, the root first: the decision, its dispatches, its instances
// with their boot, its pieces, and how long the report took. Instances of other
// runs are left out, and so is what has not begun.
func Spans(at string, r bot.Run, instances []runnerfleet.Instance, closed time.Time) []Span {
	trace, root := IDs(at, r)
	b := builder{trace: trace, root: root}
	wrong := ""
	if r.Cancelled != "" {
		wrong = "cancelled by " + r.Cancelled
	}
	asked := r.CreatedAt
	if !r.AskedAt.IsZero() && r.AskedAt.Before(asked) { // clocks differ
		asked = r.AskedAt
	}
	b.spans = []Span{{Trace: trace, ID: root, Name: "run", Start: asked, End: closed, Wrong: wrong, Facts: map[string]string{
		"ortest.run": r.ID, "ortest.repository": r.Repo.String(), "ortest.pull_request": fmt.Sprint(r.Pull), "ortest.commit": r.Head,
		"ortest.command": r.Text, "ortest.author": r.Author, "ortest.catalog": r.Catalog,
	}}}
	if asked.Before(r.CreatedAt) {
		b.add(root, Span{Name: "decide", Start: asked, End: r.CreatedAt})
	}
	for _, d := range r.Dispatch {
		b.add(root, Span{Name: "dispatch", Start: d.TriedAt, End: d.TriedAt, Facts: map[string]string{
			"ortest.pieces": strings.Join(d.Pieces, " "), "ortest.workflow_run": fmt.Sprint(d.WorkflowRun),
		}})
	}
	machines := make(map[string]string)
	for _, in := range instances {
		if run, _, _ := strings.Cut(in.Bucket, "/"); run == r.ID {
			machines[in.ID] = b.instance(in, closed)
		}
	}
	for _, p := range r.Pieces {
		parent := machines[p.Instance]
		if parent == "" {
			parent = root
		}
		b.add(parent, Span{Name: p.String(), Start: begun(r, p), End: p.FinishedAt, Wrong: p.Reason, Facts: map[string]string{
			"ortest.piece": p.ID, "ortest.attempt": fmt.Sprint(p.Attempt), "ortest.instance": p.Instance, "ortest.trouble": strings.Join(p.Trouble, "; "),
		}})
	}
	b.add(root, Span{Name: "report", Start: r.EndedAt, End: closed})
	return b.spans
}

// begun is when a piece's last attempt was asked for.
func begun(r bot.Run, p bot.Piece) (at time.Time) {
	for _, d := range r.Dispatch {
		if i := slices.Index(d.Pieces, p.ID); i >= 0 && d.Attempts[i] == p.Attempt {
			at = d.TriedAt
		}
	}
	return at
}

type builder struct {
	trace, root string
	spans       []Span
}

// add names a span by its place, which is the same whenever it is told.
func (b *builder) add(parent string, s Span) string {
	if s.Start.IsZero() || s.End.Before(s.Start) {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", b.trace, parent, s.Name, len(b.spans)))
	s.Trace, s.Parent, s.ID = b.trace, parent, hex.EncodeToString(sum[:8])
	b.spans = append(b.spans, s)
	return s.ID
}

func (b *builder) instance(in runnerfleet.Instance, closed time.Time) string {
	end := in.EndedAt
	if end.IsZero() {
		end = closed
	}
	id := b.add(b.root, Span{Name: "instance", Start: in.IntendedAt, End: end, Wrong: in.Reason, Facts: map[string]string{
		"ortest.instance": in.ID, "ortest.bucket": in.Bucket, "ortest.arch": in.Arch, "ortest.type": in.Type, "ortest.cloud_id": in.CloudID,
	}})
	if id == "" {
		return ""
	}
	b.add(id, Span{Name: "launch", Start: in.IntendedAt, End: in.LaunchedAt})
	b.add(id, Span{Name: "boot", Start: in.LaunchedAt, End: in.EnrolledAt})
	return id
}
