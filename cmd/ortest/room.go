package main

import (
	"context"
	"fmt"

	"github.com/ortest/ortest/runnerfleet"
)

// roomy is a cloud that knows how much an account may have.
type roomy interface {
	Room(ctx context.Context, arch, instanceType string) (machines int, quota string, err error)
}

// room is how many machines there may be at once, by the fleet's own bound and by the
// account's quotas, and which of them it is.
func room(cloud runnerfleet.Cloud, most int) func(context.Context, string, string) (int, string, error) {
	own := fmt.Sprintf("fleet.max_instances is %d", most)
	return func(ctx context.Context, arch, instanceType string) (int, string, error) {
		account, ok := cloud.(roomy)
		if !ok {
			return most, own, nil
		}
		n, quota, err := account.Room(ctx, arch, instanceType)
		if err != nil || n < 0 || n >= most {
			return most, own, err
		}
		return n, "the account's quota is " + quota, nil
	}
}
