package action

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// masker hides secrets in what passes through. A secret may be cut in two by
// the writes, so the end of what was written waits for what follows as long as
// it may be the begin of one.
type masker struct {
	w       io.Writer
	secrets [][]byte // longest first
	held    []byte
}

// Short values are words rather than secrets: to hide them would garble the log.
const minSecret = 8

var reSecret = regexp.MustCompile(`(?i)(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|ACCESS_KEY|API_?KEY|JITCONFIG)`)

const hidden = "***"

// secretsOf returns the values in an environment that its names call secret, and how
// they look when they are written in another way.
func secretsOf(env []string) [][]byte {
	var all [][]byte
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if len(value) >= minSecret && reSecret.MatchString(name) {
			for _, form := range forms(value) {
				all = append(all, []byte(form))
			}
		}
	}
	slices.SortFunc(all, func(a, b []byte) int { return cmp.Or(len(b)-len(a), bytes.Compare(a, b)) })
	return slices.CompactFunc(all, bytes.Equal)
}

// forms returns a secret as it is, quoted in JSON, in an address, in hexadecimal, and
// what of it is the same in base64 whatever stands before and behind it.
func forms(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret))}
	for _, html := range []bool{false, true} {
		var quoted strings.Builder
		enc := json.NewEncoder(&quoted)
		enc.SetEscapeHTML(html)
		if enc.Encode(secret) == nil {
			all = append(all, strings.Trim(quoted.String(), "\"\n"))
		}
	}
	for shift := range 3 {
		// The first characters hold bits of what stands before, the last of what follows.
		whole := base64.StdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		first := []int{0, 2, 3}[shift]
		last := (shift + len(secret)) * 8 / 6
		if sure := whole[first:last]; len(sure) >= minSecret {
			all = append(all, sure, strings.NewReplacer("+", "-", "/", "_").Replace(sure))
		}
	}
	return all
}

func (m *masker) Write(p []byte) (int, error) {
	if len(m.secrets) == 0 {
		return m.w.Write(p)
	}
	out, rest := m.mask(append(m.held, p...))
	m.held = slices.Clone(rest)
	if _, err := m.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// mask returns what is sure, and the rest from where a secret may have begun.
func (m *masker) mask(b []byte) (out, rest []byte) {
	for i := 0; i < len(b); {
		n, open := m.at(b[i:])
		switch {
		case open:
			return out, b[i:]
		case n > 0:
			out = append(out, hidden...)
			i += n
		default:
			out = append(out, b[i])
			i++
		}
	}
	return out, nil
}

// at returns how long the secret is that b begins with, 0 for none. It is open
// when b is the begin of a longer one.
func (m *masker) at(b []byte) (n int, open bool) {
	for _, s := range m.secrets {
		switch {
		case s[0] != b[0]:
		case bytes.HasPrefix(b, s):
			return len(s), false
		case bytes.HasPrefix(s, b):
			return 0, true
		}
	}
	return 0, false
}

// flush writes what was held back.
func (m *masker) flush() error {
	b := hide(string(m.held), m.secrets)
	m.held = nil
	if b == "" {
		return nil
	}
	_, err := io.WriteString(m.w, b)
	return err
}

// hide hides secrets in what is whole.
func hide(text string, secrets [][]byte) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, string(s), hidden)
	}
	return text
}
