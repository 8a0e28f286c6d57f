package steps

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

// story is what people do on a pull request, and how the tests come out.
type story struct {
	name     string
	parts    []part
	fails    func(job runnerfleet.Assignment) bool // nil: nothing does
	deaf     bool                                  // every webhook is lost
	refused  bool                                  // every webhook fails at first, and comes again when somebody asks for it
	slow     bool                                  // a file takes a while
	stubborn int                                   // how often GitHub fails to cancel a workflow run
	lost     int                                   // which machine dies in its first piece, from 1
	rules    []release.Rule
	settings func(*bot.Settings)
	after    bool   // only the last part counts: another story dies in those before
	ends     string // how: part of the outcome that there must be
}

// part is something that somebody does once the time has come.
type part struct {
	when func(w *world) bool
	then func(w *world)
}

func (s story) says(job runnerfleet.Assignment, f *report.FileResult) string {
	if s.fails != nil && s.fails(job) {
		f.Exit = 1
		return "t/a.t .. \n1..1\nnot ok 1 - it is\nFailed 1/1 subtests\nResult: FAIL\n"
	}
	return "t/a.t .. \n1..1\nok 1 - it is\nok\nAll tests successful.\nFiles=1, Tests=1,  0 wallclock secs\nResult: PASS\n"
}

// The times at which somebody does something.
func atOnce(*world) bool { return true }

func closed(n int) func(w *world) bool {
	return func(w *world) bool { return w.run(n).State == bot.Closed }
}

func answered(n int) func(w *world) bool {
	return func(w *world) bool {
		return len(w.desk.answers) >= n && !unpacked[bot.Answer](w.desk.answers[n-1]).Owed()
	}
}

// begun is when every piece of a run's first stage is a job.
func begun(n int) func(w *world) bool {
	return func(w *world) bool {
		r := w.run(n)
		return r.ID != "" && !slices.ContainsFunc(r.Pieces, func(p bot.Piece) bool {
			return p.Stage == 0 && w.forge.begun[fmt.Sprintf("%s/%s/%d", r.ID, p.ID, p.Attempt)] == 0
		})
	}
}

func says(login, body string) func(w *world) { return func(w *world) { w.say(login, body) } }

func pushRelease(w *world) {
	w.forge.branches["release"] = strings.Repeat("e", 40)
	w.emit("push", bot.Event{})
}

func failsIn(run string, goals ...string) func(runnerfleet.Assignment) bool {
	return func(job runnerfleet.Assignment) bool {
		return strings.HasPrefix(job.Piece, run+"/") && slices.Contains(goals, job.Goal)
	}
}

var head = strings.Repeat("a", 40)

