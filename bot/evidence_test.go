package bot

import (
	"encoding/json"
	"testing"
)

func TestARepeatHidesNoFailure(t *testing.T) {
	entry := func(attempt, seq int, meta string) StoredEntry {
		return StoredEntry{Piece: "p1", Attempt: attempt, Seq: seq, Meta: json.RawMessage(meta)}
	}
	got, err := assemble([]StoredEntry{
		entry(1, 0, `{"seq":0,"manifest":{"goal":"t-hello","repo":"o/hello","commit":"","arch":"","files":[{"path":"t/a.t","blocks":null}]}}`),
		entry(1, 1, `{"seq":1,"file":{"path":"t/a.t","exit":1,"seconds":1,"cpu_seconds":1}}`),
		entry(2, 1, `{"seq":1,"file":{"path":"t/a.t","exit":0,"seconds":1,"cpu_seconds":1}}`),
		entry(2, 2, `{"seq":2,"end":{}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Entries) != 3 || got.Entries[1].File.Exit != 1 || got.Entries[2].End == nil {
		t.Errorf("assembled %+v; want the failure of the first attempt and the end of the second", got.Entries)
	}
}
