package ec2

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// SignIn takes a role with a statement of identity that the role trusts, and returns
// the environment by which every AWS tool knows its credentials. They last an
// hour; nothing is stored.
func SignIn(ctx context.Context, role, session, statement string) (environ map[string]string, err error) {
	cfg, err := config.LoadDefaultConfig(ctx, answering(0), config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	out, err := sts.NewFromConfig(cfg).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String(session), WebIdentityToken: aws.String(statement), DurationSeconds: aws.Int32(3600),
	})
	if err != nil {
		return nil, fmt.Errorf("take role %s: %w", role, err)
	}
	c := out.Credentials
	return map[string]string{
		"AWS_ACCESS_KEY_ID": aws.ToString(c.AccessKeyId), "AWS_SECRET_ACCESS_KEY": aws.ToString(c.SecretAccessKey), "AWS_SESSION_TOKEN": aws.ToString(c.SessionToken),
	}, nil
}
