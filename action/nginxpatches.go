package action

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ortest/ortest/action/source"
)

// notApplied are the patches of OpenResty that change what it is called, what
// Windows needs, or what a fixed core has; the pool's has rules of its own.
var notApplied = []string{"server_header", "win32", "no_pool", "CVE-"}

// nginxPatches lists OpenResty's patches for a core and, where the mode has no
// optimised build, the one that gives every allocation to malloc.
func (r *run) nginxPatches(version string) ([]string, error) {
	var patches []string
	if s := r.sourceOf("openresty"); s != nil {
		for _, dir := range []string{filepath.Join(s.dir, "patches", "nginx", version), filepath.Join(s.dir, "patches")} {
			found, err := filepath.Glob(filepath.Join(dir, "nginx-"+version+"-*.patch"))
			if err != nil {
				return nil, err
			}
			patches = append(patches, found...)
		}
	}
	if len(patches) == 0 {
		r.note("nginx %s is built without OpenResty's patches: there are none for it", version)
	}
	patches = slices.DeleteFunc(patches, func(p string) bool {
		return slices.ContainsFunc(notApplied, func(word string) bool { return strings.Contains(filepath.Base(p), word) })
	})
	if !r.cfg.Mode.Optimised {
		patches = append(patches, r.noPool(version)...)
	}
	return patches, nil
}

// noPool finds the patch of the core's version, or of the nearest before it.
func (r *run) noPool(version string) []string {
	s := r.sourceOf("no-pool-nginx")
	if s == nil {
		r.note("nginx is built with its pools: no-pool-nginx is missing")
		return nil
	}
	found, _ := filepath.Glob(filepath.Join(s.dir, "nginx-*-no_pool.patch"))
	best := ""
	for _, p := range found {
		v := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(p), "nginx-"), "-no_pool.patch")
		if source.Compare(v, version) <= 0 && (best == "" || source.Compare(v, best) > 0) {
			best = v
		}
	}
	if best == "" {
		r.note("nginx is built with its pools: no-pool-nginx has no patch for %s", version)
		return nil
	}
	path := filepath.Join(s.dir, "nginx-"+best+"-no_pool.patch")
	if best == version {
		return []string{path}
	}
	r.note("the no-pool patch of nginx %s is used: there is none for %s", best, version)
	moved, err := r.forVersion(path, best, version)
	if err != nil {
		r.note("nginx is built with its pools: %v", err)
		return nil
	}
	return []string{moved}
}

// forVersion copies a patch with another version in the lines that it is known
// to change: those that say the version.
func (r *run) forVersion(path, from, to string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(string(b), from, to)
	text = strings.ReplaceAll(text, source.Number(from), source.Number(to))
	moved := filepath.Join(r.tmp, "for-"+to, filepath.Base(path))
	if err := os.MkdirAll(filepath.Dir(moved), 0o755); err != nil {
		return "", err
	}
	return moved, os.WriteFile(moved, []byte(text), 0o644)
}

// patch applies the patches of a core; some fit only after others that come later.
func (r *run) patch(ctx context.Context, b nginxBuild, dir string, env []string) error {
	left := b.patches
	for len(left) > 0 {
		var again []string
		for _, p := range left {
			argv := []string{"patch", "-p1", "--forward", "--silent", "--batch", "--input", p}
			if !r.quietly(ctx, dir, env, append(argv, "--dry-run")...) {
				again = append(again, p)
				continue
			}
			if err := r.build(ctx, dir, env, argv...); err != nil {
				return err
			}
		}
		if len(again) == len(left) {
			for _, p := range again {
				r.note("%s does not fit and is left out", filepath.Base(p))
			}
			return nil
		}
		left = again
	}
	return nil
}
