package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Exporter sends spans in OTLP's JSON over HTTP. Endpoint and Client are required.
type Exporter struct {
	Endpoint string // such as http://localhost:4318, without /v1/traces
	Header   http.Header
	Service  string // names this server among others; "" is ortest
	Client   *http.Client
}

// These have the names of OTLP's own description.
type (
	otlpValue struct {
		String string `json:"stringValue"`
	}
	otlpFact struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpStatus struct {
		Code    int    `json:"code"` // 1 is good, 2 is not
		Message string `json:"message,omitempty"`
	}
	otlpSpan struct {
		Trace  string     `json:"traceId"`
		ID     string     `json:"spanId"`
		Parent string     `json:"parentSpanId,omitempty"`
		Name   string     `json:"name"`
		Kind   int        `json:"kind"` // 1 is internal
		Start  string     `json:"startTimeUnixNano"`
		End    string     `json:"endTimeUnixNano"`
		Facts  []otlpFact `json:"attributes,omitempty"`
		Status otlpStatus `json:"status"`
	}
	otlpScope struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpResource struct {
		Resource struct {
			Facts []otlpFact `json:"attributes"`
		} `json:"resource"`
		Scopes []otlpScope `json:"scopeSpans"`
	}
	otlpRequest struct {
		Resources []otlpResource `json:"resourceSpans"`
	}
)

// Send hands spans over. It may be repeated: the same spans are the same trace.
func (e *Exporter) Send(ctx context.Context, spans []Span) error {
	service := e.Service
	if service == "" {
		service = "ortest"
	}
	var scope otlpScope
	scope.Scope.Name = "github.com/ortest/ortest"
	for _, s := range spans {
		scope.Spans = append(scope.Spans, spanOf(s))
	}
	var res otlpResource
	res.Resource.Facts = []otlpFact{{"service.name", otlpValue{service}}}
	res.Scopes = []otlpScope{scope}
	body, err := json.Marshal(otlpRequest{[]otlpResource{res}})
	if err != nil {
		return fmt.Errorf("encode trace: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(e.Endpoint, "/")+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send trace: %w", err)
	}
	if e.Header != nil {
		req.Header = e.Header.Clone()
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.Client.Do(req)
	if err != nil {
		return fmt.Errorf("send trace: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read as far as it counts
	if resp.StatusCode/100 != 2 {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // the code says enough
		return fmt.Errorf("send trace: the collector answered %s: %q", resp.Status, why)
	}
	return nil
}

func spanOf(s Span) otlpSpan {
	out := otlpSpan{
		Trace: s.Trace, ID: s.ID, Parent: s.Parent, Name: s.Name, Kind: 1, Start: nanos(s.Start), End: nanos(s.End), Status: otlpStatus{Code: 1},
	}
	if s.Wrong != "" {
		out.Status = otlpStatus{2, s.Wrong}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Facts)) {
		if s.Facts[key] != "" {
			out.Facts = append(out.Facts, otlpFact{key, otlpValue{strings.ToValidUTF8(s.Facts[key], "?")}})
		}
	}
	return out
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
