//go:build axe

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/ortest/ortest/examples"
)

// TestTheReportIsAccessible lets axe-core look at the pages in both colour
// schemes. make axe fetches it.
func TestTheReportIsAccessible(t *testing.T) {
	axed(t, newBrowser(t), reportPages(t), reportFiles)
}

// TestTheBotsPagesAreAccessible, of a run that failed and of a release.
func TestTheBotsPagesAreAccessible(t *testing.T) {
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNews) })
	p.ask(t, demoMaintainer, "/ortest t-hello")
	if _, err := pushRelease(t.Context(), p.gh, examples.Good); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	axed(t, newBrowser(t), p.url, []string{
		"/runs", "/runs/1", "/goals", "/goals/t-hello", "/queue", "/machines", "/audit", "/releases/" + demoRepo + "/" + demoRelease,
	})
}

// axed holds pages against WCAG.
func axed(t *testing.T, b *browser, at string, pages []string) {
	t.Helper()
	axe, err := os.ReadFile("../../bin/axe.min.js")
	if err != nil {
		t.Fatalf("%v; make axe fetches it", err)
	}
	const check = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
		.then(r => window.axed = r.violations.map(v => v.impact + ": " + v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html).join(" ")))`
	for _, scheme := range []string{"light", "dark"} {
		for _, file := range pages {
			b.do(t, file+" in "+scheme,
				command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
				chromedp.Navigate(at+file), shows("h1"),
				chromedp.Evaluate[chromedp.Void](`for (const d of document.querySelectorAll("details")) d.open = true`),
				chromedp.Evaluate[chromedp.Void](string(axe)), chromedp.Evaluate[chromedp.Void](check),
				chromedp.Poll[chromedp.Void]("window.axed !== undefined"))
			found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string]("window.axed"))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range found {
				t.Logf("%s in %s: %s", file, scheme, v)
				if strings.HasPrefix(v, "serious") || strings.HasPrefix(v, "critical") {
					t.Errorf("%s in %s: %s", file, scheme, v)
				}
			}
		}
	}
}
