package syncjob

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/fetch"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/jsonata"
)

type responses = map[string]func(FetchRequest) (fetch.Outcome, error)

// scenario is a run from its first slice to its end.
type scenario struct {
	name   string
	plot   plot
	api    func(FetchRequest) (fetch.Outcome, error)
	asked  []string // nil: not compared
	script []string
	status millrace.RunStatus
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, sc := range scenarios() {
			t.Run(sc.name, func(t *testing.T) {
				w := newWorld(t, db, sc.plot)
				w.api.respond = sc.api
				w.finish()
				if diff := cmp.Diff(sc.script, w.script()); diff != "" {
					t.Errorf("deliveries (-want +got):\n%s", diff)
				}
				if sc.asked != nil {
					if diff := cmp.Diff(sc.asked, w.api.asked()); diff != "" {
						t.Errorf("requests (-want +got):\n%s", diff)
					}
				}
				want := sc.status
				if want == "" {
					want = millrace.RunCompleted
				}
				if row := w.row(); row.Status != want || row.FinishedAt == 0 {
					t.Errorf("got status %s, finished at %s, error %s; want %s", row.Status, row.FinishedAt, row.Error, want)
				}
			})
		}
	})
}

const plainGraph = `[
  {"name":"tickets","type":"request","resource":"tickets","method":"list","query":{"updated_at":{"gt":"{{previous_run_date}}"},"limit":2}},
  {"name":"slim","type":"transform","depends_on":"tickets","config":{"expression":"resources.tickets.{\"id\": id}"}},
  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["slim"]}
]`

