package githubtest

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// fileDiff is one file that differs between two commits.
type fileDiff struct {
	path, before   string // before is the old name of a renamed file
	status         string // added, removed, modified, renamed
	blob           string // SHA of the new content
	added, deleted int    // lines; none in a binary file
	patch          string
}

// count returns how many commits head has that base has not.
func (g gitDir) count(ctx context.Context, repo, base, head string) (int, error) {
	out, err := g.run(ctx, repo, "rev-list", "--count", base+".."+head)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

// diff returns what head changed since it left base.
func (g gitDir) diff(ctx context.Context, repo, base, head string) ([]fileDiff, error) {
	span := base + "..." + head
	raw, err := g.run(ctx, repo, "diff", "--raw", "--no-abbrev", "-M", "-z", span)
	if err != nil {
		return nil, err
	}
	files, err := parseRaw(raw)
	if err != nil {
		return nil, err
	}
	text, err := g.run(ctx, repo, "diff", "-M", "--no-color", span)
	if err != nil {
		return nil, err
	}
	return addPatches(files, text), nil
}

// parseRaw reads git diff --raw -z.
func parseRaw(raw []byte) ([]fileDiff, error) {
	fields := strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
	var files []fileDiff
	for i := 0; i+1 < len(fields); i += 2 {
		meta := strings.Fields(strings.TrimPrefix(fields[i], ":"))
		if len(meta) != 5 {
			return nil, fmt.Errorf("parse diff: %q", fields[i])
		}
		f := fileDiff{path: fields[i+1], blob: meta[3]}
		switch meta[4][0] {
		case 'A':
			f.status = "added"
		case 'D':
			f.status, f.blob = "removed", meta[2]
		case 'R':
			if i+2 >= len(fields) {
				return nil, fmt.Errorf("parse diff: %q has no new name", fields[i])
			}
			f.status, f.before, f.path = "renamed", fields[i+1], fields[i+2]
			i++
		default:
			f.status = "modified"
		}
		files = append(files, f)
	}
	return files, nil
}

// addPatches gives each file its part of a diff, which lists the files in the
// same order.
func addPatches(files []fileDiff, text []byte) []fileDiff {
	i := -1
	var at bool // past the header of the file
	for chunk := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(chunk, []byte("diff --git ")):
			i, at = i+1, false
		case bytes.HasPrefix(chunk, []byte("@@ ")):
			at = true
		}
		if !at || i < 0 || i >= len(files) {
			continue
		}
		f := &files[i]
		f.patch += string(chunk)
		switch chunk[0] {
		case '+':
			f.added++
		case '-':
			f.deleted++
		}
	}
	for i := range files {
		files[i].patch = strings.TrimSuffix(files[i].patch, "\n")
	}
	return files
}

func (s *Server) diffEntry(repo Repository, head string, f fileDiff) obj {
	html := s.cfg.URL + "/" + repo.FullName()
	e := obj{
		"sha": f.blob, "filename": f.path, "status": f.status,
		"additions": f.added, "deletions": f.deleted, "changes": f.added + f.deleted,
		"blob_url":     html + "/blob/" + head + "/" + escapePath(f.path),
		"raw_url":      html + "/raw/" + head + "/" + escapePath(f.path),
		"contents_url": s.apiURL() + "/repos/" + repo.FullName() + "/contents/" + escapePath(f.path) + "?ref=" + head,
	}
	if f.patch != "" {
		e["patch"] = f.patch
	}
	if f.before != "" {
		e["previous_filename"] = f.before
	}
	return e
}
