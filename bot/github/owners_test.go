package github

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/bot"
)

// TestRepositoriesAreOfTheOwners has a public App that four accounts have installed,
// one of which has suspended it.
func TestRepositoriesAreOfTheOwners(t *testing.T) {
	ours := bot.Repo{Installation: 7, Owner: "OpenResty", Name: "code"}
	eves, calios := bot.Repo{Installation: 8, Owner: "eve", Name: "code"}, bot.Repo{Installation: 9, Owner: "calio", Name: "code"}
	for _, tt := range []struct {
		name   string
		owners []string
		want   []bot.Repo
		asked  string // installations that tokens were asked for
	}{
		{name: "without owners all are served", want: []bot.Repo{ours, eves, calios}, asked: "7 8 9"},
		{name: "an owner that is named is served, whatever the case, and nobody else asked", owners: []string{"openresty"}, want: []bot.Repo{ours}, asked: "7"},
		{name: "several owners are served", owners: []string{"openresty", "Calio"}, want: []bot.Repo{ours, calios}, asked: "7 9"},
		{name: "where no owner has installed it nobody is served", owners: []string{"open"}},
		{name: "an owner that has suspended it is not served", owners: []string{"gone"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				id, isToken := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/app/installations/"), "/access_tokens")
				switch {
				case r.URL.Path == "/app/installations":
					_, _ = io.WriteString(w, `[{"id":7,"account":{"login":"OpenResty"}},{"id":8,"account":{"login":"eve"}},{"id":9,"account":{"login":"calio"}},
						{"id":10,"account":{"login":"gone"},"suspended_at":"2026-01-02T15:00:00Z"}]`)
				case isToken:
					asked = append(asked, id)
					w.WriteHeader(http.StatusCreated)
					_, _ = fmt.Fprintf(w, `{"token":"ghs_%s","expires_at":%q}`, id, time.Now().Add(time.Hour).Format(time.RFC3339))
				case r.URL.Path == "/installation/repositories":
					owner := map[string]string{"token ghs_7": "OpenResty", "token ghs_8": "eve", "token ghs_9": "calio"}[r.Header.Get("Authorization")]
					_, _ = fmt.Fprintf(w, `{"total_count":1,"repositories":[{"name":"code","owner":{"login":%q}}]}`, owner)
				default:
					t.Errorf("unexpected request %s", r.URL)
				}
			}))
			t.Cleanup(srv.Close)
			key, err := appKey()
			if err != nil {
				t.Fatal(err)
			}
			f, err := New(Config{AppID: 42, Key: key, BaseURL: srv.URL, Owners: tt.owners, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Repositories(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" || strings.Join(asked, " ") != tt.asked {
				t.Errorf("tokens for %v; repositories (-want +got):\n%s", asked, d)
			}
		})
	}
}
