package ec2

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/ortest/ortest/runnerfleet"
)

var (
	errNoMachine = errors.New("no such machine")
	errThrottled = errors.New("AWS asks to slow down")
	errNoImage   = errors.New("no image")
)

// codes is what AWS's error codes mean to the fleet. That an account is throttled
// says nothing about capacity, and a quota is not an offering's shortage.
var codes = map[error][]string{
	runnerfleet.ErrCapacity: {
		"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientReservedInstanceCapacity", "InsufficientCapacity",
		"InsufficientCapacityOnHost", "InsufficientFreeAddressesInSubnet", "MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow",
		"ReservationCapacityExceeded", "UnfulfillableCapacity", "Unsupported",
		"VcpuLimitExceeded", "InstanceLimitExceeded", "MaxFleetCountExceeded",
	},
	errNoMachine: {"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"},
	errThrottled: {"RequestLimitExceeded", "ResourceCountExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException"},
}

// meaning returns the sentinel of a code, or nil.
func meaning(code string) error {
	for sentinel, list := range codes {
		if slices.Contains(list, code) {
			return sentinel
		}
	}
	return nil
}

// quotaCode reports that an account's own limit was met.
func quotaCode(code string) bool {
	return slices.Contains([]string{"VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded", "MaxFleetCountExceeded"}, code)
}

// translate makes AWS's code one of our sentinels, where it is one.
func translate(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	if sentinel := meaning(api.ErrorCode()); sentinel != nil {
		return fmt.Errorf("%w: %s: %s", sentinel, api.ErrorCode(), api.ErrorMessage())
	}
	return err
}

func isCode(err error, code string) bool { return codeOf(err) == code }

// codeOf is AWS's code, or "".
func codeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

// console decodes what GetConsoleOutput answers.
func console(text string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("decode console output: %w", err)
	}
	return string(b), nil
}
