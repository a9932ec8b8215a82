package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
)

// figuresEvery bounds how often the database is asked for figures, however many scrape.
const figuresEvery = 15 * time.Second

// Metrics are what Prometheus sees: counters of what this process did, and figures that the database knows for all. No label has
// values without bound. A nil one counts nothing.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	pages    prometheus.Counter
	fetched  prometheus.Counter
	sent     prometheus.Counter
	limited  *prometheus.CounterVec
	decided  *prometheus.CounterVec
	ended    *prometheus.CounterVec
	asked    *prometheus.CounterVec
	hooks    *prometheus.CounterVec
	renewals *prometheus.CounterVec
}

// New returns metrics over a database, which is asked for figures once per figuresEvery at most.
func New(db *store.DB, clock func() time.Time, logger *slog.Logger) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "millrace_" + name, Help: help})
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_http_request_duration_seconds", Help: "Requests to the API, by route and status.",
			Buckets: []float64{0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10},
		}, []string{"route", "status"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_delivery_attempts_total", Help: "Requests to webhooks, by their outcome and the class of the error.",
		}, []string{"outcome", "error_class"}),
		pages:   counter("pages_fetched_total", "Pages that sync job runs got from providers."),
		fetched: counter("records_fetched_total", "Records on these pages."),
		sent:    counter("records_delivered_total", "Records that webhooks have taken."),
	}
	m.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_inbound_limited_total", Help: "Requests of providers that met a limit of their account, by its unit: requests or bytes.",
	}, []string{"unit"})
	m.decided = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_decisions_total", Help: "Decisions whether an event wakes a workflow, by their outcome: limit is that of runs for an event, or of their depth.",
	}, []string{"outcome"})
	m.ended = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_sync_job_runs_ended_total", Help: "Sync job runs that have ended on this node, by their status; those that are completed with failures count as partial.",
	}, []string{"status"})
	m.asked = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_provider_requests_total", Help: "Requests to providers, by integration and by the class of the response: 2xx to 5xx, or network when there was none.",
	}, []string{"integration", "status"})
	m.hooks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_inbound_hooks_total", Help: "Inbound hooks that were worked on, by their outcome.",
	}, []string{"outcome"})
	m.renewals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_token_renewals_total", Help: "Requests for the next tokens of accounts, by integration and outcome: granted, refused, or unknown.",
	}, []string{"integration", "outcome"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "millrace_build_info", Help: "1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": millrace.Version(), "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		build, m.decided, m.ended, m.asked, m.hooks, m.renewals, m.limited, m.requests, m.attempts, m.pages, m.fetched, m.sent, newFigures(db, clock, logger),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Conditions counts what expressions of workflows and hooks use.
func (m *Metrics) Conditions(b *expr.Budget) {
	if m == nil {
		return
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "millrace_" + name, Help: help}, value)
	}
	m.registry.MustRegister(
		counter("condition_seconds_total", "Time that expressions of workflows and hooks have taken.", func() float64 {
			used, _ := b.Totals()
			return used.Seconds()
		}),
		counter("condition_waits_total", "Tasks that had to wait because expressions of their environment have taken their share.", func() float64 {
			_, waits := b.Totals()
			return float64(waits)
		}),
	)
}

// Resealing shows how many values are still to be sealed with a new encryption key.
func (m *Metrics) Resealing(left func() int64) {
	if m == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "millrace_reseal_values_left", Help: "Values that are still to be sealed with the new encryption key, as this node knows.",
	}, func() float64 { return float64(left()) }))
}

// Handler serves the metrics at /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

