package examples

import (
	"bytes"
	"strings"
	"testing"
)

func TestProject(t *testing.T) {
	base, err := Project("hello", Good)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ variant, changes string }{
		{"fail", "lib/languages.lua"},
		{"memory", "src/greet.c"},
		{"leak", "lib/visits.lua"},
	} {
		t.Run("variant "+tt.variant+" differs in exactly one file", func(t *testing.T) {
			got, err := Project("hello", tt.variant)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(base) {
				t.Errorf("%d files, want %d", len(got), len(base))
			}
			for name, content := range got {
				if same := bytes.Equal(content, base[name]); same == (name == tt.changes) {
					t.Errorf("%s: same as in %s is %v", name, Good, same)
				}
			}
		})
	}
}

func TestEveryProjectIsWhole(t *testing.T) {
	for _, name := range Names() {
		for _, variant := range Variants() {
			files, err := Project(name, variant)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"Makefile", "README.md", ".gitignore"} {
				if files[want] == nil {
					t.Errorf("%s %s has no %s", name, variant, want)
				}
			}
			for file := range files {
				if strings.HasPrefix(file, "build/") || strings.HasPrefix(file, "/") {
					t.Errorf("%s %s: stray file %s", name, variant, file)
				}
			}
		}
	}
}

func TestUnknownNamesAreRefusedWithTheKnownOnes(t *testing.T) {
	for _, tt := range []struct{ name, variant, want string }{
		{"helo", Good, "hello, tally"},
		{"hello", "bad", "good, fail, memory, leak"},
	} {
		if _, err := Project(tt.name, tt.variant); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Project(%q, %q) = %v, want the names %s", tt.name, tt.variant, err, tt.want)
		}
	}
}

func TestExecutable(t *testing.T) {
	for content, want := range map[string]bool{"#!/bin/sh\n": true, "": false, "# text": false} {
		if Executable([]byte(content)) != want {
			t.Errorf("Executable(%q) is not %v", content, want)
		}
	}
}
