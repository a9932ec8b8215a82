package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/examples"
)

const (
	// memoryEnv makes this program a server: it carries the options as JSON.
	memoryEnv = "MILLRACE_BENCH_SERVE"
	// mostMemory is how much more than when idle a server may need, in MiB, for a run of any length.
	mostMemory = 100
)

// place says where a server keeps its state, and where it serves once it does.
type place struct {
	Dir      string `json:"dir"`
	Database string `json:"database"`
	Base     string `json:"base"`
	Token    string `json:"token"`
	Debug    string `json:"debug"` // where it serves profiles, when they are wanted
}

// serve is a server in a process of its own, which says where it serves and ends with its standard input.
func serve(ctx context.Context, raw string) error {
	var p place
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		return err
	}
	a, err := startAPI(ctx, p.Dir, p.Database)
	if err != nil {
		return err
	}
	p.Base, p.Token = a.Base, a.Token
	if os.Getenv("MILLRACE_BENCH_PROFILE") != "" {
		if p.Debug, err = serveProfiles(ctx); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(p); err != nil {
		return err
	}
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	return a.server.Stop(ctx)
}

// child is a server in another process.
type child struct {
	api
	place place
	cmd   *exec.Cmd
	end   func() error
}

func startChild(ctx context.Context, p place) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self)}
	c.cmd.Env = append(os.Environ(), memoryEnv+"="+string(raw))
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.end = func() error { return errors.Join(in.Close(), c.cmd.Wait()) }
	if err := json.NewDecoder(out).Decode(&p); err != nil {
		return nil, errors.Join(fmt.Errorf("start the server: %w", err), c.end())
	}
	c.Base, c.Token, c.HTTP, c.place = p.Base, p.Token, &http.Client{}, p
	return c, nil
}

// kill ends the server without waiting for what it does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.end()
}

// resident reads a line of /proc/<pid>/status in MiB: VmRSS is what is used now, VmHWM the most that was.
func (c *child) resident(line string) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(raw)) {
		if fields := strings.Fields(l); len(fields) == 3 && fields[0] == line+":" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("%s is not known", line)
}

// memory measures what a server needs for one run of a million records. Provider and receiver are in this process, the
// server is in another.
func memory(ctx context.Context, o options, database string) error {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		fmt.Println("SKIPPED: memory, there is no /proc here")
		return nil
	}
	n := o.count(1_000_000)
	from := httptest.NewServer(&maker{records: n})
	defer from.Close()
	counter := &sink{}
	to := httptest.NewServer(counter)
	defer to.Close()
	p := place{Dir: o.dir + "/memory-" + database}
	if database == "postgres" {
		var err error
		if p.Database, err = o.newDatabase(ctx, database, "memory"); err != nil {
			return err
		}
	}
	c, err := startChild(ctx, p)
	if err != nil {
		return err
	}
	err = c.measure(ctx, database, n, from.URL, to.URL, counter)
	return errors.Join(err, c.end())
}

func (c *child) measure(ctx context.Context, database string, n int, from, to string, counter *sink) error {
	account, err := c.connect(ctx, from, to)
	if err != nil {
		return err
	}
	idle, err := c.resident("VmRSS")
	if err != nil {
		return err
	}
	began := time.Now()
	var run made
	if err := c.call(ctx, http.MethodPost, "/sync-job-run", map[string]any{
		"sync_job_id": examples.SyncJobID, "integrated_account_id": account, "webhook_id": examples.WebhookID,
	}, &run); err != nil {
		return err
	}
	var early float64 // the most until a tenth was done
	err = within(ctx, runPatience, 100*time.Millisecond, func() (bool, error) {
		if counter.requests.Load() <= int64(n/pageSize/10) {
			var err error
			if early, err = c.resident("VmHWM"); err != nil {
				return false, err
			}
		}
		err := c.call(ctx, http.MethodGet, "/sync-job-run/"+run.ID, nil, &run)
		return run.Status == "completed" || run.Status == "failed", err
	})
	if err != nil {
		return fmt.Errorf("run %s after %d deliveries: %w", run.Status, counter.requests.Load(), err)
	}
	if run.Status != "completed" {
		return fmt.Errorf("the run is %s", run.Status)
	}
	most, err := c.resident("VmHWM")
	if err != nil {
		return err
	}
	fmt.Printf("%-46s %-9s idle %.0f MiB   most %.0f MiB, %.0f MiB above   after a tenth %.0f MiB   (%v)\n",
		fmt.Sprintf("memory, one run of %d records", n), database, idle, most, most-idle, early, time.Since(began).Round(time.Second))
	if most-idle > mostMemory {
		return fmt.Errorf("the server needs %.0f MiB more than when idle, more than %d", most-idle, mostMemory)
	}
	return nil
}

// maker is a provider that makes its pages up when they are asked for.
type maker struct{ records int }

// ServeHTTP implements http.Handler.
func (m *maker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(bookings(skip, min(skip+pageSize, m.records)))
}
