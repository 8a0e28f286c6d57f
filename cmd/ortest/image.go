package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/store"
)

// debian is the account that publishes Debian's images, as wiki.debian.org/Cloud/AmazonEC2Image
// names it.
const debian = "136693071363"

// imageArch is how an arch's image is named and what it is made from. The instance of i386
// is a 64-bit one, whose kernel also runs 32-bit programs, with a 32-bit root on it.
type imageArch struct {
	short, arch, stock, runner string
}

var imageArches = []imageArch{
	{"x64", "linux x86_64", "debian-12-amd64-*", "x64"},
	{"i386", "linux i386", "debian-12-amd64-*", "x64"},
	{"arm64", "linux aarch64", "debian-12-arm64-*", "arm64"},
}

// imageArchOf takes the short name and the long one.
func imageArchOf(name string) (imageArch, error) {
	i := slices.IndexFunc(imageArches, func(a imageArch) bool { return a.short == name || a.arch == name })
	if i < 0 {
		return imageArch{}, usage(fmt.Errorf("--arch %q is none of: x64, i386, arm64", name))
	}
	return imageArches[i], nil
}

func (a *app) image() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Build the images that instances on EC2 start from",
		Example: `  ortest image build --config ortest.yaml --arch x64
  ortest image ls --config ortest.yaml`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&config, "config", "ortest.yaml", "configuration `FILE` of ortest serve, whose fleet.ec2 says where")
	cmd.AddCommand(a.imageBuild(&config), a.imageLs(&config), a.imagePrune(&config), a.imagePrepare())
	return cmd
}

// imagery is the cloud of a configuration, for its images.
type imagery struct {
	cfg   serveConfig
	cat   *catalog.Catalog
	store *store.Store // of the bot; nil where no canary is launched
	cloud *ec2.Cloud
	log   *slog.Logger
}

// imagery opens what a configuration names.
func (a *app) imagery(cmd *cobra.Command, path string) (*imagery, error) {
	cfg, err := readServeConfig(path)
	if err != nil {
		return nil, usage(err)
	}
	if cfg.Fleet.Cloud != "ec2" {
		return nil, usage(fmt.Errorf("%s: fleet.cloud is %s; images are of ec2", path, cfg.Fleet.Cloud))
	}
	log := a.log(cmd.ErrOrStderr())
	live, err := openLive(path, cfg, log)
	if err != nil {
		return nil, err
	}
	i := &imagery{cfg: cfg, cat: live.catalog.Load(), log: log}
	i.cloud, err = i.open(cmd.Context(), nil, unwritten{})
	return i, err
}

// open returns the cloud; instead names images by arch in the place of the configured ones.
func (i *imagery) open(ctx context.Context, instead map[string]string, notes ec2.Notes) (*ec2.Cloud, error) {
	c := i.cfg.Fleet.EC2
	if instead != nil {
		c.Images = instead
	}
	cloud, err := c.open(ctx, i.cfg, i.cat, notes, i.log)
	if err != nil {
		return nil, err
	}
	return cloud.(*ec2.Cloud), nil
}

// imageRow is an image as it is listed.
type imageRow struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	State   string    `json:"state"` // in use, promoted, candidate, or AWS's own: pending, failed
	Created time.Time `json:"created"`
}

// rows lists the images of arches, the newest first; of each arch's promoted ones the
// newest is in use.
func (i *imagery) rows(ctx context.Context, arches []imageArch) (rows []imageRow, images map[string]ec2.Image, err error) {
	images = make(map[string]ec2.Image)
	for _, a := range arches {
		all, err := i.cloud.Images(ctx, "ortest-"+a.short+"-*")
		if err != nil {
			return nil, nil, err
		}
		used := false
		for _, img := range all {
			r := imageRow{ID: img.ID, Name: img.Name, State: img.State, Created: img.Created}
			switch {
			case img.State == "available" && img.Candidate:
				r.State = "candidate"
			case img.State == "available" && used:
				r.State = "promoted"
			case img.State == "available":
				r.State, used = "in use", true
			}
			rows, images[img.ID] = append(rows, r), img
		}
	}
	return rows, images, nil
}

func (a *app) imageLs(config *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the images that were built, and which of them instances start from",
		Example: `  ortest image ls --config ortest.yaml
  ortest image ls --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := a.imagery(cmd, *config)
			if err != nil {
				return err
			}
			rows, _, err := i.rows(cmd.Context(), imageArches)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), append([]imageRow{}, rows...))
			}
			if len(rows) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "No image. ortest image build makes one.")
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "IMAGE\tNAME\tSTATE\tCREATED")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.Name, r.State, stamp(r.Created))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of a table")
	return cmd
}

// keepImages is how many of an arch stay: the one in use, and what to go back to.
const keepImages = 3

func (a *app) imagePrune(config *string) *cobra.Command {
	var keep int
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove old images and what they are stored in",
		Long: `Remove old images and what they are stored in: of each arch all but the newest --keep that were promoted,
and candidates that are more than a day old. Without --yes it only says what it would remove.
The image that instances start from stays.`,
		Example: `  ortest image prune --keep 3
  ortest image prune --keep 3 --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keep < 1 {
				return usage(fmt.Errorf("--keep %d: at least 1 stays, from which instances start", keep))
			}
			i, err := a.imagery(cmd, *config)
			if err != nil {
				return err
			}
			gone, err := i.prune(cmd.Context(), keep, yes)
			if err != nil && len(gone) == 0 {
				return err
			}
			if asJSON {
				return errors.Join(err, writeJSON(cmd.OutOrStdout(), append([]imageRow{}, gone...)))
			}
			word := map[bool]string{true: "removed", false: "would remove"}[yes]
			for _, r := range gone {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s (%s, %s)\n", word, r.ID, r.Name, r.State)
			}
			switch {
			case len(gone) == 0:
				fmt.Fprintln(cmd.OutOrStdout(), "Nothing to remove.")
			case !yes:
				fmt.Fprintln(cmd.OutOrStdout(), "Nothing was removed: say --yes to do so.")
			}
			return err
		},
	}
	cmd.Flags().IntVar(&keep, "keep", keepImages, "leave the newest `N` of each arch")
	cmd.Flags().BoolVar(&yes, "yes", false, "remove them")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of a table")
	return cmd
}

// candidateLife is how old a candidate is that no build can be waiting for any more.
const candidateLife = 24 * time.Hour

// prune removes what is too old, and returns what went or would go.
func (i *imagery) prune(ctx context.Context, keep int, yes bool) (gone []imageRow, err error) {
	var errs []error
	for _, a := range imageArches {
		rows, images, err := i.rows(ctx, []imageArch{a})
		if err != nil {
			return gone, err
		}
		for _, r := range stale(rows, keep, time.Now()) {
			if yes {
				if err := i.cloud.RemoveImage(ctx, images[r.ID]); err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", r.Name, err))
					continue
				}
			}
			gone = append(gone, r)
		}
	}
	return gone, errors.Join(errs...)
}

// stale returns what of an arch's images, the newest first, is to go.
func stale(rows []imageRow, keep int, now time.Time) (old []imageRow) {
	kept := 0
	for _, r := range rows {
		serves := r.State == "in use" || r.State == "promoted"
		switch {
		case serves && kept < keep:
			kept++
		case serves, now.Sub(r.Created) >= candidateLife:
			old = append(old, r)
		}
	}
	return old
}

// freeName dates an image; a second one of a day is numbered.
func freeName(short string, day time.Time, taken func(string) bool) string {
	dated := "ortest-" + short + "-" + day.UTC().Format(time.DateOnly)
	name := dated
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", dated, n)
	}
	return name
}
