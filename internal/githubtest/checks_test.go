package githubtest

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

const checksPath = repoPath + "/check-runs"

func checkPath(id int64) string { return checksPath + "/" + strconv.FormatInt(id, 10) }

func annotations(n int) []obj {
	out := make([]obj, n)
	for i := range out {
		out[i] = obj{"path": "t/01.t", "start_line": i + 1, "end_line": i + 1, "annotation_level": "failure", "message": "not ok"}
	}
	return out
}

func output(more obj) obj {
	o := obj{"title": "t", "summary": "s"}
	maps.Copy(o, more)
	return o
}

func TestCheckRunRefusals(t *testing.T) {
	f := newFixture(t)
	const created, refused = http.StatusCreated, http.StatusUnprocessableEntity
	action := func(label, description, identifier string) obj {
		return obj{"label": label, "description": description, "identifier": identifier}
	}
	x := strings.Repeat
	one := func(change obj) obj {
		a := annotations(1)[0]
		maps.Copy(a, change)
		return obj{"output": output(obj{"annotations": []obj{a}})}
	}
	for _, tt := range []struct {
		name string
		body obj
		want int
	}{
		{"a queued one", obj{}, created},
		{"no name", obj{"name": nil}, refused},
		{"no commit", obj{"head_sha": nil}, refused},
		{"a commit that is not there", obj{"head_sha": x("0", 40)}, refused},
		{"a short commit", obj{"head_sha": f.head[:10]}, refused},
		{"completed with a conclusion", obj{"status": "completed", "conclusion": "success"}, created},
		{"completed without a conclusion", obj{"status": "completed"}, refused},
		{"an end without a conclusion", obj{"completed_at": "2026-11-21T12:00:00Z"}, refused},
		{"a conclusion alone completes", obj{"conclusion": "failure"}, created},
		{"a conclusion while in progress", obj{"status": "in_progress", "conclusion": "failure"}, refused},
		{"an unknown status", obj{"status": "done"}, refused},
		{"an unknown conclusion", obj{"conclusion": "fine"}, refused},
		{"stale is GitHub's own conclusion", obj{"conclusion": "stale"}, refused},
		{"65535 characters of summary", obj{"output": output(obj{"summary": x("x", 65535)})}, created},
		{"one more", obj{"output": output(obj{"summary": x("x", 65536)})}, refused},
		{"65535 characters of text", obj{"output": output(obj{"text": x("x", 65535)})}, created},
		{"one more of text", obj{"output": output(obj{"text": x("x", 65536)})}, refused},
		{"255 characters of title", obj{"output": output(obj{"title": x("x", 255)})}, created},
		{"one more of title", obj{"output": output(obj{"title": x("x", 256)})}, refused},
		{"an output without title", obj{"output": obj{"summary": "s"}}, refused},
		{"an output without summary", obj{"output": obj{"title": "t"}}, refused},
		{"50 annotations", obj{"output": output(obj{"annotations": annotations(50)})}, created},
		{"51 annotations", obj{"output": output(obj{"annotations": annotations(51)})}, refused},
		{"an annotation without path", one(obj{"path": ""}), refused},
		{"an annotation without lines", one(obj{"start_line": nil}), refused},
		{"an annotation that ends before it starts", one(obj{"start_line": 2, "end_line": 1}), refused},
		{"an annotation of line 0", one(obj{"start_line": 0, "end_line": 0}), refused},
		{"an annotation of no level", one(obj{"annotation_level": "error"}), refused},
		{"an annotation without message", one(obj{"message": ""}), refused},
		{"64 KiB of message", one(obj{"message": x("x", 65536)}), created},
		{"one byte more of message", one(obj{"message": x("x", 65537)}), refused},
		{"columns on one line", one(obj{"start_column": 1, "end_column": 2}), created},
		{"columns over two lines", one(obj{"end_line": 2, "start_column": 1}), refused},
		{"three buttons of the longest texts", obj{"actions": []obj{action(x("l", 20), x("d", 40), x("i", 20)), action("a", "b", "c"), action("a", "b", "d")}}, created},
		{"four buttons", obj{"actions": []obj{action("a", "b", "c"), action("a", "b", "d"), action("a", "b", "e"), action("a", "b", "f")}}, refused},
		{"a label of 21", obj{"actions": []obj{action(x("l", 21), "d", "i")}}, refused},
		{"a description of 41", obj{"actions": []obj{action("l", x("d", 41), "i")}}, refused},
		{"an identifier of 21", obj{"actions": []obj{action("l", "d", x("i", 21))}}, refused},
		{"a button without a label", obj{"actions": []obj{action("", "d", "i")}}, refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			body := obj{"name": "ortest / verdict", "head_sha": f.head}
			maps.Copy(body, tt.body)
			f.call("POST", checksPath, body).want(tt.want)
		})
	}
}

func TestCheckRunLife(t *testing.T) {
	f := newFixture(t)
	id := f.call("POST", checksPath, obj{"name": "ortest / verdict", "head_sha": f.head, "external_id": "1"}).want(http.StatusCreated).id()
	f.call("PATCH", checkPath(id), obj{"status": "in_progress", "output": output(obj{"annotations": annotations(50)})}).want(http.StatusOK)
	got := f.call("PATCH", checkPath(id), obj{"conclusion": "failure", "output": obj{"summary": "bad", "annotations": annotations(3)}}).want(http.StatusOK).body
	if got["status"] != "completed" || got["completed_at"] == nil || got["external_id"] != "1" {
		t.Errorf("completed check run: %v", got)
	}
	if out := got["output"].(obj); out["annotations_count"] != 53.0 || out["title"] != "t" || out["summary"] != "bad" {
		t.Errorf("annotations are not added to those before, or the title is lost: %v", out)
	}
	f.call("PATCH", checkPath(id), obj{"status": "completed"}).want(http.StatusUnprocessableEntity)
	if list := f.call("GET", checkPath(id)+"/annotations?per_page=100", nil).want(http.StatusOK).list; len(list) != 53 {
		t.Errorf("%d annotations listed, want 53", len(list))
	}
	f.call("PATCH", checkPath(id+999), obj{"name": "x"}).want(http.StatusNotFound)
	f.must(f.s.Rerequest(id, "alice"))
	if got := f.call("GET", checkPath(id), nil).body; got["status"] != "queued" || got["conclusion"] != nil || got["completed_at"] != nil {
		t.Errorf("requested again: %v", got)
	}
}

func TestListCheckRuns(t *testing.T) {
	f := newFixture(t)
	create := func(name string) int64 {
		return f.call("POST", checksPath, obj{"name": name, "head_sha": f.head}).want(http.StatusCreated).id()
	}
	create("a")
	newest := create("a")
	create("b")
	for query, want := range map[string]float64{
		"": 2, "?filter=all": 3, "?check_name=a": 1, "?check_name=a&filter=all": 2,
		"?app_id=7&filter=all": 3, "?app_id=8&filter=all": 0, "?status=completed": 0,
	} {
		got := f.call("GET", repoPath+"/commits/"+f.head+"/check-runs"+query, nil).want(http.StatusOK).body
		if got["total_count"] != want {
			t.Errorf("%q lists %v, want %v", query, got["total_count"], want)
		}
	}
	got := f.call("GET", repoPath+"/commits/"+f.head+"/check-runs?check_name=a", nil).body
	if id := got["check_runs"].([]any)[0].(obj)["id"]; id != float64(newest) {
		t.Errorf("latest is %v, want %d", id, newest)
	}
	f.call("GET", repoPath+"/commits/fix/check-runs", nil).want(http.StatusOK)
	f.call("GET", repoPath+"/commits/nothing/check-runs", nil).want(http.StatusUnprocessableEntity)
}
