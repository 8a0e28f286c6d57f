package web

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// metricDocs are the metrics that are served, all of them gauges. docs/metrics.md
// says what to do about each.
var metricDocs = []struct{ name, label, help string }{
	{"ortest_runs", "state", "Runs by state: accepted, running, ended, closed."},
	{"ortest_instances", "state", "Instances that are not gone, by state."},
	{"ortest_deliveries_open", "", "Webhooks that are stored and not processed."},
	{"ortest_answers_owed", "", "Answers that GitHub does not show yet."},
	{"ortest_jobs", "state", "Jobs of the queue that are not over, by state."},
	{"ortest_last_delivery_timestamp_seconds", "", "When the newest webhook was received."},
	{"ortest_last_sweep_timestamp_seconds", "", "When the oldest of the repositories' last sweeps began."},
}

// metrics writes Prometheus' text format.
func (p *pages) metrics(r *http.Request, h http.Header, body *bytes.Buffer) error {
	stats, err := p.Store.Stats(r.Context())
	if err != nil {
		return err
	}
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, m := range metricDocs {
		fmt.Fprintf(body, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
		for _, value := range slices.Sorted(maps.Keys(stats[m.name])) {
			n := strconv.FormatFloat(stats[m.name][value], 'f', -1, 64)
			if m.label == "" {
				fmt.Fprintf(body, "%s %s\n", m.name, n)
				continue
			}
			fmt.Fprintf(body, "%s{%s=%q} %s\n", m.name, m.label, value, n)
		}
	}
	return nil
}
