package evaluate

import (
	"encoding/json"
	"fmt"
)

// Counters count what a run did with one method of a resource.
type Counters struct {
	Pages     int64 `json:"pages"`     // fetched
	Fetched   int64 `json:"fetched"`   // records
	Persisted int64 `json:"persisted"` // records that were delivered
	Failed    int64 `json:"failed"`    // requests and expressions that went wrong
}

// Stats are a run's resource_stats: counters by resource and method.
type Stats map[string]map[string]*Counters

// ReadStats decodes the stats of a run; nothing and null have none.
func ReadStats(raw json.RawMessage) (Stats, error) {
	s := Stats{}
	if len(raw) == 0 || string(raw) == "null" {
		return s, nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("decode resource_stats: %w", err)
	}
	return s, nil
}

// Of returns the counters of a method of a resource.
func (s Stats) Of(resource, method string) *Counters {
	methods := s[resource]
	if methods == nil {
		methods = map[string]*Counters{}
		s[resource] = methods
	}
	c := methods[method]
	if c == nil {
		c = &Counters{}
		methods[method] = c
	}
	return c
}

// With returns what the set and another one have counted together.
func (s Stats) With(more Stats) Stats {
	sum := Stats{}
	sum.add(s)
	sum.add(more)
	return sum
}

func (s Stats) add(more Stats) {
	for resource, methods := range more {
		for method, c := range methods {
			sum := s.Of(resource, method)
			sum.Pages += c.Pages
			sum.Fetched += c.Fetched
			sum.Persisted += c.Persisted
			sum.Failed += c.Failed
		}
	}
}

// Records returns how many records were delivered.
func (s Stats) Records() int64 {
	var n int64
	for _, methods := range s {
		for _, c := range methods {
			n += c.Persisted
		}
	}
	return n
}
