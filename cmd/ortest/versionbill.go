package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"
)

// bill is a CycloneDX document, as far as a Go program fills it. It says nothing of the
// time at which it was made: the same binary has the same bill.
type bill struct {
	Format       string          `json:"bomFormat"`
	Spec         string          `json:"specVersion"`
	Serial       string          `json:"serialNumber"`
	Version      int             `json:"version"`
	Metadata     billMetadata    `json:"metadata"`
	Components   []billPart      `json:"components"`
	Dependencies []billDependsOn `json:"dependencies"`
}

type billMetadata struct {
	Component billPart `json:"component"`
}

type billPart struct {
	Ref      string         `json:"bom-ref"`
	Type     string         `json:"type"`
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Purl     string         `json:"purl"`
	Hashes   []billHash     `json:"hashes,omitempty"`
	Licenses []billLicences `json:"licenses,omitempty"`
	Details  []billProperty `json:"properties,omitempty"`
}

type billHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type billLicences struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type billProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type billDependsOn struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// billOf lists what a program was linked from. The modules' checksums are those of
// go.sum, which are of a module's files, not of an archive.
func billOf(info *debug.BuildInfo, release, digest string) (bill, error) {
	main := module("application", info.Main.Path, release)
	main.Hashes = []billHash{{"SHA-256", digest}}
	own := billLicences{}
	own.License.ID = "BSD-2-Clause"
	main.Licenses = []billLicences{own}
	for _, key := range []string{"GOOS", "GOARCH", "CGO_ENABLED", "-trimpath"} {
		if v := setting(info, key); v != "" {
			main.Details = append(main.Details, billProperty{"build:" + key, v})
		}
	}
	b := bill{
		Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: billMetadata{main},
		Serial: fmt.Sprintf("urn:uuid:%s-%s-5%s-8%s-%s", digest[:8], digest[8:12], digest[13:16], digest[17:20], digest[20:32]),
	}
	all := billDependsOn{Ref: main.Ref}
	add := func(p billPart) {
		b.Components = append(b.Components, p)
		all.On = append(all.On, p.Ref)
		b.Dependencies = append(b.Dependencies, billDependsOn{Ref: p.Ref})
	}
	add(module("library", "std", strings.TrimPrefix(info.GoVersion, "go")))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		p := module("library", m.Path, m.Version)
		if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
			raw, err := base64.StdEncoding.DecodeString(sum)
			if err != nil {
				return b, fmt.Errorf("read checksum of %s: %w", m.Path, err)
			}
			p.Hashes = []billHash{{"SHA-256", hex.EncodeToString(raw)}}
		}
		add(p)
	}
	b.Dependencies = append([]billDependsOn{all}, b.Dependencies...)
	return b, nil
}

func module(kind, path, version string) billPart {
	purl := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	return billPart{Ref: purl, Type: kind, Name: path, Version: version, Purl: purl}
}
