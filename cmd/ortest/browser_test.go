package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// watchPage notes the states that each check run goes through. What it notes is
// lost with the page, so a test that reads it has seen no reload.
const watchPage = `(() => {
	const seen = window.seen = {};
	const look = () => {
		for (const check of document.querySelectorAll("[data-check]")) {
			const states = seen[check.dataset.check] ??= [];
			if (states.at(-1) !== check.dataset.state) states.push(check.dataset.state);
		}
	};
	new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
	look();
})()`

// browser is a tab of Chromium.
type browser struct {
	ctx context.Context //nolint:containedctx // chromedp's tab is a context

	mu  sync.Mutex
	bad []string // errors of the pages
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	exe, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v; make test installs it", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	// The pages are our own; Chromium's sandbox works neither as root nor in most containers.
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(exe), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1000, 900))...)
	t.Cleanup(cancel)
	b := &browser{}
	b.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(cancel)
	if err := chromedp.Listen(b.ctx, b.hear); err != nil {
		t.Fatalf("start %s: %v", exe, err)
	}
	return b
}

// hear keeps what a page did wrong: an error of its script, something that its
// policy forbids, something that is not there.
func (b *browser) hear(event any) {
	var bad string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		bad = (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			bad = fmt.Sprintf("%s %s", e.Entry.Text, e.Entry.URL)
		}
	}
	if bad != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bad = append(b.bad, bad)
	}
}

// step is what a visitor does or waits for.
type step = chromedp.Action[chromedp.Void]

// do carries out steps; what names them in the error.
func (b *browser) do(t *testing.T, what string, steps ...step) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		says, unread := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		t.Fatalf("%s: %v\nthe page says: %s (%v)", what, err, says, unread)
	}
}

// sees waits until a condition on the page holds.
func sees(condition string) step {
	return chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingMutation())
}

// shows waits for an element, hidden or not.
func shows(selector string) step {
	return sees(fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

func TestTheDemoInABrowser(t *testing.T) {
	act := realAct(t)
	t.Setenv("PATH", act+":"+os.Getenv("PATH")) // the demo looks for act as it starts
	p := newPlace(t, func(c *systemConfig) { machines(c, act) })
	b := newBrowser(t)
	const check, verdict = `[data-check="ortest / t-hello"]`, `[data-check="ortest / verdict"]`
	comment := func(text string) step { // with nothing but the keyboard
		return chromedp.Steps(chromedp.Focus(chromedp.ID("comment-body")), chromedp.KeyEvent(text),
			chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	}
	click := func(selector string) step { return chromedp.Click(chromedp.CSS(selector)) }

	b.do(t, "open the pull request", chromedp.Navigate(p.url), shows(`#link[data-link="live"]`), chromedp.Evaluate[chromedp.Void](watchPage))
	b.do(t, "comment as the maintainer", comment("/ortest t-hello"))
	b.do(t, "see that the command was read", shows(`[data-author="ada"] [data-reaction="eyes"]`))
	b.do(t, "see the plan in the sticky comment", shows(`[data-author="ortest[bot]"] summary`),
		sees(`document.querySelector('[data-author="ortest[bot]"] summary').textContent.startsWith("Plan: 1 machine")`))
	b.do(t, "see a machine at work", shows(`[data-machine]`))
	b.do(t, "see the goal judged", shows(check+`[data-state="success"]`), shows(verdict+`[data-state="success"]`))
	b.do(t, "see the machine go", sees(`document.querySelector("[data-machine]") === null`))
	seen, err := chromedp.Run(b.ctx, chromedp.Evaluate[map[string][]string]("window.seen"))
	if err != nil {
		t.Fatalf("the page was loaded again: %v", err)
	}
	for _, name := range []string{"ortest / t-hello", "ortest / verdict"} {
		if states := seen[name]; !slices.Contains(states, "in_progress") || states[len(states)-1] != "success" {
			t.Errorf("%s went through %q, want in_progress and success at the end", name, states)
		}
	}

	b.do(t, "push the failing variant", click(`[data-variant="fail"]`), shows(`[data-variant="fail"][aria-pressed="true"]`),
		shows(`[data-tally="none"]`))
	b.do(t, "comment again", comment("/ortest t-hello"), shows(check+`[data-state="failure"]`), shows(verdict+`[data-state="failure"]`))
	b.do(t, "see the failing block's line", shows(check+` [data-level="failure"][data-path="t/001-greet.t"][data-line="49"]`))
	b.do(t, "ask as a stranger", click(`[name="as"][value="mallory"]`), comment("/ortest t-hello"),
		shows(`[data-author="mallory"] [data-reaction="confused"]`))
	b.do(t, "be told why nothing starts",
		sees(`[...document.querySelectorAll('[data-author="ortest[bot]"]')].some(c => c.textContent.includes("@mallory: nothing was started"))`))

	beside, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](
		`document.getElementById("conversation").getBoundingClientRect().right <= document.querySelector("aside").getBoundingClientRect().left`))
	if err != nil || !beside {
		t.Errorf("the conversation lies below the column beside it (%v)", err)
	}
	for _, path := range []string{"", "/runs", "/runs/1", "/runs/2"} {
		b.do(t, "open "+path+" on a telephone", chromedp.EmulateViewport(375, 800), chromedp.Navigate(p.url+path), shows("h1"))
		wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth"))
		if err != nil || wide > 375 {
			t.Errorf("%s is %d pixels wide (%v), want at most 375", path, wide, err)
		}
	}
	p.settle(t)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.bad) > 0 {
		t.Errorf("errors in the browser:\n%s", strings.Join(b.bad, "\n"))
	}
}
