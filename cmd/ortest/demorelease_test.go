package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestDemoRelease pushes to the demo's release branch: the stages run one after the
// other, and a red first one starts nothing more.
func TestDemoRelease(t *testing.T) {
	for _, tt := range []struct {
		variant string
		exit    int
		says    []string
	}{
		{"fail", 1, []string{": bad", "| `t-hello` | linux x86_64 |", "| fail |", "held: the stage before is not good"}},
		{"good", 0, []string{": good", "| `tv-hello` |", "| `th-hello` |"}},
	} {
		if tt.exit == 0 && os.Getenv("ORTEST_SEEDS") == "" {
			continue // half a minute under valgrind, which make soak has: stages that are good run in TestWithoutABot, too
		}
		t.Run(tt.variant, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), []string{"demo", "-q", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--release", tt.variant}, nil, &out, &errs)
			if code != tt.exit {
				t.Errorf("ended with %d, want %d", code, tt.exit)
			}
			for _, s := range tt.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("never said %q", s)
				}
			}
			if t.Failed() {
				t.Logf("%s\n%s", &out, &errs)
			}
		})
	}
}
