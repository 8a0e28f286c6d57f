package ec2

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/ortest/ortest/runnerfleet"
)

//go:embed imagedata.sh
var imageDataText string

var imageDataScript = template.Must(template.New("image-data").Parse(imageDataText))

// tagImage is on a machine that becomes an image: it belongs to no bucket, and the
// fleet's passes leave it alone until its deadline.
const tagImage = "ortest:image"

// ready is what a builder prints when nothing failed.
const ready = "ortest: the image is ready"

// Build says how an image is made. All is required.
type Build struct {
	Arch    string // a configured one: its types, and its agent
	Name    string // of the image, which the account must not have yet
	From    string // the stock image, as Arch.Image names one
	Owners  []string
	Command string        // arguments of the agent's binary that make the machine what it is to be
	Units   []byte        // what the command finds as units.json
	Disk    int32         // GiB
	Most    time.Duration // for all of it; the builder's own timer as well
	Poll    time.Duration // between two looks at what AWS does
	Say     func(format string, args ...any)
}

// BuildImage makes a candidate: an image that no launch takes before PromoteImage. The
// builder is ended before it returns, whatever happened, and what it printed last is in
// the error.
func (c *Cloud) BuildImage(ctx context.Context, b Build) (img Image, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.Most)
	defer cancel()
	stock, err := c.findImage(ctx, b.From, b.Owners)
	if err != nil {
		return Image{}, err
	}
	b.Say("from %s (%s)", aws.ToString(stock.ImageId), aws.ToString(stock.Name))
	id, err := c.runBuilder(ctx, b, stock)
	if err != nil {
		return Image{}, err
	}
	b.Say("builder %s runs", id)
	defer func() {
		b.Say("builder %s is ended", id)
		err = errors.Join(err, c.EndSoon(ctx, id))
	}()
	if err := c.built(ctx, b, id); err != nil {
		return Image{}, err
	}
	out, err := c.ec2.CreateImage(ctx, &ec2.CreateImageInput{
		InstanceId: aws.String(id), Name: aws.String(b.Name), Description: aws.String("ortest " + b.Arch + " from " + aws.ToString(stock.Name)),
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeImage, Tags: append(pairs("Name", b.Name, "ortest:from", aws.ToString(stock.ImageId), tagCandidate, "yes"), c.ours()...)},
			{ResourceType: types.ResourceTypeSnapshot, Tags: append(pairs("Name", b.Name), c.ours()...)},
		},
	})
	if err != nil {
		return Image{}, fmt.Errorf("create image: %w", translate(err))
	}
	b.Say("image %s (%s) is being stored", aws.ToString(out.ImageId), b.Name)
	return c.stored(ctx, b, aws.ToString(out.ImageId))
}

// EndSoon terminates a machine also when ctx has ended.
func (c *Cloud) EndSoon(ctx context.Context, cloudID string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return c.Terminate(ctx, cloudID)
}

// runBuilder buys the builder on demand, of the first offer that has capacity.
func (c *Cloud) runBuilder(ctx context.Context, b Build, stock types.Image) (string, error) {
	script, err := c.imageData(b)
	if err != nil {
		return "", err
	}
	deadline := time.Now().Add(b.Most)
	tags := append(pairs(tagImage, b.Name, tagInstance, "image-builder", tagDeadline, deadline.UTC().Format(time.RFC3339), "Name", "ortest "+b.Name), c.ours()...)
	var short []error
	for _, kind := range c.cfg.Arches[b.Arch].Types {
		for _, subnet := range c.cfg.Subnets {
			out, err := c.ec2.RunInstances(ctx, &ec2.RunInstancesInput{
				MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ClientToken: aws.String(token(c.cfg.Fleet, b.Name, deadline.String(), kind, subnet)),
				ImageId: stock.ImageId, InstanceType: types.InstanceType(kind), SubnetId: aws.String(subnet), SecurityGroupIds: c.cfg.Groups,
				UserData: aws.String(base64.StdEncoding.EncodeToString([]byte(script))),
				// An image is made of a machine that is off and still there.
				InstanceInitiatedShutdownBehavior: types.ShutdownBehaviorStop,
				MetadataOptions: &types.InstanceMetadataOptionsRequest{
					HttpTokens: types.HttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(1), HttpEndpoint: types.InstanceMetadataEndpointStateEnabled,
				},
				BlockDeviceMappings: []types.BlockDeviceMapping{{
					DeviceName: stock.RootDeviceName,
					Ebs:        &types.EbsBlockDevice{VolumeSize: aws.Int32(b.Disk), VolumeType: types.VolumeTypeGp3, DeleteOnTermination: aws.Bool(true)},
				}},
				TagSpecifications: []types.TagSpecification{
					{ResourceType: types.ResourceTypeInstance, Tags: tags}, {ResourceType: types.ResourceTypeVolume, Tags: tags},
				},
			})
			switch {
			case err == nil && len(out.Instances) == 1:
				return aws.ToString(out.Instances[0].InstanceId), nil
			case err != nil && !errors.Is(translate(err), runnerfleet.ErrCapacity):
				return "", fmt.Errorf("run the builder: %w", translate(err))
			}
			short = append(short, fmt.Errorf("run the builder: %s in %s: %w", kind, subnet, translate(err)))
		}
	}
	return "", errors.Join(short...)
}