var stories = []story{
	{name: "a command and its answers", ends: "run 1 closed", parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello\n/ortest plan t-hello\n/ortest nonsense")},
		{closed(1), says(maintainer, "/ortest status\n/ortest why t-hello\n/ortest t-hello")},
	}},
	{name: "a stranger's command is approved", ends: "run 1 closed", parts: []part{
		{atOnce, says(stranger, "/ortest t-hello")},
		{answered(1), says(maintainer, "/ortest approve "+head)},
	}},
	{name: "a good stage opens the next", ends: "tv-hello pass", parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello tv-hello")},
	}},
	{after: true, name: "a bad stage holds the next, until somebody confirms it", ends: "run 2 closed", fails: failsIn("1", "t-hello"), parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello tv-hello")},
		{closed(1), says(maintainer, "/ortest confirm")},
	}},
	{after: true, name: "a request over the budget is confirmed", ends: "run 1 closed", settings: func(s *bot.Settings) { s.Command.USD = 0.000001 }, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello")},
		{answered(1), says(maintainer, "/ortest confirm")},
	}},
	{name: "every webhook is lost", ends: "run 1 closed", deaf: true, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello\n/ortest plan t-hello")},
	}},
	{name: "a run is cancelled", ends: "cancelled by agentzh", slow: true, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello t-tally")},
		{begun(1), says(maintainer, "/ortest cancel")},
	}},
	{name: "a run is cancelled as soon as its workflow run exists", ends: "cancelled by agentzh", slow: true, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello t-tally")},
		{func(w *world) bool { return len(w.forge.sent) > 0 }, says(maintainer, "/ortest cancel")},
	}},
	{after: true, name: "a run is cancelled, and GitHub does not stop its workflow run for a minute", ends: "cancelled by agentzh", slow: true, stubborn: 12, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello t-tally")},
		{func(w *world) bool { return len(w.forge.sent) > 0 }, says(maintainer, "/ortest cancel")},
	}},
	{after: true, name: "a goal is cancelled", ends: "t-hello pass, t-tally incomplete", slow: true, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello t-tally")},
		{begun(1), says(maintainer, "/ortest cancel t-tally")},
	}},
	{name: "a push ends the run of the commit before", ends: "cancelled by the push", slow: true, settings: func(s *bot.Settings) { s.Supersede = true }, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello")},
		{begun(1), func(w *world) {
			w.forge.head, w.forge.pushed = strings.Repeat("b", 40), time.Now()
			w.emit("pull_request", bot.Event{Pull: &bot.PullEvent{Repo: repo, Number: 7, Action: "synchronize", Head: w.forge.head, At: time.Now()}})
		}},
	}},
	{after: true, name: "what failed is tried again, and not hidden", ends: "run 2 closed t-hello fail", fails: failsIn("1", "t-hello"), parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello t-tally")},
		{closed(1), says(maintainer, "/ortest retry")},
	}},
	{after: true, name: "what newly failed is repeated five times", ends: "run 2 closed", fails: failsIn("1", "t-hello"), parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello")},
		{closed(1), func(w *world) { w.press("ortest / t-hello", "repeat_new") }},
	}},
	{after: true, name: "an expectation is proposed", ends: "made pull ortest/expect", fails: failsIn("1", "t-hello"), parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello")},
		{closed(1), func(w *world) { w.press("ortest / t-hello", "propose_expect") }},
	}},
	{name: "a machine is lost", ends: "t-hello pass", lost: 1, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello")},
	}},
	{name: "a release branch is pushed", ends: "run 1 closed", rules: []release.Rule{{Branches: []string{"release"}, Targets: []string{"t-hello"}}}, parts: []part{
		{atOnce, pushRelease},
	}},
	{after: true, name: "a held stage of a release is started by its button", ends: "run 2 closed tv-hello pass", fails: failsIn("1", "t-hello"),
		rules: []release.Rule{{Branches: []string{"release"}, Targets: []string{"t-hello", "tv-hello"}}}, parts: []part{
			{atOnce, pushRelease},
			{closed(1), func(w *world) { w.press(release.CheckName, "release_stage") }},
		}},
	{after: true, name: "the failures of a release are overridden", ends: "check ortest / release of release release: completed success", fails: failsIn("1", "t-hello"),
		rules: []release.Rule{{Branches: []string{"release"}, Targets: []string{"t-hello"}}}, parts: []part{
			{atOnce, pushRelease},
			{closed(1), func(w *world) { w.press(release.CheckName, "release_override") }},
		}},
	{name: "every webhook is refused and comes again", ends: "run 1 closed", refused: true, parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello\n/ortest nonsense")},
	}},
	{after: true, name: "a click that was refused comes again", ends: "made pull ortest/expect", refused: true, fails: failsIn("1", "t-hello"), parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello")},
		{closed(1), func(w *world) { w.press("ortest / t-hello", "propose_expect") }},
	}},
	{after: true, name: "the comment is deleted", ends: "run 1 closed", parts: []part{
		{atOnce, says(maintainer, "/ortest t-hello")},
		{closed(1), func(w *world) {
			i := slices.IndexFunc(w.forge.comments, func(c bot.Comment) bool { return c.Ours })
			gone := w.forge.comments[i]
			w.forge.comments = slices.Delete(w.forge.comments, i, i+1)
			w.forge.made = make(map[string]int)
			e := w.forge.said(gone, "deleted")
			w.emit("issue_comment", bot.Event{Comment: &e})
		}},
	}},
}

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// outcome is all that is to be the same however often the bot died.
func (w *world) outcome() string {
	var s strings.Builder
	for i := range w.desk.runs {
		r := w.run(i + 1)
		fmt.Fprintf(&s, "run %s %s", r.ID, r.State)
		var goals []string
		for _, key := range slices.Sorted(maps.Keys(w.desk.results)) {
			if goal, ok := strings.CutPrefix(key, r.ID+" "); ok {
				goals = append(goals, goal+" "+string(unpacked[report.GoalResult](w.desk.results[key]).Verdict))
			}
		}
		fmt.Fprintf(&s, " %s; stage %d; %s", strings.Join(goals, ", "), r.Stage, r.Text)
		if r.Cancelled != "" {
			fmt.Fprintf(&s, "; cancelled by %s", r.Cancelled)
		}
		s.WriteString("\n")
	}
	var lines []string
	for _, raw := range w.desk.answers {
		a := unpacked[bot.Answer](raw)
		lines = append(lines, fmt.Sprintf("answer to %q, understood %v, posted %v: %s", a.Text, a.Understood, a.Posted > 0, first(a.Body)))
	}
	for what := range w.forge.reactions {
		lines = append(lines, what)
	}
	for what, n := range w.forge.made {
		if !strings.HasPrefix(what, "dispatch") { // named at random
			lines = append(lines, fmt.Sprintf("made %s: %d", what, n))
		}
	}
	for _, c := range w.forge.checks {
		lines = append(lines, fmt.Sprintf("check %s of %s: %s %s", c.Name, c.External, c.Status, c.Conclusion))
	}
	slices.Sort(lines)
	return s.String() + times.ReplaceAllString(strings.Join(lines, "\n"), "a time")
}

