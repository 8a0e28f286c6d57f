package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/plan/recipe"
	"github.com/ortest/ortest/runnerfleet/image"
)

// studio is a region and a bot, and the configuration by which images are built for it.
type studio struct {
	*region
	config string
	api    string
}

// newStudio starts a bot whose builders print what they are told. Canaries are agents on
// this computer that enrol with that bot.
func newStudio(t *testing.T, says string) *studio {
	t.Helper()
	s := &studio{region: newRegion(t)}
	s.Images = append(s.Images, ec2test.Image{ID: "ami-debian", Name: "debian-12-amd64-20261101", Owner: debian, Created: "2026-11-01", Root: "/dev/xvda"})
	canary := s.Booted
	s.Booted = func(in ec2test.Instance) {
		if in.Tags["ortest:image"] == "" {
			canary(in)
			return
		}
		s.Print(in.ID, says)
		s.PowerOff(in.ID)
	}
	place := s.serves(t)
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("key", string(place.cfg.FleetKey))
	put("app.pem", "key")
	put("webhook.secret", "a secret of some length")
	put("aws.pem", string(s.cert))
	s.config = put("ortest.yaml", fmt.Sprintf(`url: https://bot.example
data: %s
github: {app_id: 1, key_file: app.pem, webhook_secret_files: [webhook.secret]}
fleet:
  cloud: ec2
  key_file: key
  boot_grace: 10s
  ec2: {name: test, subnets: [subnet-1], security_groups: [sg-1], certificates_file: aws.pem, types: {linux x86_64: [c5.large]}}
`, filepath.Dir(place.cfg.Database)))
	releases := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/repos/actions/runner/releases/latest" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"tag_name":"v2.336.0","assets":[{"name":"actions-runner-linux-arm64-2.336.0.tar.gz","browser_download_url":"https://github.com/a","digest":"sha256:%[2]s"},
{"name":"actions-runner-linux-x64-2.336.0.tar.gz","browser_download_url":"https://github.com/x","digest":"sha256:%[1]s"}]}`, strings.Repeat("1", 64), strings.Repeat("2", 64))
	}))
	t.Cleanup(releases.Close)
	s.api = releases.URL
	return s
}

// do runs a command of ortest image.
func (s *studio) do(t *testing.T, want int, args ...string) (out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"image", args[0], "--config", s.config}, args[1:]...)
	if code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); code != want {
		t.Fatalf("%q: exit %d, want %d: %s%s", args, code, want, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

// ended holds that every machine is gone.
func (s *studio) ended(t *testing.T, n int) {
	t.Helper()
	all := s.Instances()
	if len(all) != n || slices.ContainsFunc(all, func(in ec2test.Instance) bool { return in.State != "terminated" }) {
		t.Errorf("machines %+v, want %d, all gone", all, n)
	}
}

// TestImageIsBuiltAndPromoted goes from a stock image to one that instances start from: by
// the command, a bot that serves, and a canary that is an agent and enrols with it.
func TestImageIsBuiltAndPromoted(t *testing.T) {
	s := newStudio(t, "ortest: the image is ready\n")
	build := []string{"build", "--poll", "10ms", "--runner-api", s.api, "--json"}
	out, said := s.do(t, exitGood, build...)
	var got built
	name := "ortest-x64-" + time.Now().UTC().Format(time.DateOnly)
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Name != name || !got.Promoted || got.Arch != "linux x86_64" {
		t.Fatalf("said %+v, %v: %s", got, err, out)
	}
	for _, step := range []string{"from ami-debian", "builder", "is being stored", "a canary is launched", "the canary has enrolled"} {
		if !strings.Contains(said, step) {
			t.Errorf("progress does not say %q:\n%s", step, said)
		}
	}
	s.ended(t, 2)
	builder, canary := s.Instances()[0], s.Instances()[1]
	if canary.Image != got.ID || canary.Market != "on-demand" {
		t.Errorf("canary %+v, want it on demand from %s", canary, got.ID)
	}
	want := "./ortest image prepare --arch 'linux x86_64' --runner https://github.com/x --runner-sha256 " + strings.Repeat("1", 64)
	if !strings.Contains(builder.UserData, want) {
		t.Errorf("the builder does not run %s:\n%s", want, builder.UserData)
	}
	if units := unitsTold(t, builder.UserData); !slices.ContainsFunc(units, func(u recipe.Unit) bool { return u.Name == "git" }) {
		t.Errorf("the builder is told the units %+v", units)
	}
	s.do(t, exitGood, build...)
	out, _ = s.do(t, exitGood, "ls")
	for _, row := range []string{name + "-2 ", name + " "} {
		if !strings.Contains(out, row) {
			t.Errorf("ls does not show %s:\n%s", row, out)
		}
	}
	if strings.Count(out, "in use") != 1 || strings.Count(out, "promoted") != 1 {
		t.Errorf("ls:\n%s\nwant the newer one in use and the other promoted", out)
	}
	if out, _ = s.do(t, exitGood, "prune", "--keep", "1"); !strings.Contains(out, "would remove "+got.ID) || len(s.Snapshots()) != 2 {
		t.Errorf("prune: %s", out)
	}
	if out, _ = s.do(t, exitGood, "prune", "--keep", "1", "--yes"); !strings.Contains(out, "removed "+got.ID) || len(s.Snapshots()) != 1 {
		t.Errorf("prune --yes: %s, left %q", out, s.Snapshots())
	}
}

func TestImageThatFailsIsNotPromoted(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		mute       bool // canaries never enrol
		machines   int
		want       string
	}{
		{"a builder that fails", "unit redis: apt-get: exit status 100\nNPM_TOKEN=abcdefgh\nortest: the image is not ready\n", false, 1,
			"unit redis: apt-get: exit status 100\n  [hidden]\n  ortest: the image is not ready"},
		{"a canary that does not enrol", "ortest: the image is ready\n", true, 2, "is not promoted: the canary: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStudio(t, tt.says)
			if tt.mute {
				s.argv = []string{"/bin/true"}
			}
			_, said := s.do(t, exitFailed, "build", "--poll", "10ms", "--runner-api", s.api)
			if !strings.Contains(said, tt.want) {
				t.Errorf("said %s, want %q", said, tt.want)
			}
			s.ended(t, tt.machines)
			if len(s.Images) != 2 || len(s.Snapshots()) != 0 {
				t.Errorf("left: %+v, %q", s.Images, s.Snapshots())
			}
		})
	}
}

func TestImageUsage(t *testing.T) {
	config := filepath.Join(t.TempDir(), "none.yaml")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"image", "build", "--arch", "sparc"}, `--arch "sparc" is none of: x64, i386, arm64`},
		{[]string{"image", "build", "--timeout", "1s"}, "--timeout must be a minute or more"},
		{[]string{"image", "build", "--config", config}, "ortest serve --example prints one"},
		{[]string{"image", "prune", "--keep", "0"}, "at least 1 stays"},
		{[]string{"image", "prepare"}, "--runner-sha256"},
	} {
		var out, said bytes.Buffer
		if code := run(t.Context(), tt.args, strings.NewReader(""), &out, &said); code != exitUsage || !strings.Contains(said.String(), tt.want) {
			t.Errorf("%q: exit %d, %s; want %q", tt.args, code, &said, tt.want)
		}
	}
}

func TestStaleImages(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	rows := []imageRow{
		{Name: "young candidate", State: "candidate", Created: now.Add(-candidateLife + 1)},
		{Name: "old candidate", State: "candidate", Created: now.Add(-candidateLife)},
		{Name: "one", State: "in use", Created: now.Add(-100 * time.Hour)},
		{Name: "two", State: "promoted", Created: now.Add(-200 * time.Hour)},
		{Name: "three", State: "promoted", Created: now.Add(-300 * time.Hour)},
		{Name: "broken", State: "failed", Created: now.Add(-300 * time.Hour)},
	}
	for keep, want := range map[int][]string{
		1: {"old candidate", "two", "three", "broken"}, 2: {"old candidate", "three", "broken"}, 3: {"old candidate", "broken"},
	} {
		var got []string
		for _, r := range stale(rows, keep, now) {
			got = append(got, r.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("keep %d: %q goes, want %q", keep, got, want)
		}
	}
}

// unitsTold runs the part of a builder's script that writes the units, and reads them as
// it will.
func unitsTold(t *testing.T, script string) []recipe.Unit {
	t.Helper()
	from, to := strings.Index(script, "base64 -d"), strings.Index(script, "echo \"ortest: making")
	if from < 0 || to < from || len(script) > 16<<10 {
		t.Fatalf("the builder is told no units, in %d bytes:\n%s", len(script), script)
	}
	dir := t.TempDir()
	cmd := exec.Command("sh", "-ec", script[from:to])
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	units, err := image.ReadUnits(filepath.Join(dir, "units.json"))
	if err != nil {
		t.Fatal(err)
	}
	return units
}
