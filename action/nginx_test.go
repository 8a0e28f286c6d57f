package action

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ortest/ortest/action/source"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/recipe"
)

// building is a run that has its sources: a module under test, one beside it,
// and one that needs a library which is not there.
func building(t *testing.T, env ...string) *run {
	t.Helper()
	work := t.TempDir()
	quiet, err := openSpool("", io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{src: filepath.Join(work, "my-module"), spool: quiet, vars: map[string]string{}, tmp: t.TempDir(), buildEnv: env}
	r.cfg.Workspace = work
	r.cfg.Project.Recipe.Sources = []recipe.Source{
		{Name: "other", Repo: "https://github.com/a/other-module"},
		{Name: "library", Repo: "https://github.com/a/library-module", Requires: "LIBRARY", Optional: true},
		{Name: "gone", Repo: "https://github.com/a/gone-module", Optional: true},
		{Name: "needed", Repo: "https://github.com/a/needed-module"},
		{Name: "lua", Repo: "https://github.com/a/lua-module", Requires: "LUAJIT"},
	}
	shared := filepath.Join(work, "shared", "linked-1")
	if err := errors.Join(os.MkdirAll(filepath.Join(shared, "t", "fake"), 0o755), os.Symlink(shared, filepath.Join(work, "linked-module"))); err != nil {
		t.Fatal(err)
	}
	r.beside = append(r.beside, &checkedOut{dir: shared, link: filepath.Join(work, "linked-module")})
	for _, dir := range []string{"my-module/t/fake", "other-module", "library-module", "lua-module"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestConfigureArgs(t *testing.T) {
	const options = "--with-debug) --with-http_ssl_module) --with-poll_module) --without-http_x_module) --with-threads)"
	mode := []string{"NGX_BUILD_CC=gcc", "NGX_BUILD_OPT=-O1", "NGX_BUILD_CC_OPTS=-DASSERT"}
	for _, tt := range []struct {
		name  string
		env   []string
		ccOpt string
		args  string
		want  string // the folder of the workspace is W
		bad   string
	}{
		{"the mode's compiler and level win", mode, "", "--with-debug --with-cc=clang --with-cc-opt=-O2", "--with-debug --with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT  -O1 --with-ld-opt=", ""},
		{"-o comes last", mode, "-O0 -g3", "--with-debug", "--with-debug --with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT  -O1 -O0 -g3 --with-ld-opt=", ""},
		{"no debugging where the mode has none, and its own options", []string{"NGX_BUILD_CC=gcc", "NGX_BUILD_OPT=-O3 -funsigned-char", "NGX_BUILD_NO_DEBUG=1", "NGX_BUILD_EXTRA_CONFIG_OPTS=--with-threads"}, "",
			"--with-debug", "--with-threads --with-poll_module --with-cc=gcc --with-cc-opt=-O3 -funsigned-char --with-ld-opt=", ""},
		{"options that the core does not know are left out", mode, "", "--with-http_v3_module --with-http_ssl_module", "--with-http_ssl_module --with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT  -O1 --with-ld-opt=", ""},
		{"modules of the project and beside it", mode, "", "--add-module=W/my-module/../other-module --add-module=W/my-module --add-module=W/my-module/t/fake",
			"--add-module=W/other-module --add-module=W/my-module --add-module=W/my-module/t/fake --with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT  -O1 --with-ld-opt=", ""},
		{"what lies in a module that goals share", mode, "", "--add-module=W/my-module/../linked-module --add-module=../linked-module/t/fake",
			"--add-module=W/shared/linked-1 --add-module=W/shared/linked-1/t/fake --with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT  -O1 --with-ld-opt=", ""},
		{"a relative module", mode, "", "--add-module=../other-module", "--add-module=W/other-module --with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT  -O1 --with-ld-opt=", ""},
		{"what the goal does without is left out", mode, "", "--add-module=W/library-module --add-module=W/gone-module", "--with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT  -O1 --with-ld-opt=", ""},
		{"a module that is needed and not there", mode, "", "--add-module=W/needed-module", "", "the module needed is missing"},
		{"a module whose tool is not there", mode, "", "--add-module=W/lua-module", "", "lua needs LUAJIT"},
		{"a module within the project that is not there", mode, "", "--add-module=W/my-module/t/none", "", "there is none"},
		{"variables that are empty take no neighbour with them", mode, "", "--with-cc-opt=-I -I/usr/include --with-ld-opt=-L -Wl,-rpath,::/usr/local/lib",
			"--with-poll_module --with-cc=gcc --with-cc-opt=-DASSERT -I/usr/include -O1 --with-ld-opt=-Wl,-rpath,/usr/local/lib", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := building(t, tt.env...)
			r.cfg.Piece.Options.CCOpt = tt.ccOpt
			var args []string
			for a := range strings.SplitSeq(strings.ReplaceAll(tt.args, "W/", r.cfg.Workspace+"/"), " --") {
				args = append(args, "--"+strings.TrimPrefix(a, "--"))
			}
			got, err := r.configureArgs(args, r.src, options)
			if tt.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("got %v", err)
				}
				return
			}
			if s := strings.ReplaceAll(strings.Join(got, " "), r.cfg.Workspace+"/", "W/"); err != nil || s != tt.want {
				t.Errorf("got  %s, %v\nwant %s", s, err, tt.want)
			}
		})
	}
}

