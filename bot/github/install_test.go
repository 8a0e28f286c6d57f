package github

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ortest/ortest/bot"
)

// branches is the part of a repository that Propose sees: it remembers branches,
// their files and its pull requests.
type branches struct {
	about map[string]any
	off   bool
	heads map[string]map[string]string // branch: path: text
	pulls []string                     // branches
	wrote int
}

func (s *branches) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	say := func(code int, v any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	path := strings.TrimPrefix(r.URL.Path, "/repos/o/r")
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in)
	if r.Method != http.MethodGet {
		s.wrote++
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer t":
		say(401, nil)
	case path == "" && s.about == nil:
		say(404, nil)
	case path == "":
		say(200, s.about)
	case path == "/actions/permissions":
		say(200, map[string]any{"enabled": !s.off})
	case strings.HasPrefix(path, "/git/ref/heads/"):
		b := strings.TrimPrefix(path, "/git/ref/heads/")
		if s.heads[b] == nil {
			say(404, nil)
			return
		}
		say(200, map[string]any{"ref": "refs/heads/" + b, "object": map[string]any{"sha": "1"}})
	case path == "/git/refs":
		b := strings.TrimPrefix(in["ref"].(string), "refs/heads/")
		s.heads[b] = map[string]string{}
		for k, v := range s.heads["trunk"] {
			s.heads[b][k] = v
		}
		say(201, map[string]any{"ref": in["ref"]})
	case strings.HasPrefix(path, "/contents/") && r.Method == http.MethodPut:
		text, _ := base64.StdEncoding.DecodeString(in["content"].(string))
		s.heads[in["branch"].(string)][strings.TrimPrefix(path, "/contents/")] = string(text)
		say(200, map[string]any{})
	case strings.HasPrefix(path, "/contents/"):
		text, ok := s.heads[r.URL.Query().Get("ref")][strings.TrimPrefix(path, "/contents/")]
		if !ok {
			say(404, nil)
			return
		}
		say(200, map[string]any{"type": "file", "encoding": "base64", "sha": "b", "content": base64.StdEncoding.EncodeToString([]byte(text))})
	case path == "/pulls" && r.Method == http.MethodPost:
		s.pulls = append(s.pulls, in["head"].(string)+"->"+in["base"].(string))
		say(201, map[string]any{"html_url": "https://x/pull/1"})
	case path == "/pulls":
		var all []any
		for range s.pulls {
			all = append(all, map[string]any{"html_url": "https://x/pull/1", "state": "open", "head": map[string]any{"ref": "ortest-workflows"}})
		}
		say(200, all)
	default:
		say(500, map[string]any{"message": fmt.Sprint("not known: ", r.Method, path)})
	}
}

func TestPropose(t *testing.T) {
	repo := bot.Repo{Installation: 1, Owner: "o", Name: "r"}
	trunk := func() *branches {
		return &branches{about: map[string]any{"default_branch": "trunk"}, heads: map[string]map[string]string{"trunk": {"a.yml": "old"}}}
	}
	propose := func(t *testing.T, s *branches, p Proposal) (Proposed, error) {
		t.Helper()
		srv := httptest.NewServer(s)
		defer srv.Close()
		f, err := WithToken(Config{BaseURL: srv.URL, Log: slog.New(slog.DiscardHandler)}, repo, "t")
		if err != nil {
			t.Fatal(err)
		}
		p.Branch, p.Title = "ortest-workflows", "Add"
		return f.Propose(t.Context(), repo, p)
	}
	files := map[string][]byte{"a.yml": []byte("new"), "b.yml": []byte("b")}

	s := trunk()
	for i := range 2 {
		got, err := propose(t, s, Proposal{Files: files})
		if err != nil || got.URL == "" || got.Opened != (i == 0) || len(got.Changed) != 2 || len(s.pulls) != 1 || s.pulls[0] != "ortest-workflows->trunk" {
			t.Fatalf("time %d: %+v, %v, pull requests %v", i+1, got, err, s.pulls)
		}
	}
	if s.heads["trunk"]["a.yml"] != "old" || s.heads["ortest-workflows"]["a.yml"] != "new" {
		t.Errorf("branches %v", s.heads)
	}
	s.heads["trunk"], s.wrote = s.heads["ortest-workflows"], 0
	if got, err := propose(t, s, Proposal{Files: files}); err != nil || got.URL != "" || s.wrote != 0 {
		t.Errorf("what is there was proposed: %+v, %v", got, err)
	}

	for _, tt := range []struct {
		name   string
		change func(*branches)
		fork   bool
		want   string // in the error, or among the notes
		odd    bool
	}{
		{"a fork", func(s *branches) {
			s.about["fork"], s.about["parent"] = true, map[string]any{"full_name": "up/stream"}
		}, false, "is a fork of up/stream", true},
		{"a fork on its own", func(s *branches) { s.about["fork"] = true }, true, "it is a fork", false},
		{"a private one", func(s *branches) { s.about["private"] = true }, false, "it is private", false},
		{"without Actions", func(s *branches) { s.off = true }, false, "Actions is off", true},
		{"an archived one", func(s *branches) { s.about["archived"] = true }, false, "archived", true},
		{"an empty one", func(s *branches) { s.about["default_branch"] = "" }, false, "push a first commit", true},
		{"one that is not seen", func(s *branches) { s.about = nil }, false, "may not see it", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := trunk()
			tt.change(s)
			got, err := propose(t, s, Proposal{Files: files, Fork: tt.fork})
			said := strings.Join(got.Notes, "\n")
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, tt.want) || errors.Is(err, ErrOdd) != tt.odd {
				t.Errorf("said %q (%v), want %q", said, err, tt.want)
			}
			if tt.odd && s.wrote != 0 {
				t.Errorf("%d writes", s.wrote)
			}
		})
	}
}
