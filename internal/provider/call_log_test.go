package provider_test

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/provider"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// full is a database that has no room for the log of calls.
type full struct{}

func (full) Statement(sql string) error {
	if strings.Contains(sql, "call_log") {
		return store.Injected()
	}
	return nil
}

func (full) Commit() store.CommitFault { return store.CommitSucceeds }

func proxy(t *testing.T, db *store.DB, logger *slog.Logger) *provider.LoggedProxy {
	t.Helper()
	p := provider.NewLoggedProxy(provider.NewFetcher(db, nil, provider.NewRateBudget(db, time.Now, logger, 0), logger, nil))
	t.Cleanup(p.Stop)
	return p
}

// A call has been made whether or not the log of it can be stored: the server's own log says so, without what the call was about.
func TestALogThatCannotBeStoredIsReported(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, nil))
		row := millrace.CallLog{EnvironmentID: "00000000-0000-4000-8000-000000000001", IntegratedAccountID: "00000000-0000-4000-8000-0000000000a1", Message: "what the provider said"}
		for _, db := range []*store.DB{storetest.Open(t, url), storetest.OpenWith(t, url, full{})} {
			proxy(t, db, logger).Log(t.Context(), row)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the caller has left, and the call is in the log all the same
		db := storetest.Open(t, url)
		proxy(t, db, logger).Log(ctx, row)
		if got := out.String(); strings.Count(got, "the log of a call was not stored") != 1 || strings.Contains(got, row.Message) {
			t.Errorf("got the lines %s, want one about the call that was not stored", got)
		}
		var page millrace.Page[millrace.CallLog]
		err := db.View(t.Context(), func(tx *store.Tx) error {
			var err error
			page, err = tx.Calls().ListLog(t.Context(), row.EnvironmentID, millrace.LogQuery{})
			return err
		})
		if err != nil || len(page.Result) != 2 {
			t.Errorf("got %d rows, %v, want 2", len(page.Result), err)
		}
	})
}

// Calls that end at once share commits, and the pages of the log have each of them once, also where they have the time of a commit.
func TestLogsOfManyCallsShareCommits(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		const calls = 400
		var out bytes.Buffer
		db := storetest.Open(t, url)
		p := proxy(t, db, slog.New(slog.NewTextHandler(&out, nil)))
		var group sync.WaitGroup
		for i := range calls {
			group.Go(func() {
				p.Log(t.Context(), millrace.CallLog{EnvironmentID: "00000000-0000-4000-8000-000000000001", IntegratedAccountID: millrace.IntegratedAccountID(strconv.Itoa(i))})
			})
		}
		group.Wait()
		seen, rows := map[millrace.IntegratedAccountID]bool{}, 0
		for cursor := ""; ; {
			var page millrace.Page[millrace.CallLog]
			err := db.View(t.Context(), func(tx *store.Tx) error {
				var err error
				page, err = tx.Calls().ListLog(t.Context(), "00000000-0000-4000-8000-000000000001", millrace.LogQuery{Cursor: cursor})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			rows += len(page.Result)
			for i := range page.Result {
				seen[page.Result[i].IntegratedAccountID] = true
			}
			if page.NextCursor == nil {
				break
			}
			cursor = *page.NextCursor
		}
		if len(seen) != calls || rows != calls {
			t.Errorf("%d of %d calls are in %d rows of the log, and the server says %s", len(seen), calls, rows, out.String())
		}
	})
}
