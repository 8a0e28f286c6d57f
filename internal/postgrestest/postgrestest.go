// Package postgrestest runs a PostgreSQL server for tests: a cluster of its own in a
// temporary directory, reached by a socket there, gone with the process.
package postgrestest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// superuser is the only user of the cluster.
const superuser = "ortest"

// Cluster is a running server.
type Cluster struct {
	dir  string
	bin  string
	as   *syscall.Credential // nil: the user that runs the test
	args []string
	cmd  *exec.Cmd
	over chan struct{} // closed when the server has ended
	made atomic.Int64
}

// Start makes a cluster and starts its server. settings are of postgresql.conf, such
// as "fsync=off": with that a test is twice as fast, and a crash of the machine costs it.
func Start(settings ...string) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ortest-pg")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, bin: bin, as: as}
	c.args = []string{"-D", c.data(), "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=32MB"}
	for _, s := range settings {
		c.args = append(c.args, "-c", s)
	}
	if as != nil {
		err = os.Chown(dir, int(as.Uid), int(as.Gid))
	}
	if err == nil {
		err = c.run("initdb", "-D", c.data(), "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	}
	if err == nil {
		err = c.Up()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// programs finds PostgreSQL, which Debian does not put into PATH.
func programs() (dir string, err error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	file, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("PostgreSQL's server is not installed, which tests need: apt-get install postgresql, or make test, which does")
	}
	return filepath.Dir(file), nil
}

// unprivileged is whom the server runs as: PostgreSQL refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody: run the tests as another user")
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PGHOST=" + c.dir, "PGUSER=" + superuser, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

func (c *Cluster) run(name string, args ...string) error {
	out, err := c.command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// Up starts the server, at first or again after Down, and returns when it answers.
func (c *Cluster) Up() error {
	cmd := c.command("postgres", c.args...)
	// The kernel ends it with the thread that started it, which is kept for that.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	var said bytes.Buffer
	cmd.Stderr = &said
	begun, over := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		begun <- cmd.Start()
		_ = cmd.Wait() // how it ended is in what it said
		close(over)
	}()
	if err := <-begun; err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	c.cmd, c.over = cmd, over
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for c.run("pg_isready", "-q") != nil {
		select {
		case <-over:
			return fmt.Errorf("postgres ended: %s", bytes.TrimSpace(said.Bytes()))
		case <-late:
			return errors.New("postgres does not answer")
		case <-tick.C:
		}
	}
	return nil
}

// Down ends the server as its operator does, whoever is connected; its data stay.
func (c *Cluster) Down() error {
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("stop postgres: %w", err)
	}
	<-c.over
	return nil
}

// Database makes an empty schema, which is a database of its own to whom is given its
// URL, and made a hundred times faster.
func (c *Cluster) Database() (string, error) {
	name := fmt.Sprintf("test%d", c.made.Add(1))
	if err := c.run("psql", "-q", "-d", "postgres", "-c", "CREATE SCHEMA "+name); err != nil {
		return "", err
	}
	return c.URL(url.Values{"search_path": {name}}), nil
}

// URL is how the server is reached, with parameters of the connection.
func (c *Cluster) URL(with url.Values) string {
	q := url.Values{"host": {c.dir}}
	for key, values := range with {
		q[key] = values
	}
	return (&url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/postgres", RawQuery: q.Encode()}).String()
}

// Close ends the server and removes everything.
func (c *Cluster) Close() error { return errors.Join(c.Down(), os.RemoveAll(c.dir)) }
