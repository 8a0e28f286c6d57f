package botless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/ortest/ortest/runnerfleet/ec2"
)

// audience is whom GitHub's statement about this job is for.
const audience = "sts.amazonaws.com"

// signIn gets the statement with which GitHub says which job this is, and takes the
// role with it (AssumeRoleWithWebIdentity). The credentials last an hour, and are
// known to this process alone.
func (j Job) signIn(ctx context.Context) error {
	if os.Getenv("AWS_ACCESS_KEY_ID") != "" || os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		return nil // somebody has settled it
	}
	if err := required("ORTEST_AWS_ROLE", "AWS_REGION"); err != nil {
		return err
	}
	at, bearer := os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), os.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if at == "" || bearer == "" {
		return usage(errors.New("GitHub gives this job no identity: the job needs \"permissions: id-token: write\""))
	}
	statement, err := identity(ctx, at, bearer)
	if err != nil {
		return fmt.Errorf("ask GitHub for this job's identity: %w", err)
	}
	credentials, err := ec2.SignIn(ctx, os.Getenv("ORTEST_AWS_ROLE"), "ortest-"+cmp.Or(os.Getenv("GITHUB_RUN_ID"), "0"), statement)
	if err != nil {
		return err
	}
	for name, value := range credentials { // of this process alone
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func identity(ctx context.Context, at, bearer string) (string, error) {
	u, err := url.Parse(at)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	var said struct {
		Value string `json:"value"`
	}
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil || said.Value == "" {
		return "", fmt.Errorf("the answer has no value: %w", cmp.Or(err, errors.New("it is empty")))
	}
	return said.Value, nil
}
