package action

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// hostile are the characters that makefiles, configure scripts and run paths
// take for more than a part of a name.
const hostile = " \t\n'\"\\$&;()[]{}*?<>|`!#~:,"

// aliases gives the folders of a piece names that every build bears: a folder
// whose own name has a blank in it is reached by a link.
func (c Config) aliases() (Config, error) {
	for _, path := range []*string{&c.Workspace, &c.Work} {
		if !strings.ContainsAny(*path, hostile) {
			continue
		}
		link, err := alias(*path)
		if err != nil {
			return c, fmt.Errorf("find a plain name for %s: %w", *path, err)
		}
		*path = link
	}
	return c, nil
}

// alias returns a link to a folder. It is the same each time, since what is
// built has its path in it.
func alias(path string) (string, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", err
	}
	var errs []error
	for _, in := range []string{"/tmp", "/var/tmp", os.TempDir()} {
		link, err := aliasIn(in, path)
		if err == nil {
			return link, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("%w; choose a folder without blanks and marks in its name", errors.Join(errs...))
}

func aliasIn(in, path string) (string, error) {
	if strings.ContainsAny(in, hostile) {
		return "", fmt.Errorf("%s has no plain name", in)
	}
	dir := filepath.Join(in, fmt.Sprintf("ortest-%d", os.Geteuid()))
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return "", err
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); !fi.IsDir() || ok && int(st.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s is somebody else's", dir)
	}
	sum := sha256.Sum256([]byte(path))
	link := filepath.Join(dir, hex.EncodeToString(sum[:8]))
	if err := os.Symlink(path, link); err != nil && !os.IsExist(err) {
		return "", err
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		return "", fmt.Errorf("%s leads elsewhere: %s", link, target)
	}
	return link, nil
}
