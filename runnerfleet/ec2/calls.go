package ec2

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// call is an operation of EC2.
type call[In, Out any] func(ctx context.Context, in *In, opts ...func(*ec2.Options)) (*Out, error)

// calls are the operations that are used. The SDK's client has some seven hundred,
// and where a value that is seen through an interface holds one, as a field or as a
// paginator's argument, the linker keeps them all: 30 MB of the program.
type calls struct {
	CreateFleet              call[ec2.CreateFleetInput, ec2.CreateFleetOutput]
	CreateImage              call[ec2.CreateImageInput, ec2.CreateImageOutput]
	CreateLaunchTemplate     call[ec2.CreateLaunchTemplateInput, ec2.CreateLaunchTemplateOutput]
	DeleteLaunchTemplate     call[ec2.DeleteLaunchTemplateInput, ec2.DeleteLaunchTemplateOutput]
	DeleteSnapshot           call[ec2.DeleteSnapshotInput, ec2.DeleteSnapshotOutput]
	DeleteTags               call[ec2.DeleteTagsInput, ec2.DeleteTagsOutput]
	DeregisterImage          call[ec2.DeregisterImageInput, ec2.DeregisterImageOutput]
	DescribeImages           call[ec2.DescribeImagesInput, ec2.DescribeImagesOutput]
	DescribeInstanceTypes    call[ec2.DescribeInstanceTypesInput, ec2.DescribeInstanceTypesOutput]
	DescribeSecurityGroups   call[ec2.DescribeSecurityGroupsInput, ec2.DescribeSecurityGroupsOutput]
	DescribeSubnets          call[ec2.DescribeSubnetsInput, ec2.DescribeSubnetsOutput]
	GetConsoleOutput         call[ec2.GetConsoleOutputInput, ec2.GetConsoleOutputOutput]
	RunInstances             call[ec2.RunInstancesInput, ec2.RunInstancesOutput]
	TerminateInstances       call[ec2.TerminateInstancesInput, ec2.TerminateInstancesOutput]
	DescribeInstances        listInstances
	DescribeLaunchTemplates  listTemplates
	DescribeSpotPriceHistory listPrices
}

func callsOf(cfg aws.Config) calls {
	c := ec2.NewFromConfig(cfg)
	return calls{
		CreateFleet:              c.CreateFleet,
		CreateImage:              c.CreateImage,
		CreateLaunchTemplate:     c.CreateLaunchTemplate,
		DeleteLaunchTemplate:     c.DeleteLaunchTemplate,
		DeleteSnapshot:           c.DeleteSnapshot,
		DeleteTags:               c.DeleteTags,
		DeregisterImage:          c.DeregisterImage,
		DescribeImages:           c.DescribeImages,
		DescribeInstanceTypes:    c.DescribeInstanceTypes,
		DescribeSecurityGroups:   c.DescribeSecurityGroups,
		DescribeSubnets:          c.DescribeSubnets,
		GetConsoleOutput:         c.GetConsoleOutput,
		RunInstances:             c.RunInstances,
		TerminateInstances:       c.TerminateInstances,
		DescribeInstances:        c.DescribeInstances,
		DescribeLaunchTemplates:  c.DescribeLaunchTemplates,
		DescribeSpotPriceHistory: c.DescribeSpotPriceHistory,
	}
}

// What is listed page by page is what the SDK's paginators take.
type (
	listInstances call[ec2.DescribeInstancesInput, ec2.DescribeInstancesOutput]
	listTemplates call[ec2.DescribeLaunchTemplatesInput, ec2.DescribeLaunchTemplatesOutput]
	listPrices    call[ec2.DescribeSpotPriceHistoryInput, ec2.DescribeSpotPriceHistoryOutput]
)

// DescribeInstances asks for a page.
func (list listInstances) DescribeInstances(ctx context.Context, in *ec2.DescribeInstancesInput, opts ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return list(ctx, in, opts...)
}

// DescribeLaunchTemplates asks for a page.
func (list listTemplates) DescribeLaunchTemplates(ctx context.Context, in *ec2.DescribeLaunchTemplatesInput, opts ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplatesOutput, error) {
	return list(ctx, in, opts...)
}

// DescribeSpotPriceHistory asks for a page.
func (list listPrices) DescribeSpotPriceHistory(ctx context.Context, in *ec2.DescribeSpotPriceHistoryInput, opts ...func(*ec2.Options)) (*ec2.DescribeSpotPriceHistoryOutput, error) {
	return list(ctx, in, opts...)
}
