package botless

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// artifacts is the store of a workflow run's artifacts, over the interface that
// GitHub's own actions use (version 4).
type artifacts struct {
	base, token string
	run, job    string // as the store names them
	http        *http.Client
}

func newArtifacts() (*artifacts, error) {
	a := &artifacts{
		base: os.Getenv("ACTIONS_RESULTS_URL"), token: os.Getenv("ACTIONS_RUNTIME_TOKEN"), http: &http.Client{Timeout: 5 * time.Minute},
	}
	if a.base == "" || a.token == "" {
		return nil, usage(errors.New("ACTIONS_RESULTS_URL or ACTIONS_RUNTIME_TOKEN is empty: use the action workflows/results, which GitHub tells them"))
	}
	var err error
	a.run, a.job, err = backendIDs(a.token)
	return a, err
}

// backendIDs reads from the runner's token how the store names this workflow run
// and this job: the scope "Actions.Results:RUN:JOB". Whether the token is good is
// the store's to say.
func backendIDs(token string) (run, job string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", "", errors.New("ACTIONS_RUNTIME_TOKEN is no token of a job")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", "", fmt.Errorf("read ACTIONS_RUNTIME_TOKEN: %w", err)
	}
	var claims struct {
		Scope string `json:"scp"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		return "", "", fmt.Errorf("read ACTIONS_RUNTIME_TOKEN: %w", err)
	}
	for _, s := range strings.Fields(claims.Scope) {
		if p := strings.Split(s, ":"); len(p) == 3 && p[0] == "Actions.Results" {
			return p[1], p[2], nil
		}
	}
	return "", "", errors.New("ACTIONS_RUNTIME_TOKEN gives no access to artifacts")
}

// call asks the store's service, which speaks JSON over POST.
func (a *artifacts) call(ctx context.Context, method string, in map[string]any, out any) error {
	in["workflow_run_backend_id"] = a.run
	if _, set := in["workflow_job_run_backend_id"]; !set {
		in["workflow_job_run_backend_id"] = a.job
	}
	at, err := url.JoinPath(a.base, "twirp/github.actions.results.api.v1.ArtifactService", method)
	if err != nil {
		return fmt.Errorf("ACTIONS_RESULTS_URL: %w", err)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	raw, err := a.send(ctx, http.MethodPost, at, body, map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + a.token})
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s: read answer: %w", method, err)
	}
	return nil
}

// send makes a request, and again when the store is busy.
func (a *artifacts) send(ctx context.Context, method, at string, body []byte, header map[string]string) (answer []byte, err error) {
	for pause := time.Second; ; pause *= 2 {
		var again bool
		answer, again, err = a.once(ctx, method, at, body, header)
		if err == nil || !again || pause > 4*time.Second {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (a *artifacts) once(ctx context.Context, method, at string, body []byte, header map[string]string) (answer []byte, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, false, errors.New("the store's address cannot be used")
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // not its address, which is signed
		}
		return nil, true, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxArtifact+1))
	switch {
	case err != nil:
		return nil, true, err
	case len(answer) > maxArtifact:
		return nil, false, fmt.Errorf("more than %d bytes", maxArtifact)
	case resp.StatusCode/100 != 2:
		return nil, resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, fmt.Errorf("%s: %.300s", resp.Status, answer)
	}
	return answer, false, nil
}

// put keeps an artifact: it is announced, sent, and confirmed.
func (a *artifacts) put(ctx context.Context, name string, packed []byte) error {
	var made struct {
		OK   bool   `json:"ok"`
		URL  string `json:"signed_upload_url"`
		URLC string `json:"signedUploadUrl"` // as some servers write it
	}
	if err := a.call(ctx, "CreateArtifact", map[string]any{"name": name, "version": 4}, &made); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	at := cmp.Or(made.URL, made.URLC)
	if !made.OK || at == "" {
		return fmt.Errorf("keep %s: the store refuses it; an artifact of that name may be there", name)
	}
	if err := a.blocks(ctx, at, packed); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	var done struct {
		OK bool `json:"ok"`
	}
	sum := sha256.Sum256(packed)
	err := a.call(ctx, "FinalizeArtifact", map[string]any{
		"name": name, "size": strconv.Itoa(len(packed)), "hash": fmt.Sprintf("sha256:%x", sum),
	}, &done)
	if err == nil && !done.OK {
		err = errors.New("the store does not confirm it")
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// maxBlock is how much one request sends.
const maxBlock = 8 << 20

// blocks sends bytes to Azure's store of blobs, which keeps GitHub's artifacts: in
// blocks, and then the list of them.
func (a *artifacts) blocks(ctx context.Context, at string, packed []byte) error {
	u, err := url.Parse(at)
	if err != nil {
		return errors.New("the store's address cannot be used")
	}
	put := func(query map[string]string, body []byte) error {
		q := u.Query()
		for k, v := range query {
			q.Set(k, v)
		}
		to := *u
		to.RawQuery = q.Encode()
		_, err := a.send(ctx, http.MethodPut, to.String(), body, map[string]string{"Content-Type": "application/octet-stream", "x-ms-version": "2020-04-08"})
		return err
	}
	var list strings.Builder
	list.WriteString(`<?xml version="1.0" encoding="utf-8"?><BlockList>`)
	for n := 0; len(packed) > 0; n++ {
		block := packed[:min(len(packed), maxBlock)]
		packed = packed[len(block):]
		id := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%08d", n))
		if err := put(map[string]string{"comp": "block", "blockid": id}, block); err != nil {
			return err
		}
		fmt.Fprintf(&list, "<Latest>%s</Latest>", id)
	}
	list.WriteString("</BlockList>")
	return put(map[string]string{"comp": "blocklist"}, []byte(list.String()))
}

// get unpacks every artifact of ours below a directory, and returns how many.
func (a *artifacts) get(ctx context.Context, dir string) (n int, err error) {
	var list struct {
		Artifacts []struct {
			Run   string `json:"workflow_run_backend_id"`
			Job   string `json:"workflow_job_run_backend_id"`
			Name  string `json:"name"`
			RunC  string `json:"workflowRunBackendId"` // as older servers write them
			JobC  string `json:"workflowJobRunBackendId"`
			Bytes any    `json:"size"`
		} `json:"artifacts"`
	}
	if err := a.call(ctx, "ListArtifacts", map[string]any{}, &list); err != nil {
		return 0, fmt.Errorf("list artifacts: %w", err)
	}
	var errs []error
	left := int64(maxUnpacked)
	for _, f := range list.Artifacts {
		if !artifactForm.MatchString(f.Name) {
			continue
		}
		if n == maxArtifacts {
			return n, fmt.Errorf("list artifacts: more than %d", maxArtifacts)
		}
		var signed struct {
			URL  string `json:"signed_url"`
			URLC string `json:"signedUrl"`
		}
		err := a.call(ctx, "GetSignedArtifactURL", map[string]any{"name": f.Name, "workflow_job_run_backend_id": cmp.Or(f.Job, f.JobC, a.job)}, &signed)
		var packed []byte
		if err == nil {
			packed, err = a.send(ctx, http.MethodGet, cmp.Or(signed.URL, signed.URLC), nil, nil)
		}
		if err == nil {
			err = unpackResults(packed, filepath.Join(dir, f.Name), &left)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("fetch %s: %w", f.Name, err))
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}