func TestNginxPatches(t *testing.T) {
	tree := t.TempDir()
	for _, f := range []string{
		"openresty/patches/nginx/1.29.2/nginx-1.29.2-yield.patch", "openresty/patches/nginx/1.29.2/nginx-1.29.2-server_header.patch",
		"openresty/patches/nginx/1.29.2/nginx-1.29.2-no_pool.patch", "openresty/patches/nginx-1.21.4-old_place.patch",
		"no-pool/nginx-1.29.2-no_pool.patch", "no-pool/nginx-1.21.4-no_pool.patch", "no-pool/nginx-1.9.15-no_pool.patch",
	} {
		path := filepath.Join(tree, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("-#define nginx_version 1021004\n-\"1.21.4\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	beside := func(name, dir string) *checkedOut {
		c := &checkedOut{dir: filepath.Join(tree, dir)}
		c.Repo = source.Repo{Source: recipe.Source{Name: name}}
		return c
	}
	for _, tt := range []struct {
		name, version string
		mode          plan.Mode
		want          []string
	}{
		{"the patches of the version, without those that are not for tests", "1.29.2", plan.Mode{Name: "t"}, []string{"nginx-1.29.2-yield.patch", "nginx-1.29.2-no_pool.patch"}},
		{"an optimised build keeps its pools", "1.29.2", plan.Mode{Name: "to", Optimised: true}, []string{"nginx-1.29.2-yield.patch"}},
		{"patches lay elsewhere before", "1.21.4", plan.Mode{Name: "to", Optimised: true}, []string{"nginx-1.21.4-old_place.patch"}},
		{"the nearest no-pool patch before a version", "1.22.1", plan.Mode{Name: "tv"}, []string{"nginx-1.21.4-no_pool.patch"}},
		{"none before the first", "1.8.0", plan.Mode{Name: "tv"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := building(t)
			r.cfg.Mode, r.beside = tt.mode, []*checkedOut{beside("openresty", "openresty"), beside("no-pool-nginx", "no-pool")}
			got, err := r.nginxPatches(tt.version)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range got {
				names = append(names, filepath.Base(p))
			}
			if !slices.Equal(names, tt.want) {
				t.Errorf("got %v, want %v", names, tt.want)
			}
			if tt.version != "1.22.1" {
				return
			}
			if b, err := os.ReadFile(got[0]); err != nil || string(b) != "-#define nginx_version 1022001\n-\"1.22.1\"\n" {
				t.Errorf("moved to the version it says %q, %v", b, err)
			}
		})
	}
}

func TestAScriptIsAskedForItsArguments(t *testing.T) {
	r := building(t)
	var err error
	if r.procs, err = newProcs(); err != nil {
		t.Fatal(err)
	}
	r.cfg = r.cfg.withDefaults()
	r.cfg.Env = os.Environ()
	for _, tt := range []struct{ name, script, want, bad string }{
		{"arguments with blanks", `ngx-build $2 $1 --with-cc-opt="-O2 -g" --add-module=$(pwd)/../x`, "--with-cc-opt=-O2 -g|--add-module=W/my-module/../x", ""},
		{"what forces comes before the version", `ngx-build -f $1 --with-debug`, "--with-debug", ""},
		{"a script that fails", `echo x.rl:3: error: oops >&2; exit 1`, "", "exited with 1: x.rl:3: error: oops"},
		{"a script that builds by itself", `true`, "", "does not call ngx-build"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(r.src, "build.sh"), []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(filepath.Join(r.tmp, "ngx-build.args"))
			got, err := r.askScript(t.Context(), []string{"./build.sh", "1.29.2"}, r.src)
			if tt.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("got %v", err)
				}
				return
			}
			if s := strings.ReplaceAll(strings.Join(got, "|"), r.cfg.Workspace+"/", "W/"); err != nil || s != tt.want {
				t.Errorf("got %s, %v; want %s", s, err, tt.want)
			}
		})
	}
}
