package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests of this file hold the table "When the database is away or full" of
// docs/operations.md against servers that are processes of their own: webhooks and
// comments keep coming, and none is lost or answered twice.

// logged is what servers say.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
	also io.Writer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	return l.also.Write(b)
}

func (l *logged) says(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), what)
}

// command is a server's, on a disk of its own where that is asked for: one that only
// the server has, so that nobody has to be root.
func (d *deluge) command(args ...string) *exec.Cmd {
	cmd := exec.Command(self(d.t), args...)
	if d.room > 0 {
		script := fmt.Sprintf(`mount -t tmpfs -o size=%d,mode=700 disk "$0" && exec "$@"`, d.room)
		words := append([]string{"-m", "sh", "-c", script, d.disk(), self(d.t)}, args...)
		if os.Getuid() != 0 {
			words = append([]string{"-Ur"}, words...)
		}
		cmd = exec.Command("unshare", words...)
	}
	if d.happens == nil {
		cmd.Args = append(cmd.Args, "--quiet")
		cmd.Stdout, cmd.Stderr = d.t.Output(), d.t.Output()
		return cmd
	}
	if d.log == nil {
		d.log = &logged{also: d.t.Output()}
	}
	cmd.Stdout, cmd.Stderr = d.log, d.log
	return cmd
}

func (d *deluge) disk() string { return filepath.Join(d.dir, "disk") }

// inside is a path on the server's own disk, as others reach it.
func (d *deluge) inside(path string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("/proc/%d/root%s", d.servers[0].Process.Pid, path)
}

// outage answers nothing of GitHub's interface while that is away.
func (d *deluge) outage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.away.Load() && strings.HasPrefix(r.URL.Path, "/api/") {
			http.Error(w, "We had issues producing the response to your request.", http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// until waits for something to be so.
func (d *deluge) until(what string, is func() bool) {
	d.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			d.t.Errorf("not within %s: %s", patience, what)
			return
		}
	}
}

// answers is what the only server answers to a question, 0 when it does not.
func (d *deluge) answers(path string) int {
	res, err := d.client.Get("http://" + d.addrs[0] + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// bad waits until the only server says that it takes nothing, and why.
func (d *deluge) bad(why string) {
	d.t.Helper()
	d.until("/readyz says so", func() bool { return d.answers("/readyz") == http.StatusServiceUnavailable })
	d.until("the log says "+why, func() bool { return d.log.says(why) })
}

func (d *deluge) good() {
	d.t.Helper()
	d.until("/readyz is good again", func() bool { return d.answers("/readyz") == http.StatusOK })
}

// shown is missing, for a database that nobody but the server can open.
func (d *deluge) shown() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for guid, code := range d.guids {
		if code != http.StatusAccepted && code != http.StatusOK {
			return fmt.Sprintf("%s was answered %d at last", guid, code)
		}
	}
	res, err := d.client.Get("http://" + d.addrs[0] + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), "\nortest_deliveries_open 0\n") {
		return "deliveries are open"
	}
	return ""
}

// refused reports how many webhooks were not taken: what happened was felt.
func (d *deluge) refused() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.failed)
}

// rain is what comes while something happens.
func rain(happens func(*deluge)) flood {
	return flood{rate: 20, lasts: 8 * time.Second, replicas: 1, asking: time.Second, redeliver: time.Second, happens: happens}
}

func TestAServerWhoseDiskIsFull(t *testing.T) {
	t.Parallel()
	f := rain(func(d *deluge) {
		filler := d.inside(filepath.Join(d.disk(), "filler"))
		for size := 1 << 20; size > 0; size /= 4 { // whoever writes now gets what is left
			d.until("the disk is full", func() bool { return full(d.t, filler, size) })
		}
		d.bad("the disk is full: make room")
		d.until("webhooks are refused", func() bool { return d.refused() > 0 })
		must(d.t, os.Remove(filler))
		d.good()
	})
	f.room = 24 << 20
	f.run(t)
}

// full appends to a file, and reports whether there was no room for that.
func full(t testing.TB, file string, size int) bool {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(t, err)
	defer f.Close()
	_, err = f.Write(make([]byte, size))
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	return err != nil
}

func TestAServerWhosePostgresIsAway(t *testing.T) {
	t.Parallel()
	f := rain(func(d *deluge) {
		<-time.After(time.Second)
		must(d.t, d.cluster.Down())
		d.bad("does not answer")
		d.until("webhooks are refused", func() bool { return d.refused() > 0 })
		must(d.t, d.cluster.Up())
		d.good()
	})
	f.postgres = true
	f.run(t)
}

func TestAServerWhoseFileIsTakenAway(t *testing.T) {
	t.Parallel()
	rain(func(d *deluge) {
		<-time.After(time.Second)
		must(d.t, os.Rename(d.database, d.database+".away"))
		d.mu.Lock()
		server := d.servers[0]
		d.mu.Unlock()
		_ = server.Wait() // its code says how it ended
		if code := server.ProcessState.ExitCode(); code != exitFailed || !d.log.says("taken away") {
			d.t.Errorf("it ended with %d", code)
		}
		must(d.t, os.Rename(d.database+".away", d.database))
		d.start(0)
		d.good()
	}).run(t)
}

func TestAServerWhoseGitHubIsAway(t *testing.T) {
	t.Parallel()
	rain(func(d *deluge) {
		<-time.After(time.Second)
		d.away.Store(true)
		d.until("the log says so", func() bool { return d.log.says("502") })
		<-time.After(3 * time.Second)
		if code := d.answers("/readyz"); code != http.StatusOK { // what comes is kept
			d.t.Errorf("/readyz answers %d", code)
		}
		d.away.Store(false)
	}).run(t)
}
