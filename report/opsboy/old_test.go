package opsboy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// old is the old parser: parse-logs in the checkout of openresty/opsboy that
// OPSBOY names.
type old struct{ script string }

// olds is the old parser if it is at hand. What is compared with it is compared
// with none otherwise: testdata then stands for it.
func olds() []old {
	if dir := os.Getenv("OPSBOY"); dir != "" {
		return []old{{filepath.Join(dir, "misc", "logs", "parse-logs")}}
	}
	return nil
}

// run returns the old parser's answer, or that it died of the logs, and the
// CPU time it took.
func (o old) run(t testing.TB, logs ...string) (answer []byte, died bool, cpu float64) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "old.json")
	cmd := exec.CommandContext(t.Context(), "perl", append([]string{o.script, "-o", out}, logs...)...)
	said, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !bytes.Contains(said, []byte("BEGIN failed")) {
		return nil, true, 0
	}
	if err == nil {
		answer, err = os.ReadFile(out)
	}
	if err != nil {
		t.Fatalf("run %s: %v\n%s", o.script, err, said)
	}
	return answer, false, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
}

// TestAgainstOldParser compares the two parsers on logs that nobody has seen:
// those of testdata, cut, mixed and damaged.
func TestAgainstOldParser(t *testing.T) {
	for _, o := range olds() {
		logs := [][]byte{}
		for _, file := range append(glob(t, "testdata/logs/*.log.gz"), glob(t, "../testdata/logs/*.log")...) {
			logs = append(logs, read(t, file))
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range 150 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				var made [][]byte
				var files []string
				for n := range 1 + rng.IntN(3) {
					made = append(made, damage(rng, logs))
					files = append(files, filepath.Join(t.TempDir(), fmt.Sprint(n, ".log")))
					if err := os.WriteFile(files[n], made[n], 0o600); err != nil {
						t.Fatal(err)
					}
				}
				got := parse(t, made...)
				if want, died, _ := o.run(t, files...); !died {
					sameValue(t, got, undated(t, want, got))
				}
			})
		}
	}
}

// damage makes a log that was not there before.
func damage(rng *rand.Rand, logs [][]byte) []byte {
	log := logs[rng.IntN(len(logs))]
	other := logs[rng.IntN(len(logs))]
	lines := bytes.SplitAfter(log, []byte("\n"))
	shuffle := func(parts [][]byte) {
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	switch rng.IntN(6) {
	case 0: // cut
		return log[:rng.IntN(len(log))]
	case 1: // the end of one, then another
		return slices.Concat(log[rng.IntN(len(log)):], other)
	case 2: // lines of a part mixed
		from := rng.IntN(len(lines))
		shuffle(lines[from:min(from+300, len(lines))])
	case 3: // lines lost
		one := 2 + rng.IntN(50)
		lines = slices.DeleteFunc(lines, func([]byte) bool { return rng.IntN(one) == 0 })
	case 4: // the lines of another between
		more := bytes.SplitAfter(other, []byte("\n"))
		for range 40 {
			lines = slices.Insert(lines, rng.IntN(len(lines)), more[rng.IntN(len(more))])
		}
	case 5: // goals in another order
		goals := bytes.Split(log, []byte("\nmaking "))
		shuffle(goals[1:])
		return bytes.Join(goals, []byte("\nmaking "))
	}
	return bytes.Join(lines, nil)
}

// undated returns the old answer without the dates that got has none for: the
// old parser makes up what the end of a log has cut off.
func undated(t *testing.T, old, got []byte) []byte {
	t.Helper()
	o, g := value(t, old), value(t, got)
	records, ours := o.(map[string]any)["records"].([]any), g.(map[string]any)["records"].([]any)
	for i := range min(len(records), len(ours)) {
		if r := ours[i].(map[string]any); r["commit_date"] == nil {
			if _, ok := r["commit_date"]; ok {
				records[i].(map[string]any)["commit_date"] = nil
			}
		}
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
