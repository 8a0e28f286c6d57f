package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	"github.com/ortest/ortest/action/unit"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/plan/recipe"
)

// Where an image has what instances use. The second is what the machines' user-data start.
const (
	systemOf386 = "/opt/ortest/i386"
	runnerDir   = "/opt/actions-runner"
)

func (a *app) imagePrepare() *cobra.Command {
	var arch, runner, sum, root, listed string
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
			units, err := imageUnits(listed)
			if err != nil {
				return usage(err)
			}
			ctx, out := cmd.Context(), cmd.ErrOrStderr()
			if root != "" {
				return prepareInside(ctx, root, units, out)
			}
			if err := prepareUnits(ctx, machineUnits, out); err != nil {
				return err
			}
			if err := installRunner(ctx, runner, sum, runnerDir, out); err != nil {
				return err
			}
			if which.short == "i386" {
				return prepare32(ctx, units, out)
			}
			return prepareUnits(ctx, units, out)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&arch, "arch", "x64", "prepare for `ARCH`")
	fl.StringVar(&runner, "runner", "", "`URL` of actions/runner's package")
	fl.StringVar(&sum, "runner-sha256", "", "its checksum in `HEX`")
	fl.StringVar(&listed, "units", "", "make the units of this JSON `FILE` true and not those of the catalog that is built in")
	fl.StringVar(&root, "root", "", "make the units true below `DIR` and do nothing else")
	return cmd
}

// machineUnits are what the agent itself needs of its machine, and the first boot's script.
var machineUnits = []recipe.Unit{
	{Name: "accounts", Title: "useradd, for the lanes' accounts", Apt: []string{"passwd"}, Check: "command -v useradd"},
	{Name: "packet-filter", Title: "iptables, which keeps jobs off the metadata service", Apt: []string{"iptables"}, Check: "command -v iptables"},
	{Name: "curl", Apt: []string{"curl"}, Check: "command -v curl"},
	{Name: "certificates", Apt: []string{"ca-certificates"}, Check: "test -s /etc/ssl/certs/ca-certificates.crt"},
}

// imageUnits reads the list of units that a deployment's catalog needs; "" is the
// catalog that is built in.
func imageUnits(path string) (units []recipe.Unit, err error) {
	if path == "" {
		cat, err := catalog.Default()
		if err != nil {
			return nil, err
		}
		return unitsOf(cat), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read units: %w", err)
	}
	if err := json.Unmarshal(b, &units); err != nil {
		return nil, fmt.Errorf("read units of %s: %w", path, err)
	}
	return units, nil
}

// unitsOf lists what any goal of a catalog needs of its machine. What is of the network
// is made true in each lane: nothing of it outlives a boot.
func unitsOf(cat *catalog.Catalog) []recipe.Unit {
	var projects []plan.Project
	var modes []plan.Mode
	for _, p := range cat.Projects() {
		for _, m := range cat.Modes() {
			if p.HasMode(m.Name) {
				projects, modes = append(projects, p), append(modes, m)
			}
		}
	}
	return action.Units(projects, modes, true)
}

// prepareUnits makes units true. All that cannot be is named.
func prepareUnits(ctx context.Context, units []recipe.Unit, out io.Writer) error {
	failed, err := unit.Machine{Log: out}.Make(ctx, units)
	if err != nil {
		return fmt.Errorf("make units true: %w", err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		errs = append(errs, failed[name])
	}
	return errors.Join(errs...)
}

// prepare32 makes a 32-bit system beside the 64-bit one, and makes the units true there.
func prepare32(ctx context.Context, units []recipe.Unit, out io.Writer) error {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return fmt.Errorf("read the system's release: %w", err)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	list, err := json.Marshal(units)
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
	at := systemOf386
	for _, argv := range [][]string{
		{"apt-get", "update", "-qq"},
		{"apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"},
		{"debootstrap", "--arch=i386", "--variant=minbase", "--include=ca-certificates", codename(string(release)), at, "http://deb.debian.org/debian"},
		{"cp", "-L", "/etc/resolv.conf", at + "/etc/resolv.conf"},
		{"sh", "-c", `printf '#!/bin/sh\nexit 101\n' >"$1" && chmod 755 "$1"`, "sh", at + "/usr/sbin/policy-rc.d"}, // packages start nothing
		{"mount", "-t", "proc", "proc", at + "/proc"},
		// What asks for the machine's kind is to hear that it is a 32-bit one.
		{"setarch", "i386", exe, "image", "prepare", "--arch", "i386", "--root", at, "--units", listed},
		{"umount", at + "/proc"},
		{"rm", "-f", at + "/usr/sbin/policy-rc.d"},
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
func prepareInside(ctx context.Context, root string, units []recipe.Unit, out io.Writer) error {
	if err := errors.Join(syscall.Chroot(root), os.Chdir("/")); err != nil {
		return fmt.Errorf("enter %s: %w", root, err)
	}
	return prepareUnits(ctx, units, out)
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
