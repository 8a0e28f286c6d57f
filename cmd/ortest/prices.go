package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

// priceTime is how long AWS may take to name its prices: a plan is shown at
// once, with the catalog's prices if need be.
const priceTime = 4 * time.Second

// pricesFlag says whose prices are shown.
func pricesFlag(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "prices", "auto", "take the prices `FROM` aws or the catalog; auto asks AWS when the environment has credentials for it")
}

func checkPrices(from string) error {
	if !slices.Contains([]string{"auto", "aws", "catalog"}, from) {
		return fmt.Errorf("--prices %q: write --prices aws, catalog or auto", shortened(from))
	}
	return nil
}

// asksAWS says whether AWS is asked: nobody who has no credentials in the
// environment waits for a network unless they want to.
func asksAWS(from string) bool {
	credentials := []string{"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}
	return from == "aws" || from == "auto" && slices.ContainsFunc(credentials, func(name string) bool { return os.Getenv(name) != "" })
}

// ask returns AWS's prices, or the catalog's when AWS does not name any in time;
// the plan then says so beside the price.
func (a *app) ask(cmd *cobra.Command, known plan.Price) plan.Price {
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), priceTime, errors.New("no answer in time"))
	defer cancel()
	got, err := ec2.AskPrice(ctx, known.Type)
	if err != nil {
		if ctx.Err() != nil && cmd.Context().Err() == nil {
			err = fmt.Errorf("AWS: %w within %s", context.Cause(ctx), priceTime)
		}
		a.warn(cmd.ErrOrStderr(), fmt.Sprintf("the catalog's prices of %s are used: %v", known.Date, err))
		known.Source = "the catalog, since AWS named none"
		return known
	}
	return plan.Price{Type: known.Type, OnDemand: got.OnDemand, Spot: got.Spot, Date: got.Listed,
		Source: fmt.Sprintf("AWS in %s, spot of %s", got.Region, got.SpotAt)}
}
