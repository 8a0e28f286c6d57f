package catalog

import (
	"strings"
	"testing"
	"testing/fstest"
)

func overlay(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

const good = "name: new\nkind: c-library\nrepo: https://github.com/a/new\n"

func TestLoadSaysWhereAndWhat(t *testing.T) {
	for _, tt := range []struct {
		name string
		file string
		text string
		want string
	}{
		{"an unknown key has a place and the nearest", "projects/new.yaml", good + "servces: [redis]\n", `projects/new.yaml:4:1: unknown key "servces"; did you mean services?`},
		{"an unknown key within test too", "projects/new.yaml", good + "test: {blob: t/*.t}\n", `projects/new.yaml:4:8: unknown key "blob"; did you mean glob?`},
		{"a key twice is refused", "projects/new.yaml", good + "kind: cli\n", "projects/new.yaml:4:1: "},
		{"broken YAML has a place", "projects/new.yaml", good + "modes: [t\n", "projects/new.yaml:4:8: "},
		{"an unknown kind", "projects/new.yaml", "name: new\nkind: c-libary\nrepo: https://github.com/a/new\n", `projects/new.yaml:2:7: unknown kind "c-libary"; did you mean c-library?`},
		{"an unknown mode", "projects/new.yaml", good + "modes: [t, tq]\n", `projects/new.yaml:4:12: unknown mode "tq"; did you mean t`},
		{"a mode that the kind does not have", "projects/new.yaml", good + "modes: [t, th]\n", "projects/new.yaml:4:12: projects of kind c-library have no mode th; they have t tv"},
		{"a mode twice", "projects/new.yaml", good + "modes: [t, t]\n", "projects/new.yaml:4:12: mode t stands twice"},
		{"a mode of mode_env that the kind does not have", "projects/new.yaml", good + "mode_env: {tw: {A: b}}\n", "projects/new.yaml:4:16: projects of kind c-library have no mode tw; they have t tv"},
		{"a mode of test.command that the kind does not have", "projects/new.yaml", good + "test: {command: {tw: [a]}}\n", "projects/new.yaml:4:22: projects of kind c-library have no mode tw; they have t tv"},
		{"a second document", "projects/new.yaml", good + "---\nname: two\n", "projects/new.yaml:4:1: a second document begins"},
		{"a need of itself", "projects/new.yaml", good + "needs: [ngx_lua, new]\n", `projects/new.yaml:4:18: project "new" needs itself`},
		{"a source of itself", "projects/new.yaml", good + "sources: [new]\n", `projects/new.yaml:4:11: project "new" is a source of its own`},
		{"the nginx of a project that is unknown", "projects/new.yaml", good + "nginx: {of: sregx}\n", `projects/new.yaml:4:13: unknown project "sregx"; did you mean sregex?`},
		{"the nginx of a project that has none", "projects/new.yaml", good + "nginx: {of: sregex}\n", `projects/new.yaml:4:13: project "sregex" has no nginx of its own`},
		{"the nginx of itself", "projects/new.yaml", good + "nginx: {of: new}\n", `projects/new.yaml:4:13: project "new" has no nginx of its own`},
		{"a name behind an alias is where the alias stands", "kinds.yaml", "- name: a\n  units: &u [ragle]\n- name: b\n  units: *u\n", `kinds.yaml:4:10: unknown unit "ragle"; did you mean ragel?`},
		{"an unknown unit", "projects/new.yaml", good + "units: [ragle]\n", `projects/new.yaml:4:9: unknown unit "ragle"; did you mean ragel?`},
		{"an unknown service", "projects/new.yaml", good + "services: [rediss]\n", `projects/new.yaml:4:12: unknown service "rediss"; did you mean redis?`},
		{"an unknown need", "projects/new.yaml", good + "needs: [ngx_ech]\n", `projects/new.yaml:4:9: unknown project or source "ngx_ech"; did you mean ngx_echo?`},
		{"a need by the name of its repository", "projects/new.yaml", good + "needs: [lua-nginx-module]\n", `projects/new.yaml:4:9: unknown project or source "lua-nginx-module"; did you mean ngx_lua?`},
		{"a source by the name of its repository", "projects/new.yaml", good + "sources: [luajit2]\n", `projects/new.yaml:4:11: unknown project or source "luajit2"; did you mean luajit-git?`},
		{"a word where a list belongs", "projects/new.yaml", good + "modes: t\n", "projects/new.yaml:4:8: want a list, such as [t]"},
		{"no repository", "projects/new.yaml", "name: new\nkind: c-library\n", "projects/new.yaml:1:7: repo is missing: want repo: https://github.com/OWNER/NAME"},
		{"another ending than .yaml", "projects/new.yml", good, "projects/new.yml:1:1: a catalog's files end in .yaml; rename it"},
		{"a mode of mode_env", "projects/new.yaml", good + "mode_env: {tz: {A: b}}\n", `unknown mode "tz"`},
		{"another host than github.com", "projects/new.yaml", "name: new\nkind: c-library\nrepo: https://example.com/a/b\n", "projects/new.yaml:3:7: repo"},
		{"a name that is not the file's", "projects/other.yaml", good, `projects/other.yaml:1:7: name is "new"`},
		{"a name that is a mode's", "projects/tv.yaml", "name: tv\nkind: c-library\nrepo: https://github.com/a/new\n", "not a mode's name"},
		{"a glob that leaves the project", "projects/new.yaml", good + "test: {glob: ../t/*.t}\n", "projects/new.yaml:4:14: glob"},
		{"a serial file that is not there", "projects/new.yaml", good + "files: {t/01.t: 1}\nserial: [t/01.t, t/10.t]\n", `projects/new.yaml:5:18: no test file under files is "t/10.t"; did you mean t/01.t?`},
		{"a serial pattern that is none", "projects/new.yaml", good + "serial: ['t/[']\n", `projects/new.yaml:4:10: pattern "t/["`},
		{"a negative number of blocks", "projects/new.yaml", good + "files: {t/a.t: -1}\n", "-1 blocks"},
		{"an empty build command", "projects/new.yaml", good + "build: [[]]\n", "build command"},
		{"a variable's name with a dash", "projects/new.yaml", good + "env: {A-B: c}\n", `"A-B" is no name of a variable`},
		{"units in a circle", "units.yaml", "- {name: a, needs: [b]}\n- {name: b, needs: [c]}\n- {name: c, needs: [b]}\n", "units.yaml:2:20: units need each other in a circle: b -> c -> b"},
		{"a misspelt folder", "project/new.yaml", good, "project/new.yaml:1:1: no such file in a catalog; did you mean projects/new.yaml?"},
		{"expectations of nobody", "expectations/ngx_ech.yaml", "[]\n", `expectations/ngx_ech.yaml:1:1: unknown project "ngx_ech"; did you mean ngx_echo?`},
		{"a release on another core", "releases.yaml", "1.29.2: [1.29.3.1]\n", "release 1.29.3.1 is no release on core 1.29.2"},
		{"a spot price above the other", "arches.yaml", "- {name: linux x86_64, image: x, prices_of: '2025-01-01', types: [{name: c5.large, cores: 2, on_demand: 1, spot: 2}]}\n", "spot no higher"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(overlay(map[string]string{tt.file: tt.text}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load = %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestOverlay(t *testing.T) {
	base := embeddedCatalog(t)
	c, err := Load(overlay(map[string]string{
		"projects/new.yaml":     good,
		"expectations/new.yaml": "- known: true\n",
		"README.md":             "not read",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Revision == base.Revision || len(c.Revision) != 16 {
		t.Errorf("revision %q beside %q", c.Revision, base.Revision)
	}
	goals, _, err := c.Goals([]string{"new"}, "")
	if err != nil || names(goals) != "t-new tv-new" {
		t.Errorf("the new project's goals: %s, %v", names(goals), err)
	}
	if b, ok := c.Expectations("new"); !ok || string(b) != "- known: true\n" {
		t.Errorf("expectations %q, %v", b, ok)
	}
	if _, ok := c.Expectations("sregex"); ok {
		t.Error("sregex has expectations out of nowhere")
	}
	all, _, err := c.Goals([]string{"t"}, "")
	if err != nil || all[len(all)-1].Project == "hello" || len(all) != 40 {
		t.Errorf("%d goals in t, %v", len(all), err)
	}
	again, err := Load(overlay(map[string]string{"projects/new.yaml": good, "expectations/new.yaml": "- known: true\n"}))
	if err != nil || again.Revision != c.Revision {
		t.Errorf("the same content has revisions %s and %s", c.Revision, again.Revision)
	}
}

func TestProjectsInherit(t *testing.T) {
	c := embeddedCatalog(t)
	for _, p := range c.Projects() {
		if len(p.Modes) == 0 || p.Test.Glob == "" || len(p.Packages) == 0 {
			t.Errorf("%s: modes %v, glob %q, packages %v", p.Name, p.Modes, p.Test.Glob, p.Packages)
		}
	}
	lua, _ := c.Project("ngx_lua")
	tv, _ := c.Mode("tv")
	to, _ := c.Mode("to")
	for _, tt := range []struct{ got, want string }{
		{lua.Environ(tv)["TEST_NGINX_USE_VALGRIND"], "1"},
		{lua.Environ(tv)["TEST_NGINX_SLEEP"], "0.015"},
		{lua.Environ(tv)["LD_PRELOAD"], "$MOCKEAGAIN_SO"},
		{lua.Environ(tv)["LD_LIBRARY_PATH"], "$LUAJIT_SYSM/lib"},
		{lua.Environ(to)["NGX_BUILD_OPT"], "-O3 -funsigned-char"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
