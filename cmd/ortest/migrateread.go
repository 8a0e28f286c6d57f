package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The old tools, by where they lie below the folder of logs.
const (
	oldDurations = "ast.json"
	oldList      = "parse-logs"
	oldImages    = "run-node"
	oldGoals     = "gen-user-data"
	oldLinks     = "gen-report"
)

// maxOldFile is far above any file of the old tools.
const maxOldFile = 64 << 20

// oldCheckout is a checkout of the old tools. What its files hold is read and never run.
type oldCheckout struct {
	dir  string
	logs string // the tools' folder below dir
}

// openOpsboy finds the old tools in a checkout, or in their own folder of it.
func openOpsboy(dir string) (oldCheckout, error) {
	if err := checkDir(dir); err != nil {
		return oldCheckout{}, usage(fmt.Errorf("read checkout: %w; give the folder of a clone of openresty/opsboy", err))
	}
	names := []string{oldList, oldGoals, oldImages, "dispatcher", oldLinks}
	for _, logs := range []string{"misc/logs", "."} {
		for _, name := range names {
			if info, err := os.Stat(filepath.Join(dir, logs, name)); err == nil && info.Mode().IsRegular() {
				return oldCheckout{dir: dir, logs: logs}, nil
			}
		}
	}
	return oldCheckout{}, usage(fmt.Errorf("%s is no checkout of opsboy: misc/logs has none of %s; give the folder of a clone of openresty/opsboy",
		shownText(dir), strings.Join(names, ", ")))
}

// tool returns where one of the old tools lies below the checkout.
func (o oldCheckout) tool(name string) string { return path.Join(o.logs, name) }

// read returns a file of the checkout; false: it has none of that name.
func (o oldCheckout) read(name string) (text string, ok bool, err error) {
	full := filepath.Join(o.dir, filepath.FromSlash(name))
	info, err := os.Stat(full)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", full)
	}
	if err == nil && info.Size() > maxOldFile {
		err = fmt.Errorf("%s is larger than %d bytes", full, maxOldFile)
	}
	if err != nil {
		return "", false, usage(fmt.Errorf("read checkout: %w", err))
	}
	f, err := os.Open(full)
	if err != nil {
		return "", false, usage(fmt.Errorf("read checkout: %w", err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxOldFile))
	return string(b), err == nil, err
}

// revision is the commit of the checkout, or "master" where git does not say it.
func (o oldCheckout) revision() string {
	head, _, _ := o.read(".git/HEAD")
	head = strings.TrimSpace(head)
	if ref, ok := strings.CutPrefix(head, "ref: "); ok && filepath.IsLocal(ref) {
		head, _, _ = o.read(".git/" + ref)
		head = strings.TrimSpace(head)
		if packed, _, _ := o.read(".git/packed-refs"); head == "" {
			for line := range strings.Lines(packed) {
				if commit, name, _ := strings.Cut(strings.TrimSpace(line), " "); name == ref {
					head = commit
				}
			}
		}
	}
	if reCommit.MatchString(head) {
		return head
	}
	return "master"
}

var reCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// broken says in which file what is wrong.
func broken(file string, err error) error {
	return usage(fmt.Errorf("%s: %w; nothing was written: repair it, or move the file away", file, err))
}

// oldEntry is an entry of the old list as the importer reads it.
type oldEntry struct {
	Project string `json:"project"`
	Mode    any    `json:"mode,omitempty"`
	File    any    `json:"file,omitempty"`
	Name    any    `json:"name,omitempty"`
	Details any    `json:"details,omitempty"`
	Arch    any    `json:"arch,omitempty"`
	line    int
}

// oldEntries are those of the old list, by project and else in its order; left are
// those that no reader of the program can know.
func oldEntries(text, file string) (all []oldEntry, left []migrateNote, line int, err error) {
	list, _, found, err := perlVariable(text, "%white_list")
	if err == nil && !found {
		err = errors.New(`line 1: it has no "my %white_list = ("`)
	}
	if err != nil {
		return nil, nil, 0, broken(file, err)
	}
	keys, values, lost := list.pairs()
	for _, k := range lost {
		left = append(left, noteAt(lineOf(file, k.line), k.text, "twice in the list", "Perl takes the later list of that name"))
	}
	for i, k := range keys {
		if values[i].kind != perlList || k.kind != perlText {
			left = append(left, noteAt(lineOf(file, k.line), k.text, "no list of entries", clipped(values[i].text)))
			continue
		}
		for _, v := range values[i].items {
			e, why := newOldEntry(k.text, v)
			if why != "" {
				left = append(left, noteAt(lineOf(file, v.line), k.text, "not written as text", why))
				continue
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b oldEntry) int { return cmp.Compare(a.Project, b.Project) })
	return all, left, list.line, nil
}

// newOldEntry is [mode, file, name, details, arch], the last ones optional; why says
// what is wrong with it.
func newOldEntry(project string, v perlValue) (e oldEntry, why string) {
	e = oldEntry{Project: project, line: v.line}
	if v.kind != perlList {
		return e, "want [mode, file, name, details, arch], found " + clipped(v.text)
	}
	fields := []*any{&e.Mode, &e.File, &e.Name, &e.Details, &e.Arch}
	if len(v.items) == 0 || len(v.items) > len(fields) {
		return e, fmt.Sprintf("it has %d fields, want 1 to %d", len(v.items), len(fields))
	}
	for i, item := range v.items {
		pattern := i == 2 || i == 3
		switch {
		case item.kind == perlUndef:
		case item.kind == perlText:
			*fields[i] = item.text
		case item.kind == perlRegex && pattern && item.text != "":
			*fields[i] = map[string]string{"regex": item.text}
		default:
			return e, fmt.Sprintf("field %d is no text that can be read without running it: %s", i+1, clipped(item.text))
		}
	}
	return e, ""
}

// asList is what the importer reads.
func asList(all []oldEntry) ([]byte, error) {
	if all == nil {
		all = []oldEntry{}
	}
	return json.Marshal(all)
}

func clipped(text string) string {
	if text == "" {
		return "something else"
	}
	return shortened(text)
}
