package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// server is the program in a process of its own, and who is signed in to its dashboard.
type server struct {
	cmd    *exec.Cmd
	http   *http.Client
	base   string
	cookie string
	ready  time.Duration // from its start
}

func start(ctx context.Context, binary, data, database string) (*server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	flags := []string{"--data-dir", data}
	if database != "" {
		flags = append(flags, "--database", database)
	}
	s := &server{base: "http://" + addr, http: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 200},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	log, err := os.Create(filepath.Join(data, "server.log"))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	s.cmd = exec.CommandContext(ctx, binary, append([]string{"serve", "--dev", "--addr", addr}, flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for {
		if status, _, err := s.get(ctx, "/readyz"); err == nil && status == http.StatusOK {
			break
		}
		if time.Since(began) > 10*time.Minute || ctx.Err() != nil {
			s.stop()
			return nil, errors.New("the server does not get ready")
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.ready = time.Since(began)
	return s, s.signIn(ctx, binary, flags)
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}

func (s *server) signIn(ctx context.Context, binary string, flags []string) error {
	out, err := exec.CommandContext(ctx, binary, append([]string{"sign-in-link", "--server", s.base}, flags...)...).Output()
	if err != nil {
		return fmt.Errorf("sign-in-link: %w", err)
	}
	u, err := url.Parse(strings.TrimSpace(string(out)))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+u.RequestURI(), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	for _, c := range resp.Cookies() {
		s.cookie = c.Name + "=" + c.Value
	}
	if s.cookie == "" {
		return fmt.Errorf("signing in gets %s", resp.Status)
	}
	return nil
}

func (s *server) get(ctx context.Context, path string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Cookie", s.cookie)
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if to := resp.Header.Get("Location"); to != "" {
		body = []byte(`<a href="` + html.EscapeString(to) + `">`)
	}
	return resp.StatusCode, body, err
}

var (
	href = regexp.MustCompile(`href="(/dashboard[^"#]*)`)
	uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// Cursors, times and texts differ from page to page of one kind.
	varies = regexp.MustCompile(`([?&](?:after|before|next_cursor|prev_cursor|cursor|from|to|since|until|at|tenant_id|q|condition|external_id)=)[^&]*`)
)

// maxPages bounds how many kinds of pages are read.
const maxPages = 400

// crawl returns one page of each kind that links lead to.
func (s *server) crawl(ctx context.Context) ([]string, error) {
	seen := map[string]bool{}
	var pages []string
	for next := []string{"/dashboard"}; len(next) > 0 && len(pages) < maxPages; next = next[1:] {
		status, body, err := s.get(ctx, next[0])
		if err != nil {
			return nil, err
		}
		if status == http.StatusOK {
			pages = append(pages, next[0])
		} else if status >= http.StatusBadRequest {
			fmt.Printf("%s gets %d\n", next[0], status)
		}
		for _, m := range href.FindAllSubmatch(body, -1) {
			address := html.UnescapeString(string(m[1]))
			kind := varies.ReplaceAllString(uuid.ReplaceAllString(address, "ID"), "$1*")
			if !seen[kind] && !strings.Contains(address, "/static/") {
				seen[kind] = true
				next = append(next, address)
			}
		}
	}
	return pages, nil
}

// timing is how long a page took.
type timing struct {
	page     string
	p50, p99 time.Duration
}

// read reads each page in turn, again and again, and prints the slowest beside what a request costs that does nothing.
func (s *server) read(ctx context.Context, o options, database string, pages []string) error {
	var all []time.Duration
	timings := make([]timing, 0, len(pages)+1)
	for _, page := range append([]string{"/healthz"}, pages...) {
		took := make([]time.Duration, o.reads)
		for i := range took {
			began := time.Now()
			status, _, err := s.get(ctx, page)
			if took[i] = time.Since(began); err != nil || status != http.StatusOK {
				return fmt.Errorf("%s gets %d, %w", page, status, err)
			}
		}
		slices.Sort(took)
		timings = append(timings, timing{page, took[len(took)/2], took[len(took)*99/100]})
		if page != "/healthz" {
			all = append(all, took...)
		}
	}
	floor := timings[0]
	timings = timings[1:]
	slices.Sort(all)
	slices.SortFunc(timings, func(a, b timing) int { return cmp.Compare(b.p99, a.p99) })
	within := 0
	for _, t := range timings {
		if t.p99 < 50*time.Millisecond {
			within++
		}
	}
	fmt.Printf("%s: %d kinds of pages, each read %d times: p50 %s, p99 %s of all reads; p99 below 50 ms: %d of %d; floor /healthz: p50 %s, p99 %s\n", database, len(timings), o.reads,
		round(all[len(all)/2]), round(all[len(all)*99/100]), within, len(timings), round(floor.p50), round(floor.p99))
	for _, t := range timings[:min(15, len(timings))] {
		fmt.Printf("  p50 %-8s p99 %-8s %s\n", round(t.p50), round(t.p99), t.page)
	}
	return nil
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// follow lets pages be open as browsers have them, and prints what that costs the server.
func (s *server) follow(ctx context.Context, o options, database string, pages []string) error {
	script := regexp.MustCompile(`data-live="([^"]+)"`)
	var streams []string
	for _, page := range pages {
		_, body, err := s.get(ctx, page)
		if err != nil {
			return err
		}
		if m := script.FindSubmatch(body); m != nil {
			streams = append(streams, html.UnescapeString(string(m[1])))
		}
	}
	if len(streams) == 0 {
		return errors.New("no page is live")
	}
	idle, err := s.cpu(ctx, o.seconds)
	if err != nil {
		return err
	}
	open, end := context.WithCancel(ctx)
	defer end()
	var group sync.WaitGroup
	var lines, broken atomic.Int64
	for i := range o.live {
		group.Go(func() {
			if err := s.listen(open, streams[i%len(streams)], &lines); err != nil && open.Err() == nil {
				broken.Add(1)
			}
		})
	}
	busy, err := s.cpu(ctx, o.seconds)
	end()
	group.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d open pages of %d kinds for %d s: %.1f %% of a core, %.1f %% without them; %d messages, %d streams broke\n", database, o.live, len(streams), o.seconds, busy, idle, lines.Load(), broken.Load())
	return nil
}

func (s *server) listen(ctx context.Context, stream string, lines *atomic.Int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+stream, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Cookie", s.cookie)
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	scanner := bufio.NewScanner(resp.Body)
	for scanner.Scan() {
		if strings.HasPrefix(scanner.Text(), "event:") {
			lines.Add(1)
		}
	}
	return scanner.Err()
}

// cpu returns how much of a core the server takes, in percent, over some seconds.
func (s *server) cpu(ctx context.Context, seconds int) (float64, error) {
	before, err := s.ticks()
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := s.ticks()
	return float64(after-before) / float64(seconds), err // a tick is a hundredth of a second
}

func (s *server) ticks() (int, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("the time of a process is read as on Linux: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return user + system, err
}
