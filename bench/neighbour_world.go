package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/client"
	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/store"
)

// lengths say how long the phases of a measurement take.
type lengths struct{ idle, attacked, patience time.Duration }

func (o options) lengths() lengths {
	if o.short {
		return lengths{idle: 3 * time.Second, attacked: 10 * time.Second, patience: 30 * time.Second}
	}
	return lengths{idle: 10 * time.Second, attacked: 30 * time.Second, patience: 60 * time.Second}
}

// attacked measures a quiet environment on a server of its own, first idle, then during a scenario.
func (o options) attacked(ctx context.Context, database string, s scenario) (neighbourResult, error) {
	r := neighbourResult{Scenario: s.name, Database: database}
	p := place{Dir: filepath.Join(o.dir, "neighbour-"+s.name+"-"+database)}
	if database == "postgres" {
		var err error
		if p.Database, err = o.newDatabase(ctx, database, "neighbour_"+strings.ReplaceAll(s.name, "-", "_")); err != nil {
			return r, err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c, err := startChild(ctx, p)
	if err != nil {
		return r, err
	}
	defer c.kill()
	quiet, err := newQuiet(ctx, c.api)
	if err != nil {
		return r, err
	}
	defer quiet.close()
	attackers, err := o.prepare(ctx, c, s)
	defer func() {
		for _, a := range attackers {
			a.close()
		}
	}()
	if err != nil {
		return r, err
	}
	return r, o.measure(ctx, c, quiet, attackers, &r)
}

// measure fills in a result.
func (o options) measure(ctx context.Context, c *child, quiet *quietOne, attackers []*attacker, r *neighbourResult) error {
	l := o.lengths()
	if _, err := quiet.feel(ctx, time.Second, l.patience); err != nil { // the first ones compile statements and expressions
		return err
	}
	var err error
	if r.Idle, err = quiet.feel(ctx, l.idle, l.patience); err != nil {
		return err
	}
	if r.IdleMiB, err = c.resident("VmRSS"); err != nil {
		return err
	}
	r.Load = load()
	profiled := c.profile(ctx, "neighbour-"+r.Scenario+"-"+r.Database, l.attacked)
	attacking, stop := context.WithTimeout(ctx, l.attacked)
	defer stop()
	var group sync.WaitGroup
	for _, a := range attackers {
		group.Go(func() { a.attack(attacking) })
	}
	r.Attacked, err = quiet.feel(ctx, l.attacked, l.patience)
	r.Load += " -> " + load()
	stop()
	group.Wait()
	for _, a := range attackers {
		err = errors.Join(err, a.outcome())
	}
	var most error
	r.MostMiB, most = c.resident("VmHWM")
	return errors.Join(err, most, profiled())
}

// load returns the load average of the machine, of the last minute.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}

// prepare makes an environment for each attack of a scenario and puts what the attack needs into it.
func (o options) prepare(ctx context.Context, c *child, s scenario) ([]*attacker, error) {
	url := c.place.Database
	if url == "" {
		url = node.SQLitePath(c.place.Dir)
	}
	db, err := store.Open(ctx, store.Config{URL: url, Cipher: plain{}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var all []*attacker
	for i, plan := range s.attacks {
		a := &attacker{o: o, db: db, plan: plan, api: api{Client: client.Client{Base: c.Base}}}
		a.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		all = append(all, a)
		if err := a.open(ctx, fmt.Sprintf("hostile %d", i)); err != nil {
			return all, err
		}
		if err := plan.prepare(ctx, a); err != nil {
			return all, fmt.Errorf("prepare: %w", err)
		}
		a.db = nil
	}
	return all, nil
}

// attacker is an environment that takes what it can get.
type attacker struct {
	api
	o    options
	db   *store.DB // while it is prepared
	env  millrace.EnvironmentID
	plan attack
	job  string // a sync job that does nothing
	ends []func()

	mu       sync.Mutex
	sent     int
	rejected error
}

// open creates the environment with a token.
func (a *attacker) open(ctx context.Context, name string) error {
	e := &millrace.Environment{Name: name}
	a.Token = "mr_" + millrace.NewID[string]()
	sum := sha256.Sum256([]byte(a.Token))
	err := a.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Environments().Create(ctx, e); err != nil {
			return err
		}
		return tx.APITokens().Create(ctx, &millrace.APIToken{EnvironmentID: e.ID, Name: name, Hash: hex.EncodeToString(sum[:]), CreatedBy: "bench"})
	})
	a.env = e.ID
	return err
}

func (a *attacker) close() {
	for _, end := range a.ends {
		end()
	}
}

// attack does what the plan says, again and again where it says so, until ctx ends.
func (a *attacker) attack(ctx context.Context) {
	for {
		err := a.plan.begin(ctx, a)
		if ctx.Err() != nil {
			return
		}
		a.mu.Lock()
		if err == nil {
			a.sent++
		} else {
			a.rejected = err
		}
		a.mu.Unlock()
		if a.plan.again == 0 || pause(ctx, a.plan.again) != nil {
			return
		}
	}
}

// outcome fails when nothing of the attack got through: then nothing was measured. Limits may reject the rest.
func (a *attacker) outcome() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent == 0 && a.rejected != nil {
		return fmt.Errorf("the attack was rejected: %w", a.rejected)
	}
	return nil
}

// bulk stores n rows, many in a transaction.
func (a *attacker) bulk(ctx context.Context, n int, insert func(tx *store.Tx, i int) error) error {
	const size = 1000
	for from := 0; from < n; from += size {
		err := a.db.Update(ctx, func(tx *store.Tx) error {
			for i := from; i < min(n, from+size); i++ {
				if err := insert(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// profile fetches profiles of the server while it is attacked, when they are wanted. What it returns waits for them.
func (c *child) profile(ctx context.Context, name string, length time.Duration) func() error {
	dir := os.Getenv("MILLRACE_BENCH_PROFILE")
	if dir == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		err := c.fetchProfile(ctx, fmt.Sprintf("profile?seconds=%d", max(int(length.Seconds())-2, 1)), filepath.Join(dir, name+"-cpu.pprof"))
		for _, kind := range []string{"mutex", "block", "goroutine", "heap"} {
			err = errors.Join(err, c.fetchProfile(ctx, kind, filepath.Join(dir, name+"-"+kind+".pprof")))
		}
		done <- err
	}()
	return func() error { return <-done }
}

func (c *child) fetchProfile(ctx context.Context, what, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.place.Debug+"/debug/pprof/"+what, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	f, err := os.Create(filepath.Clean(file))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
