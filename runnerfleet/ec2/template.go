package ec2

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/ortest/ortest/runnerfleet"
)

//go:embed userdata.sh
var userDataText string

var userDataScript = template.Must(template.New("user-data").Parse(userDataText))

// maxUserData is AWS's limit, before base64.
const maxUserData = 16 << 10

// imageLife is how long the newest image stays the newest.
const imageLife = 5 * time.Minute

// templates remembers the launch templates in use. A template is named for its
// content and never changed, so that a launch may name it long before it is made.
// The fleet's passes do not overlap, and only they come here; a launch under way beside
// them forgets a template that is gone.
type templates struct {
	image map[string]foundImage
	mu    sync.Mutex
	id    map[string]string // by name
}

func (t *templates) known(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id[name]
}

func (t *templates) keep(name, id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.id == nil {
		t.id = make(map[string]string)
	}
	t.id[name] = id
}

func (t *templates) forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.id, func(_, known string) bool { return known == id })
}

func (t *templates) uses(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, known := range t.id {
		if known == id {
			return true
		}
	}
	return false
}

type foundImage struct {
	id, root string // root is the device that the system is on
	size     *int32 // its, in GiB; nil: AWS does not say
	at       time.Time
}

// template returns the ID of the launch template for an arch, and makes it if need be.
func (c *Cloud) template(ctx context.Context, arch string) (string, error) {
	img, err := c.image(ctx, arch)
	if err != nil {
		return "", err
	}
	script, err := c.userData(arch)
	if err != nil {
		return "", err
	}
	data := c.templateData(img, script)
	name := "ortest-" + token(c.cfg.Fleet, img.id, img.root, fmt.Sprint(aws.ToInt32(img.size)), script, strings.Join(c.cfg.Groups, " "))[:40]
	if id := c.templates.known(name); id != "" {
		return id, nil
	}
	id, err := c.makeTemplate(ctx, name, data)
	if err != nil {
		return "", err
	}
	c.templates.keep(name, id)
	if err := c.tidy(ctx); err != nil {
		c.cfg.Log.Warn("old launch templates not removed", "err", err)
	}
	return id, nil
}

// tidy removes the fleet's launch templates that no launch names any more: an intent lives
// no longer than MaxAge. Should another process still use one, its next launch finds it
// gone, and is settled anew.
func (c *Cloud) tidy(ctx context.Context) error {
	pages := ec2.NewDescribeLaunchTemplatesPaginator(c.ec2.DescribeLaunchTemplates, &ec2.DescribeLaunchTemplatesInput{
		Filters: []types.Filter{{Name: aws.String("tag:" + tagFleet), Values: []string{c.cfg.Fleet}}},
	})
	var errs []error
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("describe launch templates: %w", translate(err)))...)
		}
		for _, t := range page.LaunchTemplates {
			id := aws.ToString(t.LaunchTemplateId)
			if c.templates.uses(id) || time.Since(aws.ToTime(t.CreateTime)) < c.cfg.MaxAge+templateLife {
				continue
			}
			_, err := c.ec2.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: aws.String(id)})
			if err != nil && !isCode(err, noTemplate) {
				errs = append(errs, fmt.Errorf("delete launch template %s: %w", id, translate(err)))
			}
		}
	}
	return errors.Join(errs...)
}

// templateLife is how long a launch template stays beyond the age of any machine.
const templateLife = 24 * time.Hour

const noTemplate = "InvalidLaunchTemplateId.NotFound"

// anew is a launch's error. One whose template is gone is settled anew, as one that found
// no capacity.
func (c *Cloud) anew(err error, template string) error {
	if !isCode(err, noTemplate) {
		return settled(err)
	}
	c.templates.forget(template)
	return fmt.Errorf("%w: %w", runnerfleet.ErrCapacity, err)
}

func (c *Cloud) makeTemplate(ctx context.Context, name string, data *types.RequestLaunchTemplateData) (string, error) {
	out, err := c.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String(name), LaunchTemplateData: data, ClientToken: aws.String(name),
		TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeLaunchTemplate, Tags: []types.Tag{{Key: aws.String(tagFleet), Value: aws.String(c.cfg.Fleet)}},
		}},
	})
	if err == nil {
		return aws.ToString(out.LaunchTemplate.LaunchTemplateId), nil
	}
	if !isCode(err, "InvalidLaunchTemplateName.AlreadyExistsException") {
		return "", fmt.Errorf("create launch template: %w", settled(err))
	}
	have, err := c.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{name}})
	if err != nil {
		return "", fmt.Errorf("describe launch template: %w", settled(err))
	}
	for _, t := range have.LaunchTemplates {
		return aws.ToString(t.LaunchTemplateId), nil
	}
	return "", fmt.Errorf("launch template %s exists and is not shown", name)
}

