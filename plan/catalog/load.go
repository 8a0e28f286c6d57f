package catalog

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ortest/ortest/plan"
)

//go:embed *.yaml projects examples expectations
var embedded embed.FS

// Bounds of a catalog; a directory given by mistake is not read into memory.
const (
	maxFile  = 1 << 20
	maxFiles = 2000
)

// single are the files of which there is one each.
var single = []string{"modes.yaml", "kinds.yaml", "arches.yaml", "releases.yaml", "sources.yaml", "archives.yaml", "tools.yaml", "services.yaml", "units.yaml", settingsFile}

// folders hold one file per project.
var folders = []string{"projects", "examples", "expectations"}

// Default returns the embedded catalog.
func Default() (*Catalog, error) { return Load() }

// Examples returns the embedded catalog in which modes expand to the example
// projects and to nothing else: what a demo offers.
func Examples() (*Catalog, error) {
	c, err := Load()
	if err != nil {
		return nil, err
	}
	c.examplesOnly = true
	c.projects = slices.DeleteFunc(c.projects, func(p plan.Project) bool { return !p.Example })
	return c, nil
}

// Load reads the embedded catalog with the overlays laid over it, later ones
// over earlier ones: a file takes the place of the file of its name, and a new
// file adds a project. An error names file, line and column; several may be joined.
func Load(overlays ...fs.FS) (*Catalog, error) {
	files, err := gather(append([]fs.FS{embedded}, overlays...))
	if err != nil {
		return nil, err
	}
	return build(files)
}

// build makes a catalog of all its files, or says everything that is wrong with them.
func build(files map[string][]byte) (*Catalog, error) {
	c := &Catalog{Revision: revision(files), expectations: map[string][]byte{}, files: files}
	c.packed = sync.OnceValues(c.pack)
	srcs, err := c.decodeAll(files)
	if err != nil {
		return nil, err
	}
	if err := c.check(srcs); err != nil {
		return nil, err
	}
	c.settle()
	return c, nil
}

// gather reads the layers into one set of files by path.
func gather(layers []fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	var bad []error
	for _, layer := range layers {
		err := fs.WalkDir(layer, ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case d.IsDir():
				return nil
			case path.Ext(name) == ".yml" && known(strings.TrimSuffix(name, ".yml")+".yaml") == nil:
				bad = append(bad, fmt.Errorf("%s:1:1: a catalog's files end in .yaml; rename it", name))
				return nil
			case path.Ext(name) != ".yaml":
				return nil
			}
			if err := known(name); err != nil {
				bad = append(bad, err)
				return nil
			}
			b, err := readBounded(layer, name, d)
			if err != nil {
				return err
			}
			files[name] = b
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read catalog: %w", err)
		}
		if len(files) > maxFiles {
			return nil, fmt.Errorf("read catalog: more than %d files", maxFiles)
		}
	}
	return files, errors.Join(bad...)
}

func readBounded(layer fs.FS, name string, d fs.DirEntry) ([]byte, error) {
	info, err := d.Info()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	text, err := fs.ReadFile(layer, name)
	if err == nil && !utf8.Valid(text) {
		err = fmt.Errorf("%s: not UTF-8", name)
	}
	return text, err
}

// known refuses a YAML file that nobody would read: it is a misspelt one.
func known(name string) error {
	dir, base := path.Split(name)
	if dir == "" && slices.Contains(single, base) || slices.Contains(folders, strings.TrimSuffix(dir, "/")) {
		return nil
	}
	places := slices.Clone(single)
	for _, f := range folders {
		places = append(places, f+"/"+base)
	}
	return fmt.Errorf("%s:1:1: no such file in a catalog%s", name, suggest(name, places))
}

// revision hashes names and contents, so that a moved file is another revision.
func revision(files map[string][]byte) string {
	h := sha256.New()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(h, "%q %d\n", name, len(files[name]))
		h.Write(files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func suggest(name string, known []string) string {
	if near := plan.Nearest(name, known); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}