func first(body string) string {
	line, _, _ := strings.Cut(body, "\n")
	return line
}

// once checks what rules 1 to 3 of the design say, whatever the story.
func (w *world) once() {
	for what, n := range w.forge.made {
		if n > 1 {
			w.t.Errorf("%s was made %d times", what, n)
		}
	}
	for job, n := range w.forge.begun {
		if n > 1 {
			w.t.Errorf("job %s was begun %d times", job, n)
		}
	}
	for _, r := range w.forge.runners {
		w.t.Errorf("runner %s is left", r.name)
	}
	of := make(map[string]int)
	for _, m := range w.machines {
		if of[m.launch.Instance]++; of[m.launch.Instance] > 1 || m.on {
			w.t.Errorf("machine %s of %s: launched %d times, is on: %v", m.id, m.launch.Instance, of[m.launch.Instance], m.on)
		}
	}
	for _, sent := range w.forge.sent {
		for _, j := range sent.jobs {
			if j.Status != "completed" {
				w.t.Errorf("job %s is %s", j.Name, j.Status)
			}
		}
	}
	if len(w.desk.commands) != len(w.desk.runs)+len(w.desk.answers) {
		w.t.Errorf("%d commands have %d runs and %d answers", len(w.desk.commands), len(w.desk.runs), len(w.desk.answers))
	}
}

// tell tells a story to a bot that dies after so many things that it did.
func tell(t *testing.T, s story, cat *catalog.Catalog, dieAt int) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, s, cat)
		w.life.dieAt = dieAt
		w.live()
		w.once()
	})
	return w
}

func TestABotThatDiesAfterEachStepEndsTheStoryTheSameWay(t *testing.T) {
	cat, err := catalog.Examples()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			whole := tell(t, s, cat, 0)
			want := whole.outcome()
			if !strings.Contains(want, s.ends) {
				t.Fatalf("the story ends otherwise, want %q in:\n%s", s.ends, want)
			}
			steps, from := whole.life.done, 1
			if s.after {
				from = max(1, whole.last)
			}
			stride := 1
			if testing.Short() { // under the race detector some must do
				stride = 20
			}
			for n := from; n <= len(steps) && !t.Failed(); n += stride {
				w := tell(t, s, cat, n)
				if got := w.outcome(); got != want || t.Failed() {
					t.Errorf("dead after step %d of %d, %s (%d lives):\n%s\n\nwant\n%s", n, len(steps), steps[n-1], w.lives, got, want)
				}
			}
			t.Logf("%d of %d steps", len(steps)-from+1, len(steps))
		})
	}
}
