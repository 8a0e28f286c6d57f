package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// demoState is what a demo keeps over restarts beside its databases: where it
// listens, since agents and webhooks know the address, and its secrets.
type demoState struct {
	Addr          string `json:"addr"`
	AppKey        string `json:"app_key"` // PEM
	WebhookSecret string `json:"webhook_secret"`
	FleetKey      string `json:"fleet_key"` // hex
}

// demoDir is a demo's data directory, held by one process.
type demoDir struct {
	path  string
	lock  *os.File
	state demoState
}

// openDemoDir takes hold of a data directory, and makes it when it is new.
func openDemoDir(path string) (*demoDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := takeHold(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("another ortest demo is running on %s; stop it, or choose another directory with --data", path)
	}
	d := &demoDir{path: path, lock: lock}
	if err := d.load(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

// takeHold locks a file. It waits a moment: a process that a killed demo was
// just about to start holds the lock until it has become what it is to be.
func takeHold(lock *os.File) error {
	const tries, every = 30, 100 * time.Millisecond
	for n := 1; ; n++ {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || n == tries {
			return err
		}
		time.Sleep(every)
	}
}

func (d *demoDir) close() error { return d.lock.Close() }

func (d *demoDir) file() string { return filepath.Join(d.path, "demo.json") }

func (d *demoDir) load() error {
	b, err := os.ReadFile(d.file())
	if errors.Is(err, fs.ErrNotExist) {
		return d.create()
	}
	if err != nil {
		return fmt.Errorf("read the demo's state: %w", err)
	}
	if err := json.Unmarshal(b, &d.state); err != nil {
		return fmt.Errorf("read %s: %w; remove the directory to begin anew", d.file(), err)
	}
	return nil
}

func (d *demoDir) create() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the App's key: %w", err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	d.state = demoState{
		AppKey:        string(pem.EncodeToMemory(block)),
		WebhookSecret: randomHex(),
		FleetKey:      randomHex(),
	}
	return d.save()
}

// save replaces the state's file whole.
func (d *demoDir) save() error {
	b, err := json.MarshalIndent(d.state, "", "  ")
	if err != nil {
		return err
	}
	next := d.file() + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	return os.Rename(next, d.file())
}

// key returns the App's private key.
func (d *demoDir) key() (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(d.state.AppKey))
	if block == nil {
		return nil, fmt.Errorf("%s holds no key; remove the directory to begin anew", d.file())
	}
	return x509.ParsePKCS1PrivateKey(block.Bytes)
}

// listen opens the demo's address: the one asked for, else the one it had, else
// any free one. An address stays, since what a dead server started calls it there.
func (d *demoDir) listen(asked string) (net.Listener, error) {
	addr := d.state.Addr
	if addr == "" {
		addr = asked
	}
	if _, port, err := net.SplitHostPort(asked); d.state.Addr != "" && err == nil && port != "0" {
		addr = asked
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --addr HOST:PORT", addr, err)
	}
	if got := ln.Addr().String(); got != d.state.Addr {
		d.state.Addr = got
		if err := d.save(); err != nil {
			ln.Close()
			return nil, err
		}
	}
	return ln, nil
}

func randomHex() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}
