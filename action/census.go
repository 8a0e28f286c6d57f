package action

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// maxTestFile bounds what is read of one test file: the largest suite's largest
// file has 200 KiB.
const maxTestFile = 8 << 20

// census notes what should run, before anything of the project had a chance to
// change it.
func (r *run) census(context.Context) error {
	root, err := os.OpenRoot(r.src)
	if err != nil {
		return fmt.Errorf("take census: %w", err)
	}
	defer root.Close()
	if r.whole() != nil {
		r.result.Manifest.Files = []report.TestFile{{Path: report.Suite}}
		return nil
	}
	all, err := testFiles(root.FS(), r.cfg.Project.Test.Glob)
	if err != nil {
		return err
	}
	if len(all) == 0 && len(r.cfg.Piece.Files) == 0 {
		return &stopped{PhaseCheckout, fmt.Sprintf("no test file matches %s", r.cfg.Project.Test.Glob)}
	}
	if all, err = r.only(all); err != nil {
		return err
	}
	files := r.cfg.Piece.Files
	if len(files) == 0 {
		files = all
	}
	for _, path := range files {
		if !plain(path) {
			return &stopped{PhaseCheckout, fmt.Sprintf("the test file %.200q has a name that cannot be reported", path)}
		}
		read := report.ReadTestFile
		if strings.HasSuffix(path, ".lua") {
			read = readSpec
		}
		r.result.Manifest.Files = append(r.result.Manifest.Files, read(path, r.source(root, path)))
	}
	// What the plan has not heard of must be missed by somebody.
	for _, path := range all {
		if !slices.Contains(files, path) && plain(path) {
			r.result.Manifest.Others = append(r.result.Manifest.Others, path)
		}
	}
	return nil
}

// only keeps the files that were asked for. A pattern without a folder is one
// of names.
func (r *run) only(files []string) ([]string, error) {
	if r.cfg.Only == "" {
		return files, nil
	}
	re, err := globRegexp(r.cfg.Only)
	if err != nil {
		return nil, err
	}
	name := func(p string) string { return p }
	if !strings.Contains(r.cfg.Only, "/") {
		name = path.Base
	}
	wanted := slices.DeleteFunc(slices.Clone(files), func(p string) bool { return !re.MatchString(name(p)) })
	if len(wanted) == 0 {
		r.unmatched = files
		return nil, &stopped{PhaseCheckout, fmt.Sprintf("none of the %d test files matches %s; one is %s", len(files), r.cfg.Only, files[0])}
	}
	return wanted, nil
}

// source reads a test file. One that is missing or no file is still planned:
// its own prove will say what is wrong.
func (r *run) source(root *os.Root, path string) []byte {
	fi, err := root.Stat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxTestFile {
		return nil
	}
	src, err := root.ReadFile(path)
	if err != nil {
		return nil
	}
	return src
}

// testFiles lists the files that match a pattern, sorted. In it * and ? stay in
// a folder and ** crosses any number of them.
func testFiles(tree fs.FS, glob string) ([]string, error) {
	re, err := globRegexp(glob)
	if err != nil {
		return nil, err
	}
	var files []string
	err = fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && errors.Is(err, fs.ErrPermission):
			return fs.SkipDir
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case !d.IsDir() && re.MatchString(path):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list test files: %w", err)
	}
	slices.Sort(files)
	return files, nil
}

func globRegexp(glob string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`\A`)
	for rest := glob; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString(`(?:[^/]+/)*`)
			rest = rest[3:]
		case rest[0] == '*':
			b.WriteString(`[^/]*`)
			rest = rest[1:]
		case rest[0] == '?':
			b.WriteString(`[^/]`)
			rest = rest[1:]
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
			rest = rest[1:]
		}
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("read pattern %q: %w", glob, err)
	}
	return re, nil
}
