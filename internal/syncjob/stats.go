package syncjob

import (
	"encoding/json"
	"fmt"
)

// counters count what a run did with one method of a resource.
type counters struct {
	Pages     int64 `json:"pages"`     // fetched
	Fetched   int64 `json:"fetched"`   // records
	Persisted int64 `json:"persisted"` // records whose delivery was answered
	Failed    int64 `json:"failed"`    // requests and expressions that went wrong
}

// stats are a run's resource_stats: counters by resource and method.
type stats map[string]map[string]*counters

func readStats(raw json.RawMessage) (stats, error) {
	s := stats{}
	if len(raw) == 0 || string(raw) == "null" {
		return s, nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("decode resource_stats: %w", err)
	}
	return s, nil
}

// of returns the counters of a method of a resource.
func (s stats) of(resource, method string) *counters {
	methods := s[resource]
	if methods == nil {
		methods = map[string]*counters{}
		s[resource] = methods
	}
	c := methods[method]
	if c == nil {
		c = &counters{}
		methods[method] = c
	}
	return c
}

// with returns what the set and another one have counted together.
func (s stats) with(more stats) stats {
	sum := stats{}
	sum.add(s)
	sum.add(more)
	return sum
}

func (s stats) add(more stats) {
	for resource, methods := range more {
		for method, c := range methods {
			sum := s.of(resource, method)
			sum.Pages += c.Pages
			sum.Fetched += c.Fetched
			sum.Persisted += c.Persisted
			sum.Failed += c.Failed
		}
	}
}

// records returns how many records were delivered.
func (s stats) records() int64 {
	var n int64
	for _, methods := range s {
		for _, c := range methods {
			n += c.Persisted
		}
	}
	return n
}