// templateData is what every machine has. It has no role, no key, no way in, and its
// disk is encrypted and goes with it.
func (c *Cloud) templateData(img foundImage, script string) *types.RequestLaunchTemplateData {
	ours := []types.Tag{{Key: aws.String(tagFleet), Value: aws.String(c.cfg.Fleet)}}
	return &types.RequestLaunchTemplateData{
		ImageId:                           aws.String(img.id),
		SecurityGroupIds:                  c.cfg.Groups,
		UserData:                          aws.String(base64.StdEncoding.EncodeToString([]byte(script))),
		InstanceInitiatedShutdownBehavior: types.ShutdownBehaviorTerminate,
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens: types.LaunchTemplateHttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(1),
			HttpEndpoint: types.LaunchTemplateInstanceMetadataEndpointStateEnabled,
			// The first boot closes one address of it to jobs: there is to be no other.
			HttpProtocolIpv6: types.LaunchTemplateInstanceMetadataProtocolIpv6Disabled,
		},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{
			DeviceName: aws.String(img.root),
			Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{
				Encrypted: aws.Bool(true), DeleteOnTermination: aws.Bool(true), VolumeType: types.VolumeTypeGp3, VolumeSize: img.size,
			},
		}},
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: types.ResourceTypeVolume, Tags: ours}, {ResourceType: types.ResourceTypeNetworkInterface, Tags: ours},
		},
	}
}

// userData is the script of a machine's first boot, the same for all of an arch: it
// holds no secret and no name.
func (c *Cloud) userData(arch string) (string, error) {
	var b bytes.Buffer
	err := userDataScript.Execute(&b, struct {
		URL, Digest, Root string
		Minutes           int
	}{strings.TrimSuffix(c.cfg.AgentURL, "/"), c.cfg.Arches[arch].Digest, c.cfg.Arches[arch].Root, minutes(c.cfg.MaxAge)})
	if err != nil {
		return "", fmt.Errorf("write user-data: %w", err)
	}
	if b.Len() > maxUserData {
		return "", fmt.Errorf("user-data has %d bytes, AWS takes %d", b.Len(), maxUserData)
	}
	return b.String(), nil
}

// image finds the image of an arch.
func (c *Cloud) image(ctx context.Context, arch string) (foundImage, error) {
	if got, ok := c.templates.image[arch]; ok && time.Since(got.at) < imageLife {
		return got, nil
	}
	newest, err := c.findImage(ctx, c.cfg.Arches[arch].Image, c.cfg.Owners)
	if err != nil {
		return foundImage{}, err
	}
	found := foundImage{id: aws.ToString(newest.ImageId), root: aws.ToString(newest.RootDeviceName), at: time.Now()}
	for _, d := range newest.BlockDeviceMappings {
		if aws.ToString(d.DeviceName) == found.root && d.Ebs != nil {
			found.size = d.Ebs.VolumeSize
		}
	}
	if c.templates.image == nil {
		c.templates.image = make(map[string]foundImage)
	}
	c.templates.image[arch] = found
	return found, nil
}

// imageQuery asks for an image by its ID, by the parameter that holds it, or by
// a pattern of its name.
func (c *Cloud) imageQuery(ctx context.Context, image string, owners []string) (*ec2.DescribeImagesInput, error) {
	if name, ok := strings.CutPrefix(image, "ssm:"); ok {
		out, err := c.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name)})
		if err != nil {
			return nil, fmt.Errorf("get parameter %s: %w", name, settled(err))
		}
		image = aws.ToString(out.Parameter.Value)
	}
	if strings.HasPrefix(image, "ami-") {
		return &ec2.DescribeImagesInput{ImageIds: []string{image}}, nil
	}
	return &ec2.DescribeImagesInput{
		Owners: owners,
		Filters: []types.Filter{
			{Name: aws.String("name"), Values: []string{image}}, {Name: aws.String("state"), Values: []string{"available"}},
		},
	}, nil
}