func scenarios() []scenario {
	return []scenario{
		{
			name:   "request, transform, destination",
			plot:   plot{resources: plainGraph},
			api:    byResource(responses{"tickets": pages(`[{"id":1,"x":1},{"id":2}]`, `[{"id":3}]`)}),
			asked:  []string{`list tickets {"limit":2}`, `list tickets {"limit":2} @1`},
			script: []string{"started", "record tickets 1,2", "record tickets 3", "completed"},
		},
		{
			name: "a legacy list sends unified resources, and proxy resources with persist",
			plot: plot{resources: `[
			  {"resource":"ticketing/tickets","method":"list"},
			  {"resource":"users","method":"list","persist":true},
			  {"resource":"comments","method":"list","depends_on":"ticketing/tickets","query":{"ticket":"{{resources.ticketing.tickets.id}}"}},
			  {"resource":"parts","method":"list","depends_on":"comments","query":{"c":"{{resources.comments.id}}"},"persist":true}
			]`},
			api: byResource(responses{
				"ticketing/tickets": pages(`[{"id":"a"},{"id":"b"}]`, `[{"id":"c"}]`),
				"users":             pages(`[{"id":"u"}]`),
				"comments":          pages(`[{"id":"k1"},{"id":"k2"}]`),
				"parts":             pages(`[{"id":"p"}]`),
			}),
			asked: []string{
				"list ticketing/tickets",
				`list comments {"ticket":"a"}`, `list parts {"c":"k1"}`, `list parts {"c":"k2"}`,
				`list comments {"ticket":"b"}`, `list parts {"c":"k1"}`, `list parts {"c":"k2"}`,
				"list ticketing/tickets @1",
				`list comments {"ticket":"c"}`, `list parts {"c":"k1"}`, `list parts {"c":"k2"}`,
				"list users",
			},
			script: []string{
				"started", "record ticketing/tickets a,b", "record parts p", "record parts p", "record parts p", "record parts p",
				"record ticketing/tickets c", "record parts p", "record parts p", "record users u", "completed",
			},
		},
		{
			name:   "a legacy list of which nothing is persisted sends nothing",
			plot:   plot{resources: `[{"resource":"tickets","method":"list"}]`},
			api:    pages(`[{"id":1}]`),
			asked:  []string{"list tickets"},
			script: []string{"started", "completed"},
		},
		{
			name: "loops, with the element at the place of the array",
			plot: plot{
				resources: `[
				  {"name":"users","type":"request","resource":"users","method":"get","id":"{{args.user_ids}}","loop_on":"args.user_ids"},
				  {"name":"cats","type":"request","resource":"articles","method":"list","loop_on":"category","query":{"c":"{{category.value}}"}},
				  {"name":"none","type":"request","resource":"users","method":"list","loop_on":"args.nothing"},
				  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["users","cats"],"config":{"id":"{{args.hook:undefined}}"}}
				]`,
				args:    `{"user_ids":["x","y"]}`,
				context: `{"category":[{"value":"one"},{"value":"two"}]}`,
			},
			api: func(req FetchRequest) (fetch.Outcome, error) {
				return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"r"}]`)...)}, nil
			},
			asked: []string{"get users id=x", "get users id=y", `list articles {"c":"one"}`, `list articles {"c":"two"}`},
			script: []string{
				"started", "record_error invalid_webhook_id", "record_error invalid_webhook_id", "record_error invalid_webhook_id",
				"record_error invalid_webhook_id", "completed",
			},
		},
		{
			name: "add_context is seen by siblings and their transforms, and run_if chooses records",
			plot: plot{resources: `[
			  {"name":"pages","type":"request","resource":"kb/pages","method":"list"},
			  {"name":"content","type":"request","resource":"kb/content","method":"list","depends_on":"pages","run_if":"resources.kb.pages.id != 2","query":{"page":"{{resources.kb.pages.id:int}}"}},
			  {"name":"title","type":"add_context","depends_on":"pages","config":{"expression":"{\"page_title\": resources.pages.title}"}},
			  {"name":"mixed","type":"transform","depends_on":"content","config":{"expression":"resources.kb.content.{\"id\": $$.page_title & id}"}},
			  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["mixed"]}
			]`},
			api: byResource(responses{
				"kb/pages":   pages(`[{"id":1,"title":"A"},{"id":2,"title":"B"},{"id":3,"title":"C"}]`),
				"kb/content": pages(`[{"id":"x"},{"id":"y"}]`),
			}),
			asked:  []string{"list kb/pages", `list kb/content {"page":1}`, `list kb/content {"page":3}`},
			script: []string{"started", "record kb/content Ax,Ay", "record kb/content Cx,Cy", "completed"},
		},
		{
			name: "a spool collects pages, recursion and loops of one parent record",
			plot: plot{resources: `[
			  {"name":"docs","type":"request","resource":"docs","method":"list"},
			  {"name":"blocks","type":"request","resource":"blocks","method":"list","depends_on":"docs","query":{"in":"{{resources.docs.id}}"},
			    "recurse":{"if":"{{resources.blocks.more:bool}}","config":{"query":{"in":"{{resources.blocks.id}}"}}}},
			  {"name":"mark","type":"transform","depends_on":"blocks","config":{"expression":"resources.blocks.{\"id\": id}"}},
			  {"name":"all","type":"spool","depends_on":"mark"},
			  {"name":"text","type":"transform","depends_on":"all","config":{"expression":"{\"id\": $join(resources.blocks.id, \"+\")}"}},
			  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["text"]}
			]`},
			api: func(req FetchRequest) (fetch.Outcome, error) {
				switch jsonOf(req.Query) {
				case `{"in":"d1"}`:
					return pages(`[{"id":"a"},{"id":"b","more":true}]`, `[{"id":"c"}]`)(req)
				case `{"in":"b"}`:
					return pages(`[{"id":"b1"}]`, `[{"id":"b2"}]`)(req)
				case `{"in":"d2"}`:
					return pages(`[{"id":"z"}]`)(req)
				}
				return pages(`[{"id":"d1"},{"id":"d2"}]`)(req)
			},
			asked: []string{
				"list docs", `list blocks {"in":"d1"}`, `list blocks {"in":"b"}`, `list blocks {"in":"b"} @1`, `list blocks {"in":"d1"} @1`,
				`list blocks {"in":"d2"}`,
			},
			script: []string{"started", "record blocks a+b+b1+b2+c", "record blocks z", "completed"},
		},
		{
			name: "event nodes run at the start and at the end, wherever they are written",
			plot: plot{resources: `[
			  {"name":"at-end","type":"event","config":{"name":"complete"}},
			  {"name":"bye","type":"request","resource":"bye","method":"create","depends_on":"at-end","body":"{\"n\": args.n}"},
			  {"name":"tickets","type":"request","resource":"tickets","method":"list"},
			  {"name":"at-start","type":"event","config":{"name":"start"}},
			  {"name":"hello","type":"request","resource":"hello","method":"create","depends_on":"at-start"}
			]`, args: `{"n":7}`},
			api:    pages(`[{"id":1}]`),
			asked:  []string{"create hello", "list tickets", "create bye"},
			script: []string{"started", "completed"},
		},
		{
			name: "a transform that depends on nothing makes records from args",
			plot: plot{resources: `[
			  {"name":"ids","type":"transform","config":{"expression":"args.ids.{\"id\": $}"}},
			  {"name":"get","type":"request","resource":"things","method":"get","depends_on":"ids","id":"{{resources.ids.id}}"},
			  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["get"],"run_if":"payload.records.id != \"q\""}
			]`, args: `{"ids":["p","q"]}`},
			api: func(req FetchRequest) (fetch.Outcome, error) {
				return fetch.Outcome{Kind: fetch.KindOK, Records: jsonata.NewArray(recordsOf(`[{"id":"` + req.ID + `"}]`)...)}, nil
			},
			asked:  []string{"get things id=p", "get things id=q"},
			script: []string{"started", "record things p", "completed"},
		},
		{
			name:   "events_to_send names what is sent",
			plot:   plot{resources: plainGraph, events: `["sync_job_run:record"]`},
			api:    pages(`[{"id":1}]`),
			script: []string{"record tickets 1"},
		},
		{
			name: "ignore: a failed request and a failed expression are reported and passed",
			plot: plot{resources: `[
			  {"name":"bad","type":"request","resource":"missing","method":"list"},
			  {"name":"tickets","type":"request","resource":"tickets","method":"list"},
			  {"name":"broken","type":"transform","depends_on":"tickets","config":{"expression":"1 + resources.tickets.id"}},
			  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["broken","tickets"]}
			]`},
			api:    byResource(responses{"tickets": pages(`[{"id":"x"}]`, `[{"id":"y"}]`)}),
			script: []string{"started", "record_error http_404", "record tickets x", "record_error T2002", "record tickets y", "record_error T2002", "completed"},
		},
		{
			name: "batch: errors are collected",
			plot: plot{errors: millrace.ErrorBatch, resources: `[
			  {"name":"bad","type":"request","resource":"missing","method":"list","loop_on":"args.x"}
			]`, args: `{"x":[1,2,3]}`},
			api:    byResource(nil),
			script: []string{"started", "record_error http_404,http_404,http_404", "failed"}, status: millrace.RunFailed,
		},
		{
			name: "fail_fast: what came before is sent, error events run, then the run fails",
			plot: plot{errors: millrace.ErrorFailFast, resources: `[
			  {"name":"tickets","type":"request","resource":"tickets","method":"list"},
			  {"name":"broken","type":"transform","depends_on":"tickets","config":{"expression":"1 + resources.tickets.id"}},
			  {"name":"out","type":"destination","destination_type":"webhook","resources_to_persist":["broken","tickets"]},
			  {"name":"on-error","type":"event","config":{"name":"error"}},
			  {"name":"tell","type":"request","resource":"alerts","method":"create","depends_on":"on-error","body":{"code":"{{error.code}}"}}
			]`},
			api:    byResource(responses{"tickets": pages(`[{"id":"x"}]`, `[{"id":"y"}]`), "alerts": pages(`[]`)}),
			asked:  []string{"list tickets", "create alerts"},
			script: []string{"started", "record tickets x", "failed"},
			status: millrace.RunFailed,
		},
		{
			name:   "a plan that does not compile fails the run",
			plot:   plot{resources: `[{"name":"a","type":"transform","depends_on":"b","config":{"expression":"1 +"}}]`},
			api:    pages(`[]`),
			script: []string{"started", "failed"},
			status: millrace.RunFailed,
		},
		{
			name:   "a job without resources completes",
			plot:   plot{},
			api:    pages(`[]`),
			script: []string{"started", "completed"},
		},
	}
}
