package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTrimKeepsNamesAndDropsProse(t *testing.T) {
	const in = `{"type":"object","description":"d","title":"t","x-github":1,"example":{"a":1},
		"required":["description"],"properties":{"description":{"type":"string","description":"d"},"x-name":{"enum":["title",null]},"examples":{"type":"array","items":{"title":"t","type":"integer"}}},
		"parameters":[{"name":"ref","description":"d","x-multi-segment":true}]}`
	const want = `{"type":"object","required":["description"],"properties":{"description":{"type":"string"},"x-name":{"enum":["title",null]},"examples":{"type":"array","items":{"type":"integer"}}},
		"parameters":[{"name":"ref","x-multi-segment":true}]}`
	if diff := cmp.Diff(parse(t, want), trim(parse(t, in), false)); diff != "" {
		t.Error(diff)
	}
}

func TestTrimAPIKeepsWhatIsReferredTo(t *testing.T) {
	doc := parse(t, `{"info":{"title":"T","version":"1","license":{}},
		"paths":{"/a":{"get":{"responses":{"200":{"description":"D","content":{"application/json":{"schema":{"$ref":"#/components/schemas/one"}}}}}},"put":{}},"/b":{"get":{}}},
		"components":{"schemas":{"one":{"items":{"$ref":"#/components/schemas/two"}},"two":{"anyOf":[{"$ref":"#/components/schemas/one"}]},"three":{}}}}`).(object)
	got, err := trimAPI(doc, subset{operations: []operation{{"get", "/a"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `{"openapi":"3.0.3","info":{"title":"T","version":"1","license":{}},
		"paths":{"/a":{"get":{"responses":{"200":{"description":"","content":{"application/json":{"schema":{"$ref":"#/components/schemas/one"}}}}}}}},
		"components":{"schemas":{"one":{"items":{"$ref":"#/components/schemas/two"}},"two":{"anyOf":[{"$ref":"#/components/schemas/one"}]}}}}`)
	if diff := cmp.Diff(want, parse(t, string(encode(t, got)))); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnknownNameInTheListIsAnError(t *testing.T) {
	for _, line := range []string{"GET", "GET /nowhere", "EVENT nothing"} {
		keep, err := parseSubset("# comment\n\n" + line)
		if err == nil {
			_, err = trimAPI(object{}, keep)
		}
		if err == nil {
			_, err = trimHooks(object{}, keep)
		}
		if err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
}

func TestAReferenceThatLeadsNowhereIsAnError(t *testing.T) {
	for _, ref := range []string{"#/components/schemas/gone", "#/paths/x", "other.json"} {
		if _, err := closure(object{}, object{"$ref": ref}); err == nil {
			t.Errorf("%s was followed", ref)
		}
	}
}

func TestBreakLinesChangesNoValue(t *testing.T) {
	const doc = `{"a":{"b":{"c":"{\"x\", [","d":[1,{"e":2}]},"f":{}},"g":["h",{"i":{}}]}`
	got, err := breakLines([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parse(t, doc), parse(t, string(got))); diff != "" {
		t.Error(diff)
	}
}

func TestExtractWantsEveryFile(t *testing.T) {
	var raw bytes.Buffer
	zw := gzip.NewWriter(&raw)
	tw := tar.NewWriter(zw)
	for _, name := range []string{"other", "wanted"} {
		if err := tw.WriteHeader(&tar.Header{Name: name, Size: 1, Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := extract(bytes.NewReader(raw.Bytes()), "wanted")
	if err != nil || string(files["wanted"]) != "x" || len(files) != 1 {
		t.Errorf("got %q, %v; want the one file", files, err)
	}
	if _, err := extract(bytes.NewReader(raw.Bytes()), "missing"); err == nil {
		t.Error("a missing file was no error")
	}
}

func parse(t *testing.T, raw string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
