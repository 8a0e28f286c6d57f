package source

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ortest/ortest/plan/recipe"
)

// Archive is a file that was got.
type Archive struct {
	Path    string
	Version string
	SHA256  string
	Note    string // what is to be said of it, "" mostly
}

// Archive gets an archive in a version, "" being its default. With a mirror
// that lacks the file, the error is a *MissingError.
func (s *Store) Archive(ctx context.Context, a recipe.Archive, version string) (Archive, error) {
	version = cmp.Or(version, a.Version)
	url := strings.ReplaceAll(a.URL, "$VERSION", version)
	file := filepath.Join(s.Mirror, "files", path.Base(url))
	if s.Mirror == "" {
		var err error
		if file, err = s.download(ctx, url); err != nil {
			return Archive{}, err
		}
	} else if _, err := os.Stat(file); err != nil {
		return Archive{}, &MissingError{file, url}
	}
	return checked(a, Archive{Path: file, Version: version})
}

func checked(a recipe.Archive, got Archive) (Archive, error) {
	sum, err := Sum(got.Path)
	if err != nil {
		return Archive{}, err
	}
	if want := a.SHA256[got.Version]; want != "" && want != sum {
		return Archive{}, fmt.Errorf("%s has SHA-256 %s, want %s: it is damaged or another file", got.Path, sum, want)
	}
	got.SHA256 = sum
	return got, nil
}

// Sum returns the SHA-256 of a file.
func Sum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// maxDownload bounds an archive; the largest of the catalog has 60 MiB.
const maxDownload = 1 << 30

func (s *Store) download(ctx context.Context, url string) (string, error) {
	dir, err := s.Keep(ctx, "files", hex.EncodeToString([]byte(path.Base(url))), func(tmp string) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("download %s: %s", url, resp.Status)
		}
		f, err := os.Create(filepath.Join(tmp, path.Base(url)))
		if err != nil {
			return err
		}
		defer f.Close()
		if n, err := io.Copy(f, io.LimitReader(resp.Body, maxDownload)); err != nil || n == maxDownload {
			return fmt.Errorf("download %s: %d bytes: %w", url, n, err)
		}
		return f.Close()
	})
	return filepath.Join(dir, path.Base(url)), err
}

// reNginx reads the names under which nginx is packed: nginx's own, Debian's,
// and that of a tag.
var reNginx = regexp.MustCompile(`^(?:nginx[-_])?(?:release-)?([0-9]+\.[0-9]+\.[0-9]+)(?:\.orig)?\.(?:tar\.(?:gz|xz|bz2)|tgz)$`)

// Nginx gets the archive of an nginx core. Without a version, a mirror that
// lacks the default one gives the newest that it has, and the note says so.
func (s *Store) Nginx(ctx context.Context, a recipe.Archive, version string) (Archive, error) {
	if s.Mirror == "" {
		return s.Archive(ctx, a, version)
	}
	want := cmp.Or(version, a.Version)
	list, err := os.ReadDir(filepath.Join(s.Mirror, "files"))
	if err != nil && !os.IsNotExist(err) {
		return Archive{}, err
	}
	found := map[string]string{}
	for _, e := range list {
		if m := reNginx.FindStringSubmatch(e.Name()); m != nil {
			found[m[1]] = filepath.Join(s.Mirror, "files", e.Name())
		}
	}
	got := Archive{Path: found[want], Version: want}
	if got.Path == "" && version == "" {
		for v, file := range found {
			if got.Path == "" || Compare(v, got.Version) > 0 {
				got = Archive{Path: file, Version: v}
			}
		}
		if got.Path != "" {
			got.Note = fmt.Sprintf("nginx %s is tested, from %s: the mirror lacks the default, %s", got.Version, got.Path, want)
		}
	}
	if got.Path == "" {
		url := strings.ReplaceAll(a.URL, "$VERSION", want)
		return Archive{}, &MissingError{filepath.Join(s.Mirror, "files", path.Base(url)), url}
	}
	return checked(a, got)
}

// Compare compares versions by their numbers: below 0 when a is the older one.
func Compare(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }

// Number writes a version as nginx's sources do: 1.22.1 is 1022001.
func Number(version string) string {
	n := 0
	for _, part := range numbers(version) {
		n = n*1000 + part
	}
	return strconv.Itoa(n)
}

func numbers(version string) []int {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return out
		}
		out = append(out, n)
	}
	return out
}
