package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"

	"github.com/ortest/ortest/report/html"
)

//go:embed charts.css
var chartsCSS string

//go:embed live.js
var liveJS string

// hash is how a policy names one inline style sheet or script.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// policyOf allows our two style sheets and our one script by their hashes, and
// nothing else; the script may ask this server. Only where somebody can log in
// is there a form, and that goes to this server too.
func policyOf(login bool) string {
	form := "'none'"
	if login {
		form = "'self'"
	}
	return "default-src 'none'; style-src " + hash(string(html.Style())) + " " + hash(chartsCSS) + "; script-src " + hash(liveJS) +
		"; connect-src 'self'; base-uri 'none'; form-action " + form + "; frame-ancestors 'none'"
}

// protect sets what every answer of ours has.
func protect(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// charts is the style sheet of what these pages have beside those of reports.
func charts() template.CSS { return template.CSS(chartsCSS) }
