package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/queue"
)

// Shares counts how environments share the workers of a queue.
func (m *Metrics) Shares(q *queue.Queue) {
	if m != nil {
		m.registry.MustRegister(newShares(q))
	}
}

// shareFigures are the metrics of how environments share the workers. No environment is named: there may be any number of them.
type shareFigures struct {
	queue                     *queue.Queue
	busy, most, atWork, waits *prometheus.Desc
}

func newShares(q *queue.Queue) *shareFigures {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("millrace_"+name, help, []string{"kind"}, nil)
	}
	return &shareFigures{
		queue:  q,
		busy:   desc("workers_busy", "Workers of this node at tasks of a kind."),
		most:   desc("workers_busy_largest_environment", "How many of them one environment has, at most."),
		atWork: desc("environments_at_work", "Environments that have workers of a kind."),
		waits:  desc("environments_waiting", "Environments that have as many tasks of a kind with River as they may, so that others of theirs wait in line."),
	}
}

// Describe implements prometheus.Collector.
func (s *shareFigures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.busy, s.most, s.atWork, s.waits} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *shareFigures) Collect(out chan<- prometheus.Metric) {
	type sum struct{ busy, most, atWork, waits int }
	sums := map[millrace.TaskKind]sum{}
	for _, t := range s.queue.Shares() {
		of := sums[t.Kind]
		of.busy += t.Busy
		of.most = max(of.most, t.Busy)
		if t.Busy > 0 {
			of.atWork++
		}
		if t.Waits {
			of.waits++
		}
		sums[t.Kind] = of
	}
	for kind := range s.queue.Workers() {
		of := sums[kind]
		for d, v := range map[*prometheus.Desc]int{s.busy: of.busy, s.most: of.most, s.atWork: of.atWork, s.waits: of.waits} {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), string(kind))
		}
	}
}
