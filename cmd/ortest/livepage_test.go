package main

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTheRunPageFollowsItsRun opens a run's page while the run waits, and sees it
// go on and end without a reload; then every other page.
func TestTheRunPageFollowsItsRun(t *testing.T) {
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act) })
	b := newBrowser(t)
	p.say(t, demoMaintainer, "/ortest t-hello")
	p.await(t, func(ctx context.Context) (string, error) {
		if runs, err := p.sys.store.RecentRuns(ctx, 1); err != nil || len(runs) > 0 {
			return "", err
		}
		return "there is no run yet", nil
	})
	b.do(t, "open the run", chromedp.Navigate(p.url+"/runs/1"), shows("h1"), chromedp.Evaluate[chromedp.Void]("window.kept = true"))
	b.do(t, "see it end", sees(`/^(pass|known|fail|incomplete):/.test(document.title)`))
	kept, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("window.kept === true"))
	if err != nil || !kept {
		t.Errorf("the page was loaded again (%v)", err)
	}
	for _, path := range []string{"/runs", "/goals", "/goals/t-hello", "/queue", "/machines", "/audit"} {
		b.do(t, "open "+path, chromedp.EmulateViewport(375, 800), chromedp.Navigate(p.url+path), shows("h1"), shows("nav a"))
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
