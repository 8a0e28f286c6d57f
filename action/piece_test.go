package action

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/plan"
)

func TestParsePiece(t *testing.T) {
	const whole = `{"id":"1/p3/1","label":"ortest-00","goal":"tv-hello","repo":"ortest-examples/hello",
		"commit":"0123456789abcdef0123456789abcdef01234567","files":["t/a.t"],"options":{"arch":"linux x86_64"},"timeout":10}`
	got, err := ParsePiece([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := Piece{
		ID: "1/p3/1", Label: "ortest-00", Goal: plan.Goal{Mode: "tv", Project: "hello"}, Repo: "ortest-examples/hello",
		Commit: "0123456789abcdef0123456789abcdef01234567", Files: []string{"t/a.t"},
		Options: plan.Options{Arch: "linux x86_64"}, Timeout: 10,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	for _, tt := range []struct{ name, from, to, err string }{
		{"null files are all files", `["t/a.t"]`, `null`, ""},
		{"no commit is the default branch", `"0123456789abcdef0123456789abcdef01234567"`, `""`, ""},
		{"an abbreviated commit is refused", `0123456789abcdef0123456789abcdef01234567`, `0123456`, "no full SHA"},
		{"a branch is no commit", `0123456789abcdef0123456789abcdef01234567`, `main`, "no full SHA"},
		{"an option as a commit", `0123456789abcdef0123456789abcdef01234567`, `--upload-pack=x`, "no full SHA"},
		{"a repository outside of the server", `ortest-examples/hello`, `../etc`, "not OWNER/NAME"},
		{"a repository that climbs", `ortest-examples/hello`, `a/..`, "not OWNER/NAME"},
		{"a test file outside of the project", `t/a.t`, `../a.t`, "no test file"},
		{"an absolute test file", `t/a.t`, `/etc/passwd`, "no test file"},
		{"a test file that is an option of prove", `t/a.t`, `-e.t`, "no test file"},
		{"a test file with a line break", `t/a.t`, `t/a\n.t`, "no test file"},
		{"a test file twice", `["t/a.t"]`, `["t/a.t","t/a.t"]`, "stands twice"},
		{"a negative timeout", `:10}`, `:-1}`, "negative"},
		{"an unknown key", `"label"`, `"lable"`, "unknown field"},
		{"two values", `:10}`, `:10} {}`, "more than one value"},
		{"a name that is no goal", `tv-hello`, `hello`, "no goal"},
		{"nothing", whole, ``, "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(whole, tt.from, tt.to, 1)
			_, err := ParsePiece([]byte(text))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("ParsePiece = %v, want %q", err, tt.err)
			}
		})
	}
}
