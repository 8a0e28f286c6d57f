package plan

import (
	"strings"
	"testing"
)

func TestHistoryWriteText(t *testing.T) {
	var h History
	file := seen(2, 1, "")
	file.File = "t/a.t"
	for _, o := range []Observation{seen(10, 1, ""), seen(20, 2, ""), seen(15, 3, "failed"), seen(1, 4, "interrupted"), seen(20, 5, ""), file} {
		if err := h.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	known, err := h.WriteText(&b, "t-x")
	want := "t-x\n" +
		"  linux x86_64 1.29.2 (whole)                        mean 17.38s, p90 20s, 3 runs, newest 2026-11-05  ▅█x.█\n" +
		"  linux x86_64 1.29.2 t/a.t                          mean 2s, p90 2s, 1 runs, newest 2026-11-01\n"
	if err != nil || !known || b.String() != want {
		t.Errorf("known %v, %v\n%s\nwant\n%s", known, err, b.String(), want)
	}
	if known, err := h.WriteText(&b, "t-y"); known || err != nil {
		t.Errorf("t-y is known: %v, %v", known, err)
	}
}
