package main

import (
	"bytes"
	"io"
	"os"
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
	image, mod := deployed(t, "Dockerfile"), goMod(t)
	if version := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(mod); version == nil || !strings.Contains(image, "FROM golang:"+version[1]+"-") {
		t.Errorf("the image is not built with %q of go.mod", version)
	}
	if !strings.Contains(image, `CMD ["`+strings.ReplaceAll(start, " ", `", "`)+`"]`) || !strings.Contains(image, "\nUSER 65532") {
		t.Error("the image starts something else, or as root")
	}
}

func goMod(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
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
