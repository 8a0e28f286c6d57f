package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// credentials is where the unit's secrets are while it runs.
const credentials = "/run/credentials/ortest.service/"

func deployed(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhatIsDeployedFitsTogether(t *testing.T) {
	c, err := readServeConfig("../../deploy/ortest.yaml")
	if err != nil {
		t.Fatalf("serve does not take the configuration: %v", err)
	}
	unit := deployed(t, "ortest.service")
	var handed []string
	for _, m := range regexp.MustCompile(`(?m)^LoadCredential=([a-z.]+):/etc/ortest/([a-z.]+)$`).FindAllStringSubmatch(unit, -1) {
		handed = append(handed, credentials+m[1])
	}
	named := append([]string{c.GitHub.KeyFile, c.GitHub.ClientSecret}, c.GitHub.Secrets...)
	slices.Sort(handed)
	slices.Sort(named)
	if !slices.Equal(handed, named) {
		t.Errorf("the unit hands over %q, the configuration names %q", handed, named)
	}
	const start = "serve --config /etc/ortest/ortest.yaml"
	if !strings.Contains(unit, "\nExecStart=/usr/local/bin/ortest "+start+"\n") {
		t.Error("the unit starts something else")
	}
	if c.Data != "/var/lib/ortest" || !strings.Contains(unit, "\nStateDirectory=ortest\n") {
		t.Errorf("data is %s, which is not the unit's", c.Data)
	}
	for _, line := range []string{"DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "RestrictNamespaces=yes"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	image := deployed(t, "Dockerfile")
	if !strings.Contains(image, `CMD ["`+strings.ReplaceAll(start, " ", `", "`)+`"]`) || !strings.Contains(image, "\nUSER 65532:65532\n") || !strings.Contains(image, "\nFROM scratch\n") {
		t.Error("the image starts something else, as root, or holds more than the program")
	}
}

// hardening are the lines of a unit that say what it may not do.
func hardening(t *testing.T, unit string) []string {
	t.Helper()
	all := regexp.MustCompile(`(?m)^(?:CapabilityBoundingSet|AmbientCapabilities|NoNewPrivileges|Protect\w+|ProcSubset|Private\w+|RemoveIPC|LockPersonality|Memory\w+|Restrict\w+|SystemCall\w+|UMask|DynamicUser)=.*$`).
		FindAllString(deployed(t, unit), -1)
	slices.Sort(all)
	return all
}

func TestTheReaperMayNoMoreThanTheBot(t *testing.T) {
	if bot, reaper := hardening(t, "ortest.service"), hardening(t, "ortest-sweep.service"); len(reaper) < 20 || !slices.Equal(bot, reaper) {
		t.Errorf("the bot's unit has\n%q\nthe reaper's\n%q", bot, reaper)
	}
	unit, timer := deployed(t, "ortest-sweep.service"), deployed(t, "ortest-sweep.timer")
	line := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/ortest (.*)$`).FindStringSubmatch(unit)
	if line == nil || !strings.Contains(timer, "\nOnUnitActiveSec=10min\n") {
		t.Fatal("the timer starts no pass every ten minutes")
	}
	args := strings.Fields(strings.ReplaceAll(line[1], "${FLEET}", "ortest"))
	if code := run(t.Context(), append(args, "--help"), nil, io.Discard, io.Discard); code != exitGood || !slices.Contains(args, "--yes") {
		t.Errorf("%q ends with %d", args, code)
	}
}

// TestSystemdTakesTheUnits where systemd is: it knows every word of them, and finds
// little that they could still forbid.
func TestSystemdTakesTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return // what is written in them is held to the program above
	}
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"ortest.service", "ortest-sweep.service", "ortest-sweep.timer"} {
		file := filepath.Join(dir, name)
		text := strings.ReplaceAll(deployed(t, name), "/usr/local/bin/ortest", "/bin/true")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for _, args := range [][]string{
		append([]string{"verify", "--man=no"}, files...),
		append([]string{"security", "--offline=true", "--no-pager", "--threshold=15"}, files[:2]...),
	} {
		if out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestTheConfigurationThatInstallingMakes is what ortest app create writes, with what
// docs/install.md adds and changes by its own commands.
func TestTheConfigurationThatInstallingMakes(t *testing.T) {
	b, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	adds := regexp.MustCompile(`(?s)<<'END'\n(.*?)END\n`).FindStringSubmatch(string(b))
	changes := regexp.MustCompile(`(?m)^sudo sed -i -E '(.*)' /etc/ortest/ortest\.yaml$`).FindStringSubmatch(string(b))
	if adds == nil || changes == nil {
		t.Fatal("docs/install.md adds or changes nothing")
	}
	made, err := serveConfigOf(&appCreate{url: "https://ortest.example.org", api: "https://api.github.com", server: "https://github.com"},
		converted{ID: 7, Slug: "ortest", ClientID: "Iv1.0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ortest.yaml")
	if err := os.WriteFile(file, append(made, adds[1]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "sed", "-i", "-E", changes[1], file).CombinedOutput(); err != nil {
		t.Fatalf("sed: %v\n%s", err, out)
	}
	c, err := readServeConfig(file)
	if err != nil {
		t.Fatalf("serve does not take the configuration: %v", err)
	}
	named := append([]string{c.GitHub.KeyFile, c.GitHub.ClientSecret}, c.GitHub.Secrets...)
	if want := []string{credentials + "app.pem", credentials + "client.secret", credentials + "webhook.secret"}; !slices.Equal(named, want) || c.Data != "/var/lib/ortest" {
		t.Errorf("secrets %q, data %s", named, c.Data)
	}
}

func TestTheDoctorReadsTheDeployedConfiguration(t *testing.T) {
	var says bytes.Buffer
	// The secrets are not here: something is bad, and the configuration is not.
	code := run(t.Context(), []string{"doctor", "--config", "../../deploy/ortest.yaml"}, nil, &says, io.Discard)
	if code != exitBad || !regexp.MustCompile(`(?m)^ok\s+configuration|configuration\s+ok`).MatchString(says.String()) {
		t.Errorf("ended with %d: %s", code, &says)
	}
	if !strings.Contains(says.String(), "client.secret") {
		t.Errorf("the doctor does not miss the client's secret: %s", &says)
	}
}

func TestSecretsOfSystemd(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "app.pem")
	if err := os.WriteFile(file, []byte("a secret\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	if _, err := secret(file, 1); err == nil {
		t.Error("a file that a group may read is a secret")
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if got, err := secret(file, 1); err != nil || string(got) != "a secret" {
		t.Errorf("systemd's credential: %q %v", got, err)
	}
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := secret(file, 1); err == nil {
		t.Error("a credential that everybody may read is a secret")
	}
}
