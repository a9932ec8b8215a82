package accounts

import (
	"context"
	"fmt"
	"sync"

	"github.com/millrace/millrace/internal/store/sqldb"
	"github.com/millrace/millrace/internal/store/table"

	"github.com/millrace/millrace"
)

var callLogTable = sync.OnceValue(func() *table.Table[millrace.CallLog] { //nolint:gochecknoglobals // a constant that cannot be written as one
	type row = millrace.CallLog
	return &table.Table[row]{
		Name: "call_log", What: "call",
		Columns: []table.Column[row]{
			table.Text("id", func(v *row) *millrace.CallLogID { return &v.ID }),
			table.Text("environment_id", func(v *row) *millrace.EnvironmentID { return &v.EnvironmentID }),
			table.Text("integrated_account_id", func(v *row) *millrace.IntegratedAccountID { return &v.IntegratedAccountID }),
			table.Text("tenant_id", func(v *row) *string { return &v.TenantID }),
			table.Text("integration", func(v *row) *string { return &v.Integration }),
			table.Text("resource", func(v *row) *string { return &v.Resource }),
			table.Text("method", func(v *row) *string { return &v.Method }),
			table.Text("http_method", func(v *row) *string { return &v.HTTPMethod }),
			table.Text("http_url", func(v *row) *string { return &v.HTTPURL }),
			table.Number("http_status_code", func(v *row) *int64 { return &v.HTTPStatusCode }),
			table.Number("result_count", func(v *row) *int64 { return &v.ResultCount }),
			table.Number("duration", func(v *row) *int64 { return &v.Duration }),
			table.Number("fetch_duration", func(v *row) *int64 { return &v.FetchDuration }),
			table.Flag("needs_reauth", func(v *row) *bool { return &v.NeedsReauth }),
			table.Text("message", func(v *row) *string { return &v.Message }),
			table.Stamp("created_at", func(v *row) *millrace.Time { return &v.CreatedAt }),
		},
		Fill:  func(tx *sqldb.Tx, v *row) { table.NewRow(tx, &v.ID, &v.CreatedAt) },
		Touch: func(*sqldb.Tx, *row) {},
	}
})

// Log stores the outcomes of calls, but for those that are there.
func (h Calls) Log(ctx context.Context, rows ...*millrace.CallLog) error {
	_, err := callLogTable().InsertAllNew(ctx, h.tx, rows)
	return err
}

// ListLog returns one page of the log of calls. It returns an error of KindInvalid for a filter or cursor that it does not know.
func (h Calls) ListLog(ctx context.Context, env millrace.EnvironmentID, q millrace.LogQuery) (millrace.Page[millrace.CallLog], error) {
	page := millrace.Page[millrace.CallLog]{Result: []millrace.CallLog{}}
	part := table.LogPart{
		Id: "d.id", Columns: callLogTable().Prefixed("d."), From: "call_log AS d WHERE d.environment_id = $1",
		Filters: map[string]string{
			"integrated_account_id": "d.integrated_account_id = %s", "integration": "d.integration = %s", "request_type": "'proxy' = %s",
		},
	}
	next, err := table.ReadLog(ctx, h.tx, env, q, []table.LogPart{part}, func(r sqldb.Rows) (table.LogCursor, int, error) {
		v := millrace.CallLog{}
		err := r.Scan(callLogTable().Dests(h.tx, &v)...)
		page.Result = append(page.Result, v)
		return table.LogCursor{At: v.CreatedAt, ID: string(v.ID)}, callLogTable().Size(&v), err
	})
	if err != nil {
		return page, fmt.Errorf("list calls: %w", err)
	}
	page.NextCursor = next
	return page, nil
}
