package page

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var colour = regexp.MustCompile(`--([\w-]+): (#[0-9a-f]{6});`)

// TestContrast: text and ground of both schemes reach WCAG's AA, 4.5 to 1, and
// the borders that tell where a control is, 3 to 1.
func TestContrast(t *testing.T) {
	raw, err := os.ReadFile("assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(raw), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no dark scheme")
	}
	dark, _, _ = strings.Cut(dark, "\n}\n")
	pairs := []struct {
		text, ground string
		least        float64
	}{
		{"text", "ground", 4.5}, {"text", "raised", 4.5}, {"text", "code", 4.5}, {"text", "app", 4.5}, {"text", "button", 4.5},
		{"muted", "ground", 4.5}, {"muted", "raised", 4.5}, {"muted", "app", 4.5}, {"muted", "code", 4.5},
		{"link", "ground", 4.5}, {"notice", "ground", 4.5}, {"on-primary", "primary", 4.5},
		{"good", "ground", 4.5}, {"bad", "ground", 4.5}, {"busy", "ground", 4.5},
		{"good", "good-ground", 4.5}, {"bad", "bad-ground", 4.5}, {"busy", "busy-ground", 4.5},
		{"strong-line", "ground", 3}, {"accent", "ground", 3}, {"accent", "raised", 3},
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := make(map[string]string)
		for _, m := range colour.FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		for _, p := range pairs {
			a, b := luminance(t, colours[p.text]), luminance(t, colours[p.ground])
			if got := (math.Max(a, b) + .05) / (math.Min(a, b) + .05); got < p.least {
				t.Errorf("%s: %s on %s has %.2f, want %.1f", scheme, p.text, p.ground, got, p.least)
			}
		}
	}
}

// luminance is that of WCAG for a colour such as #1a7f37.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	linear := func(shift int) float64 {
		v := float64(n>>shift&0xff) / 255
		if v <= 0.03928 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}
