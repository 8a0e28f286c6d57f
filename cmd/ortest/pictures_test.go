//go:build pictures

package main

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// onlyThePull leaves of the demo's page what a pull request has: no comment box, no
// buttons of the demo, and of the conversation the command and its answer.
const onlyThePull = `(() => {
	for (const hide of document.querySelectorAll(".top, aside, #new-comment, #pull-body, .skip")) hide.style.display = "none";
	document.querySelector(".columns").style.display = "block";
	document.querySelector("main").style.gap = "1rem";
	document.querySelector(".page").style.padding = "1rem 1.25rem";
	for (const check of document.querySelectorAll(".check")) check.open = false;
	const failing = document.querySelector('[data-check="ortest / t-hello"]');
	failing.open = true;
	for (const part of failing.querySelectorAll(".check-body > :not(.annotations)")) part.style.display = "none";
	const notes = failing.querySelectorAll(".annotation");
	notes.forEach((note, i) => { if (i > 0) note.style.display = "none"; });
	for (const more of document.querySelectorAll(".annotation details, .comment li > pre, .repo")) more.style.display = "none";
})()`

// TestPictures takes the picture that the README shows, of a pull request that
// contains a mistake. make pictures runs it.
func TestPictures(t *testing.T) {
	act := realAct(t)
	t.Setenv("PATH", act+":"+os.Getenv("PATH"))
	p := newPlace(t, func(c *systemConfig) { machines(c, act) })
	must(t, p.change(t.Context(), "fail"))
	b := newBrowser(t)
	b.do(t, "open the pull request", chromedp.Navigate(p.url), shows(`[data-variant="fail"][aria-pressed="true"]`))
	p.say(t, demoMaintainer, "/ortest t-hello t-tally")
	p.settle(t)
	light := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}}
	b.do(t, "see the verdict", command(emulation.SetEmulatedMedia, light), chromedp.EmulateViewport(860, 900), chromedp.Navigate(p.url),
		shows(`[data-check="ortest / verdict"][data-state="failure"]`),
		shows(`[data-check="ortest / t-hello"] [data-path="t/001-greet.t"][data-line="49"]`),
		chromedp.Evaluate[chromedp.Void](onlyThePull))
	shot, err := chromedp.Run(b.ctx, chromedp.Screenshot(chromedp.CSS(".page")))
	must(t, err)
	dir := filepath.Join("..", "..", "docs", "pictures")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "pull-request.png"), light256(t, shot), 0o644))
}

// light256 is a picture in its 256 most frequent colours: a page of text has few,
// and weighs a third then.
func light256(t *testing.T, shot []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(shot))
	must(t, err)
	frame := full.Bounds()
	count := map[color.Color]int{}
	for y := frame.Min.Y; y < frame.Max.Y; y++ {
		for x := frame.Min.X; x < frame.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	small := image.NewPaletted(frame, all[:min(len(all), 256)])
	draw.Draw(small, frame, full, frame.Min, draw.Src)
	var out bytes.Buffer
	must(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small))
	return out.Bytes()
}
