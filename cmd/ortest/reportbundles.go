package main

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/report/html"
	"github.com/ortest/ortest/report/result"
)

// mostBundles are of one goal; a suite that fails as a whole needs no more.
const mostBundles = 50

// writeBundles writes a folder for each failing block and returns which there are, by
// the address of their README.
func (s *sources) writeBundles(ctx context.Context, dir string, cells []result.Cell) (map[string]bool, error) {
	made := make(map[string]bool)
	for _, c := range cells {
		for i, f := range c.Result.Findings {
			if i == mostBundles {
				break
			}
			at := bundleOf(c, f.Fingerprint())
			if made[at] {
				continue
			}
			files := result.Bundle(c, f, s.file(ctx, c.Goal, f.File))
			if len(files) == 0 {
				continue
			}
			made[at] = true
			for name, b := range files {
				to := filepath.Join(dir, filepath.FromSlash(path.Dir(at)), filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					return nil, err
				}
				if err := os.WriteFile(to, b, 0o644); err != nil {
					return nil, err
				}
			}
		}
	}
	return made, nil
}

// bundleOf is the address of a bundle's README from the index. A fingerprint
// that was read may be anything.
func bundleOf(c result.Cell, print string) string {
	print = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, print)
	return "repro/" + c.Name + "/" + print[:min(len(print), 32)] + "/README.md"
}

// bundles tells a site which bundles there are.
func bundles(site *html.Site, made map[string]bool) {
	site.Bundle = func(c result.Cell, print string) string {
		if at := bundleOf(c, print); made[at] {
			return at
		}
		return ""
	}
}
