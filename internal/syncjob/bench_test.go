package syncjob

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/jsonata"
)

// BenchmarkPages measures what a page of 100 records costs between a provider and an endpoint that take no time:
// decoding, a transform, freezing, and storing the response. One iteration is one page.
func BenchmarkPages(b *testing.B) {
	var page strings.Builder
	page.WriteString("[")
	for i := range 100 {
		if i > 0 {
			page.WriteString(",")
		}
		fmt.Fprintf(&page, `{"id":%d,"subject":"Ticket %d","status":"open","tags":["a","b"],"requester":{"name":"Ann","email":"ann@example.test"},"created_at":"2026-01-01T00:00:00Z","body":%q}`,
			i, i, strings.Repeat("word ", 40))
	}
	page.WriteString("]")
	body := []byte(page.String())
	for _, c := range []struct{ name, resources string }{
		{"plain", `[{"resource":"m/tickets","method":"list"}]`},
		{"transform", `[{"name":"t","type":"request","resource":"tickets","method":"list"},
		  {"name":"s","type":"transform","depends_on":"t","config":{"expression":"resources.tickets.{\"id\": id, \"title\": subject, \"open\": status = \"open\", \"who\": requester.email, \"text\": body}"}},
		  {"name":"o","type":"destination","destination_type":"webhook","resources_to_persist":["s"]}]`},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, storetest.Open(b, storetest.SQLite(b)), plot{resources: c.resources, config: func(cfg *Config) {
				cfg.Slice, cfg.MaxPages, cfg.Destination = time.Hour, 1<<40, deaf{}
			}})
			w.runner.cfg.Fetcher = fetcherFunc(func(_ context.Context, req FetchRequest) (fetch.Outcome, error) {
				n, _ := strconv.Atoi(req.Cursor)
				v, err := jsonata.FromJSON(body)
				if err != nil {
					return fetch.Outcome{}, err
				}
				res := fetch.Outcome{Kind: fetch.KindOK, Records: v.(*jsonata.Array)}
				if n+1 < b.N {
					res.NextCursor = strconv.Itoa(n + 1)
				}
				return res, nil
			})
			b.ReportAllocs()
			b.ResetTimer()
			w.finish()
			b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// deaf is an endpoint that accepts everything at once.
type deaf struct{}

// Send implements Destination.
func (deaf) Send(context.Context, deliver.Request) (deliver.Result, error) { return delivered(), nil }
