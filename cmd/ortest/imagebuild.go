package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/image"
	"github.com/ortest/ortest/store"
)

// imageFlags are what an image build can be told.
type imageFlags struct {
	arch, from, runner, api string
	owners                  []string
	disk                    int32
	timeout, poll           time.Duration
	keep                    int
	asJSON                  bool
}

// built is what a build says of itself.
type built struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Arch     string `json:"arch"`
	Promoted bool   `json:"promoted"`
	Seconds  int    `json:"seconds"`
}

func (a *app) imageBuild(config *string) *cobra.Command {
	var f imageFlags
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build a dated image, and let instances start from it once a canary has enrolled",
		Long: `Build a dated image such as ortest-x64-2026-11-21 from a stock one of Debian, and let instances start from it
once a canary has enrolled.

A builder is launched from the stock image. It fetches this program from the bot, installs actions/runner and makes
true what the catalog's projects need of a machine, as ortest run does: the units. When it has powered off it
is stored as an image, which no instance starts from yet. A canary is launched from that image; when its agent has
enrolled with the bot, the image is promoted: the bot takes the newest promoted one within five minutes. Builder and
canary are ended whatever happens, also on an interrupt; should this program be killed, the bot and ortest fleet
sweep end them at their deadline. An image that fails is removed, and the end of the console is shown.

Run it where the bot runs, with the bot's configuration and while the bot serves, and with credentials that have
runnerfleet/ec2/aws/image-policy.json beside the bot's own. For i386 the image is a 64-bit one with a 32-bit root in
/opt/ortest/i386: c5 and every other current x86_64 type runs 32-bit programs on it.`,
		Example: `  ortest image build --config ortest.yaml
  ortest image build --arch arm64 --keep 3
  ortest image build --arch i386 --from ami-0123456789abcdef0`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.buildImage(cmd, *config, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.arch, "arch", "x64", "build for `ARCH`: x64, i386 or arm64")
	fl.StringVar(&f.from, "from", "", "stock `IMAGE`: an ID, ssm:NAME, or a pattern of names whose newest is taken (default Debian 12)")
	fl.StringSliceVar(&f.owners, "from-owners", []string{debian}, "accounts whose images --from may match; Debian's")
	fl.StringVar(&f.runner, "runner-version", "latest", "`VERSION` of actions/runner, as the releases of github.com/actions/runner name it")
	fl.StringVar(&f.api, "runner-api", "https://api.github.com", "`URL` of the API that knows actions/runner's releases")
	fl.Int32Var(&f.disk, "disk", 30, "size of an instance's disk in `GIB`")
	fl.DurationVar(&f.timeout, "timeout", time.Hour, "give up after this long")
	fl.DurationVar(&f.poll, "poll", 10*time.Second, "time between two looks at what AWS does")
	fl.IntVar(&f.keep, "keep", 0, "then remove all but the newest `N` images, as ortest image prune does; 0 removes none")
	fl.BoolVar(&f.asJSON, "json", false, "write JSON instead of text")
	return cmd
}

func (a *app) buildImage(cmd *cobra.Command, config string, f imageFlags) (err error) {
	arch, err := imageArchOf(f.arch)
	switch {
	case err != nil:
		return err
	case f.timeout < time.Minute || f.poll <= 0 || f.disk < 8 || f.keep < 0:
		return usage(errors.New("--timeout must be a minute or more, --poll positive, --disk at least 8, --keep not negative"))
	}
	i, err := a.imagery(cmd, config)
	if err != nil {
		return err
	}
	if i.store, err = store.Open(cmd.Context(), store.Config{Database: i.cfg.Database, Log: i.log}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.store.Close()) }()
	began := time.Now()
	say := func(format string, args ...any) {
		if !a.quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "%6s  "+format+"\n", append([]any{time.Since(began).Round(time.Second)}, args...)...)
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	img, err := i.build(ctx, f, arch, say)
	if err != nil {
		return err
	}
	done := built{ID: img.ID, Name: img.Name, Arch: arch.arch, Promoted: true, Seconds: int(time.Since(began).Seconds())}
	if f.keep > 0 {
		gone, err := i.prune(ctx, f.keep, true)
		for _, r := range gone {
			say("removed %s (%s)", r.ID, r.Name)
		}
		if err != nil {
			a.warn(cmd.ErrOrStderr(), "old images were not removed: "+err.Error())
		}
	}
	if f.asJSON {
		return writeJSON(cmd.OutOrStdout(), done)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s %s is promoted: instances of %s start from it within five minutes.\n", done.ID, done.Name, done.Arch)
	return nil
}

// build makes an image and promotes it. One that no canary enrolled from is removed.
func (i *imagery) build(ctx context.Context, f imageFlags, arch imageArch, say func(string, ...any)) (ec2.Image, error) {
	key, err := i.cfg.fleetKey()
	if err != nil {
		return ec2.Image{}, err
	}
	have, err := i.cloud.Images(ctx, "ortest-"+arch.short+"-*")
	if err != nil {
		return ec2.Image{}, err
	}
	runner, err := image.Release(ctx, f.api, arch.runner, f.runner)
	if err != nil {
		return ec2.Image{}, err
	}
	from := f.from
	if from == "" {
		from = arch.stock
	}
	units, err := json.Marshal(image.Units(i.cat))
	if err != nil {
		return ec2.Image{}, err
	}
	img, err := i.cloud.BuildImage(ctx, ec2.Build{
		Units: units, Arch: arch.arch, From: from, Owners: f.owners, Disk: f.disk, Most: f.timeout, Poll: f.poll, Say: say,
		Name: freeName(arch.short, time.Now(), func(name string) bool {
			return slices.ContainsFunc(have, func(i ec2.Image) bool { return i.Name == name })
		}),
		Command: shellquote.Join("ortest", "image", "prepare", "--arch", arch.arch, "--runner", runner.URL, "--runner-sha256", runner.SHA256, "--units", "units.json"),
	})
	if err != nil {
		return img, err
	}
	say("a canary is launched from %s", img.ID)
	if err := i.canary(ctx, arch.arch, img, key); err != nil {
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		say("image %s is removed", img.ID)
		return img, errors.Join(fmt.Errorf("image %s is not promoted: the canary: %w", img.Name, err), i.cloud.RemoveImage(soon, img))
	}
	say("the canary has enrolled")
	return img, i.cloud.PromoteImage(ctx, img.ID)
}

// canary sees whether an instance from an image can serve.
func (i *imagery) canary(ctx context.Context, arch string, img ec2.Image, key []byte) error {
	cloud, err := i.open(ctx, map[string]string{arch: img.ID}, i.store)
	if err != nil {
		return err
	}
	fleet := &runnerfleet.Fleet{
		Cloud: cloud, Store: i.store, URL: i.cfg.URL, Key: key, Limits: i.cfg.Fleet.limits(), Interval: canaryLook, Log: i.log,
	}
	id := canaryBuckets + strings.NewReplacer("-", "_").Replace(strings.TrimPrefix(img.Name, "ortest-")) + "_" + strings.TrimPrefix(img.ID, "ami-")
	return fleet.Rehearse(ctx, runnerfleet.Bucket{ID: id, Attempt: 1, Arch: arch}, i.cfg.Fleet.BootGrace+canaryMore)
}

// A canary has as long as an instance for its first word, and a little for what lies
// before. The store is asked for it often: it costs nothing.
const (
	canaryMore = 2 * time.Minute
	canaryLook = 500 * time.Millisecond
)
