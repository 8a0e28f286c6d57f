// Generate writes the part of GitHub's own descriptions that subset.txt names:
// api.json (operations), webhooks.json (payloads), NOTICE (their licence) and
// testdata/examples.json (GitHub's examples of the kept operations).
//
// It is run by go generate in the directory of package contract, needs npm and
// the network, and writes the same bytes for the same packages and subset.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The package, which octokit makes from github/rest-api-description. It holds
// the webhooks too, and newer ones than @octokit/openapi-webhooks has.
const (
	source      = "@octokit/openapi@23.0.2"
	description = "package/generated/api.github.com.json"
	licence     = "package/LICENSE"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("generate: ", err)
	}
}

func run() error {
	raw, err := os.ReadFile("subset.txt")
	if err != nil {
		return fmt.Errorf("read list: %w", err)
	}
	keep, err := parseSubset(string(raw))
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "contract")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer os.RemoveAll(tmp)
	doc, notice, err := load(tmp, source)
	if err != nil {
		return err
	}
	examples, err := examplesOf(doc, keep)
	if err != nil {
		return err
	}
	api, err := trimAPI(doc, keep)
	if err != nil {
		return err
	}
	hooks, err := trimHooks(doc, keep)
	if err != nil {
		return err
	}
	notice = fmt.Sprintf("api.json, webhooks.json and testdata/examples.json are excerpts of GitHub's REST API\n"+
		"description, taken from the npm package %s:\n\n%s", source, notice)
	return errors.Join(
		write("api.json", api), write("webhooks.json", hooks),
		write(filepath.Join("testdata", "examples.json"), examples),
		os.WriteFile("NOTICE", []byte(notice), 0o644),
	)
}

// subset is what subset.txt asks to keep.
type subset struct {
	operations []operation
	events     []string
}

// operation is one method of one path of the description.
type operation struct{ method, path string }

func (o operation) String() string { return strings.ToUpper(o.method) + " " + o.path }

func parseSubset(text string) (subset, error) {
	var s subset
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, ok := strings.Cut(line, " ")
		switch {
		case !ok:
			return s, fmt.Errorf("subset.txt:%d: want METHOD PATH or EVENT NAME", n+1)
		case word == "EVENT":
			s.events = append(s.events, rest)
		default:
			s.operations = append(s.operations, operation{strings.ToLower(word), rest})
		}
	}
	return s, nil
}

// load downloads a package and returns its description and licence. The
// package is read as a stream: unpacked it has half a gigabyte.
func load(dir, name string) (doc map[string]any, notice string, err error) {
	cmd := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, name)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, "", fmt.Errorf("download %s: %w", name, err)
	}
	f, err := os.Open(filepath.Join(dir, filepath.Base(strings.TrimSpace(string(out)))))
	if err != nil {
		return nil, "", fmt.Errorf("open package: %w", err)
	}
	defer f.Close()
	files, err := extract(f, description, licence)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(files[description], &doc); err != nil {
		return nil, "", fmt.Errorf("parse %s: %w", name, err)
	}
	return doc, string(files[licence]), nil
}

// extract returns the named files of a gzipped tar archive; it is an error if
// one is missing.
func extract(r io.Reader, names ...string) (map[string][]byte, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for tr := tar.NewReader(zr); len(files) < len(names); {
		head, err := tr.Next()
		if err != nil {
			return nil, fmt.Errorf("want the files %q: %w", names, err)
		}
		for _, name := range names {
			if head.Name != name {
				continue
			}
			if files[name], err = io.ReadAll(tr); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// write writes a document with one path, schema or example to a line, so that
// a new version of the description can be read as a difference.
func write(file string, doc any) error {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("encode %s: %w", file, err)
	}
	lines, err := breakLines(raw.Bytes())
	if err != nil {
		return fmt.Errorf("format %s: %w", file, err)
	}
	return os.WriteFile(file, lines, 0o644)
}

// breakLines starts a new line before each name that is at most lineDepth
// objects deep. Map keys are sorted by the encoder, so the bytes are stable.
func breakLines(raw []byte) ([]byte, error) {
	const lineDepth = 3
	var out bytes.Buffer
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		out.WriteByte(c)
		switch {
		case inString && c == '\\':
			i++
			out.WriteByte(raw[i])
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			if c == '{' && depth <= lineDepth {
				out.WriteByte('\n')
			}
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth <= lineDepth:
			out.WriteByte('\n')
		}
	}
	if !json.Valid(out.Bytes()) {
		return nil, errors.New("broke the document")
	}
	return out.Bytes(), nil
}
