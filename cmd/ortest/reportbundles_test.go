package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAReportWithSources has a checkout at hand: findings have lines, and each
// failing block a bundle that runs alone.
func TestAReportWithSources(t *testing.T) {
	root := t.TempDir()
	checkout := filepath.Join(root, "src", "echo-nginx-module")
	const block = "=== TEST 1: x\n--- config\n--- request\nGET /\n--- response_body\nb\n"
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(checkout, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", checkout, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write("t/a.t", "use Test::Nginx::Socket;\nplan tests => 1 * blocks();\nrun_tests();\n__DATA__\n\n"+block)
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "x")
	commit := git("rev-parse", "HEAD")
	write("t/a.t", "this is not what was tested\n")

	log, err := os.ReadFile("testdata/report/bucket-1.log")
	if err != nil {
		t.Fatal(err)
	}
	log = bytes.ReplaceAll(log, []byte("1148fe77cd7cbe1e66ff3428f572ad944f932e54"), []byte(commit))
	file, dir := filepath.Join(root, "run.log"), filepath.Join(root, "report")
	if err := os.WriteFile(file, log, 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run(context.Background(), []string{"report", "--out", dir, "--sources", filepath.Join(root, "src"), file}, nil, &out, &out); code != exitGood {
		t.Fatalf("ended with %d: %s", code, out.String())
	}
	page, err := os.ReadFile(filepath.Join(dir, "g", "x86_64-1.29.2-tv-ngx_echo.html"))
	if err != nil || !bytes.Contains(page, []byte("/blob/"+commit+"/t/a.t#L6")) || !bytes.Contains(page, []byte("repro bundle</a>")) {
		t.Errorf("the page links no line or no bundle (%v):\n%s", err, page)
	}
	alone, err := filepath.Glob(filepath.Join(dir, "repro", "*", "*", "t", "a-1.t"))
	if err != nil || len(alone) == 0 {
		t.Fatalf("no block stands alone: %v (%v)", alone, err)
	}
	text, err := os.ReadFile(alone[0])
	if err != nil || !bytes.HasSuffix(text, []byte(block)) || !bytes.Contains(text, []byte("plan 'no_plan';")) {
		t.Errorf("%s (%v)", text, err)
	}
}
