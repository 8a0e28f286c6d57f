package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan/recipe"
)

// recipes checks what sources, archives, tools and services say of each other.
func (k *checker) recipes() {
	for i, s := range k.c.sources {
		for _, url := range append([]string{s.Repo}, s.Also...) {
			if !repoURL.MatchString(url) {
				k.badAt("sources.yaml", fmt.Sprintf("$[%d].repo", i), "repo %q: want https://github.com/OWNER/NAME", url)
			}
		}
		k.pairs(spot{"sources.yaml", fmt.Sprintf("$[%d].pairs", i)}, s.Pairs)
	}
	for i, a := range k.c.archives {
		if !strings.Contains(a.URL, "$VERSION") || a.Version == "" {
			k.badAt("archives.yaml", fmt.Sprintf("$[%d].name", i), "archive %q: want a version, and an url with $VERSION", a.Name)
		}
	}
	for i, t := range k.c.tools {
		k.tool(i, t)
	}
	for i, s := range k.c.services {
		at := fmt.Sprintf("$[%d]", i)
		k.name(spot{"services.yaml", at + ".unit"}, "unit", s.Unit, k.unitNames())
		k.env("services.yaml", at+".env", s.Env)
		if len(s.Start) == 0 || len(s.Check) == 0 && s.Port == 0 {
			k.badAt("services.yaml", at+".name", "service %q: want start, and check or port", s.Name)
		}
	}
}

func (k *checker) tool(i int, t recipe.Tool) {
	at := fmt.Sprintf("$[%d]", i)
	earlier := namesOf(k.c.tools[:i], func(t recipe.Tool) string { return t.Name })
	k.names(spot{"tools.yaml", at + ".needs"}, "earlier tool", t.Needs, earlier)
	if t.Source != "" {
		k.name(spot{"tools.yaml", at + ".source"}, "project or source", t.Source, append(k.projectList(), k.sourceNames()...))
	}
	if t.Archive != "" {
		k.name(spot{"tools.yaml", at + ".archive"}, "archive", t.Archive, namesOf(k.c.archives, func(a recipe.Archive) string { return a.Name }))
	}
	if (t.Source == "") == (t.Archive == "") {
		k.badAt("tools.yaml", at+".name", "tool %q: want a source or an archive", t.Name)
	}
	if slices.Contains(k.unitNames(), t.Name) {
		k.badAt("tools.yaml", at+".name", "%q is a unit too", t.Name)
	}
	k.env("tools.yaml", at+".env", t.Env)
	k.env("tools.yaml", at+".sets", t.Sets)
}

func (k *checker) pairs(at spot, pairs []recipe.Pair) {
	for _, p := range pairs {
		k.name(at, "project or source", p.With, append(k.projectList(), k.sourceNames()...))
		for _, place := range []recipe.Place{p.Here, p.There} {
			if re, err := regexp.Compile(place.Match); err != nil || re.NumSubexp() != 1 || place.File == "" {
				k.badAt(at.file, at.path, "match %q of %q: want a file, and a regular expression with one group", place.Match, place.File)
			}
		}
	}
}

func (k *checker) toolNames() []string {
	return namesOf(k.c.tools, func(t recipe.Tool) string { return t.Name })
}