func (c *Cloud) imageData(b Build) (string, error) {
	var out bytes.Buffer
	units, err := packed(b.Units)
	if err != nil {
		return "", err
	}
	err = imageDataScript.Execute(&out, struct {
		URL, Digest, Command, Ready, Units string
		Minutes, Linger                    int
	}{
		strings.TrimSuffix(c.cfg.AgentURL, "/"), c.cfg.Arches[b.Arch].Digest, b.Command, ready, units,
		minutes(b.Most), int((3 * b.Poll).Seconds()),
	})
	if err != nil {
		return "", fmt.Errorf("write user-data: %w", err)
	}
	if out.Len() > maxUserData {
		return "", fmt.Errorf("user-data has %d bytes, AWS takes %d", out.Len(), maxUserData)
	}
	return out.String(), nil
}

// packed makes text of bytes, as short as may be, in lines.
func packed(b []byte) (string, error) {
	var small bytes.Buffer
	z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(b); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	var lines []string
	for chunk := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(small.Bytes())), 76) {
		lines = append(lines, string(chunk))
	}
	return strings.Join(lines, "\n"), nil
}

// built waits until the builder is off, and says why it is no image if so. Its
// power goes whether it is ready or not: what it printed tells.
func (c *Cloud) built(ctx context.Context, b Build, id string) error {
	said, off := "", 0
	for {
		state, err := c.state(ctx, id)
		switch {
		case ctx.Err() != nil:
			return c.unbuilt(said, fmt.Errorf("the builder is not ready: %w", context.Cause(ctx)))
		case err != nil:
			return c.unbuilt(said, err)
		}
		if text, err := c.ConsoleOutput(ctx, id); err == nil && text != "" {
			said = text
		}
		done := strings.Contains(said, ready)
		switch {
		case state == types.InstanceStateNameStopped && done:
			return nil
		case state == types.InstanceStateNameStopped && off >= lookAgain:
			return c.unbuilt(said, errors.New("the builder is off and did not say that the image is ready"))
		case state == types.InstanceStateNameStopped:
			off++ // its last words may be on their way
		case state == types.InstanceStateNameTerminated || state == types.InstanceStateNameShuttingDown:
			return c.unbuilt(said, errors.New("the builder was ended by somebody else"))
		}
		if err := pause(ctx, b.Poll); err != nil {
			return c.unbuilt(said, fmt.Errorf("the builder is not ready: %w", err))
		}
	}
}

// lookAgain is how often the console of a builder that is off is looked at.
const lookAgain = 6

// unbuilt follows an error with the console's end.
func (c *Cloud) unbuilt(said string, err error) error {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(said, "\r", "")), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return fmt.Errorf("%w; its console shows nothing", err)
	}
	return fmt.Errorf("%w; its console ends:\n  %s", err, strings.Join(lines[max(0, len(lines)-20):], "\n  "))
}

// state returns an instance's, "pending" while it is not listed yet.
func (c *Cloud) state(ctx context.Context, id string) (types.InstanceStateName, error) {
	out, err := c.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	switch err = translate(err); {
	case errors.Is(err, errNoMachine):
		return types.InstanceStateNamePending, nil
	case err != nil:
		return "", fmt.Errorf("describe the builder: %w", err)
	}
	for _, r := range out.Reservations {
		for _, in := range r.Instances {
			if in.State != nil {
				return in.State.Name, nil
			}
		}
	}
	return types.InstanceStateNamePending, nil
}

// stored waits until an image can be launched from. One that cannot is removed.
func (c *Cloud) stored(ctx context.Context, b Build, id string) (Image, error) {
	img := Image{ID: id, Name: b.Name, Candidate: true}
	for {
		out, err := c.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}})
		switch {
		case err != nil && !isCode(err, "InvalidAMIID.NotFound"):
			return img, c.discard(ctx, img, fmt.Errorf("describe images: %w", translate(err)))
		case err == nil && len(out.Images) == 1:
			img = ownImage(out.Images[0])
			switch out.Images[0].State {
			case types.ImageStateAvailable:
				return img, nil
			case types.ImageStateFailed, types.ImageStateError, types.ImageStateInvalid:
				why := ""
				if r := out.Images[0].StateReason; r != nil {
					why = ": " + aws.ToString(r.Message)
				}
				return img, c.discard(ctx, img, fmt.Errorf("AWS could not store image %s%s", id, why))
			}
		}
		if err := pause(ctx, b.Poll); err != nil {
			return img, c.discard(ctx, img, fmt.Errorf("image %s is not stored: %w", id, err))
		}
	}
}

// discard removes an image that will not be used, also when ctx has ended.
func (c *Cloud) discard(ctx context.Context, img Image, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return errors.Join(why, c.RemoveImage(ctx, img))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func (c *Cloud) ours() []types.Tag { return pairs(tagFleet, c.cfg.Fleet) }

// pairs makes tags of keys and values.
func pairs(words ...string) (tags []types.Tag) {
	for i := 0; i+1 < len(words); i += 2 {
		tags = append(tags, types.Tag{Key: aws.String(words[i]), Value: aws.String(words[i+1])})
	}
	return tags
}

// minutes rounds up, as shutdown takes them.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }
