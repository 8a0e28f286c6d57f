package contract

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"strings"
	"testing"
)

//go:embed testdata/webhooks.jsonl
var sentJSON []byte

// sent is a webhook that GitHub sent.
type sent struct {
	Event   string
	Payload json.RawMessage
}

func sentByGitHub(t *testing.T) []sent {
	t.Helper()
	var all []sent
	lines := bufio.NewScanner(bytes.NewReader(sentJSON))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sent
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		t.Fatal("no payloads")
	}
	return all
}

func TestWebhooksThatGitHubSentPass(t *testing.T) {
	for _, s := range sentByGitHub(t) {
		if err := Webhook(s.Event, s.Payload); err != nil {
			t.Error(err)
		}
	}
}

func TestWebhookFaultsAreNamed(t *testing.T) {
	issueComment, checkRun := payloadOf(t, "issue_comment"), payloadOf(t, "check_run")
	cases := []struct {
		name, event string
		payload     string
		want        string // part of the error
	}{
		{"a payload that is no JSON", "ping", `{`, "is no JSON"},
		{"a payload that is no object", "ping", `[1]`, "is no object"},
		{"an action that GitHub does not have", "issue_comment", edit(t, issueComment, `"renamed"`, "action"), "has no issue_comment-renamed"},
		{"an event that GitHub does not have", "comment", `{}`, "has no comment"},
		{"a missing object", "issue_comment", edit(t, issueComment, ``, "comment"), `/comment: property "comment" is missing`},
		{"a missing field inside", "issue_comment", edit(t, issueComment, ``, "comment", "user"), `/comment/user: property "user" is missing`},
		{"a value of another type", "issue_comment", edit(t, issueComment, `"7"`, "comment", "id"), "/comment/id: value must be an integer"},
		{"null where GitHub sends none", "issue_comment", edit(t, issueComment, `null`, "repository"), "/repository: Value is not nullable"},
		{"a word that is not on the list", "issue_comment", edit(t, issueComment, `"FRIEND"`, "comment", "author_association"), "/comment/author_association: value is not one of the allowed values"},
		{"a time in another format", "issue_comment", edit(t, issueComment, `"21 Nov 2026"`, "comment", "created_at"), `/comment/created_at: string doesn't match the format "date-time"`},
		{"a fault in one part of an allOf", "issue_comment", edit(t, issueComment, `"x"`, "issue", "comments"), "/issue/comments: value must be an integer"},
		{"no installation although the receiver is an App", "issue_comment", edit(t, issueComment, ``, "installation"), "/installation: is missing"},
		{"a completed check run without conclusion", "check_run", edit(t, edit(t, checkRun, `null`, "check_run", "conclusion"), `"completed"`, "check_run", "status"), "/check_run/conclusion: is missing although status is completed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := Webhook(c.event, []byte(c.payload))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want it to contain %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 500) {
				t.Errorf("the error is no short line: %v", err)
			}
		})
	}
}

// payloadOf returns the payload of an event.
func payloadOf(t *testing.T, event string) (payload string) {
	t.Helper()
	for _, s := range sentByGitHub(t) {
		if s.Event == event {
			payload = string(s.Payload)
		}
	}
	return payload
}

// edit sets the field at a path of a JSON object, or removes it when value is "".
func edit(t *testing.T, object, value string, path ...string) string {
	t.Helper()
	var whole fields
	if err := json.Unmarshal([]byte(object), &whole); err != nil {
		t.Fatal(err)
	}
	at := any(whole)
	for _, name := range path[:len(path)-1] {
		at = step(at, name)
	}
	last := path[len(path)-1]
	if inner := at.(fields); value == "" {
		delete(inner, last)
	} else {
		inner[last] = json.RawMessage(value)
	}
	raw, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// step goes to a field, or to the first item where name is "0".
func step(v any, name string) any {
	if name == "0" {
		return v.([]any)[0]
	}
	return v.(fields)[name]
}
