package editor

import (
	"context"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

const jobStarter = `label: Contacts
integration_name: INTEGRATION
args_schema:
  integrated_account_id:
    type: string
    format: integrated_account_id
    required: true
resources:
  - name: contacts
    type: request
    resource: contacts
    method: list
    integrated_account_id: "{{args.integrated_account_id}}"
  - name: send
    type: destination
    destination_type: webhook
    resources_to_persist:
      - contacts
`

func newJobs() *kind {
	return &kind{
		name: "sync job", list: "sync-jobs", path: "/sync-job", starter: jobStarter, more: drawDraft,
		read: func(ctx context.Context, r *Request, tx *store.Tx, id string) (*stored, error) {
			v, err := tx.SyncJobs().Get(ctx, r.Env, millrace.SyncJobID(id))
			if err != nil {
				return nil, err
			}
			return &stored{v.Label, rest.BaseOf(v), func(form string) (string, error) { return textOfJob(v, form) }}, nil
		},
	}
}

// drawDraft draws the graph of a text.
func drawDraft(_ *Request, p *EditPage, _ string) error {
	root := parse(p.Text)
	if root == nil {
		return nil
	}
	if resources := root.Get("resources"); resources != nil {
		p.Graph = Graph(resources.JSON(), func(string, string) (string, string) { return "", "" })
	}
	return nil
}