// Request counts a request to the API.
func (m *Metrics) Request(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// InboundLimited counts a request of a provider that met a limit, which is one of requests or of bytes.
func (m *Metrics) InboundLimited(unit string) {
	if m == nil {
		return
	}
	m.limited.WithLabelValues(unit).Inc()
}

// Observe counts what a stage has done.
func (m *Metrics) Observe(_ context.Context, f observe.Fact) {
	if m == nil {
		return
	}
	n := float64(f.N)
	switch f.Kind {
	case observe.Decision:
		m.decided.WithLabelValues(f.Outcome).Add(n)
	case observe.Page:
		m.pages.Inc()
		m.fetched.Add(n)
	case observe.Sent:
		m.sent.Add(n)
	case observe.RunEnd:
		m.ended.WithLabelValues(f.Outcome).Inc()
	case observe.Request:
		m.asked.WithLabelValues(f.Name, f.Outcome).Inc()
	case observe.Renewal:
		m.renewals.WithLabelValues(f.Name, f.Outcome).Inc()
	case observe.Hook:
		m.hooks.WithLabelValues(f.Outcome).Inc()
	case observe.Attempt:
		m.attempts.WithLabelValues(f.Outcome, f.Class).Inc()
	}
}

// figures collects what the database knows.
type figures struct {
	db     *store.DB
	clock  func() time.Time
	logger *slog.Logger

	databaseBytes, tableRows, tableBytes, backlog, oldest, parked, accounts, runs, webhooks, tasks *prometheus.Desc

	mu   sync.Mutex
	last *store.Figures
	at   time.Time
}

func newFigures(db *store.DB, clock func() time.Time, logger *slog.Logger) *figures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("millrace_"+name, help, labels, nil)
	}
	return &figures{
		db: db, clock: clock, logger: logger,
		databaseBytes: desc("database_bytes", "Size of the database."),
		tableRows:     desc("table_rows", "Rows of a table, estimated.", "table"),
		tableBytes:    desc("table_bytes", "Size of a table with its indexes; PostgreSQL only.", "table"),
		backlog:       desc("webhook_backlog_deliveries", "Deliveries of events that are not finished, of all webhooks."),
		oldest:        desc("webhook_backlog_oldest_age_seconds", "Age of the oldest of them; 0 when there is none."),
		parked:        desc("sync_job_runs_parked", "Sync job runs that wait for their webhook."),
		accounts:      desc("integrated_accounts", "Integrated accounts, by status.", "status"),
		runs:          desc("sync_job_runs_open", "Sync job runs that have not ended, by status.", "status"),
		webhooks:      desc("webhooks", "Webhooks: active, failing (and still active) and inactive.", "state"),
		tasks:         desc("tasks", "Tasks of the queue.", "kind", "state"),
	}
}

// Describe implements prometheus.Collector.
func (f *figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.databaseBytes, f.tableRows, f.tableBytes, f.backlog, f.oldest, f.parked, f.accounts, f.runs, f.webhooks, f.tasks} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	got, now := f.get()
	if got == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(f.databaseBytes, float64(got.DatabaseBytes))
	for _, t := range got.Tables {
		gauge(f.tableRows, float64(t.Rows), t.Name)
		if t.Bytes > 0 {
			gauge(f.tableBytes, float64(t.Bytes), t.Name)
		}
	}
	gauge(f.backlog, float64(got.Pending))
	age := 0.0
	if got.OldestPending != 0 {
		age = max(0, now.Sub(got.OldestPending.Std()).Seconds())
	}
	gauge(f.oldest, age)
	gauge(f.parked, float64(got.ParkedRuns))
	for _, status := range []string{"created", "running", "rate_limited"} {
		gauge(f.runs, float64(got.Runs[status]), status)
	}
	for status, n := range got.Accounts {
		gauge(f.accounts, float64(n), status)
	}
	for _, state := range []string{"active", "failing", "inactive"} {
		gauge(f.webhooks, float64(got.Webhooks[state]), state)
	}
	for s, n := range got.Tasks {
		gauge(f.tasks, float64(n), s.Kind, s.State)
	}
}

// get returns figures that are not old. When the database does not respond there are none, and the scrape shows the rest.
func (f *figures) get() (*store.Figures, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if f.last != nil && now.Sub(f.at) < figuresEvery {
		return f.last, now
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := f.db.View(ctx, func(tx *store.Tx) error {
		var err error
		f.last, err = tx.Rows().Figures(ctx)
		return err
	})
	f.at = now
	if err != nil {
		f.last = nil
		f.logger.LogAttrs(ctx, slog.LevelWarn, "read figures for metrics", slog.String("err", err.Error()))
	}
	return f.last, now
}
