package main

import (
	"bytes"
	"encoding/json"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestTheVersionSaysReleaseCommitAndGo(t *testing.T) {
	var says bytes.Buffer
	if code := run(t.Context(), []string{"version"}, nil, &says, io.Discard); code != exitGood {
		t.Fatalf("ended with %d", code)
	}
	for _, want := range []string{"ortest " + version() + "\n", "\ncommit " + commitOf() + "\n", "\n" + runtime.Version() + " linux/"} {
		if !strings.Contains(says.String(), want) {
			t.Errorf("%q lacks %q", &says, want)
		}
	}
	says.Reset()
	var b ownBuild
	if code := run(t.Context(), []string{"version", "--json"}, nil, &says, io.Discard); code != exitGood || json.Unmarshal(says.Bytes(), &b) != nil || b.Go != runtime.Version() {
		t.Errorf("ended with %d: %s", code, &says)
	}
	for _, wrong := range [][]string{{"version", "x"}, {"version", "--sbom", "x", "y"}, {"version", "--sbom", "version.go"}, {"version", "--sbom", "missing"}} {
		if code := run(t.Context(), wrong, nil, io.Discard, io.Discard); code != exitUsage {
			t.Errorf("%q ends with %d", wrong, code)
		}
	}
}

func TestABillListsWhatWasLinked(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.2.3", Main: debug.Module{Path: "example.org/x"}, Deps: []*debug.Module{
		{Path: "example.org/a", Version: "v2.0.0+incompatible", Sum: "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
		{Path: "example.org/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/c", Version: "v1.1.0"}},
	}}
	digest := strings.Repeat("0123456789abcdef", 4)
	b, err := billOf(info, "v1.0.0", digest)
	if err != nil {
		t.Fatal(err)
	}
	if b.Serial != "urn:uuid:01234567-89ab-5def-8123-456789abcdef" || b.Metadata.Component.Purl != "pkg:golang/example.org/x@v1.0.0" || b.Metadata.Component.Hashes[0].Content != digest {
		t.Errorf("of the program: %+v", b)
	}
	var refs []string
	for _, p := range b.Components {
		refs = append(refs, p.Ref)
	}
	if got := strings.Join(refs, " "); got != "pkg:golang/std@1.2.3 pkg:golang/example.org/a@v2.0.0%2Bincompatible pkg:golang/example.org/c@v1.1.0" {
		t.Errorf("components %s", got)
	}
	if got := b.Components[1].Hashes[0].Content; got != "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" {
		t.Errorf("checksum %s", got)
	}
	if len(b.Dependencies) != 4 || len(b.Dependencies[0].On) != 3 {
		t.Errorf("dependencies %+v", b.Dependencies)
	}
	info.Deps[0].Sum = "h1:?"
	if _, err := billOf(info, "v1.0.0", digest); err == nil {
		t.Error("a checksum that is none is taken")
	}
}
