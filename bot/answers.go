package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ortest/ortest/plan"
)

// Markers let the bot find its own comments again after a crash between
// writing one and storing its id. They are only believed in comments that
// this App wrote.
func answerMarker(a Answer) string {
	if a.Place != InComment {
		return fmt.Sprintf("<!-- ortest:answer %s.%d.%d -->", a.Place, a.Comment, a.Index)
	}
	return fmt.Sprintf("<!-- ortest:answer %d.%d -->", a.Comment, a.Index)
}

const stickyMarker = "<!-- ortest:runs -->"

// nowhere is the comment id of an answer that GitHub does not take.
const nowhere = -1

// PostAnswers posts every answer that is owed: the reaction, then the comment,
// which is looked for before it is created. One that cannot be posted holds up no other.
func (b *Bot) PostAnswers(ctx context.Context) error {
	owed, err := b.Store.UnpostedAnswers(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range owed {
		err := b.post(ctx, a)
		if hopeless(err, a.At, b.Now()) {
			b.Log.Warn("answer given up", "pull", fmt.Sprintf("%s#%d", a.Repo, a.Pull), "err", err)
			a.Posted = nowhere
			err = b.Store.PutAnswer(ctx, a)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("answer comment %d of %s#%d: %w", a.Comment, a.Repo, a.Pull, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Bot) post(ctx context.Context, a Answer) error {
	last := true
	if len(a.Cancels) > 0 {
		var err error
		if a.Body, last, err = b.cancelled(ctx, a); err != nil {
			return err
		}
	}
	marker := answerMarker(a)
	body := clipBody(fmt.Sprintf("%s\n@%s: %s", marker, a.Author, a.Body))
	switch {
	case a.Posted == 0:
		found, err := b.postFirst(ctx, &a, body)
		if err != nil {
			return err
		}
		last = last && !found // it may not say the last word
	case !last:
		return nil
	default:
		if err := b.Forge.UpdateComment(ctx, a.Repo, a.Posted, body); err != nil {
			return err
		}
	}
	if last || a.Posted < 0 {
		a.Cancels = nil
	}
	return b.Store.PutAnswer(ctx, a)
}

// maxBody is less than the 65,536 characters that a comment may have.
const maxBody = 60_000

// clipBody keeps a comment within GitHub's limit. A fence that was cut open is closed.
func clipBody(s string) string {
	if len(s) <= maxBody {
		return s
	}
	n := maxBody
	for !utf8.RuneStart(s[n]) {
		n--
	}
	s = s[:n]
	if strings.Count(s, "\n```")%2 == 1 {
		s += "\n```"
	}
	return s + "\n\n… the rest is too long for a comment."
}

// postFirst reacts and posts the comment, unless it is found; its id is a.Posted then.
func (b *Bot) postFirst(ctx context.Context, a *Answer, body string) (found bool, err error) {
	reaction := "confused"
	if a.Understood {
		reaction = "eyes"
	}
	if a.Place != InButton {
		// The command may be deleted, or a reaction forbidden: the answer is owed all the same.
		if err := b.Forge.React(ctx, a.Repo, a.Place, a.Comment, reaction); err != nil && !final(err) {
			return false, err
		}
	}
	id, err := b.findComment(ctx, a.Repo, a.Pull, a.At, answerMarker(*a))
	if err != nil {
		return false, err
	}
	found = id != 0
	if !found {
		if id, err = b.Forge.CreateComment(ctx, a.Repo, a.Pull, body); err != nil {
			return false, err
		}
	}
	a.Posted, a.PostedAt = id, b.Now()
	return found, nil
}

// findComment returns the id of our comment that starts with a marker, or 0.
func (b *Bot) findComment(ctx context.Context, repo Repo, pull int, since time.Time, marker string) (int64, error) {
	all, err := b.Forge.Comments(ctx, repo, pull, since)
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		if c.Ours && strings.HasPrefix(c.Body, marker) {
			return c.ID, nil
		}
	}
	return 0, nil
}

// refusal says why nothing was started. A reason that ends with a line to paste
// has no full stop.
func refusal(why string) Answer {
	if !strings.HasSuffix(why, "```") {
		why += "."
	}
	return Answer{Body: "nothing was started: " + why}
}

func understood(body string) Answer { return Answer{Body: body, Understood: true} }

// stranger says why somebody may not do what they asked for, and who may.
func stranger(c comment, role string) Answer {
	v, _, err := parseCommand(c.line)
	why := fmt.Sprintf("runs cost machines and carry out the pull request's code, so only people with write, maintain or admin "+
		"permission on %s may start or stop them, or let others do so for one commit; yours is %s. ", code(c.Repo.String()), code(role))
	if c.Place == InButton || err == nil && docOf(v).writes {
		return refusal(why + "Ask one of them")
	}
	return refusal(why + "Ask one of them to write the command on a line of its own:\n\n" + fence(c.line) + "\n\nThat approves the commit they see")
}

func moved(c comment, then, now string) Answer {
	return refusal(fmt.Sprintf("the pull request moved when or after you wrote the command, from %s to %s. If you want the new commit tested, write again:\n\n%s\n\nThe old one is not run",
		code(then), code(now), fence(c.line)))
}

func unseen(c comment, now string) Answer {
	return refusal(fmt.Sprintf("the branch is in a fork, and this bot has not seen which commit it was at when you wrote. It is at %s now; if that is what you mean, write again:\n\n%s",
		code(now), fence(c.line)))
}

func unsigned(c comment, v verb) Answer {
	return refusal(fmt.Sprintf("this text was found without its webhook and may have been edited, and GitHub does not say by whom; `%s` takes a word of whoever decides. Write it as a new comment:\n\n%s",
		v, fence(c.line)))
}

func help() string {
	var s strings.Builder
	s.WriteString("write a command on a line of its own, outside code and quotations:\n\n| Command | Does |\n|---|---|\n")
	for _, v := range verbs {
		fmt.Fprintf(&s, "| `%s %s` | %s |\n", Prefix, strings.ReplaceAll(v.use, "|", `\|`), v.does)
	}
	s.WriteString("\nFlags:\n\n```\n" + plan.FlagHelp() + "```\n")
	s.WriteString("\nA TARGET is a goal (`tv-ngx_lua`), a mode (`tv`: every project that has it) or a project (`ngx_lua`: every mode it has).\n\n")
	return s.String()
}

func (b *Bot) statusText(runs []Run) string {
	if len(runs) == 0 {
		return "nothing was run on this pull request yet."
	}
	var s strings.Builder
	s.WriteString("the runs of this pull request, the newest first:\n\n| Run | Command | Commit | State | Pieces done |\n|--:|---|---|---|--:|\n")
	for i, r := range runs {
		if i == 10 {
			fmt.Fprintf(&s, "\n%d older runs are not shown.\n", len(runs)-i)
			break
		}
		done := 0
		for _, p := range r.Pieces {
			if p.State == Finished {
				done++
			}
		}
		fmt.Fprintf(&s, "| [%s](%s) | %s | `%.12s` | %s | %d of %d |\n",
			r.ID, b.runURL(r.ID), strings.ReplaceAll(code(r.Text), "|", `\|`), r.Head, r.Word(), done, len(r.Pieces))
	}
	return s.String()
}

// Word says where a run is, for a person. It is no verdict.
func (r Run) Word() string {
	switch {
	case r.Cancelled != "" && r.State == Closed:
		return "cancelled by " + r.Cancelled
	case r.Cancelled != "":
		return "being cancelled"
	case r.State == Accepted:
		return "queued"
	case r.State == Running:
		return "running"
	}
	return "done"
}

func (b *Bot) runURL(id string) string { return b.URL + "/runs/" + id }

// fence shows a command line in a block that it cannot close, and that is no command itself.
func fence(line string) string {
	mark := "```"
	for strings.Contains(line, mark) {
		mark += "`"
	}
	shown := strings.Map(func(r rune) rune {
		if hidden(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
	return mark + "\n" + shown + "\n" + mark
}
