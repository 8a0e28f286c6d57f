package action

import (
	"testing"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/recipe"
)

func TestTheOptionsOfARunReachTheSuite(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options plan.Options
		nginx   *recipe.Nginx
		want    string
	}{
		{"-c is for the servers of a suite", plan.Options{RestyCore: true}, &recipe.Nginx{}, strictCore},
		{"and for no suite without servers", plan.Options{RestyCore: true}, nil, ""},
		{"without it they begin with nothing", plan.Options{}, &recipe.Nginx{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &run{cfg: Config{Piece: Piece{Options: tt.options}, Project: plan.Project{Nginx: tt.nginx}}, vars: map[string]string{}}
			r.environs()
			if got := lookup(r.env, "TEST_NGINX_INIT_BY_LUA"); got != tt.want {
				t.Errorf("TEST_NGINX_INIT_BY_LUA is %q, want %q", got, tt.want)
			}
			if got := lookup(r.buildEnv, "TEST_NGINX_INIT_BY_LUA"); got != "" {
				t.Errorf("the build sees %q", got)
			}
		})
	}
}
