package millracetest

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Sick is a collector whose webhooks fail in every way that a receiver can, at random, until it is well. A request that got a
// 200 counts as received, however badly the rest of the response went.
type Sick struct {
	*Collector
	mu      sync.Mutex
	random  *rand.Rand
	share   map[string]float64 // of a webhook's requests that fail; 1: all
	manners map[string]string  // of a webhook that fails in one way only
	counts  map[string]int     // failures by their kind
	well    chan struct{}
}

// NewSick returns a collector whose webhooks are well until a test makes them fail.
func NewSick(seed uint64) *Sick {
	return &Sick{
		Collector: NewCollector(), random: rand.New(rand.NewPCG(seed, 1)), share: map[string]float64{}, manners: map[string]string{},
		counts: map[string]int{}, well: make(chan struct{}),
	}
}

// Infect makes a share of a webhook's requests fail, in one manner or, when that is empty, in any.
func (s *Sick) Infect(name, manner string, share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.share[name], s.manners[name] = share, manner
}

// Heal makes all webhooks respond with 200 from now on.
func (s *Sick) Heal() { close(s.well) }

// Failures returns how often requests failed in which way.
func (s *Sick) Failures() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		out = append(out, fmt.Sprintf("%s %d", name, s.counts[name]))
	}
	return strings.Join(out, ", ")
}

// manners are the ways of failing, each with the status that the sender sees; 0: none.
func manners() map[string]int {
	return map[string]int{
		"500": 500, "502": 502, "503 with Retry-After": 503, "429 with seconds": 429, "429 with a date": 429, "302": 302, "404": 404,
		"hang": 0, "reset": 0, "half a response": 0, "no HTTP": 0, "slow 200": 200, "huge 200": 200,
	}
}

func (s *Sick) choose(name string) string {
	select {
	case <-s.well:
		return ""
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.random.Float64() >= s.share[name] {
		return ""
	}
	manner := s.manners[name]
	if manner == "" {
		names := slices.Sorted(maps.Keys(manners()))
		names = slices.DeleteFunc(names, func(n string) bool { return n == "hang" && s.random.IntN(4) > 0 }) // it takes 15 s
		manner = names[s.random.IntN(len(names))]
	}
	s.counts[manner]++
	return manner
}

// ServeHTTP implements http.Handler.
func (s *Sick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(r.URL.Path, "/")
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return
	}
	manner := s.choose(name)
	if manner == "" {
		s.take(name, r.Header, body, &Response{Status: http.StatusOK})
		return
	}
	status := manners()[manner]
	s.take(name, r.Header, body, &Response{Status: status})
	s.fail(w, r, manner, status)
}

func (s *Sick) fail(w http.ResponseWriter, r *http.Request, manner string, status int) {
	raw := func(text string) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	switch manner {
	case "hang":
		select {
		case <-r.Context().Done():
		case <-s.well:
		}
		panic(http.ErrAbortHandler)
	case "reset":
		panic(http.ErrAbortHandler)
	case "half a response":
		raw("HTTP/1.1 20")
		return
	case "no HTTP":
		raw("220 mail.example.com ESMTP\r\n")
		return
	case "429 with seconds", "503 with Retry-After":
		w.Header().Set("Retry-After", "1")
	case "429 with a date":
		w.Header().Set("Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))
	case "302":
		w.Header().Set("Location", "http://169.254.169.254/")
	}
	w.WriteHeader(status)
	switch manner {
	case "huge 200":
		_, _ = w.Write(make([]byte, 1<<20))
	case "slow 200":
		for range 10 {
			_, _ = w.Write([]byte("."))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}
