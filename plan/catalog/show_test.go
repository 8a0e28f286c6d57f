package catalog

import (
	"errors"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	c := embeddedCatalog(t)
	for _, tt := range []struct{ name, want string }{
		{"ngx_lua", "repo: https://github.com/openresty/lua-nginx-module"},
		{"tv", "title: valgrind"},
		{"linux aarch64", "image: ortest-arm64-*"},
		{"1.29.2", "- 1.29.2.5"},
		{"hello", "glob: t/*.t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := c.Show(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			var y, j strings.Builder
			if err := errors.Join(WriteYAML(&y, v), WriteJSON(&j, v)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(y.String(), tt.want) || !strings.HasPrefix(j.String(), "{") {
				t.Errorf("%s\n%s", y.String(), j.String())
			}
		})
	}
	_, err := c.Show("ngx_lau")
	var unknown *UnknownError
	if !errors.As(err, &unknown) || len(unknown.Nearest) == 0 || unknown.Nearest[0] != "ngx_lua" {
		t.Errorf("Show(ngx_lau) = %v", err)
	}
}

func TestSummary(t *testing.T) {
	if s := embeddedCatalog(t).Summary(); !strings.Contains(s, "39 projects and 2 examples, 10 modes, 326 goals, 3 arches, 42 nginx cores") {
		t.Error(s)
	}
}
