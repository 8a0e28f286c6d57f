package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

// unwritten remembers nothing: the doctor changes nothing.
type unwritten struct{}

func (unwritten) Note(context.Context, string, time.Time) error      { return nil }
func (unwritten) Noted(context.Context, time.Time) ([]string, error) { return nil, nil }

// awsPatience is how long AWS may take for all that is asked.
const awsPatience = time.Minute

// aws asks AWS for what the configuration of the fleet names.
func (d *doctor) aws(ctx context.Context, c serveConfig) {
	if c.Fleet.Cloud != "ec2" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, awsPatience)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	cat, err := catalog.Default()
	if err != nil {
		return // said already
	}
	if _, err := os.Stat(filepath.Clean(c.Fleet.EC2.Certificates)); err != nil {
		d.bad("aws: certificates", err.Error(), "save AWS's public certificates of the region there; docs/fleet.md says where they are")
		return
	}
	cloud, err := c.Fleet.EC2.open(ctx, c, cat, unwritten{}, log)
	if err != nil {
		d.bad("aws", err.Error(), "see fleet.ec2 in the configuration")
		return
	}
	for _, f := range cloud.(*ec2.Cloud).Check(ctx) {
		switch {
		case f.Err == nil:
			d.ok("aws: "+f.About, f.Says)
		case f.Mild:
			d.warn("aws: "+f.About, f.Err.Error(), f.Do)
		default:
			d.bad("aws: "+f.About, f.Err.Error(), f.Do)
		}
	}
}
