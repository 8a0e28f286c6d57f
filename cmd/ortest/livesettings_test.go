package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ortest/ortest/plan/catalog"
)

func overlayOf(settings string) fstest.MapFS {
	return fstest.MapFS{"settings.yaml": {Data: []byte(settings)}}
}

// TestSettingsAreJudgedAsTheyAreUsed has each settings.yaml refused, or usable beside
// every configuration.
func TestSettingsAreJudgedAsTheyAreUsed(t *testing.T) {
	files := map[string]liveConfig{
		"nothing": {}, "a directory": {Catalog: "/srv/catalog"}, "a branch": {Repository: repositoryConfig{URL: "https://x.org/c", Branch: "main"}},
	}
	for _, tt := range []struct{ name, text, refused string }{
		{"settings of runs are taken", "time: 90\nbudgets: {day: {usd: 7}}\n", ""},
		{"no setting at all is taken", "# none\n", ""},
		{"a catalog directory is refused", "catalog: x\n", "catalog and repository belong in the server's own configuration"},
		{"a repository is refused", "repository: {url: 'https://x.org/c'}\n", "catalog and repository belong in the server's own configuration"},
		{"a part of a repository is refused", "repository: {every: 1h}\n", "catalog and repository belong in the server's own configuration"},
		{"a release that is repeated after just a minute is taken", "release: [{branches: [main], every: 1m}]\n", ""},
		{"a release that is repeated sooner is refused", "release: [{branches: [main], every: 59s}]\n", "live.release[0]: every, override: less than a minute"},
		{"a release of nothing is refused", "release: [{every: 1h}]\n", "live.release[0]: branches, tags"},
		{"an unknown key is refused", "tiem: 1\n", "tiem"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadWhole(overlayOf(tt.text))
			if (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("judged %v, want %q", err, tt.refused)
			}
			c, err := catalog.Load(overlayOf(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			for name, file := range files {
				merged, err := mergeSettings(file, c)
				if (err == nil) != (tt.refused == "") || merged.Catalog != file.Catalog || merged.Repository != file.Repository {
					t.Errorf("beside %s: %+v %v, want %q", name, merged, err, tt.refused)
				}
			}
		})
	}
}

// TestSettingsThatCannotBeUsedHoldTheServer starts on a revision that an earlier program
// has kept: nothing can be started, what the file says counts, and a newer revision mends it.
func TestSettingsThatCannotBeUsedHoldTheServer(t *testing.T) {
	for _, bad := range []string{"catalog: x\n", "repository: {url: 'https://x.org/c'}\n", "release: [{branches: [main], every: 1s}]\n", "tiem: 1\n"} {
		t.Run(strings.TrimSpace(bad), func(t *testing.T) {
			dir, log := t.TempDir(), new(bytes.Buffer)
			revisions := kept(filepath.Join(dir, "d"))
			c, err := revisions.Use(overlayOf("teams: [eve/all]\n" + bad))
			if err != nil {
				t.Fatal(err)
			}
			l := liveOf(t, dir, "{repository: {url: 'https://x.org/c'}, time: 30}", log)
			got := l.settings()
			if l.catalog.Load().Revision != c.Revision || !strings.Contains(got.Maintenance, c.Revision) || got.Limit != 30*time.Minute || len(got.Teams)+len(l.rules()) > 0 {
				t.Errorf("after the start %s counts with %+v %+v, want %s held", l.catalog.Load().Revision, got, l.rules(), c.Revision)
			}
			if n := strings.Count(log.String(), "settings beside the catalog cannot be used"); n != 1 || !strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("it says so %d times: %s", n, log)
			}
			path := filepath.Join(dir, "ortest.yaml")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, bytes.Replace(text, []byte("time: 30"), []byte("time: 30, kill: by hand, maintenance: new disks"), 1), 0o600); err != nil {
				t.Fatal(err)
			}
			l.reload()
			if got := l.settings(); got.Kill != "by hand" || got.Maintenance != "new disks" || l.refused.Load() {
				t.Errorf("kill and maintenance of the file do not count: %+v", got)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			good, err := revisions.Use(overlayOf("time: 90\n"))
			if err != nil {
				t.Fatal(err)
			}
			l.reload()
			if got := l.settings(); l.catalog.Load().Revision != good.Revision || got.Limit != 90*time.Minute || got.Maintenance != "" || got.Kill != "" {
				t.Errorf("a good revision does not mend it: %s %+v", l.catalog.Load().Revision, got)
			}
			if err := l.rollback(c.Revision); err == nil {
				t.Error("a command puts it in force again")
			}
			if _, err := revisions.Rollback(c.Revision); err != nil { // by an earlier program
				t.Fatal(err)
			}
			l.reload()
			if got := l.settings(); l.catalog.Load().Revision != good.Revision || got.Maintenance != "" {
				t.Errorf("a rollback to it while the server works: %s %+v", l.catalog.Load().Revision, got)
			}
		})
	}
}
