// Package ec2 is the door to AWS: the only one that imports its SDK, whose
// types stop here.
//
// Where AWS is (region, endpoint, credentials) is read as every AWS tool reads
// it: from the environment, then from the shared configuration files.
package ec2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	price "github.com/aws/aws-sdk-go-v2/service/pricing/types"
	"golang.org/x/sync/errgroup"
)

// priceList is the region whose endpoint has the price list of all regions.
const priceList = "us-east-1"

// homeRegion is asked about where neither environment nor profile names one;
// the catalog's own prices are of it too.
const homeRegion = "us-west-2"

// Price is what AWS asks for an instance type with Linux, in dollars per hour.
type Price struct {
	Region   string
	OnDemand float64
	Spot     float64 // in the cheapest zone
	Listed   string  // date of the price list, YYYY-MM-DD
	SpotAt   string  // date since which the spot price holds
}

// AskPrice asks AWS for an instance type's prices, in the region that the
// environment or its profile names. It needs no right but pricing:GetProducts
// and ec2:DescribeSpotPriceHistory; ctx bounds how long it takes.
func AskPrice(ctx context.Context, instanceType string) (Price, error) {
	cfg, err := config.LoadDefaultConfig(ctx, answering(0), config.WithDefaultRegion(homeRegion), config.WithRetryMaxAttempts(2))
	if err != nil {
		return Price{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	p := Price{Region: cfg.Region}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		p.OnDemand, p.Listed, err = onDemand(ctx, cfg, instanceType)
		return err
	})
	both.Go(func() (err error) {
		p.Spot, p.SpotAt, err = spot(ctx, cfg, instanceType)
		return err
	})
	if err := both.Wait(); err != nil {
		return Price{}, fmt.Errorf("ask AWS for the price of %s in %s: %w", instanceType, cfg.Region, err)
	}
	return p, nil
}

// onDemand looks the type up in the price list: Linux without further software,
// on shared machines, not reserved.
func onDemand(ctx context.Context, cfg aws.Config, instanceType string) (float64, string, error) {
	client := pricing.NewFromConfig(cfg, func(o *pricing.Options) { o.Region = priceList })
	var filters []price.Filter
	for _, f := range [][2]string{
		{"instanceType", instanceType}, {"regionCode", cfg.Region}, {"operatingSystem", "Linux"},
		{"preInstalledSw", "NA"}, {"tenancy", "Shared"}, {"capacitystatus", "Used"},
	} {
		filters = append(filters, price.Filter{Type: price.FilterTypeTermMatch, Field: aws.String(f[0]), Value: aws.String(f[1])})
	}
	pages := pricing.NewGetProductsPaginator(client, &pricing.GetProductsInput{ServiceCode: aws.String("AmazonEC2"), Filters: filters})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, "", err
		}
		for _, item := range page.PriceList {
			if usd, date, err := product(item).hourly(); err != nil || usd > 0 {
				return usd, date, err
			}
		}
	}
	return 0, "", errors.New("the price list does not have it")
}

// product is an item of the price list as JSON.
type product string

// hourly returns an item's price on demand for an hour and its list's date; 0
// for an item that is not paid by the hour.
func (p product) hourly() (usd float64, date string, err error) {
	var item struct {
		Published string `json:"publicationDate"`
		Terms     struct {
			OnDemand map[string]struct {
				Dimensions map[string]struct {
					Unit  string            `json:"unit"`
					Price map[string]string `json:"pricePerUnit"`
				} `json:"priceDimensions"`
			} `json:"OnDemand"`
		} `json:"terms"`
	}
	if err := json.Unmarshal([]byte(p), &item); err != nil {
		return 0, "", fmt.Errorf("read price list: %w", err)
	}
	published, err := time.Parse(time.RFC3339, item.Published)
	if err != nil {
		return 0, "", fmt.Errorf("read price list: %w", err)
	}
	for _, term := range item.Terms.OnDemand {
		for _, d := range term.Dimensions {
			if d.Unit == "Hrs" && usd == 0 {
				if usd, err = dollars(d.Price["USD"]); err != nil {
					return 0, "", fmt.Errorf("read price list: %w", err)
				}
			}
		}
	}
	return usd, published.UTC().Format(time.DateOnly), nil
}

// spot asks for the prices that hold now, and returns the cheapest zone's.
func spot(ctx context.Context, cfg aws.Config, instanceType string) (usd float64, date string, err error) {
	pages := ec2.NewDescribeSpotPriceHistoryPaginator(callsOf(cfg).DescribeSpotPriceHistory, &ec2.DescribeSpotPriceHistoryInput{
		InstanceTypes: []types.InstanceType{types.InstanceType(instanceType)}, ProductDescriptions: []string{"Linux/UNIX"},
		StartTime: aws.Time(time.Now()), // of what lies before, only the last change is told
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, "", err
		}
		for _, h := range page.SpotPriceHistory {
			zone, err := dollars(aws.ToString(h.SpotPrice))
			if err != nil {
				return 0, "", fmt.Errorf("read spot price: %w", err)
			}
			if usd == 0 || zone < usd {
				usd, date = zone, aws.ToTime(h.Timestamp).UTC().Format(time.DateOnly)
			}
		}
	}
	if usd == 0 {
		return 0, "", errors.New("it has no spot price")
	}
	return usd, date, nil
}

// dollars reads a price; one that is none of a machine for an hour is an error.
func dollars(s string) (float64, error) {
	usd, err := strconv.ParseFloat(s, 64)
	if err != nil || !(usd >= 0 && usd < 1000) {
		return 0, fmt.Errorf("%.40q is no price of an hour", s)
	}
	return usd, nil
}
