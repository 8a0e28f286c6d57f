package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// reportPages writes a report of real logs with a failure, a leak, a build that
// failed and a pass, and returns its address as a file.
func reportPages(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "report")
	logs, err := filepath.Glob("testdata/report/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs (%v)", err)
	}
	var out bytes.Buffer
	if code := run(context.Background(), append([]string{"report", "--out", dir, "--date", "2026-11-21", "--since", "2026-11-20"}, logs...), nil, &out, &out); code != exitGood {
		t.Fatalf("ended with %d: %s", code, out.String())
	}
	return "file://" + dir + "/"
}

// reportFiles are pages that have everything between them: findings of each
// kind, charts, warnings, and nothing at all.
var reportFiles = []string{
	"index.html", "g/x86_64-1.29.2-tv-ngx_echo.html", "g/x86_64-1.29.2-tl-ngx_echo.html", "g/x86_64-1.29.2-t-ngx_echo.html", "g/x86_64-none-t-ngx_array_var.html",
}

// command is a command of the browser's protocol that chromedp has no action for.
func command[P, R any](c cdp.Command[P, R], params P) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func TestTheReportInABrowser(t *testing.T) {
	at, b := reportPages(t), newBrowser(t)
	const visible = `[...document.querySelectorAll("td[class] a")].filter(a => a.offsetParent !== null && !a.parentNode.classList.contains("off")).length`
	b.do(t, "open the index", chromedp.Navigate(at+"index.html"), shows("#filter:not([hidden])"), sees(visible+` === 4`))
	b.do(t, "type a search", chromedp.Focus(chromedp.CSS("#filter [name=q]")), chromedp.KeyEvent("tv-NGX"), sees(visible+` === 1`),
		sees(`document.getElementById("shown").textContent === "1 goal is shown"`))
	b.do(t, "take it back", chromedp.KeyEvent("\x08\x08\x08\x08\x08\x08"), sees(visible+` === 4`))
	b.do(t, "leave out what failed", chromedp.Click(chromedp.CSS("#filter [value=fail]")), sees(visible+` === 1`))
	b.do(t, "reach the table with the keyboard alone", chromedp.Navigate(at+"index.html"), chromedp.KeyEvent("\t"),
		sees(`document.activeElement.className === "skip"`), chromedp.KeyEvent("\r"), sees(`location.hash === "#matrix"`))
	finding, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector(".what").href`))
	if err != nil {
		t.Fatal(err)
	}
	b.do(t, "go from a cause to its finding", chromedp.Navigate(finding), shows("li:target"))
	for _, file := range reportFiles {
		b.do(t, "open "+file+" on a telephone", chromedp.EmulateViewport(375, 800), chromedp.Navigate(at+file), shows("h1"))
		wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth"))
		if err != nil || wide > 375 {
			t.Errorf("%s is %d pixels wide (%v), want at most 375", file, wide, err)
		}
	}
	b.do(t, "turn scripts off", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}), chromedp.Navigate(at+"index.html"))
	seen, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]bool](`[document.getElementById("filter").hidden, document.querySelectorAll("td a").length === 4]`))
	if err != nil || len(seen) != 2 || !seen[0] || !seen[1] {
		t.Errorf("without scripts: the filter is hidden, all goals are there: %v (%v)", seen, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.bad) > 0 {
		t.Errorf("errors in the browser:\n%s", strings.Join(b.bad, "\n"))
	}
}
