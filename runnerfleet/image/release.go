package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Package is a package of actions/runner and its checksum in hex.
type Package struct{ Version, URL, SHA256 string }

// Release asks the API of GitHub for a release of actions/runner: "latest", or a version.
func Release(ctx context.Context, api, kind, version string) (Package, error) {
	at := "latest"
	if version != "latest" {
		at = "tags/v" + strings.TrimPrefix(version, "v")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := askRelease(ctx, strings.TrimRight(api, "/")+"/repos/actions/runner/releases/"+at, kind)
	if err != nil {
		return r, fmt.Errorf("find actions/runner %s for %s: %w", version, kind, err)
	}
	return r, nil
}

func askRelease(ctx context.Context, url, kind string) (Package, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Package{}, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Package{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	var answer struct {
		Tag    string `json:"tag_name"`
		Assets []struct {
			Name   string `json:"name"`
			URL    string `json:"browser_download_url"`
			Digest string `json:"digest"`
		} `json:"assets"`
	}
	if resp.StatusCode != http.StatusOK {
		return Package{}, errors.New(resp.Status)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 4<<20)).Decode(&answer); err != nil {
		return Package{}, err
	}
	r := Package{Version: strings.TrimPrefix(answer.Tag, "v")}
	for _, a := range answer.Assets {
		if a.Name == "actions-runner-linux-"+kind+"-"+r.Version+".tar.gz" {
			r.URL, r.SHA256 = a.URL, strings.TrimPrefix(a.Digest, "sha256:")
		}
	}
	if !strings.HasPrefix(r.URL, "https://") || len(r.SHA256) != 64 {
		return r, fmt.Errorf("release %s has no package with a checksum", answer.Tag)
	}
	return r, nil
}
