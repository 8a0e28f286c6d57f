package ec2

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"text/template"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/ortest/ortest/runnerfleet"
)

//go:embed alone.sh
var aloneText string

var aloneScript = template.Must(template.New("user-data").Parse(aloneText))

// ErrTooLong says that a machine's list does not fit into its user-data.
var ErrTooLong = errors.New("the list is longer than user-data may be")

// LaunchAlone buys a machine that no server will hear of: its user-data holds the
// list of what it runs. Its AgentURL is the agent's whole address. ErrTooLong: share
// the list among several machines. A repeat finds the machine that was bought.
func (c *Cloud) LaunchAlone(ctx context.Context, l runnerfleet.Launch, list []byte) (cloudID string, err error) {
	script, err := c.aloneData(l, list)
	if err != nil {
		return "", err
	}
	o, err := c.order(ctx, l)
	if err != nil {
		return "", err
	}
	img, err := c.image(ctx, l.Arch)
	if err != nil {
		return "", err
	}
	// A template of its own, which lives as long as the call that reads it.
	name := "ortest-alone-" + token(c.cfg.Fleet, l.Instance, script)[:40]
	if o.Template, err = c.makeTemplate(ctx, name, c.templateData(img, script)); err != nil {
		return "", err
	}
	defer func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, gone := c.ec2.DeleteLaunchTemplate(late, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: aws.String(o.Template)})
		if gone = errors.Join(translate(gone), c.tidy(late)); gone != nil {
			c.cfg.Log.Warn("launch template stays", "instance", l.Instance, "err", gone)
		}
	}()
	b, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	l.Params = string(b)
	return c.Launch(ctx, l)
}

// aloneData is the script of the machine's first boot, packed, as cloud-init takes it.
func (c *Cloud) aloneData(l runnerfleet.Launch, list []byte) (string, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	minutes := int((time.Until(l.Deadline) + time.Minute - 1) / time.Minute)
	err = aloneScript.Execute(z, struct {
		URL, Digest, Root, List, Instance, Deadline string
		Minutes                                     int
	}{c.cfg.AgentURL, c.cfg.Arches[l.Arch].Digest, c.cfg.Arches[l.Arch].Root, string(list), l.Instance, l.Deadline.UTC().Format(time.RFC3339), max(1, minutes)})
	if err := errors.Join(err, z.Close()); err != nil {
		return "", fmt.Errorf("write user-data: %w", err)
	}
	if packed.Len() > maxUserData {
		return "", fmt.Errorf("%w: %d of %d bytes", ErrTooLong, packed.Len(), maxUserData)
	}
	return packed.String(), nil
}
