// Package image makes of a stock machine what the instances of an arch start from:
// actions/runner, and all units that the goals of a catalog need.
package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/action/unit"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/plan/recipe"
)

// Where an image has what instances use. The second is what the machines' user-data start.
const (
	Root386   = "/opt/ortest/i386" // a 32-bit system, which jobs of linux i386 enter
	runnerDir = "/opt/actions-runner"
)

// RootOf is the system that jobs of an arch enter on its image; "" is the image's own.
func RootOf(arch string) string {
	if arch == "linux i386" {
		return Root386
	}
	return ""
}

// Machine is the machine that this program runs on, as root, and what is made of it.
// All fields but Self are required.
type Machine struct {
	Units  []recipe.Unit
	Runner Package
	Self   []string // makes units true inside of a 32-bit root, with --root DIR --units FILE behind it; none makes them true on the machine itself
	Log    io.Writer
}

// Prepare installs actions/runner and makes the units true.
func (m Machine) Prepare(ctx context.Context) error {
	if err := makeTrue(ctx, machineUnits, m.Log); err != nil {
		return err
	}
	if err := m.Runner.install(ctx, runnerDir, m.Log); err != nil {
		return err
	}
	if len(m.Self) > 0 {
		return m.prepare32(ctx)
	}
	return makeTrue(ctx, m.Units, m.Log)
}

// machineUnits are what the agent itself needs of its machine, and the first boot's script.
var machineUnits = []recipe.Unit{
	{Name: "accounts", Title: "useradd, for the lanes' accounts", Apt: []string{"passwd"}, Check: "command -v useradd"},
	{Name: "packet-filter", Title: "iptables, which keeps jobs off the metadata service", Apt: []string{"iptables"}, Check: "command -v iptables"},
	{Name: "curl", Apt: []string{"curl"}, Check: "command -v curl"},
	{Name: "certificates", Apt: []string{"ca-certificates"}, Check: "test -s /etc/ssl/certs/ca-certificates.crt"},
}

// ReadUnits reads the list of units that a deployment's catalog needs; "" is the
// catalog that is built in.
func ReadUnits(path string) (units []recipe.Unit, err error) {
	if path == "" {
		cat, err := catalog.Default()
		if err != nil {
			return nil, err
		}
		return Units(cat), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read units: %w", err)
	}
	if err := json.Unmarshal(b, &units); err != nil {
		return nil, fmt.Errorf("read units of %s: %w", path, err)
	}
	return units, nil
}

// Units lists what any goal of a catalog needs of its machine. What is of the network
// is made true in each lane: nothing of it outlives a boot.
func Units(cat *catalog.Catalog) []recipe.Unit {
	var projects []plan.Project
	var modes []plan.Mode
	for _, p := range cat.Projects() {
		for _, m := range cat.Modes() {
			if p.HasMode(m.Name) {
				projects, modes = append(projects, p), append(modes, m)
			}
		}
	}
	return action.Units(projects, modes, true)
}

// makeTrue makes units true. All that cannot be is named.
func makeTrue(ctx context.Context, units []recipe.Unit, log io.Writer) error {
	failed, err := unit.Machine{Log: log}.Make(ctx, units)
	if err != nil {
		return fmt.Errorf("make units true: %w", err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		errs = append(errs, failed[name])
	}
	return errors.Join(errs...)
}
