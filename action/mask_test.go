package action

import (
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
