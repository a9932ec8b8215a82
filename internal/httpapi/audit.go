package httpapi

import (
	"github.com/millrace/millrace/internal/httpapi/rest"
	"github.com/millrace/millrace/internal/store"
)

const auditNote = adminNote + " Changes by API tokens, by users of the dashboard and on the command line, the last first, with what was changed before and after. " +
	"Filter by environment_id, resource, resource_id, actor_id and created_at."

func (a *api) auditEntries() *rest.Resource[store.AuditID, store.AuditEntry, store.AuditEntry] {
	return rest.NewResource(a.cfg.DB, rest.RowsOf(store.AuditOf, nil), rest.AsStored[store.AuditEntry])
}
