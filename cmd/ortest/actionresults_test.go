package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// artifactStore is a store of artifacts as GitHub's, over the same interface.
type artifactStore struct {
	url   string
	mu    sync.Mutex
	parts map[string][]byte // by name and block
	kept  map[string][]byte
}

func newArtifactStore(t *testing.T) *artifactStore {
	t.Helper()
	s := &artifactStore{parts: map[string][]byte{}, kept: map[string][]byte{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// env is what GitHub tells an action of JavaScript.
func (s *artifactStore) env() map[string]string {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"scp":"Actions.Other:x Actions.Results:run-1:job-1"}`))
	return map[string]string{"ACTIONS_RESULTS_URL": s.url, "ACTIONS_RUNTIME_TOKEN": "head." + claims + ".signature"}
}

func (s *artifactStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	name := r.URL.Query().Get("name")
	switch {
	case r.Method == http.MethodPut && r.URL.Query().Get("comp") == "block":
		s.parts[name] = append(s.parts[name], body...)
		w.WriteHeader(http.StatusCreated)
		return
	case r.Method == http.MethodPut:
		w.WriteHeader(http.StatusCreated)
		return
	case r.Method == http.MethodGet:
		_, _ = w.Write(s.kept[name])
		return
	}
	var in struct {
		Name string `json:"name"`
		Run  string `json:"workflow_run_backend_id"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Run != "run-1" || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer head.") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	at := fmt.Sprintf("%s/blob?sig=x&name=%s", s.url, in.Name)
	out := map[string]any{"ok": true}
	switch filepath.Base(r.URL.Path) {
	case "CreateArtifact":
		_, taken := s.kept[in.Name]
		out = map[string]any{"ok": !taken, "signed_upload_url": at}
	case "FinalizeArtifact":
		s.kept[in.Name] = s.parts[in.Name]
	case "ListArtifacts":
		var all []map[string]string
		for n := range s.kept {
			all = append(all, map[string]string{"name": n, "workflow_run_backend_id": in.Run, "workflow_job_run_backend_id": "job-1"})
		}
		out = map[string]any{"artifacts": all}
	case "GetSignedArtifactURL":
		out = map[string]any{"signed_url": at}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// put keeps an archive as a hostile job may, whatever it holds.
func (s *artifactStore) put(t *testing.T, name string, files ...string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		path, text, _ := strings.Cut(f, "=")
		h := &zip.FileHeader{Name: path, Method: zip.Deflate}
		if target, ok := strings.CutPrefix(text, "->"); ok {
			h.SetMode(os.ModeSymlink | 0o777)
			text = target
		}
		e, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(e, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s.kept[name] = b.Bytes()
}

// setAll sets variables for the time of a test.
func setAll(t *testing.T, all ...map[string]string) {
	t.Helper()
	for _, env := range all {
		for k, v := range env {
			t.Setenv(k, v)
		}
	}
}

// results runs ortest action results.
func results(t *testing.T, s *artifactStore, env map[string]string) (string, int) {
	t.Helper()
	setAll(t, s.env(), env)
	var out bytes.Buffer
	code := run(t.Context(), []string{"action", "results"}, nil, &out, &out)
	return out.String(), code
}

// oneBlock is how much one request sends; a byte more makes two.
const oneBlock = 8 << 20

func TestResultsGoThereAndBack(t *testing.T) {
	s, spool, back := newArtifactStore(t), t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"piece.txt": "77-1/p1/1\n", "000000.json": `{"seq":0}`, "000000.log": strings.Repeat("x", oneBlock+1), "secret.txt": "no", "000001.part": "no",
	} {
		if err := os.WriteFile(filepath.Join(spool, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(spool, "000001.log")); err != nil {
		t.Fatal(err)
	}
	if said, code := results(t, s, map[string]string{"INPUT_COMMAND": "put", "ORTEST_SPOOL": spool}); code != 0 || !strings.Contains(said, "ortest-77-1-p1-1: 3 files") {
		t.Fatalf("put: %d %s", code, said)
	}
	if said, code := results(t, s, map[string]string{"INPUT_COMMAND": "put", "ORTEST_SPOOL": spool}); code == 0 || !strings.Contains(said, "an artifact of that name may be there") {
		t.Errorf("put a second time: %d %s", code, said)
	}
	if said, code := results(t, s, map[string]string{"INPUT_COMMAND": "get", "ORTEST_RESULTS": back}); code != 0 || !strings.Contains(said, "1 results") {
		t.Fatalf("get: %d %s", code, said)
	}
	got, err := os.ReadFile(filepath.Join(back, "ortest-77-1-p1-1", "000000.log"))
	if err != nil || len(got) != oneBlock+1 {
		t.Errorf("came back with %d bytes, %v", len(got), err)
	}
}

// TestHostileResults holds what a job that ran a stranger's code may leave: nothing of
// it gets out of the folder.
func TestHostileResults(t *testing.T) {
	s, root := newArtifactStore(t), t.TempDir()
	dir := filepath.Join(root, "results")
	entry := `000000.json={"seq":0}`
	s.put(t, "ortest-77-1-p1-1", "piece.txt=77-1/p1/1", entry, "../../escaped=x", "/escaped=x", "000001.json=->/etc/passwd", "000002.json/../../escaped=x", "x.sh=x")
	s.put(t, "ortest-77-1-p9-1", "piece.txt=77-1/p2/1", entry) // speaks for p2
	s.put(t, "ortest-77-1-p3-1", "piece.txt=77-1/p3/1", entry)
	s.put(t, "ortest-77-1-p33-1", "piece.txt=77-1/p3/1", entry)
	s.put(t, "../ortest-77-1-p4-1", "piece.txt=77-1/p4/1", entry)
	s.put(t, "coverage", "piece.txt=77-1/p5/1", entry)
	s.kept["ortest-77-1-p6-1"] = []byte("no archive")
	said, code := results(t, s, map[string]string{"INPUT_COMMAND": "get", "ORTEST_RESULTS": dir})
	if code == 0 || !strings.Contains(said, "fetch ortest-77-1-p6-1") || !strings.Contains(said, "4 results") {
		t.Errorf("get: %d %s", code, said)
	}
	var found []string
	if err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if name := filepath.Base(f); name != "piece.txt" && name != "000000.json" || !strings.HasPrefix(f, "ortest-77-1-") {
			t.Errorf("%s was written", f)
		}
	}
}
