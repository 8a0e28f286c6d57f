package suite

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"

	"github.com/ortest/ortest/report"
)

// maxFile is larger than any test file, in bytes: what is more is something else.
const maxFile = 16 << 20

// At reads the test files of a repository at a revision.
func At(ctx context.Context, gitDir, rev string) ([]report.TestFile, error) {
	if strings.HasPrefix(rev, "-") {
		return nil, fmt.Errorf("%q is no revision", rev)
	}
	cmd := exec.CommandContext(ctx, "git", "--git-dir", gitDir, "archive", "--format=tar", rev)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", gitDir, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("read %s: %w", gitDir, err)
	}
	files, err := testFiles(out)
	_, drained := io.Copy(io.Discard, out)
	if ended := cmd.Wait(); ended != nil {
		return nil, fmt.Errorf("read %s at %s: %w: %.60s", gitDir, rev, ended, strings.TrimSpace(said.String()))
	}
	return files, errors.Join(err, drained)
}

func testFiles(r io.Reader) ([]report.TestFile, error) {
	var files []report.TestFile
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg || path.Ext(h.Name) != ".t" {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(t, maxFile))
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		files = append(files, report.ReadTestFile(h.Name, b))
	}
}
