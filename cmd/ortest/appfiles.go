package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
)

// The files of an App, in the order in which they are written: the key, which
// GitHub shows once, comes first.
const (
	appKeyFile     = "app.pem"
	appHookFile    = "webhook.secret"
	appClientFile  = "client.secret"
	appServeConfig = "ortest.yaml"
)

// appFiles are the files that an App's credentials go to. They are made before
// GitHub is asked for anything, so that a directory that cannot be written to
// costs no App.
type appFiles struct {
	dir   string
	open  map[string]*os.File
	whole bool
}

// reserve makes the files, empty and for their owner alone. One that exists is
// somebody's.
func reserve(dir string) (*appFiles, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find --out: %w", err)
	}
	f := &appFiles{dir: abs, open: make(map[string]*os.File)}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, usage(fmt.Errorf("--out: %w", err))
	}
	for _, name := range []string{appKeyFile, appHookFile, appClientFile, appServeConfig} {
		file, err := os.OpenFile(filepath.Join(abs, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			f.clean()
			if errors.Is(err, fs.ErrExist) {
				err = fmt.Errorf("%s is there already; choose another directory, or move it away", filepath.Join(abs, name))
			}
			return nil, usage(fmt.Errorf("--out: %w", err))
		}
		f.open[name] = file
	}
	return f, nil
}

// clean removes the files unless all of them were written.
func (f *appFiles) clean() {
	for name, file := range f.open {
		_ = file.Close() // what was written was closed before
		if !f.whole {
			_ = os.Remove(filepath.Join(f.dir, name)) // empty, or half an App's
		}
	}
}

// write fills the files. What was written of an App stays, even if a later file
// cannot be: its key is not to be had again.
func (f *appFiles) write(c *appCreate, got converted) (madeApp, error) {
	f.whole = true
	made := madeApp{
		ID: got.ID, Slug: got.Slug, URL: got.URL, Install: c.server + "/apps/" + got.Slug + "/installations/new",
		Public: c.public, Owners: got.owners(c), Config: filepath.Join(f.dir, appServeConfig),
	}
	config, err := serveConfigOf(c, got)
	if err != nil {
		return made, err
	}
	for _, one := range []struct{ name, text string }{
		{appKeyFile, got.Key}, {appHookFile, got.WebhookSecret + "\n"}, {appClientFile, got.ClientSecret + "\n"}, {appServeConfig, string(config)},
	} {
		file := f.open[one.name]
		_, err := file.WriteString(one.text)
		if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
			return made, fmt.Errorf("write %s of the App %s, which exists now: %w", one.name, got.Slug, err)
		}
		made.Files = append(made.Files, file.Name())
	}
	return made, nil
}

// owners are the accounts that the configuration serves: the App's own, unless an
// enterprise has it, which is no account.
func (got converted) owners(c *appCreate) []string {
	if owner := cmp.Or(got.Owner.Login, c.org); accountName.MatchString(owner) {
		return []string{owner}
	}
	return []string{}
}

// serveConfigOf is a configuration of ortest serve for the App, which serve takes.
func serveConfigOf(c *appCreate, got converted) ([]byte, error) {
	hub := yaml.MapSlice{
		{Key: "app_id", Value: got.ID}, {Key: "slug", Value: got.Slug}, {Key: "key_file", Value: appKeyFile},
		{Key: "webhook_secret_files", Value: []string{appHookFile}},
		{Key: "client_id", Value: got.ClientID}, {Key: "client_secret_file", Value: appClientFile},
		{Key: "api", Value: c.api}, {Key: "server", Value: c.server}, {Key: "owners", Value: got.owners(c)},
	}
	var b bytes.Buffer
	b.WriteString("# Made by ortest app create. ortest serve --example shows every other key.\n")
	raw, err := yaml.Marshal(yaml.MapSlice{{Key: "url", Value: c.url}, {Key: "data", Value: "data"}, {Key: "github", Value: hub}})
	if err != nil {
		return nil, fmt.Errorf("make configuration: %w", err)
	}
	b.Write(raw)
	if _, err := parseServeConfig(b.Bytes()); err != nil {
		return nil, fmt.Errorf("make configuration: %w", err)
	}
	return b.Bytes(), nil
}
