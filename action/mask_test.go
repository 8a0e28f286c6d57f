package action

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestSecretsAreHidden(t *testing.T) {
	env := []string{"GITHUB_TOKEN=ghs_0123456789", "MY_PASSWORD=ghs_0123", "X_SECRET=short", "PATH=/usr/bin:/bin", "AWS_SECRET_ACCESS_KEY=abababac"}
	for _, tt := range []struct {
		name  string
		wrote []string
		want  string
	}{
		{"a secret in one piece", []string{"a ghs_0123456789 b"}, "a *** b"},
		{"a secret that writes cut", []string{"a ghs_01", "234567", "89 b"}, "a *** b"},
		{"what only begins like one is whole", []string{"a ghs_01", "!"}, "a ghs_01!"},
		{"also at the end", []string{"a ghs_01"}, "a ghs_01"},
		{"the longest first, and the short one after", []string{"ghs_0123456789 ghs_0123 x"}, "*** *** x"},
		{"one that begins again within itself", []string{"ababab", "ababac."}, "abab***."},
		{"seven characters are no secret", []string{"short /usr/bin"}, "short /usr/bin"},
		{"twice", []string{"abababacabababac"}, "******"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			m := &masker{w: &out, secrets: secretsOf(env)}
			for _, s := range tt.wrote {
				if n, err := m.Write([]byte(s)); n != len(s) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
			}
			if err := m.flush(); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got %q, want %q", out.String(), tt.want)
			}
		})
	}
}

func TestNoSecretOfABuildIsTold(t *testing.T) {
	const secret = "ghs_0123456789abcdef"
	project := script()
	project.Build = [][]string{{"sh", "-c", "printf '%s' 'key '" + secret[:9] + "; printf '%s\\n' " + secret[9:] + "; echo a.c:1:1: error: " + secret + " >&2; exit 1"}}
	cfg := config(t, project, "t", one("t/a.t", "print qq{1..1\\nok 1\\n};\n"))
	cfg.Env = append(cfg.Env, "GITHUB_TOKEN="+secret)
	var printed strings.Builder
	cfg.Log = &printed
	result, ev := ran(t, cfg)
	logs := printed.String() + result.End.Reason
	for _, l := range ev.Logs {
		logs += string(l)
	}
	if strings.Contains(logs, secret) || !strings.Contains(logs, "\nkey ***\n") || !strings.Contains(result.End.Reason, "error: ***") {
		t.Errorf("%s\nthe reason: %s", logs, result.End.Reason)
	}
}

func TestASecretIsHiddenInOtherWritings(t *testing.T) {
	const secret = `p"ss/w+rd&\xy`
	secrets := secretsOf([]string{"DB_PASSWORD=" + secret, "PATH=/usr/bin"})
	for _, tt := range []struct{ name, text string }{
		{"as it is", secret},
		{"in JSON", fmt.Sprintf("%q", secret)},
		{"in an address", url.QueryEscape(secret)},
		{"in hexadecimal", hex.EncodeToString([]byte(secret))},
		{"in base64", base64.StdEncoding.EncodeToString([]byte(secret))},
		{"in base64 behind a byte", base64.StdEncoding.EncodeToString([]byte("a" + secret + "b"))},
		{"in base64 behind two bytes", base64.StdEncoding.EncodeToString([]byte("ab" + secret))},
		{"in base64 behind a user's name", base64.StdEncoding.EncodeToString([]byte("user:" + secret + "\n"))},
		{"in the base64 of addresses", base64.URLEncoding.EncodeToString([]byte("user:" + secret))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hide("> "+tt.text+" <", secrets); !strings.Contains(got, hidden) || len(got) > len("> *** <")+12 {
				t.Errorf("%s is shown as %s", tt.text, got)
			}
		})
	}
	if got := hide("a line of /usr/bin", secrets); got != "a line of /usr/bin" {
		t.Errorf("what is no secret is shown as %s", got)
	}
}
