package ec2

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/ortest/ortest/runnerfleet"
)

var (
	errNoMachine = errors.New("no such machine")
	errThrottled = errors.New("AWS asks to slow down")
	errUnsettled = errors.New("AWS gave no answer that settles anything")
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
	errUnsettled: {
		"InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable", "RequestExpired", "RequestTimeTooSkewed",
		"ExpiredToken", "ExpiredTokenException",
	},
}

// advice is what to do about what AWS rejects, by the beginning of its code; of several
// that fit the first.
var advice = []struct{ code, does string }{
	{"UnauthorizedOperation", "give the bot bot-policy.json; ortest doctor names the permission that lacks"},
	{"AccessDenied", "give the bot bot-policy.json; ortest doctor names the permission that lacks"},
	{"AuthFailure", "the credentials are not this account's, or may not do this; ortest doctor looks at them"},
	{"InvalidAMIID", "ortest image build makes an image, or name another in fleet.ec2.images"},
	{"InvalidSubnet", "correct fleet.ec2.subnets"},
	{"InvalidGroup", "correct fleet.ec2.security_groups"},
	{"InvalidSecurityGroup", "correct fleet.ec2.security_groups"},
	{"", "ortest doctor looks at the account and the configuration"},
}

// rejection is what AWS will say again until somebody has changed something.
func rejection(code, message string) error {
	i := slices.IndexFunc(advice, func(a struct{ code, does string }) bool { return strings.HasPrefix(code, a.code) })
	return fmt.Errorf("%w: %s: %.100s; %s", runnerfleet.ErrRejected, code, message, advice[i].does)
}

// settled makes a rejection of an error that AWS answered with, unless it means
// something else. What never reached AWS, or came from its own trouble, settles nothing.
func settled(err error) error {
	var api smithy.APIError
	var answer *awshttp.ResponseError
	if !errors.As(err, &api) || meaning(api.ErrorCode()) != nil || !errors.As(err, &answer) || answer.HTTPStatusCode() >= http.StatusInternalServerError {
		return translate(err)
	}
	return rejection(api.ErrorCode(), api.ErrorMessage())
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
