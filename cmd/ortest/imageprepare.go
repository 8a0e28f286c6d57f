package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// Where an image has what instances use. The second is what the machines' user-data start.
const (
	systemOf386    = "/opt/ortest/i386"
	runnerDir = "/opt/actions-runner"
)

func (a *app) imagePrepare() *cobra.Command {
	var arch, runner, sum, root string
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Make this machine what an image is made of",
		Long: `Make this machine what an image is made of: install actions/runner and make true all units of the catalog.
ortest image build runs it on the builder, as root; it is of no use on a machine that is meant for something else.`,
		Example: "  ortest image prepare --arch 'linux x86_64' --runner URL --runner-sha256 HEX",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			which, err := imageArchOf(arch)
			switch {
			case err != nil:
				return err
			case root == "" && (runner == "" || len(sum) != 64):
				return usage(errors.New("--runner and --runner-sha256 name the package of actions/runner"))
			case os.Geteuid() != 0:
				return usage(errors.New("a machine is prepared by root"))
			}
			out := cmd.ErrOrStderr()
			if root != "" {
				return prepareInside(cmd.Context(), root, out)
			}
			if err := installRunner(cmd.Context(), runner, sum, runnerDir, out); err != nil {
				return err
			}
			if which.short == "i386" {
				return prepare32(cmd.Context(), out)
			}
			return prepareUnits(cmd.Context(), out)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&arch, "arch", "x64", "prepare for `ARCH`")
	fl.StringVar(&runner, "runner", "", "`URL` of actions/runner's package")
	fl.StringVar(&sum, "runner-sha256", "", "its checksum in `HEX`")
	fl.StringVar(&root, "root", "", "make the units true below `DIR` and do nothing else")
	return cmd
}

// prepareUnits makes true what any goal of the catalog needs. All that cannot be is named.
func prepareUnits(ctx context.Context, out io.Writer) error {
	cat, err := catalog.Default()
	if err != nil {
		return err
	}
	var projects []plan.Project
	var modes []plan.Mode
	for _, p := range cat.Projects() {
		for _, m := range cat.Modes() {
			if p.HasMode(m.Name) {
				projects, modes = append(projects, p), append(modes, m)
			}
		}
	}
	// What is of the network is made true in each lane: nothing of it outlives a boot.
	unmet, err := action.MakeUnits(ctx, projects, modes, true, out)
	if err != nil {
		return err
	}
	var errs []error
	for _, why := range unmet {
		errs = append(errs, why)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// prepare32 makes a 32-bit system beside the 64-bit one, and makes the units true there.
func prepare32(ctx context.Context, out io.Writer) error {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return fmt.Errorf("read the system's release: %w", err)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	inside := filepath.Join(systemOf386, "usr/local/bin/ortest")
	for _, argv := range [][]string{
		{"apt-get", "update", "-qq"},
		{"apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"},
		{"debootstrap", "--arch=i386", "--variant=minbase", codename(string(release)), systemOf386, "http://deb.debian.org/debian"},
		{"cp", "/etc/resolv.conf", systemOf386 + "/etc/resolv.conf"},
		{"install", "-m", "755", exe, inside},
		{"sh", "-c", `printf '#!/bin/sh\nexit 101\n' >"$1" && chmod 755 "$1"`, "sh", systemOf386 + "/usr/sbin/policy-rc.d"}, // packages start nothing
		{"mount", "-t", "proc", "proc", systemOf386 + "/proc"},
		{exe, "image", "prepare", "--root", systemOf386},
		{"umount", systemOf386 + "/proc"},
		{"rm", "-f", inside},
	} {
		fmt.Fprintf(out, "ortest: runs %s\n", strings.Join(argv, " "))
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = out, out
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

// prepareInside makes the units true in another root of this machine.
func prepareInside(ctx context.Context, root string, out io.Writer) error {
	if err := errors.Join(syscall.Chroot(root), os.Chdir("/")); err != nil {
		return fmt.Errorf("enter %s: %w", root, err)
	}
	return prepareUnits(ctx, out)
}

// installRunner unpacks actions/runner and installs what it needs itself.
func installRunner(ctx context.Context, url, sum, dir string, out io.Writer) error {
	fmt.Fprintf(out, "ortest: fetches %s\n", url)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	pack, err := download(ctx, url, sum)
	if err != nil {
		return fmt.Errorf("fetch actions/runner: %w", err)
	}
	defer func() { _ = os.Remove(pack) }() // a package that is left harms nobody
	if err := unpack(pack, dir); err != nil {
		return fmt.Errorf("unpack actions/runner: %w", err)
	}
	needs := exec.CommandContext(ctx, filepath.Join(dir, "bin", "installdependencies.sh"))
	needs.Dir, needs.Stdout, needs.Stderr = dir, out, out
	if err := needs.Run(); err != nil {
		return fmt.Errorf("install what actions/runner needs: %w", err)
	}
	return nil
}

// download returns the path of a file that has the checksum.
func download(ctx context.Context, url, sum string) (path string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	f, err := os.CreateTemp("", "ortest-runner-*")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), resp.Body)
	if err = errors.Join(err, f.Close()); err == nil && hex.EncodeToString(h.Sum(nil)) != sum {
		err = fmt.Errorf("it has the SHA-256 %x, want %s", h.Sum(nil), sum)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// unpack writes a package's files below a directory, and nothing outside of it.
func unpack(pack, dir string) (err error) {
	f, err := os.Open(pack)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := unpackOne(root, h, r); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func unpackOne(root *os.Root, h *tar.Header, r io.Reader) error {
	name := filepath.Clean(h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, os.FileMode(h.Mode).Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	}
	return nil
}
