package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ortest/ortest/plan/recipe"
)

// prepare32 makes a 32-bit system beside the 64-bit one, and makes the units true there.
func (m Machine) prepare32(ctx context.Context) error {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return fmt.Errorf("read the system's release: %w", err)
	}
	list, err := json.Marshal(m.Units)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ortest-units-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it harms nobody
	listed := filepath.Join(dir, "units.json")
	if err := os.WriteFile(listed, list, 0o600); err != nil {
		return err
	}
	at := Root386
	for _, argv := range [][]string{
		{"apt-get", "update", "-qq"},
		{"apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"},
		{"debootstrap", "--arch=i386", "--variant=minbase", "--include=ca-certificates", codename(string(release)), at, "http://deb.debian.org/debian"},
		{"cp", "-L", "/etc/resolv.conf", at + "/etc/resolv.conf"},
		{"sh", "-c", `printf '#!/bin/sh\nexit 101\n' >"$1" && chmod 755 "$1"`, "sh", at + "/usr/sbin/policy-rc.d"}, // packages start nothing
		{"mount", "-t", "proc", "proc", at + "/proc"},
		// What asks for the machine's kind is to hear that it is a 32-bit one.
		slices.Concat([]string{"setarch", "i386"}, m.Self, []string{"--root", at, "--units", listed}),
		{"umount", at + "/proc"},
		{"rm", "-f", at + "/usr/sbin/policy-rc.d"},
	} {
		fmt.Fprintf(m.Log, "ortest: runs %s\n", strings.Join(argv, " "))
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = m.Log, m.Log
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("prepare the 32-bit system: %s: %w", argv[0], err)
		}
	}
	return nil
}

// codename returns the VERSION_CODENAME of an os-release file.
func codename(release string) string {
	for line := range strings.Lines(release) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return "stable"
}

// Inside makes units true in another root of this machine, which this process enters
// for good.
func Inside(ctx context.Context, root string, units []recipe.Unit, log io.Writer) error {
	if err := errors.Join(syscall.Chroot(root), os.Chdir("/")); err != nil {
		return fmt.Errorf("enter %s: %w", root, err)
	}
	return makeTrue(ctx, units, log)
}
