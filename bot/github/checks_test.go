package github

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/bot"
)

// annotated is a check run with n annotations; each has its number as message.
func annotated(n int) bot.CheckRun {
	c := bot.CheckRun{ID: 8, Name: "ortest / t-hello", External: "1", Status: "completed", Conclusion: "failure", Title: "2 failures", Summary: "s"}
	for i := range n {
		c.Annotations = append(c.Annotations, bot.Annotation{Path: "t/a.t", Line: i + 1, EndLine: i + 1, Level: "failure", Message: fmt.Sprint(i)})
	}
	return c
}

// numbers are the annotations that each of the requests carried, as first-last.
func numbers(t *testing.T, sent []string) (all []string) {
	for _, s := range sent {
		method, _, _ := strings.Cut(s, " ")
		if method == "GET" {
			all = append(all, "read")
			continue
		}
		got := decoded(t, s)
		if got.Output.Title == "" || got.Output.Summary == "" || got.Name == "" {
			t.Errorf("a request lacks name, title or summary: %.300s", s)
		}
		span := "none"
		if a := got.Output.Annotations; len(a) > 0 {
			span = a[0].Message + "-" + a[len(a)-1].Message
		}
		all = append(all, method+" "+span)
	}
	return all
}

func TestAnnotationsGoInBatchesAndNoneTwice(t *testing.T) {
	for _, tt := range []struct {
		name   string
		create bool
		have   int // that GitHub counts already
		want   int
		sent   []string
	}{
		{name: "none: one request", want: 0, sent: []string{"PATCH none"}},
		{name: "exactly 50: one request", want: 50, sent: []string{"read", "PATCH 0-49"}},
		{name: "51: two", want: 51, sent: []string{"read", "PATCH 0-49", "PATCH 50-50"}},
		{name: "120 at creation: three", create: true, want: 120, sent: []string{"POST 0-49", "PATCH 50-99", "PATCH 100-119"}},
		{name: "a repeat after a crash sends the rest", have: 50, want: 120, sent: []string{"read", "PATCH 50-99", "PATCH 100-119"}},
		{name: "a repeat after all were sent sends none", have: 120, want: 120, sent: []string{"read", "PATCH none"}},
		{name: "more on GitHub than wanted is left", have: 130, want: 120, sent: []string{"read", "PATCH none"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, a := scripted(t, map[string][]answer{
				"POST " + under + "/check-runs":    {{code: 201, body: `{"id":8}`}},
				"GET " + under + "/check-runs/8":   {{code: 200, body: fmt.Sprintf(`{"id":8,"output":{"annotations_count":%d}}`, tt.have)}},
				"PATCH " + under + "/check-runs/8": {{code: 200, body: `{"id":8}`}},
			})
			var err error
			if tt.create {
				_, err = f.CreateCheckRun(t.Context(), hello, head, annotated(tt.want))
			} else {
				err = f.UpdateCheckRun(t.Context(), hello, annotated(tt.want))
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.sent, numbers(t, a.sent)); d != "" {
				t.Errorf("requests (-want +got):\n%s", d)
			}
		})
	}
}

func TestACheckRunThatExistsIsNamedThoughItsAnnotationsFailed(t *testing.T) {
	f, a := scripted(t, map[string][]answer{
		"POST " + under + "/check-runs":    {{code: 201, body: `{"id":8}`}},
		"PATCH " + under + "/check-runs/8": {{code: 502}},
	})
	id, err := f.CreateCheckRun(t.Context(), hello, head, annotated(51))
	if id != 8 || err == nil {
		t.Errorf("got %d, %v", id, err)
	}
	if len(a.sent) != 2 {
		t.Errorf("annotations were sent again without a look: %d requests", len(a.sent))
	}
}

func TestAnUpdateWithoutAnnotationsIsRepeated(t *testing.T) {
	f, a := scripted(t, map[string][]answer{"PATCH " + under + "/check-runs/8": {{code: 502}, {code: 200, body: `{"id":8}`}}})
	c := bot.CheckRun{ID: 8, Name: "n", Status: "in_progress", StartedAt: time.Date(2026, 1, 2, 15, 0, 0, 5, time.UTC)}
	if err := f.UpdateCheckRun(t.Context(), hello, c); err != nil {
		t.Fatal(err)
	}
	want := "PATCH " + under + `/check-runs/8 {"name":"n","status":"in_progress","started_at":"2026-01-02T15:00:00Z"}`
	if d := cmp.Diff([]string{want, want}, a.sent); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

func TestCheckRunsAreOurOwnOfAllPages(t *testing.T) {
	list1 := "GET " + under + "/commits/" + head + "/check-runs?app_id=42&filter=all&page=1&per_page=100"
	f, _ := scripted(t, map[string][]answer{
		list1: {{code: 200, link: under + "/commits/x/check-runs?page=2", body: `{"total_count":3,"check_runs":[
			{"id":1,"name":"ortest / verdict","external_id":"1","status":"completed","conclusion":"success","details_url":"http://d","output":{"title":"t","summary":"s","text":"x"},"started_at":"2026-01-02T15:00:00Z","completed_at":"2026-01-02T15:00:01Z","app":{"id":42}},
			{"id":2,"name":"lint","status":"queued","app":{"id":43}}]}`}},
		strings.Replace(list1, "page=1&", "page=2&", 1): {{code: 200, body: `{"total_count":3,"check_runs":[{"id":3,"name":"ortest / verdict","external_id":"2","status":"queued","app":{"id":42}}]}`}},
	})
	got, err := f.CheckRuns(t.Context(), hello, head)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	want := []bot.CheckRun{
		{ID: 1, Name: "ortest / verdict", External: "1", Status: "completed", Conclusion: "success", Details: "http://d", Title: "t", Summary: "s", Text: "x", StartedAt: at, CompletedAt: at.Add(time.Second)},
		{ID: 3, Name: "ortest / verdict", External: "2", Status: "queued"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("check runs (-want +got):\n%s", d)
	}
}

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want string
	}{
		{name: "exactly the limit stays", in: "12345678", want: "12345678"},
		{name: "a byte more is cut and shown", in: "123456789", want: "12345…"},
		{name: "no character is cut in two", in: "1234äöü", want: "1234…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := limit(tt.in, 8); got != tt.want || !utf8.ValidString(got) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
