// Package runner has the command line of actions/runner, takes the one job
// behind a JIT configuration of the stand-in, and runs it with act.
//
// The server may be away at any moment: every call is repeated until it answers
// or says that there is nothing to come back for. A job that has ended is
// reported once; a job whose end the server decided is not.
package runner

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Blob is what a JIT configuration says: where to ask for the job, and by what
// right.
type Blob struct {
	URL    string // of the stand-in
	Runner int64
	Name   string
	Secret string
}

// settings and credentials are the two files of a JIT configuration that this
// runner needs; actions/runner keeps a third with a key.
type settings struct {
	AgentID   int64  `json:"agentId,string"`
	AgentName string `json:"agentName"`
	ServerURL string `json:"serverUrl"`
	Ephemeral bool   `json:"ephemeral"`
}

type credentials struct {
	Scheme string            `json:"scheme"`
	Data   map[string]string `json:"data"`
}

const credentialScheme = "Bearer"

// Encode returns the blob in the shape of actions/runner's: base64 of an object
// of files, each base64 of JSON.
func (b Blob) Encode() (string, error) {
	files := make(map[string]string)
	for name, content := range map[string]any{
		".runner":      settings{AgentID: b.Runner, AgentName: b.Name, ServerURL: b.URL, Ephemeral: true},
		".credentials": credentials{Scheme: credentialScheme, Data: map[string]string{"token": b.Secret}},
	} {
		raw, err := json.Marshal(content)
		if err != nil {
			return "", fmt.Errorf("encode %s: %w", name, err)
		}
		files[name] = base64.StdEncoding.EncodeToString(raw)
	}
	raw, err := json.Marshal(files)
	if err != nil {
		return "", fmt.Errorf("encode JIT configuration: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// ParseBlob reads a JIT configuration of the stand-in.
func ParseBlob(encoded string) (Blob, error) {
	var files map[string]string
	if err := unpack(encoded, &files); err != nil {
		return Blob{}, fmt.Errorf("parse JIT configuration: %w", err)
	}
	var set settings
	if err := unpack(files[".runner"], &set); err != nil {
		return Blob{}, fmt.Errorf("parse JIT configuration: .runner: %w", err)
	}
	var cred credentials
	if err := unpack(files[".credentials"], &cred); err != nil {
		return Blob{}, fmt.Errorf("parse JIT configuration: .credentials: %w", err)
	}
	b := Blob{URL: set.ServerURL, Runner: set.AgentID, Name: set.AgentName, Secret: cred.Data["token"]}
	if b.URL == "" || b.Secret == "" || cred.Scheme != credentialScheme {
		return Blob{}, errors.New("parse JIT configuration: not one of the stand-in")
	}
	return b, nil
}

func unpack(encoded string, into any) error {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// Assignment is the one job of a runner, as the stand-in hands it out.
type Assignment struct {
	Job      int64             `json:"job"`
	Key      string            `json:"key"`  // of the job in the workflow file
	Name     string            `json:"name"` // of the job
	Labels   []string          `json:"labels"`
	Matrix   []string          `json:"matrix"`  // KEY:VALUE to select
	Minutes  int               `json:"minutes"` // how long the job may run
	Repo     string            `json:"repo"`    // OWNER/NAME
	Workflow string            `json:"workflow"`
	Path     string            `json:"path"` // of the workflow file
	Text     string            `json:"text"` // of the workflow file
	Run      int64             `json:"run"`
	Number   int               `json:"number"`
	Event    string            `json:"event"`
	Actor    string            `json:"actor"`
	Ref      string            `json:"ref"`
	SHA      string            `json:"sha"`
	Inputs   map[string]string `json:"inputs"`
	Server   string            `json:"server"` // URL of the web pages and repositories
	API      string            `json:"api"`
}

// Beat is the answer to a heartbeat.
type Beat struct {
	Cancel bool `json:"cancel"`
}

// Result is how the job went: success, failure or cancelled.
type Result struct {
	Conclusion string `json:"conclusion"`
}
