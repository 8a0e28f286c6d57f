package image

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
	"time"
)

// install unpacks actions/runner and installs what it needs itself.
func (p Package) install(ctx context.Context, dir string, log io.Writer) error {
	fmt.Fprintf(log, "ortest: fetches %s\n", p.URL)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	pack, err := download(ctx, p.URL, p.SHA256)
	if err != nil {
		return fmt.Errorf("fetch actions/runner: %w", err)
	}
	defer func() { _ = os.Remove(pack) }() // a package that is left harms nobody
	if err := unpack(pack, dir); err != nil {
		return fmt.Errorf("unpack actions/runner: %w", err)
	}
	needs := exec.CommandContext(ctx, filepath.Join(dir, "bin", "installdependencies.sh"))
	needs.Dir, needs.Stdout, needs.Stderr = dir, log, log
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
