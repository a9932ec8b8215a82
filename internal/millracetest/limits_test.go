package millracetest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/server"
	"github.com/millrace/millrace/internal/store/storetest"
)

// An environment shows the limits that the server was started with, and what it uses of what all share.
func TestEnvironmentShowsItsLimits(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := millracetest.Start(t, url, func(o *server.Options) {
			o.Percent = 70
			o.TokenLimit, o.AccountLimit, o.InboundLimit, o.InboundBytes = 1000, 11, 13, 17
			o.Limits.FanOut, o.Limits.ConditionTime = 19, 23*time.Millisecond
		})
		var list struct{ Result []struct{ ID string } }
		if err := s.Get(t.Context(), "/environment", &list); err != nil || len(list.Result) != 1 {
			t.Fatalf("got %d environments: %v", len(list.Result), err)
		}
		var got struct {
			ID     string
			Limits struct {
				WorkersPercent     int `json:"workers_percent"`
				RequestsPerToken   int `json:"requests_per_token"`
				RequestsPerAccount int `json:"requests_per_account"`
				InboundPerAccount  int `json:"inbound_per_account"`
				InboundBytes       int `json:"inbound_bytes_per_account"`
				ConditionMillis    int `json:"condition_ms"`
				RunsPerEvent       int `json:"runs_per_event"`
				Workers            []struct {
					Kind    string
					Workers int
				}
			}
		}
		if err := s.Get(t.Context(), "/environment/"+list.Result[0].ID, &got); err != nil {
			t.Fatal(err)
		}
		l := got.Limits
		if got.ID != list.Result[0].ID || l.WorkersPercent != 70 || l.RequestsPerToken != 1000 || l.RequestsPerAccount != 11 || l.InboundPerAccount != 13 ||
			l.InboundBytes != 17 || l.RunsPerEvent != 19 || l.ConditionMillis != 23 {
			t.Errorf("got %+v", got)
		}
		var kinds []string
		for _, w := range l.Workers {
			kinds = append(kinds, w.Kind)
			if w.Workers < 2 {
				t.Errorf("%s has %d workers", w.Kind, w.Workers)
			}
		}
		if want := []string{"inbound", "match", "workflow", "connect", "slice", "pump", "refresh", "action", "disconnect", "redeliver"}; !slices.Equal(kinds, want) {
			t.Errorf("got workers of %v, want %v", kinds, want)
		}
	})
}
