package lane

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	for _, tt := range []struct {
		name, stat string
		want       Process
		ok         bool
	}{
		{"a line of the process table", "7 (nginx) S 3 5 5 0", Process{PID: 7, Parent: 3, Group: 5, Name: "nginx"}, true},
		{"a name with blanks and brackets", "7 (a) R 1 (b) Z 3 5 5 0", Process{PID: 7, Parent: 3, Group: 5, Name: "a) R 1 (b", Dead: true}, true},
		{"too short", "7 (nginx) S 3", Process{}, false},
		{"no name", "7 nginx S 3 5", Process{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := ParseStat(7, []byte(tt.stat)); got != tt.want || ok != tt.ok {
				t.Errorf("ParseStat = %+v, %v", got, ok)
			}
		})
	}
}

func TestHold(t *testing.T) {
	begun := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begun.Add(d) }
	dead, alive, orphan := Process{PID: 8, Parent: 7, Dead: true}, Process{PID: 9, Parent: 7}, Process{PID: 10, Parent: 1}
	type look struct {
		all  []Process
		at   time.Duration
		over bool
	}
	for _, tt := range []struct {
		name  string
		limit time.Duration
		looks []look
	}{
		{"a command with a living child is busy", time.Minute, []look{{[]Process{dead, alive}, 0, false}, {[]Process{dead, alive}, time.Hour, false}}},
		{"a command without a child is busy itself", time.Minute, []look{{[]Process{orphan}, 0, false}, {[]Process{orphan}, time.Hour, false}}},
		{"one whose child nobody asks after is held for a quarter of its time", time.Minute,
			[]look{{[]Process{dead, orphan}, 0, false}, {[]Process{dead, orphan}, 15*time.Second - 1, false}, {[]Process{dead, orphan}, 15 * time.Second, true}}},
		{"and for half a minute at most", time.Hour,
			[]look{{[]Process{dead, orphan}, 0, false}, {[]Process{dead, orphan}, 30*time.Second - 1, false}, {[]Process{dead, orphan}, 30 * time.Second, true}}},
		{"a child in between begins anew", time.Minute,
			[]look{{[]Process{dead}, 0, false}, {[]Process{dead, alive}, 10 * time.Second, false}, {[]Process{dead}, 20 * time.Second, false}, {[]Process{dead}, 34 * time.Second, false}, {[]Process{dead}, 35 * time.Second, true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHold(7, tt.limit)
			for _, l := range tt.looks {
				if got := h.Over(l.all, at(l.at)); got != l.over {
					t.Errorf("after %s over is %v, want %v", l.at, got, l.over)
				}
			}
		})
	}
}
