package botless

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ortest/ortest/runnerfleet/ec2"
)

// TestSignIn goes from GitHub's statement to AWS's credentials: the statement is
// asked for AWS alone, the role is assumed with it, and what comes back signs calls.
func TestSignIn(t *testing.T) {
	var asked, assumed, signed string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /statement", func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Authorization") + " " + r.URL.Query().Get("audience") + " " + r.URL.Query().Get("api-version")
		fmt.Fprint(w, `{"value":"a.statement.of-github"}`)
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/xml")
		if r.PostForm.Get("Action") == "AssumeRoleWithWebIdentity" {
			assumed = strings.Join([]string{r.PostForm.Get("RoleArn"), r.PostForm.Get("WebIdentityToken"), r.PostForm.Get("RoleSessionName")}, " ")
			fmt.Fprint(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
				`<AccessKeyId>ASIAFORANHOUR</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>`+
				`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
			return
		}
		signed = r.Header.Get("Authorization")
		fmt.Fprint(w, `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet/></DescribeInstancesResponse>`)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "", "AWS_ROLE_SESSION_NAME": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": srv.URL, "ORTEST_AWS_ROLE": "arn:aws:iam::123456789012:role/ortest", "GITHUB_RUN_ID": "77",
		"RUNNER_TEMP": t.TempDir(), "ACTIONS_ID_TOKEN_REQUEST_URL": srv.URL + "/statement?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer",
	} {
		t.Setenv(k, v)
	}
	j := Job{Log: slog.New(slog.DiscardHandler)}
	if err := j.signIn(context.Background()); err != nil {
		t.Fatal(err)
	}
	reaper, err := ec2.OpenReaper(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reaper.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "Bearer bearer sts.amazonaws.com 2"; asked != want {
		t.Errorf("GitHub was asked %q, want %q", asked, want)
	}
	if want := "arn:aws:iam::123456789012:role/ortest a.statement.of-github ortest-77"; assumed != want {
		t.Errorf("assumed %q, want %q", assumed, want)
	}
	if !strings.Contains(signed, "Credential=ASIAFORANHOUR/") {
		t.Errorf("signed with %q", signed)
	}
	for _, k := range []string{"ACTIONS_ID_TOKEN_REQUEST_URL", "ORTEST_AWS_ROLE"} {
		t.Run("without "+k, func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv(k, "")
			if err := j.signIn(context.Background()); err == nil {
				t.Error("nothing was missed")
			}
		})
	}
}
