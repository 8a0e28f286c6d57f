package ec2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/ortest/ortest/runnerfleet"
)

// tagCandidate is on an image that no canary has enrolled from yet. It is set by the
// call that makes the image, so that there is no moment at which a launch takes it.
const tagCandidate = "ortest:candidate"

// Image is one of the account's own images that BuildImage made.
type Image struct {
	ID, Name, State string // State is AWS's: pending, available, failed
	Candidate       bool   // not promoted: no launch takes it
	Created         time.Time
	Snapshots       []string
}

// Images returns the fleet's own images whose names match a pattern, the newest first.
func (c *Cloud) Images(ctx context.Context, pattern string) ([]Image, error) {
	out, err := c.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{
		Owners: []string{"self"},
		Filters: []types.Filter{
			{Name: aws.String("name"), Values: []string{pattern}}, {Name: aws.String("tag:" + tagFleet), Values: []string{c.cfg.Fleet}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("describe images: %w", translate(err))
	}
	var all []Image
	for _, i := range out.Images {
		all = append(all, ownImage(i))
	}
	slices.SortFunc(all, func(a, b Image) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Name, a.Name))
	})
	return all, nil
}

func ownImage(i types.Image) Image {
	img := Image{ID: aws.ToString(i.ImageId), Name: aws.ToString(i.Name), State: string(i.State), Candidate: candidate(i)}
	img.Created, _ = time.Parse(time.RFC3339, aws.ToString(i.CreationDate)) // AWS's own; without it the image counts as old
	for _, d := range i.BlockDeviceMappings {
		if d.Ebs != nil && aws.ToString(d.Ebs.SnapshotId) != "" {
			img.Snapshots = append(img.Snapshots, aws.ToString(d.Ebs.SnapshotId))
		}
	}
	return img
}

func candidate(i types.Image) bool {
	return slices.ContainsFunc(i.Tags, func(t types.Tag) bool { return aws.ToString(t.Key) == tagCandidate })
}

// PromoteImage lets launches take an image from now on.
func (c *Cloud) PromoteImage(ctx context.Context, id string) error {
	_, err := c.ec2.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String(tagCandidate)}}})
	if err != nil {
		return fmt.Errorf("promote image: %w", translate(err))
	}
	return nil
}

// RemoveImage removes an image and what it is stored in. Instances that were launched
// from it live on. What is gone already is no error.
func (c *Cloud) RemoveImage(ctx context.Context, img Image) error {
	_, err := c.ec2.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: aws.String(img.ID)})
	if err != nil && !isCode(err, "InvalidAMIID.NotFound") && !isCode(err, "InvalidAMIID.Unavailable") {
		return fmt.Errorf("deregister image: %w", translate(err))
	}
	var errs []error
	for _, s := range img.Snapshots {
		_, err := c.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(s)})
		if err != nil && !isCode(err, "InvalidSnapshot.NotFound") {
			errs = append(errs, fmt.Errorf("delete snapshot %s: %w", s, translate(err)))
		}
	}
	return errors.Join(errs...)
}

// findImage returns the newest image that is meant, of those that launches may take.
func (c *Cloud) findImage(ctx context.Context, image string, owners []string) (types.Image, error) {
	in, err := c.imageQuery(ctx, image, owners)
	if err != nil {
		return types.Image{}, err
	}
	out, err := c.ec2.DescribeImages(ctx, in)
	if err != nil {
		return types.Image{}, fmt.Errorf("describe images: %w", settled(err))
	}
	found := out.Images
	if len(in.ImageIds) == 0 { // one that is named is taken as it is: so is the canary's
		found = slices.DeleteFunc(found, candidate)
	}
	if len(found) == 0 {
		return types.Image{}, fmt.Errorf("%w: %w %s of %s: ortest image build makes one, or configure another", runnerfleet.ErrRejected, errNoImage, image, strings.Join(owners, ", "))
	}
	newest := slices.MaxFunc(found, func(a, b types.Image) int {
		return cmp.Or(cmp.Compare(aws.ToString(a.CreationDate), aws.ToString(b.CreationDate)), cmp.Compare(aws.ToString(a.Name), aws.ToString(b.Name)))
	})
	if aws.ToString(newest.ImageId) == "" || aws.ToString(newest.RootDeviceName) == "" {
		return types.Image{}, errors.New("describe images: an image without ID or root device")
	}
	return newest, nil
}
