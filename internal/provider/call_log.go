package provider

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/store"
)

// logTime bounds how long a caller waits for the log of its call.
const logTime = 2 * time.Second

// LoggedProxy is a Proxy whose calls are in the log of calls.
type LoggedProxy struct {
	Proxy
	group *store.Group[*millrace.CallLog]
}

// NewLoggedProxy returns a proxy over the accounts that f loads. Calls that end at once share a commit of their log, which would else
// cost more than the calls.
func NewLoggedProxy(f *Fetcher) *LoggedProxy {
	return &LoggedProxy{NewProxy(f), store.NewGroup(func(ctx context.Context, rows []*millrace.CallLog) error {
		return f.db.Update(ctx, func(tx *store.Tx) error {
			copies := make([]*millrace.CallLog, len(rows)) // the transaction may run more than once
			for i, row := range rows {
				copied := *row
				copies[i] = &copied
			}
			return tx.Calls().Log(ctx, copies...)
		})
	}, 1)}
}

// Stop stores what has been handed over and ends.
func (p *LoggedProxy) Stop() { p.group.Stop() }

// Log stores the outcome of a call for an account. The caller has its response whether or not that succeeds.
func (p *LoggedProxy) Log(ctx context.Context, row millrace.CallLog) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logTime)
	defer cancel()
	row.ID = millrace.NewID[millrace.CallLogID]() // the same when it has to be stored once more
	if err := p.group.Add(ctx, &row); err != nil {
		p.accounts.logger.LogAttrs(ctx, slog.LevelWarn, "the log of a call was not stored",
			slog.String("environment_id", string(row.EnvironmentID)), slog.String("integrated_account_id", string(row.IntegratedAccountID)), slog.Any("err", err))
	}
}
