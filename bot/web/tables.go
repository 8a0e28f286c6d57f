package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report/html"
)

// sheet is a page that is one table. The first cell of a row names it.
type sheet struct {
	Style   template.CSS
	Title   string
	Note    string
	Empty   string
	Columns []string
	Rows    [][]string
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// queue shows the runs that are not over, and how far each stage is.
func (p *pages) queue(r *http.Request, _ http.Header, body *bytes.Buffer) error {
	runs, err := p.Store.LiveRuns(r.Context())
	if err != nil {
		return err
	}
	s := sheet{
		Style: html.Style(), Title: "Queue", Empty: "Nothing is queued or running.",
		Columns: []string{"Run", "Pull request", "By", "State", "Stage", "Waiting", "Dispatched", "Running", "Done", "Ends before (UTC)"},
	}
	for _, run := range runs {
		count := make(map[bot.PieceState]int)
		for _, piece := range run.Pieces {
			count[piece.State]++
		}
		s.Rows = append(s.Rows, []string{
			run.ID, fmt.Sprintf("%s #%d", run.Repo, run.Pull), run.Author, run.Word(), fmt.Sprint(run.Stage + 1),
			fmt.Sprint(count[bot.Waiting]), fmt.Sprint(count[bot.Dispatched]), fmt.Sprint(count[bot.Assigned]), fmt.Sprint(count[bot.Finished]),
			clock(run.Deadline),
		})
	}
	return p.table.Execute(body, s)
}

func (p *pages) machines(r *http.Request, _ http.Header, body *bytes.Buffer) error {
	all, err := p.Instances(r.Context())
	if err != nil {
		return err
	}
	s := sheet{
		Style: html.Style(), Title: "Machines", Empty: "No instance lives, and no live run has had one.",
		Note:    "The instances that live, and those of live runs that are gone.",
		Columns: []string{"Instance", "State", "Bucket", "Arch", "Type", "Launched (UTC)", "Heard (UTC)", "Must be gone by (UTC)", "Why it left"},
	}
	for _, in := range all {
		s.Rows = append(s.Rows, []string{
			in.ID, string(in.State), in.Bucket, in.Arch, in.Type, clock(in.LaunchedAt), clock(in.SeenAt), clock(in.Deadline), in.Reason,
		})
	}
	return p.table.Execute(body, s)
}

// auditPage is how many lines one page of the audit log has.
const auditPage = 1000

func (p *pages) audit(r *http.Request, _ http.Header, body *bytes.Buffer) error {
	var last []bot.Audit
	for after := int64(0); ; {
		lines, err := p.Store.AuditLog(r.Context(), after, auditPage)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			break
		}
		last, after = lines, lines[len(lines)-1].ID
	}
	slices.Reverse(last)
	s := sheet{
		Style: html.Style(), Title: "Audit", Empty: "Nothing was decided yet.", Note: "The newest first; /audit.jsonl has all of it.",
		Columns: []string{"Line", "At (UTC)", "Who", "Did", "Pull request", "Run", "Commit", "Note"},
	}
	for _, a := range last {
		s.Rows = append(s.Rows, []string{fmt.Sprint(a.ID), clock(a.At), a.Who, a.Did, fmt.Sprintf("%s #%d", a.Repo, a.Pull), a.Run, fmt.Sprintf("%.12s", a.Commit), a.Note})
	}
	return p.table.Execute(body, s)
}

// auditLines is the whole audit log, a JSON object a line.
func (p *pages) auditLines(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	enc := json.NewEncoder(w)
	for after := int64(0); ; {
		lines, err := p.Store.AuditLog(r.Context(), after, auditPage)
		if err != nil {
			p.Log.Error("audit log not read", "err", err)
			panic(http.ErrAbortHandler) // half a log must not look whole
		}
		if len(lines) == 0 {
			return
		}
		for _, a := range lines {
			if err := enc.Encode(a); err != nil {
				return // nobody listens any more
			}
			after = a.ID
		}
	}
}
