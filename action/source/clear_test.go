package source

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestClear(t *testing.T) {
	now := time.Now()
	const day = 24 * time.Hour
	type one struct {
		name string
		ago  time.Duration // of its last use
		size int
		held bool // by another run
	}
	for _, tt := range []struct {
		name string
		size int64 // that all may take
		have []one
		left []string
	}{
		{"what is young and small stays", 100, []one{{"a", day, 50, false}, {"b", 2 * day, 50, false}}, []string{"a", "b"}},
		{"a month is the limit", 100, []one{{"a", maxAge, 1, false}, {"b", maxAge + time.Second, 1, false}}, []string{"a"}},
		{"one byte too many costs what was used the longest ago", 100, []one{{"a", 2 * day, 50, false}, {"b", 3 * day, 51, false}, {"c", day, 10, false}}, []string{"a", "c"}},
		{"what is used stays, however old and large", 100, []one{{"a", 2 * maxAge, 500, true}, {"b", day, 10, false}}, []string{"a", "b"}},
		{"what was just got stays, however large", 100, []one{{"a", fresh, 500, false}, {"b", fresh + time.Second, 500, false}}, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, other := &Store{Dir: dir}, &Store{Dir: dir}
			for _, o := range tt.have {
				from := s
				if o.held {
					from = other
				}
				dir, err := from.Make(t.Context(), "nginx", o.name, time.Time{}, func(out string) error {
					return os.WriteFile(filepath.Join(out, "file"), make([]byte, o.size), 0o644)
				})
				if err != nil {
					t.Fatal(err)
				}
				at := now.Add(-o.ago)
				if err := os.Chtimes(dir+".used", at, at); err != nil {
					t.Fatal(err)
				}
			}
			s.made = false // what Close clears by itself is not what is tested
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.clear(now, tt.size); err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, o := range tt.have {
				_, err := os.Stat(filepath.Join(s.Dir, "nginx", o.name, "file"))
				_, errDone := os.Stat(filepath.Join(s.Dir, "nginx", o.name+".done"))
				if (err == nil) != (errDone == nil) {
					t.Errorf("%s is half there", o.name)
				}
				if err == nil {
					left = append(left, o.name)
				}
			}
			slices.Sort(left)
			if !slices.Equal(left, tt.left) {
				t.Errorf("left are %v, want %v", left, tt.left)
			}
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestWhatWasClearedIsMadeAgain(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	made := 0
	fill := func(string) error { made++; return nil }
	for range 2 {
		dir, err := s.Make(t.Context(), "tools", "x", time.Time{}, fill)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("a new build is cleared: %v", err)
		}
	}
	if err := s.clear(time.Now().Add(2*maxAge), 0); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(filepath.Join(s.Dir, "tools")); err != nil || len(list) != 0 {
		t.Errorf("left are %v, %v", list, err)
	}
	if _, err := s.Make(t.Context(), "tools", "x", time.Time{}, fill); err != nil || made != 2 {
		t.Errorf("made %d times, %v", made, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
