package action

import (
	"strings"
	"testing"

	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/plan"
)

func project(t *testing.T, name, variant string) map[string][]byte {
	t.Helper()
	files, err := examples.Project(name, variant)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The suites run here as they do on an instance: real nginx, real valgrind.
func TestExamples(t *testing.T) {
	const invalid = "Invalid read of size 1\n"
	for _, tt := range []struct {
		name          string
		variant, mode string
		files         []string // nil: all
		bad           []string // files whose prove fails
		has, lacks    []string // in the log of the last file
	}{
		{"t of good passes", "good", "t", nil, nil, nil, []string{"not ok"}},
		{"th of good fails in the expected block only", "good", "th", nil, []string{"t/003-state.t"},
			[]string{"not ok 8 - t/003-state.t TEST 3: the first visitor is number one - response_body", "# Looks like you failed 1 test of 13."}, nil},
		{"tl of good grows nowhere", "good", "tl", []string{"t/003-state.t"}, nil,
			[]string{"\nt/003-state.t TEST 1: a visitor is remembered\nLeakTest: [", "\nLeakTest: k="}, []string{"not ok"}},
		{"tv of good has no word of valgrind", "good", "tv", []string{"t/001-greet.t"}, nil, nil, []string{"=="}},
		{"t of fail fails in one more block", "fail", "t", []string{"t/001-greet.t"}, []string{"t/001-greet.t"},
			[]string{"not ok 10 - t/001-greet.t TEST 3: a greeting in another language - response_body"}, nil},
		{"t of memory sees nothing", "memory", "t", []string{"t/002-native.t"}, nil, nil, []string{invalid, "not ok"}},
		{"t of leak sees nothing", "leak", "t", []string{"t/003-state.t"}, nil, nil, []string{"not ok"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, hello(), tt.mode, project(t, "hello", tt.variant))
			cfg.Piece.Files = tt.files
			result, ev := ran(t, cfg)
			if result.End.Reason != "" {
				t.Fatalf("stopped in %s: %s\n%s", result.End.Phase, result.End.Reason, ev.Logs[0])
			}
			var bad []string
			for _, f := range result.Files {
				if failed(f) {
					bad = append(bad, f.Path)
				}
			}
			last := logOf(t, ev, result.Files[len(result.Files)-1].Path)
			if strings.Join(bad, " ") != strings.Join(tt.bad, " ") {
				t.Errorf("files that fail: %q, want %q\n%s", bad, tt.bad, last)
			}
			for _, want := range tt.has {
				if !strings.Contains(last, want) {
					t.Errorf("the log lacks %q:\n%s", want, last)
				}
			}
			for _, not := range tt.lacks {
				if strings.Contains(last, not) {
					t.Errorf("the log has %q:\n%s", not, last)
				}
			}
		})
	}
}

func TestTheLeakGrowsInTheLeakCheckOnly(t *testing.T) {
	cfg := config(t, hello(), "tl", project(t, "hello", "leak"))
	cfg.Piece.Files = []string{"t/003-state.t"}
	_, ev := ran(t, cfg)
	log := logOf(t, ev, "t/003-state.t")
	_, rest, _ := strings.Cut(log, "TEST 1: a visitor is remembered\nLeakTest: [")
	series, _, ok := strings.Cut(rest, "]\nLeakTest: k=")
	samples := strings.Fields(series)
	if !ok || len(samples) < 40 {
		t.Fatalf("%d samples:\n%s", len(samples), log)
	}
	if strings.Contains(log, "not ok") {
		t.Errorf("an assertion fails:\n%s", log)
	}
	if first, last := samples[0], samples[len(samples)-1]; len(last) < len(first) || len(last) == len(first) && last <= first {
		t.Errorf("from %s to %s KiB nothing grew", first, last)
	}
}

func TestTheManifestOfHelloHasBlocksAndVersions(t *testing.T) {
	cfg := config(t, hello(), "tv", project(t, "hello", examples.Good))
	cfg.Project.Test.Glob = "t/001*.t"
	cfg.Piece.Files = []string{"t/none.t"}
	result, ev := ran(t, cfg)
	for _, name := range []string{"nginx", "openssl", "valgrind", "perl"} {
		if result.Manifest.Versions[name] == "" {
			t.Errorf("no version of %s: %v", name, result.Manifest.Versions)
		}
	}
	head := string(ev.Logs[0])
	for _, want := range []string{"\nmake\n", "-o build/libgreet.so", "\nnginx version: nginx/", "\nbuilt with OpenSSL "} {
		if !strings.Contains(head, want) {
			t.Errorf("the header lacks %q:\n%s", want, head)
		}
	}
}

func TestTallyPassesPlainAndUnderValgrind(t *testing.T) {
	tally := plan.Project{
		Name: "tally", Kind: "c-library", Build: [][]string{{"make"}}, Test: plan.Test{Glob: "t/*.t"},
		Packages: []string{"gcc", "make", "perl", "valgrind"},
	}
	for _, mode := range []string{"t", "tv"} {
		result, ev := ran(t, config(t, tally, mode, project(t, "tally", examples.Good)))
		if len(result.Files) != 2 {
			t.Fatalf("files %+v", result)
		}
		for _, f := range result.Files {
			if log := logOf(t, ev, f.Path); failed(f) || strings.Contains(log, "==") {
				t.Errorf("%s of %s: %+v\n%s", mode, f.Path, f, log)
			}
		}
	}
}

func TestABuildIsMadeOncePerMachine(t *testing.T) {
	cfg := config(t, hello(), "t", project(t, "hello", examples.Good))
	cfg.Work = t.TempDir()
	cfg.Piece.Files = []string{"t/001-greet.t"}
	for _, tt := range []struct {
		name  string
		force bool
		makes bool
	}{{"the first makes it", false, true}, {"the second finds it", false, false}, {"force makes it again", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg.Workspace, cfg.Spool, cfg.Piece.Options.Force = dir+"/workspace", dir+"/spool", tt.force
			result, ev := ran(t, cfg)
			if made := strings.Contains(string(ev.Logs[0]), "-o build/libgreet.so"); made != tt.makes {
				t.Errorf("made is %v:\n%s", made, ev.Logs[0])
			}
			if failed(result.Files[0]) {
				t.Errorf("the suite fails: %s", ev.Logs[1])
			}
		})
	}
}
