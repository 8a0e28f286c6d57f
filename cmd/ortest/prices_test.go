package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPricesOfAWS: with credentials in the environment the prices are AWS's, of
// the day that it names; when it refuses, they are the catalog's, which is said.
func TestPricesOfAWS(t *testing.T) {
	const list = `{"FormatVersion":"aws_v1","PriceList":["{\"terms\":{\"OnDemand\":{\"a\":{\"priceDimensions\":{\"b\":{\"unit\":\"Hrs\",\"pricePerUnit\":{\"USD\":\"6.0\"}}}}}},\"publicationDate\":\"2026-11-19T22:18:46Z\"}"]}`
	const spot = `<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><spotPriceHistorySet><item><spotPrice>3.0</spotPrice>` +
		`<timestamp>2026-11-21T01:02:03.000Z</timestamp></item></spotPriceHistorySet></DescribeSpotPriceHistoryResponse>`
	var refuse atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case refuse.Load():
			http.Error(w, `{"__type":"AccessDeniedException","message":"no"}`, http.StatusBadRequest)
		case r.Header.Get("X-Amz-Target") != "":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprint(w, list)
		default:
			fmt.Fprint(w, spot)
		}
	}))
	defer srv.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": srv.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "XDG_STATE_HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	for _, tt := range []struct {
		name   string
		refuse bool
		args   string
		out    string
		err    string
	}{
		{"AWS's prices by itself", false, "dispatch", "# price: 0.50 to 1.00 USD (c5.large, spot to on demand, prices of 2026-11-19 from AWS in eu-west-1, spot of 2026-11-21)", ""},
		{"and when asked for", false, "dispatch --prices aws", "from AWS in eu-west-1", ""},
		{"the catalog's when they are asked for", false, "dispatch --prices catalog", "prices of 2025-06-01 from the catalog)", ""},
		{"the catalog's when AWS refuses, and it is said", true, "dispatch", "prices of 2025-06-01 from the catalog, since AWS named none)", "WARNING: the catalog's prices of 2025-06-01 are used: ask AWS for the price of c5.large in eu-west-1: "},
		{"simulate pays them too", false, "simulate -q --runs 1 --error 0 --spot-interruptions 0 --no-capacity 0 --pick-up 0s", "p50                10             10      0.50", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse.Store(tt.refuse)
			var out, errs bytes.Buffer
			code := run(t.Context(), append(strings.Fields(tt.args), "t-ngx_drizzle"), nil, &out, &errs)
			if code != exitGood || !strings.Contains(out.String(), tt.out) || !strings.Contains(errs.String(), tt.err) {
				t.Errorf("exit %d\n%s%s\nwant %s\n%s", code, &out, &errs, tt.out, tt.err)
			}
		})
	}
}
