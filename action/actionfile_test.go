package action

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// stepOf returns the script of the action's one step.
func stepOf(t *testing.T) string {
	t.Helper()
	var file struct {
		Runs struct{ Steps []struct{ Run string } }
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join("..", "action.yml"))), &file); err != nil {
		t.Fatal(err)
	}
	return file.Runs.Steps[0].Run
}

// releasedFiles returns the programs of a release by Go's name of their machines, as
// deploy/dist names them.
func releasedFiles(t *testing.T) map[string]string {
	t.Helper()
	script := read(t, filepath.Join("..", "deploy", "dist"))
	made := regexp.MustCompile(`for arch in (.*); do\n.*go build .*\n.* -o "\$work/out/(\S+\$arch)" ./cmd/ortest`).FindStringSubmatch(script)
	if made == nil {
		t.Fatal("deploy/dist does not say what it builds as it did")
	}
	files := make(map[string]string)
	for arch := range strings.FieldsSeq(made[1]) {
		files[arch] = strings.ReplaceAll(made[2], "$arch", arch)
	}
	return files
}

func TestWhereTheActionFindsItsProgram(t *testing.T) {
	released := func(arch string) string { return "#!/bin/sh\necho released for " + arch + ": $1\n" }
	sumOf := func(arch string) string {
		sum := sha256.Sum256([]byte(released(arch)))
		return hex.EncodeToString(sum[:])
	}
	right, files := sumOf("amd64"), releasedFiles(t)
	program := func(t *testing.T, path, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name    string
		machine string // as uname -m says it
		here    bool   // ortest is in PATH
		golang  bool
		version string
		sha256  string
		exit    int
		says    string
	}{
		{"on the machine, whatever else there is", "x86_64", true, true, "v1.0.0", right, 0, "installed action"},
		{"else downloaded by version", "x86_64", false, true, "v1.0.0", right, 0, "released for amd64: action"},
		{"for ARM the program of ARM", "aarch64", false, true, "v1.0.0", sumOf("arm64"), 0, "released for arm64: action"},
		{"not for a machine that no release is for", "riscv64", false, true, "v1.0.0", right, 3, "::error::no release has ortest for riscv64"},
		{"not with another checksum", "x86_64", false, true, "v1.0.0", strings.Repeat("0", 64), 3, "::error::ortest v1.0.0 was downloaded, and is not"},
		{"not without one", "x86_64", false, true, "v1.0.0", "", 3, "::error::ortest v1.0.0 was downloaded, and is not"},
		{"not a release that does not exist", "x86_64", false, true, "v2.0.0", right, 3, ""},
		{"else built of the action's own commit", "x86_64", false, true, "", "", 0, "built action"},
		{"else nowhere, which is said", "x86_64", false, false, "", "", 3, "::error::ortest is neither"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			bin, releases, own := filepath.Join(dir, "bin"), filepath.Join(dir, "releases"), filepath.Join(dir, "own")
			for arch, file := range files {
				program(t, filepath.Join(releases, "v1.0.0", file), released(arch))
			}
			program(t, filepath.Join(bin, "uname"), "#!/bin/sh\necho "+tt.machine+"\n")
			program(t, filepath.Join(own, "go.mod"), "module own\n")
			for _, name := range []string{"bash", "sh", "curl", "sha256sum", "chmod", "rm", "cat"} {
				path, err := exec.LookPath(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(os.MkdirAll(bin, 0o755), os.Symlink(path, filepath.Join(bin, name))); err != nil {
					t.Fatal(err)
				}
			}
			if tt.here {
				program(t, filepath.Join(bin, "ortest"), "#!/bin/sh\necho installed $1\n")
			}
			if tt.golang {
				program(t, filepath.Join(bin, "go"), `#!/bin/sh
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\necho built $1\n' >"$2" && chmod +x "$2"
`)
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", stepOf(t))
			cmd.Env = []string{
				"PATH=" + bin, "RUNNER_TEMP=" + dir, "GITHUB_ACTION_PATH=" + own, "GITHUB_ENV=" + filepath.Join(dir, "env"),
				"ORTEST_RELEASES=file://" + releases, "INPUT_VERSION=" + tt.version, "INPUT_SHA256=" + tt.sha256, "INPUT_COMMAND=", "INPUT_PIECE={}",
			}
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != tt.exit || !strings.Contains(string(out), tt.says) {
				t.Errorf("exit %d, want %d and %q:\n%s", got, tt.exit, tt.says, out)
			}
		})
	}
}
