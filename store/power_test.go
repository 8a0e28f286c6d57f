package store

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/ortest/ortest/bot"
)

// TestTheLossOfPower takes from SQLite's log, at every length, what the disk may not have yet:
// all that was written since the last flush. What a write returned for is there, a delivery
// may be missing, and nothing is damaged.
func TestTheLossOfPower(t *testing.T) {
	ctx, path := t.Context(), onSQLite.name(t)
	s := open(t, path)
	add(t, s, aRun(1))
	log, err := os.ReadFile(path + "-wal") // AddRun has flushed it
	if err != nil {
		t.Fatal(err)
	}
	sure := len(log)
	must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping"}))
	if err := s.FinishDelivery(ctx, "g1", "done"); err != nil {
		t.Fatal(err)
	}
	if log, err = os.ReadFile(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(log) <= sure {
		t.Fatalf("the log has %d bytes, and %d before the delivery", len(log), sure)
	}
	const part = 1 << 10 // not only whole pages
	seen := make(map[string]bool)
	for length := len(log); length >= sure; length -= part {
		copied := filepath.Join(t.TempDir(), fmt.Sprint(length))
		for name, b := range map[string][]byte{copied: file, copied + "-wal": log[:length]} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		after, err := Open(ctx, Config{Database: copied, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("with %d bytes of %d: %v", length, len(log), err)
		}
		if _, err := after.Run(ctx, "1"); err != nil {
			t.Errorf("with %d bytes of %d: %v", length, len(log), err)
		}
		d, err := after.Delivery(ctx, "g1")
		seen[fmt.Sprint(err == nil, " ", d.Outcome)] = true
		check(t, "it takes what comes again", must[bool](t)(after.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping"})), d.Outcome == "")
		if err := after.Close(); err != nil {
			t.Error(err)
		}
	}
	check(t, "what was left of the delivery", seen, map[string]bool{"false ": true, "true ": true, "true done": true})
}
