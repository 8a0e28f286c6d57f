package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is who a lane's processes are. The zero value is the agent's own.
type account struct {
	name     string
	uid, gid int
}

// findAccount returns a lane's account, and makes it where there is none. It has
// no home, no password and no way to another account.
func findAccount(prefix string, lane int) (account, error) {
	if prefix == "" {
		return account{}, nil
	}
	name := prefix + strconv.Itoa(lane+1)
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		out, aerr := exec.Command("useradd", "--system", "--user-group", "--no-create-home",
			"--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name).CombinedOutput()
		if aerr != nil {
			return account{}, fmt.Errorf("make account %s: %w: %.200s", name, aerr, out)
		}
		u, err = user.Lookup(name)
	}
	if err != nil {
		return account{}, fmt.Errorf("find account %s: %w", name, err)
	}
	uid, uerr := strconv.Atoi(u.Uid)
	gid, gerr := strconv.Atoi(u.Gid)
	if err := errors.Join(uerr, gerr); err != nil {
		return account{}, fmt.Errorf("find account %s: %w", name, err)
	}
	if uid == 0 {
		return account{}, fmt.Errorf("account %s is root: a job must not be", name)
	}
	return account{name: name, uid: uid, gid: gid}, nil
}

// spec is how a keeper is told.
func (a account) spec() string {
	if a.name == "" {
		return anyone
	}
	return fmt.Sprintf("%d:%d", a.uid, a.gid)
}

// give makes a path the account's.
func (a account) give(path string) error {
	if a.name == "" {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// copyRunner lays out a runner's directory for one piece: its files are the same
// ones, by hard links where that can be, and stay their owner's; the folders are the
// account's, since a runner writes its registration and its diagnosis beside itself.
func copyRunner(from, to string, a account) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		into := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			if err := os.Mkdir(into, 0o700); err != nil {
				return err
			}
			return a.give(into)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, into)
		case d.Type().IsRegular():
			return linkOrCopy(path, into, a)
		}
		return nil // a socket or a pipe is nothing that was installed
	})
	if err != nil {
		return fmt.Errorf("copy runner: %w", err)
	}
	return nil
}

// linkOrCopy copies across file systems, and where the agent has no account to give
// the folders to: a file that a job may write must not be the installed one.
func linkOrCopy(from, to string, a account) error {
	if a.name != "" && os.Link(from, to) == nil {
		return nil
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	fi, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, b, fi.Mode().Perm()); err != nil {
		return err
	}
	return a.give(to)
}
