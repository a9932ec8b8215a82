package syncjob

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/observe"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/syncjob/checkpoint"
)

// Config is what a Runner needs. DB, Fetcher, Sender and Clock are required.
type Config struct {
	DB          *store.DB
	Fetcher     Fetcher
	Destination Destination
	Clock       func() time.Time // the clock of the store
	Logger      *slog.Logger     // nil: none
	Observe     observe.Observer // receives what runs have fetched and sent; may be nil
	Jitter      func() float64   // numbers in [0, 1) that spread repetitions; nil: random

	Slice        time.Duration   // how long a slice works; 0: 7 s
	Soon         time.Duration   // how long a response to a delivery may stay unwritten while the next page is fetched; 0: 10 ms; negative: not at all
	StopPoll     time.Duration   // how often a slice looks whether its run was stopped; 0: 2 s
	FetchRetries []time.Duration // pauses between the repetitions of a failed request; nil: 1 s, 5 s, 20 s, 60 s
	ParkRetries  []time.Duration // pauses between the repetitions of a delivery, the last one repeats; nil: 1 min to 10 h
	AuthRetries  []time.Duration // pauses between the repetitions of a request whose account must be connected again; nil: 1 min to 1 h
	MaxAuthWait  time.Duration   // how long such a request waits; 0: 7 days; negative: not at all
	MaxPages     int64           // of one request, or of one element of its loop; 0: 100,000
	MaxRecursion int64           // how deep a request may recurse; 0: 32
	MaxSpool     int             // bytes that a spool may collect; 0: 32 MiB
	MaxDelivery  int             // bytes of a delivery of records, which are divided among several; 0: 16 MiB
	MaxRunTime   time.Duration   // that slices may work on a run, all together; 0: 72 h
}

// Runner executes sync job runs. It holds no state of them: any Runner of any process may do the next slice.
type Runner struct {
	cfg    Config
	db     database
	inline int // see maxInline
	turns  *turns
}

// database is the part of the store's handle that runs units of work. Tests put a crash before or after one.
type database interface {
	View(ctx context.Context, fn func(*store.Tx) error) error
	Update(ctx context.Context, fn func(*store.Tx) error) error
}

// New returns a Runner.
func New(cfg Config) (*Runner, error) {
	if cfg.DB == nil || cfg.Fetcher == nil || cfg.Destination == nil || cfg.Clock == nil {
		return nil, errors.New("syncjob: database, fetcher, sender and clock are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	setDefault(&cfg.Slice, 7*time.Second)
	setDefault(&cfg.StopPoll, 2*time.Second)
	if cfg.Soon == 0 {
		cfg.Soon = 10 * time.Millisecond
	}
	setDefault(&cfg.MaxPages, 100_000)
	setDefault(&cfg.MaxRecursion, 32)
	setDefault(&cfg.MaxSpool, 32<<20)
	setDefault(&cfg.MaxDelivery, 16<<20)
	setDefault(&cfg.MaxRunTime, 72*time.Hour)
	if cfg.FetchRetries == nil {
		cfg.FetchRetries = []time.Duration{time.Second, 5 * time.Second, 20 * time.Second, time.Minute}
	}
	if cfg.MaxAuthWait == 0 {
		cfg.MaxAuthWait = 7 * 24 * time.Hour
	}
	if len(cfg.AuthRetries) == 0 {
		cfg.AuthRetries = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour}
	}
	if len(cfg.ParkRetries) == 0 {
		cfg.ParkRetries = []time.Duration{
			time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
		}
	}
	r := &Runner{cfg: cfg, db: cfg.DB, inline: checkpoint.MaxInline}
	r.turns = newTurns(r.now)
	return r, nil
}

func setDefault[T ~int | ~int64](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

func (r *Runner) now() millrace.Time { return millrace.TimeOf(r.cfg.Clock()) }

// spread lengthens a pause by up to a fifth, so that what failed together does not come back together.
func (r *Runner) spread(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*0.2*r.cfg.Jitter())
}
