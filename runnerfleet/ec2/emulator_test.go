package ec2_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

// independent starts an EC2 emulator that others wrote, and reports whether there is
// one: moto's server, from PATH.
func independent(t *testing.T) (url string, ok bool) {
	t.Helper()
	exe, err := exec.LookPath("moto_server")
	if err != nil {
		return "", false
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-H", host, "-p", port)
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is told to end
	}()
	t.Cleanup(func() { <-ended }) // after the context of the test, which ends it
	url = "http://" + addr
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.Dial("tcp", addr); err == nil {
			return url, conn.Close() == nil
		}
		select {
		case <-ended:
			t.Logf("moto_server is on PATH and does not start")
			return "", false
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatal("moto_server does not answer")
	return "", false
}

// TestIndependentEmulator holds the adapter to an EC2 that we did not write: launch, tag,
// find, console, terminate.
func TestIndependentEmulator(t *testing.T) {
	url, ok := independent(t)
	if !ok {
		t.Log("NOT TRIED: no EC2 emulator of others is here; install moto's server (pip install 'moto[server]') so that moto_server is on PATH")
		return
	}
	credentials(t)
	t.Setenv("AWS_ENDPOINT_URL", url)
	c, err := ec2.Open(t.Context(), settled(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, onDemand := range []bool{true, false} {
		l := launch()
		l.Instance, l.OnDemand = fmt.Sprintf("r1-b%d-a1", i+1), onDemand
		id, err := buy(t, c, l)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := find(t, c, id)
		if !ok || !m.Running || m.Instance != l.Instance || !m.Deadline.Equal(l.Deadline) || time.Since(m.LaunchedAt).Abs() > time.Minute {
			t.Errorf("listed as %+v, want it running with the launch's tags", m)
		}
		if text, err := c.ConsoleOutput(t.Context(), id); err != nil || !strings.Contains(text, "Linux version") {
			t.Errorf("console shows %q, %v", text, err)
		}
		for range 2 { // a repeat is no error
			if err := c.Terminate(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		if m, ok := find(t, c, id); ok && m.Running {
			t.Errorf("it runs after its end: %+v", m)
		}
	}
	at, cfg := launch(), settled(t)
	a := cfg.Arches[x64]
	a.Placement = ec2.Placement{Tenancy: "dedicated"}
	at.Instance, cfg.Arches[x64] = "r1-b3-a1", a
	alone, err := ec2.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := buy(t, alone, at); err != nil {
		t.Errorf("with a placement: %v", err)
	} else if m, ok := find(t, c, id); !ok || m.Instance != at.Instance {
		t.Errorf("with a placement it is listed as %+v", m)
	}
	if all, err := c.Images(t.Context(), "ortest-x64-*"); err != nil || len(all) != 0 {
		t.Errorf("images that were built: %+v, %v; want none, since none has the fleet's tag", all, err)
	}
	for _, f := range c.Check(t.Context()) {
		if f.Err != nil && !f.Mild {
			t.Errorf("check: %s: %v", f.About, f.Err)
		}
	}
	if err := c.Terminate(t.Context(), "i-0123456789abcdef0"); err != nil {
		t.Errorf("a machine that never was: %v", err)
	}
	second, err := ec2.Open(t.Context(), settled(t)) // the next process finds the template
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Prepare(t.Context(), launch()); err != nil {
		t.Error(err)
	}
}

func find(t *testing.T, c *ec2.Cloud, id string) (runnerfleet.Machine, bool) {
	t.Helper()
	all, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(m runnerfleet.Machine) bool { return m.CloudID == id })
	if i < 0 {
		return runnerfleet.Machine{}, false
	}
	return all[i], true
}

// settled is a configuration of what the emulated account has: its default network, and
// an image of ours.
func settled(t *testing.T) ec2.Config {
	t.Helper()
	account, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	api := sdk.NewFromConfig(account)
	nets, err := api.DescribeSubnets(t.Context(), &sdk.DescribeSubnetsInput{})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := api.DescribeSecurityGroups(t.Context(), &sdk.DescribeSecurityGroupsInput{})
	if err != nil {
		t.Fatal(err)
	}
	disk := []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(8)}}}
	_, err = api.RegisterImage(t.Context(), &sdk.RegisterImageInput{
		Name: aws.String("ortest-x64-2026-11-01"), RootDeviceName: aws.String("/dev/xvda"), BlockDeviceMappings: disk,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := configure()
	c.Subnets, c.Groups = nil, []string{aws.ToString(groups.SecurityGroups[0].GroupId)}
	for _, n := range nets.Subnets {
		c.Subnets = append(c.Subnets, aws.ToString(n.SubnetId))
	}
	return c
}
