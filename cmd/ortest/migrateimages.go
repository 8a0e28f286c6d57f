package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ortest/ortest/plan/catalog"
)

// oldFleet is what the old run-node says of machines, as fleet.ec2 of the
// configuration names it.
type oldFleet struct {
	Images  []oldImage
	Types   map[string]string // by arch
	Region  string
	Subnets []string
	Groups  []string
}

// oldImage is the machine image of an arch.
type oldImage struct {
	Arch, ID, Name string
	line           int
}

var (
	reAMI      = regexp.MustCompile(`^ami-[0-9a-f]{8,17}$`)
	reOldImage = regexp.MustCompile(`^'([^']+)'\s*=>\s*'(ami-[^']*)'\s*,?\s*(?:#\s*(\S+))?`) // in a comment
	reOption   = regexp.MustCompile(`['"]--(region|subnet-id|security-group-ids)['"]\s*,\s*['"]([a-z0-9-]+)['"]`)
	reMatches  = regexp.MustCompile(`\$arch\s*=~\s*/([^/]*)/`)
	reElse     = regexp.MustCompile(`\belse\b`)
	reType     = regexp.MustCompile(`\$instance_type\s*=\s*['"]([a-z0-9.-]+)['"]`)
)

// readFleet reads run-node. Each image that is not taken is a note.
func readFleet(text, file string) (f oldFleet, left []migrateNote, line int, err error) {
	list, comments, found, err := perlVariable(text, "%ami_config")
	if err == nil && !found {
		err = fmt.Errorf(`line 1: it has no "my %%ami_config = ("`)
	}
	if err != nil {
		return f, nil, 0, broken(file, err)
	}
	keys, values, lost := list.pairs()
	for _, k := range lost {
		left = append(left, noteAt(lineOf(file, k.line), k.text, "twice in the list", "Perl takes the later image of that arch"))
	}
	for i, k := range keys {
		image := oldImage{Arch: k.text, ID: values[i].text, line: k.line}
		if values[i].kind != perlText || !reAMI.MatchString(image.ID) {
			left = append(left, noteAt(lineOf(file, k.line), k.text, "no image's ID", clipped(image.ID)))
			continue
		}
		for _, c := range comments {
			if name, _, _ := strings.Cut(c.text, " "); c.line == values[i].end {
				image.Name = name
			}
		}
		f.Images = append(f.Images, image)
	}
	for _, c := range comments {
		if m := reOldImage.FindStringSubmatch(c.text); m != nil {
			left = append(left, noteAt(lineOf(file, c.line), m[1], "commented out", strings.TrimSpace(m[2]+" "+m[3])))
		}
	}
	f.machines(text)
	return f, left, list.line, nil
}

// machines reads the instance types, and where the machines are started.
func (f *oldFleet) machines(text string) {
	f.Types = make(map[string]string)
	var when *regexp.Regexp // of the condition at hand; nil: there is none
	otherwise := false
	for line := range strings.Lines(text) {
		code := strings.TrimSpace(line)
		if strings.HasPrefix(code, "#") {
			continue
		}
		for _, m := range reOption.FindAllStringSubmatch(code, -1) {
			switch m[1] {
			case "region":
				f.Region = m[2]
			case "subnet-id":
				f.Subnets = []string{m[2]}
			default:
				f.Groups = []string{m[2]}
			}
		}
		if m := reMatches.FindStringSubmatch(code); m != nil {
			when, _ = regexp.Compile(m[1])
			otherwise = false
		}
		otherwise = otherwise || reElse.MatchString(code)
		if m := reType.FindStringSubmatch(code); m != nil && when != nil {
			for _, i := range f.Images {
				if when.MatchString(i.Arch) != otherwise {
					f.Types[i.Arch] = m[1]
				}
			}
		}
	}
}

// images carries the old images over into the configuration's fleet.
func (m *migration) images() error {
	file := m.from.tool(oldImages)
	part := migratedPart{Name: "images", Source: file}
	text, ok, err := m.from.read(file)
	if err != nil {
		return err
	}
	if !ok {
		part.missing("it is not there: images keep the catalog's patterns of names")
		m.Parts = append(m.Parts, part)
		return nil
	}
	f, left, line, err := readFleet(text, file)
	if err != nil {
		return err
	}
	part.Source, part.Found = fmt.Sprintf("%s:%d", file, line), len(f.Images)+len(left)
	part.leave(left...)
	kept := f.Images[:0]
	for _, i := range f.Images {
		if _, ok := m.catalog.Arch(i.Arch); !ok || machineOf[i.Arch] == "" {
			part.leave(noteAt(lineOf(file, i.line), i.Arch, "unknown arch", "the catalog has no such arch"))
			continue
		}
		kept = append(kept, i)
		part.carry(noteAt(lineOf(file, i.line), i.Arch, "carried", strings.TrimSpace(i.ID+" "+i.Name)))
		part.say(noteAt(lineOf(file, i.line), i.Arch, "starts the old driver",
			"openresty-tester takes what ortest hands to the machine for goals, and powers it off: build an image with ortest image build, or disable that service in this one"))
	}
	f.Images = kept
	f.types(m.catalog, file, &part)
	m.fleet = f
	m.Parts = append(m.Parts, part)
	return nil
}

// types keeps the types that the catalog has.
func (f *oldFleet) types(c *catalog.Catalog, file string, part *migratedPart) {
	old := f.Types
	f.Types = make(map[string]string)
	for _, i := range f.Images {
		a, _ := c.Arch(i.Arch)
		if _, ok := a.Instance(old[i.Arch]); ok {
			f.Types[i.Arch] = old[i.Arch]
		} else {
			part.say(noteAt(lineOf(file, i.line), i.Arch, "another instance type", fmt.Sprintf("the catalog has no %q; its default is taken", old[i.Arch])))
		}
	}
}
