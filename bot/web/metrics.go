package web

import (
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// metricDocs are the metrics that are served. docs/metrics.md says what to do
// about each; a test compares the two.
var metricDocs = []struct{ name, kind, label, help string }{
	{"ortest_runs", "gauge", "state", "Runs by state: accepted, running, ended, closed."},
	{"ortest_instances", "gauge", "state", "Instances that are not gone, by state."},
	{"ortest_deliveries_open", "gauge", "", "Webhooks that are stored and not processed."},
	{"ortest_answers_owed", "gauge", "", "Answers that GitHub does not show yet."},
	{"ortest_jobs", "gauge", "state", "Jobs of the queue that are not over, by state."},
	{"ortest_last_delivery_timestamp_seconds", "gauge", "", "When the newest webhook was received."},
	{"ortest_last_sweep_timestamp_seconds", "gauge", "", "When the oldest of the repositories' last sweeps began."},
	{"ortest_catalog_refused", "gauge", "", "1 while the newest catalog is not taken, since it is not valid."},
	{"ortest_config_refused", "gauge", "", "1 while the configuration that was saved last does not count, since it is not valid."},
	{"ortest_maintenance", "gauge", "", "1 while no new run starts, by maintenance or by the kill switch."},
	{"ortest_followers", "gauge", "", "Browsers that follow runs."},
	{"ortest_http_requests_total", "counter", "code", "Requests for pages by status code, since the process began."},
	{"ortest_http_request_seconds_total", "counter", "page", "Seconds spent on making pages, by page, since the process began."},
	{"ortest_goroutines", "gauge", "", "Goroutines of the process."},
	{"ortest_heap_bytes", "gauge", "", "Bytes of the process's heap that are in use."},
	{"ortest_start_time_seconds", "gauge", "", "When the process began to serve pages."},
}

// values are numbers by metric and label value.
type values = map[string]map[string]float64

// traffic counts what was asked for. Its labels are codes and patterns, never
// what somebody sent.
type traffic struct {
	began time.Time

	mu      sync.Mutex
	codes   map[string]float64
	seconds map[string]float64
}

func newTraffic() *traffic {
	return &traffic{began: time.Now(), codes: make(map[string]float64), seconds: make(map[string]float64)}
}

func (t *traffic) note(pattern string, code int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.codes[strconv.Itoa(code)]++
	t.seconds[pattern] += took.Seconds()
}

func (p *pages) own() values {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	one := func(n float64) map[string]float64 { return map[string]float64{"": n} }
	closed := 0.0
	if p.closed() != "" {
		closed = 1
	}
	refused := 0.0
	if p.Catalog != nil && p.Catalog().Refused != "" {
		refused = 1
	}
	unread := 0.0
	if p.refused() {
		unread = 1
	}
	t := p.traffic
	t.mu.Lock()
	defer t.mu.Unlock()
	return values{
		"ortest_catalog_refused": one(refused), "ortest_config_refused": one(unread), "ortest_maintenance": one(closed), "ortest_followers": one(float64(len(p.places))),
		"ortest_http_requests_total": maps.Clone(t.codes), "ortest_http_request_seconds_total": maps.Clone(t.seconds),
		"ortest_goroutines": one(float64(runtime.NumGoroutine())), "ortest_heap_bytes": one(float64(m.HeapAlloc)),
		"ortest_start_time_seconds": one(float64(t.began.UnixMilli()) / 1000),
	}
}

// metrics writes Prometheus' text format.
func (p *pages) metrics(r *http.Request, a *answer) error {
	stats, err := p.Store.Stats(r.Context())
	if err != nil {
		return err
	}
	all := p.own()
	maps.Copy(all, stats)
	a.header.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, m := range metricDocs {
		fmt.Fprintf(a, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		for _, value := range slices.Sorted(maps.Keys(all[m.name])) {
			n := strconv.FormatFloat(all[m.name][value], 'f', -1, 64)
			if m.label == "" {
				fmt.Fprintf(a, "%s %s\n", m.name, n)
				continue
			}
			fmt.Fprintf(a, "%s{%s=%q} %s\n", m.name, m.label, value, n)
		}
	}
	return nil
}
