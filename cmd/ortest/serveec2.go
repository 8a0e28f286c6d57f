package main

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/image"
)

// ec2Config is the part of the configuration that a fleet on EC2 needs. Region,
// endpoint and credentials come from where every AWS tool reads them.
type ec2Config struct {
	Name         string              `yaml:"name"`
	Subnets      []string            `yaml:"subnets"`
	Groups       []string            `yaml:"security_groups"`
	Owners       []string            `yaml:"image_owners"`
	Spot         bool                `yaml:"spot"`
	Images       map[string]string   `yaml:"images"`
	Types        map[string][]string `yaml:"types"`
	Certificates string              `yaml:"certificates_file"`
	Agents       map[string]string   `yaml:"agents"`
	// Placement is by arch; Rates, by operation, are those of an account that AWS gave others.
	Placement map[string]ec2.Placement `yaml:"placement"`
	Rates     map[string]ec2.Rate      `yaml:"rates"`
}

// machineOf is what "uname -m" says on the machines of an arch. GitHub has no 32-bit
// runner: the instance is a 64-bit one, and the action enters the 32-bit root.
var machineOf = map[string]string{"linux x86_64": "x86_64", "linux i386": "x86_64", "linux aarch64": "aarch64"}

// validate names what is missing; wrong reports it.
func (c ec2Config) validate(wrong func(is bool, format string, args ...any), url string) {
	wrong(c.Name == "", "fleet.ec2.name: the fleet's name, as its machines are tagged, is missing")
	wrong(len(c.Subnets) == 0, "fleet.ec2.subnets: name at least one; the stack's outputs have them")
	wrong(len(c.Groups) == 0, "fleet.ec2.security_groups: name at least one; the stack's outputs have it")
	wrong(c.Certificates == "", "fleet.ec2.certificates_file: the file with AWS's public certificates of the region is missing; without it no agent can enrol")
	wrong(len(url) < 8 || url[:8] != "https://", "url: %q is not https, and machines fetch their agent from there", url)
	for arch := range c.Images {
		wrong(machineOf[arch] == "", "fleet.ec2.images: there is no arch %q", arch)
	}
	for arch := range c.Types {
		wrong(machineOf[arch] == "", "fleet.ec2.types: there is no arch %q", arch)
	}
	for arch, p := range c.Placement {
		wrong(machineOf[arch] == "", "fleet.ec2.placement: there is no arch %q", arch)
		err := p.Validate()
		wrong(err != nil, "fleet.ec2.placement: %s: %v", arch, err)
	}
	for operation, r := range c.Rates {
		wrong(r.Burst < 1 || r.PerSecond <= 0, "fleet.ec2.rates: %s: burst must be at least 1, per_second positive", operation)
	}
}

// binaries returns the agents by "uname -m": those that are named, and this binary
// for machines of its own kind.
func (c ec2Config) binaries() (map[string]string, error) {
	all := make(map[string]string)
	if own := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]; own != "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find our own binary: %w", err)
		}
		all[own] = exe
	}
	for machine, path := range c.Agents {
		all[machine] = path
	}
	return all, nil
}

// open builds the cloud. An arch for whose machines there is no agent is not served.
func (c ec2Config) open(ctx context.Context, s serveConfig, cat *catalog.Catalog, notes ec2.Notes, log *slog.Logger) (runnerfleet.Cloud, error) {
	binaries, err := c.binaries()
	if err != nil {
		return nil, err
	}
	certificates, err := os.ReadFile(c.Certificates)
	if err != nil {
		return nil, fmt.Errorf("read AWS's certificates: %w", err)
	}
	cfg := ec2.Config{
		Fleet: c.Name, Arches: make(map[string]ec2.Arch), Subnets: c.Subnets, Groups: c.Groups, Owners: c.Owners,
		AgentURL: s.URL, MaxAge: s.Fleet.MaxAge, Certificates: certificates, Notes: notes, Rates: c.Rates, Log: log,
	}
	for _, a := range cat.Arches() {
		path, ok := binaries[machineOf[a.Name]]
		if !ok {
			log.Warn("arch not served", "arch", a.Name, "reason", "fleet.ec2.agents names no agent for its machines")
			continue
		}
		sum, err := digestOf(path)
		if err != nil {
			return nil, fmt.Errorf("read the agent of %s: %w", a.Name, err)
		}
		if linkedDynamically(path) {
			log.Warn("agent needs the C library of the machine it was built on", "arch", a.Name, "agent", path, "reason", "build it with CGO_ENABLED=0, as make does")
		}
		arch := ec2.Arch{Image: a.Image, Types: c.Types[a.Name], Spot: c.Spot, Digest: sum, Root: image.RootOf(a.Name), Placement: c.Placement[a.Name]}
		if image := c.Images[a.Name]; image != "" {
			arch.Image = image
		}
		if len(arch.Types) == 0 {
			arch.Types = a.Alike()
		}
		cfg.Arches[a.Name] = arch
	}
	return ec2.Open(ctx, cfg)
}

// linkedDynamically reports that a program will not start where its C library is not
// there, or is an older one.
func linkedDynamically(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false // a script, say
	}
	defer f.Close()
	return slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

func digestOf(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
