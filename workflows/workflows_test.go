package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ortest/ortest/plan"
)

const nonce = "0123456789abcdef0123456789abcdef"

func piece(i int) Piece {
	return Piece{ID: fmt.Sprintf("1/p%d/1", i), Label: Label(nonce), Goal: "tv-hello", Repo: "ortest-examples/hello",
		Options: plan.Options{Arch: "linux x86_64"}, Timeout: 20}
}

// all renders every file in each cloud.
func all(t *testing.T) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for _, cloud := range []string{"ec2", "hosted", "local"} {
		for _, name := range Names() {
			b, err := Render(name, Settings{
				Commit: strings.Repeat("ab", 20), Version: "v1.2.3", Cloud: cloud, Branches: []string{"v*.x", "release/**"},
				Targets: "-t 90 it's", Variables: map[string]string{"AWS_REGION": "eu-central-1", "ORTEST_AWS_ROLE": "arn:aws:iam::1:role/x"},
			})
			if err != nil {
				t.Fatal(err)
			}
			files[cloud+"/"+name] = b
		}
	}
	return files
}

func TestNothingIsFoundInOurOwnFiles(t *testing.T) {
	for name, b := range all(t) {
		found, err := Check(name, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("%s\n%s", f, b)
		}
	}
}

// TestRules holds what no rule for any workflow could know: who may run a job,
// and that what runs the code under test holds nothing.
func TestRules(t *testing.T) {
	for name, b := range all(t) {
		var w struct {
			RunName     string            `yaml:"run-name"`
			Permissions map[string]string `yaml:"permissions"`
			On          map[string]any    `yaml:"on"`
			Jobs        map[string]struct {
				Permissions map[string]string `yaml:"permissions"`
				RunsOn      any               `yaml:"runs-on"`
				Environment string            `yaml:"environment"`
				If          string            `yaml:"if"`
				Steps       []map[string]any  `yaml:"steps"`
				Strategy    struct {
					FailFast bool `yaml:"fail-fast"`
				} `yaml:"strategy"`
			} `yaml:"jobs"`
		}
		if err := yaml.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		if w.Permissions == nil || len(w.Permissions) != 0 {
			t.Errorf("%s: permissions are %v, want {}", name, w.Permissions)
		}
		if strings.HasSuffix(name, "/"+File) && (!strings.Contains(w.RunName, "inputs.nonce") || len(w.On) != 1) {
			t.Errorf("%s: starts on %v as %q, want a dispatch alone, with the nonce in its name", name, w.On, w.RunName)
		}
		for id, j := range w.Jobs {
			tests := strings.HasPrefix(id, "test") || id == "piece"
			if tests && (j.RunsOn != "${{ matrix.piece.label }}" || j.Strategy.FailFast || len(j.Permissions) != 0 || j.Environment != "") {
				t.Errorf("%s: job %s wants its piece's label, no fail-fast, no permissions and no environment", name, id)
			}
			if (id == "down" || id == "report") && !strings.HasPrefix(j.If, "always()") {
				t.Errorf("%s: job %s is not made whatever happens", name, id)
			}
			if id == "plan" && !strings.Contains(j.If, "vars.ORTEST_WITHOUT_BOT == 'true'") {
				t.Errorf("%s: nobody asked for it, and it starts", name)
			}
			for _, s := range j.Steps {
				if _, ok := s["run"]; ok {
					t.Errorf("%s: job %s has a shell step", name, id)
				}
				if uses, _ := s["uses"].(string); !strings.HasPrefix(uses, "./") && !strings.HasPrefix(uses, "actions/checkout@") && !strings.HasPrefix(uses, "ortest/ortest@") {
					t.Errorf("%s: job %s uses %s of somebody else", name, id, uses)
				}
				if text := fmt.Sprint(s); tests && (strings.Contains(text, "secrets.") || strings.Contains(text, "github.token")) {
					t.Errorf("%s: job %s runs the code under test and holds a secret: %s", name, id, text)
				}
			}
		}
	}
}

func TestSettingsValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Settings)
		bad    string
	}{
		{"what is not said has a default", func(*Settings) {}, ""},
		{"a version alone is not pinned", func(s *Settings) { s.Commit = "v1" }, "commit"},
		{"no commit is refused", func(s *Settings) { s.Commit = "" }, "commit"},
		{"a cloud that there is not", func(s *Settings) { s.Cloud = "azure" }, "cloud"},
		{"a branch that is YAML", func(s *Settings) { s.Branches = []string{"a]\nx: y"} }, "branches"},
		{"neither branch nor tag", func(s *Settings) { s.Branches, s.Tags = []string{}, []string{} }, "at least one"},
		{"a time of four fields", func(s *Settings) { s.Cron = "1 2 3 4" }, "cron"},
		{"an expression among the targets", func(s *Settings) { s.Targets = "${{ github.event.x }}" }, "targets"},
		{"a variable that is not ours", func(s *Settings) { s.Variables = map[string]string{"PATH": "/x"} }, "variables"},
		{"an expression in a variable", func(s *Settings) { s.Variables = map[string]string{"ORTEST_X": "${{ secrets.Y }}"} }, "variables.ORTEST_X"},
		{"a label with a blank", func(s *Settings) { s.Runner = "my runner" }, "runner"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Settings{Commit: demoCommit}
			tt.change(&s)
			err := s.Validate()
			if (err == nil) != (tt.bad == "") || err != nil && !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("Validate() = %v, want an error about %q", err, tt.bad)
			}
		})
	}
}

func TestPieceValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Piece)
		bad    string
	}{
		{"a whole goal is good", func(*Piece) {}, ""},
		{"files in subfolders are good", func(p *Piece) { p.Files = []string{"t/000--init.t", "t/023-rewrite/exit.t"} }, ""},
		{"a commit is forty hex digits", func(p *Piece) { p.Commit = strings.Repeat("a", 40) }, ""},
		{"a source at a commit is good", func(p *Piece) { p.Sources = map[string]string{"test-nginx": strings.Repeat("a", 40)} }, ""},
		{"a source without a commit is refused, since its absence means the newest", func(p *Piece) { p.Sources = map[string]string{"test-nginx": ""} }, "source"},
		{"a source by no name is refused", func(p *Piece) { p.Sources = map[string]string{"../x": strings.Repeat("a", 40)} }, "source"},
		{"a short commit is refused", func(p *Piece) { p.Commit = "abc" }, "commit"},
		{"a label of another form is refused", func(p *Piece) { p.Label = "self-hosted" }, "label"},
		{"a path that leaves the project is refused", func(p *Piece) { p.Files = []string{"t/../../x.t"} }, "file"},
		{"an absolute path is refused", func(p *Piece) { p.Files = []string{"/etc/passwd"} }, "file"},
		{"a path that reads as an option is refused", func(p *Piece) { p.Files = []string{"-x.t"} }, "file"},
		{"a path with a space is refused", func(p *Piece) { p.Files = []string{"t/a b.t"} }, "file"},
		{"an empty list of files is refused, since null means all", func(p *Piece) { p.Files = []string{} }, "files"},
		{"a file twice is refused", func(p *Piece) { p.Files = []string{"t/a.t", "t/a.t"} }, "twice"},
		{"a repository with a slash too many is refused", func(p *Piece) { p.Repo = "a/b/c" }, "repo"},
		{"a timeout of 0 is refused", func(p *Piece) { p.Timeout = 0 }, "timeout"},
		{"a timeout of 5 days is the longest", func(p *Piece) { p.Timeout = 7200 }, ""},
		{"a minute more is refused", func(p *Piece) { p.Timeout = 7201 }, "timeout"},
		{"a goal with a quote is refused", func(p *Piece) { p.Goal = "t-x'y" }, "goal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := piece(1)
			tt.change(&p)
			err := p.Validate()
			if (err == nil) != (tt.bad == "") || err != nil && !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("Validate() = %v, want an error about %q", err, tt.bad)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	many := make([]Piece, 600)
	for i := range many {
		many[i] = piece(i)
	}
	heavy := make([]Piece, 40)
	for i := range heavy {
		heavy[i] = piece(i)
		for f := range 150 {
			heavy[i].Files = append(heavy[i].Files, fmt.Sprintf("t/%03d-some-test-file.t", f))
		}
	}
	for _, tt := range []struct {
		name   string
		pieces []Piece
		most   int // pieces in the first dispatch; 0: whatever fits
	}{
		{"no pieces make no dispatch", nil, 0},
		{"256 pieces are one dispatch", many[:256], 256},
		{"the 257th piece begins another", many[:257], 256},
		{"600 pieces are three", many, 256},
		{"65,535 characters are never passed", heavy, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ids []string
			parts := Split(tt.pieces)
			for _, part := range parts {
				in, err := Inputs(part, nonce)
				if err != nil {
					t.Fatal(err)
				}
				payload, err := json.Marshal(map[string]any{"ref": strings.Repeat("b", 255), "inputs": in})
				if err != nil || len(payload) > 65_535 {
					t.Errorf("payload of %d characters, %v", len(payload), err)
				}
				var back []Piece
				if err := json.Unmarshal([]byte(in["pieces"]), &back); err != nil {
					t.Fatal(err)
				}
				for _, p := range back {
					ids = append(ids, p.ID)
				}
			}
			if tt.most > 0 && len(parts[0]) != tt.most {
				t.Errorf("first dispatch has %d pieces, want %d", len(parts[0]), tt.most)
			}
			var want []string
			for _, p := range tt.pieces {
				want = append(want, p.ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("pieces %v, want %v", ids, want)
			}
		})
	}
}

func TestInputsRefuses(t *testing.T) {
	huge := piece(1)
	for f := range 4000 {
		huge.Files = append(huge.Files, fmt.Sprintf("t/%04d-some-test-file.t", f))
	}
	bad := piece(1)
	bad.Label = "x"
	for _, tt := range []struct {
		name   string
		pieces []Piece
		nonce  string
	}{
		{"a nonce that is not hex", []Piece{piece(1)}, "x"},
		{"no pieces", nil, nonce},
		{"a piece too large for any dispatch", []Piece{huge}, nonce},
		{"a piece that is not valid", []Piece{bad}, nonce},
		{"257 pieces", slices.Repeat([]Piece{piece(1)}, 257), nonce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if in, err := Inputs(tt.pieces, tt.nonce); err == nil {
				t.Errorf("Inputs gave %.100v", in)
			}
		})
	}
}
