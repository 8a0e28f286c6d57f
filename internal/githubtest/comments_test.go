package githubtest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

const commentsPath = repoPath + "/issues/1/comments"

func commentPath(id int64) string { return repoPath + "/issues/comments/" + strconv.FormatInt(id, 10) }

func TestCommentLimits(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		name string
		body any
		want int
	}{
		{"a plain text", obj{"body": "hello"}, http.StatusCreated},
		{"65536 characters are allowed, also wide ones", obj{"body": strings.Repeat("é", 65536)}, http.StatusCreated},
		{"one more is not", obj{"body": strings.Repeat("x", 65537)}, http.StatusUnprocessableEntity},
		{"an empty text", obj{"body": ""}, http.StatusUnprocessableEntity},
		{"blanks only", obj{"body": " \n"}, http.StatusUnprocessableEntity},
		{"no text", obj{}, http.StatusUnprocessableEntity},
		{"a text that is a number", obj{"body": 1}, http.StatusUnprocessableEntity},
		{"no object", "text", http.StatusUnprocessableEntity},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			f.call("POST", commentsPath, tt.body).want(tt.want)
		})
	}
	f.call("POST", repoPath+"/issues/2/comments", obj{"body": "x"}).want(http.StatusNotFound)
}

func TestComments(t *testing.T) {
	f := newFixture(t)
	theirs, err := f.s.Comment(repoName, 1, "mallory", "/ortest hello")
	f.must(err)
	f.clock.add(time.Minute)
	ours := f.call("POST", commentsPath, obj{"body": "seen"}).want(http.StatusCreated)
	if login := ours.body["user"].(obj)["login"]; login != "ortest[bot]" {
		t.Errorf("the App comments as %v", login)
	}
	since := f.clock.now().Format(time.RFC3339)
	if got := f.call("GET", commentsPath+"?since="+since, nil).want(http.StatusOK).list; len(got) != 1 {
		t.Errorf("since lists %d comments, want 1", len(got))
	}
	f.clock.add(time.Minute)
	f.call("PATCH", commentPath(ours.id()), obj{"body": "done"}).want(http.StatusOK)
	got := f.call("GET", commentPath(ours.id()), nil).want(http.StatusOK).body
	if got["body"] != "done" || got["updated_at"] == got["created_at"] {
		t.Errorf("after an update: %v", got)
	}
	f.call("PATCH", commentPath(theirs), obj{"body": "forged"}).want(http.StatusForbidden)
	f.must(f.s.DeleteComment(ours.id(), "alice"))
	f.call("GET", commentPath(ours.id()), nil).want(http.StatusNotFound)
	f.call("PATCH", commentPath(ours.id()), obj{"body": "again"}).want(http.StatusNotFound)
	if _, err := f.s.Comment(repoName, 1, "nobody", "x"); err == nil {
		t.Error("an unknown account may comment")
	}
}

func TestPaging(t *testing.T) {
	f := newFixture(t)
	for range 5 {
		_, err := f.s.Comment(repoName, 1, "alice", "x")
		f.must(err)
	}
	first := f.call("GET", commentsPath+"?per_page=2", nil).want(http.StatusOK)
	link := first.header.Get("Link")
	if len(first.list) != 2 || !strings.Contains(link, `page=2&per_page=2>; rel="next"`) || !strings.Contains(link, `page=3&per_page=2>; rel="last"`) {
		t.Errorf("first page: %d comments, Link %s", len(first.list), link)
	}
	last := f.call("GET", commentsPath+"?per_page=2&page=3", nil).want(http.StatusOK)
	if link := last.header.Get("Link"); len(last.list) != 1 || strings.Contains(link, "next") {
		t.Errorf("last page: %d comments, Link %s", len(last.list), link)
	}
	if beyond := f.call("GET", commentsPath+"?page=9", nil).want(http.StatusOK); len(beyond.list) != 0 {
		t.Errorf("beyond the last page are %d comments", len(beyond.list))
	}
}

func TestReactions(t *testing.T) {
	f := newFixture(t)
	id, err := f.s.Comment(repoName, 1, "alice", "/ortest hello")
	f.must(err)
	path := commentPath(id) + "/reactions"
	first := f.call("POST", path, obj{"content": "eyes"}).want(http.StatusCreated)
	again := f.call("POST", path, obj{"content": "eyes"}).want(http.StatusOK)
	if first.id() != again.id() {
		t.Error("the same reaction twice is two reactions")
	}
	f.call("POST", path, obj{"content": "confused"}).want(http.StatusCreated)
	f.call("POST", path, obj{"content": "shrug"}).want(http.StatusUnprocessableEntity)
	c, err := f.s.Conversation(repoName, 1)
	f.must(err)
	if counts := c.Comments[0].Counts(); counts["eyes"] != 1 || counts["confused"] != 1 {
		t.Errorf("reactions = %v", counts)
	}
}

func TestPermission(t *testing.T) {
	f := newFixture(t)
	for login, want := range map[string][2]string{
		"alice": {"write", "maintain"}, "ALICE": {"write", "maintain"}, "mallory": {"read", "read"}, "examples": {"admin", "admin"},
	} {
		got := f.call("GET", repoPath+"/collaborators/"+login+"/permission", nil).want(http.StatusOK).body
		if got["permission"] != want[0] || got["role_name"] != want[1] {
			t.Errorf("%s has %v, %v; want %v", login, got["permission"], got["role_name"], want)
		}
	}
	f.call("GET", repoPath+"/collaborators/nobody/permission", nil).want(http.StatusNotFound)
}
