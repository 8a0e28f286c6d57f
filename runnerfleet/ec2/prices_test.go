package ec2

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// listed is an item of the price list as AWS documents it: JSON in a string,
// with a term of no hours beside the one that counts.
const listed = `{"product":{"productFamily":"Compute Instance","attributes":{"instanceType":"c5.large","regionCode":"eu-west-1","operatingSystem":"Linux","tenancy":"Shared"},"sku":"Q85F79PK8VHHZT6X"},
"serviceCode":"AmazonEC2","terms":{"OnDemand":{"Q85F79PK8VHHZT6X.JRTCKXETXF":{"priceDimensions":{
"Q85F79PK8VHHZT6X.JRTCKXETXF.2TG2D8R56U":{"unit":"Quantity","pricePerUnit":{"USD":"730.0000000000"}},
"Q85F79PK8VHHZT6X.JRTCKXETXF.6YS6EN2CT7":{"unit":"Hrs","endRange":"Inf","description":"$0.096 per On Demand Linux c5.large Instance Hour","appliesTo":[],"rateCode":"Q85F79PK8VHHZT6X.JRTCKXETXF.6YS6EN2CT7","beginRange":"0","pricePerUnit":{"USD":"0.0960000000"}}},
"sku":"Q85F79PK8VHHZT6X","effectiveDate":"2026-11-01T00:00:00Z","offerTermCode":"JRTCKXETXF","termAttributes":{}}}},"version":"20261119221846","publicationDate":"2026-11-19T22:18:46Z"}`

// history has one price a zone, as AWS answers a query of EC2.
const history = `<?xml version="1.0" encoding="UTF-8"?>
<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId><spotPriceHistorySet>
<item><instanceType>c5.large</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>0.041200</spotPrice><timestamp>2026-11-20T06:10:33.000Z</timestamp><availabilityZone>eu-west-1a</availabilityZone></item>
<item><instanceType>c5.large</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>0.038700</spotPrice><timestamp>2026-11-21T01:02:03.000Z</timestamp><availabilityZone>eu-west-1b</availabilityZone></item>
</spotPriceHistorySet><nextToken/></DescribeSpotPriceHistoryResponse>`

// cloud answers as AWS does, at the address that AWS_ENDPOINT_URL names.
func cloud(t *testing.T, list, spot string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // who asked went away, since the other answer was enough
		}
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDEXAMPLE/") {
			t.Errorf("not signed: %q", r.Header.Get("Authorization"))
		}
		switch {
		case r.Header.Get("X-Amz-Target") == "AWSPriceListService.GetProducts":
			for _, want := range []string{`"AmazonEC2"`, `"instanceType"`, `"c5.large"`, `"eu-west-1"`, `"Shared"`} {
				if !strings.Contains(string(body), want) {
					t.Errorf("the price list is asked without %s: %s", want, body)
				}
			}
			answer(w, "application/x-amz-json-1.1", list)
		case strings.Contains(string(body), "Action=DescribeSpotPriceHistory&"):
			if !strings.Contains(string(body), "InstanceType.1=c5.large") || !strings.Contains(string(body), "StartTime=") {
				t.Errorf("spot prices are asked with %s", body)
			}
			answer(w, "text/xml;charset=UTF-8", spot)
		default:
			t.Errorf("%s %s %q: %s", r.Method, r.URL, r.Header.Get("X-Amz-Target"), body)
		}
	}))
	t.Cleanup(srv.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": srv.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
}

// answer writes a body; one that begins with a status is a refusal.
func answer(w http.ResponseWriter, kind, body string) {
	w.Header().Set("Content-Type", kind)
	if status, rest, ok := strings.Cut(body, "!"); ok && len(status) == 3 {
		w.WriteHeader(http.StatusBadRequest)
		body = rest
	}
	fmt.Fprint(w, body)
}

// products is the answer of GetProducts.
func products(items ...string) string {
	b, _ := json.Marshal(map[string]any{"FormatVersion": "aws_v1", "PriceList": items})
	return string(b)
}

func TestAskPrice(t *testing.T) {
	const free = `{"terms":{"OnDemand":{"a":{"priceDimensions":{"b":{"unit":"Hrs","pricePerUnit":{"USD":"0.0000000000"}}}}}},"publicationDate":"2026-11-19T22:18:46Z"}`
	const none = `<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><spotPriceHistorySet/></DescribeSpotPriceHistoryResponse>`
	for _, tt := range []struct{ name, list, spot, want string }{
		{"the hour on demand and the cheapest zone", products(listed), history, ""},
		{"items without a price are passed over", products(free, listed), history, ""},
		{"a type that the list does not have", products(), history, "the price list does not have it"},
		{"a type without spot prices", products(listed), none, "it has no spot price"},
		{"a list that is no JSON", products("c5.large"), history, "read price list"},
		{"an absurd price", products(strings.Replace(listed, "0.0960000000", "9600", 1)), history, `"9600" is no price of an hour`},
		{"a price that is none", products(listed), strings.Replace(history, "0.038700", "NaN", 1), `"NaN" is no price of an hour`},
		{"no right to ask", `400!{"__type":"AccessDeniedException","message":"not authorized to perform: pricing:GetProducts"}`, history, "not authorized to perform: pricing:GetProducts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud(t, tt.list, tt.spot)
			got, err := AskPrice(t.Context(), "c5.large")
			want := Price{Region: "eu-west-1", OnDemand: 0.096, Spot: 0.0387, Listed: "2026-11-19", SpotAt: "2026-11-21"}
			if tt.want == "" && (err != nil || got != want) {
				t.Errorf("AskPrice = %+v, %v", got, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("AskPrice = %+v, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// TestAskPriceEnds: an AWS that does not answer costs no more than the time allowed.
func TestAskPriceEnds(t *testing.T) {
	cloud(t, products(listed), history)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := AskPrice(ctx, "c5.large"); err == nil {
		t.Error("a price came out of a question that was given up")
	}
}
