package calendar

import (
	"context"
	"html/template"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/picture"
	"github.com/millrace/millrace/internal/store"
)

// Page is a calendar as it is shown.
type Page struct {
	*Calendar
	Rows  []Row
	Until time.Time
	Hours int
}

// Row is the load of a provider.
type Row struct {
	Load
	Picture template.HTML
}

// Bounds of what is read.
const (
	pages = 4
	rows  = 500 // schedules of a page
)

// Read reads the schedules of an environment and draws what they will start in the next hours.
func Read(ctx context.Context, db *store.DB, env millrace.EnvironmentID, now time.Time, hours int) (*Page, error) {
	p := &Page{Hours: hours}
	var all []millrace.SyncJobCronTrigger
	names, whole := map[millrace.SyncJobID]string{}, false
	err := db.View(ctx, func(tx *store.Tx) error {
		q := millrace.Query{Limit: rows, MaxBytes: millrace.MaxPageBytes}
		for range pages {
			page, err := tx.Schedules().List(ctx, env, q)
			if err != nil {
				return err
			}
			all = append(all, page.Result...)
			if whole = page.NextCursor == nil; whole {
				break
			}
			q.Cursor = *page.NextCursor
		}
		return name(ctx, tx, env, all, names)
	})
	if err != nil {
		return nil, err
	}
	span := time.Duration(hours) * time.Hour
	p.Calendar = Of(all, func(id millrace.SyncJobID) string { return names[id] }, now, span)
	p.Whole, p.Until = p.Whole && whole, p.From.Add(span)
	most := 0
	for _, l := range p.Loads {
		most = max(most, slices.Max(l.Counts))
	}
	for _, l := range p.Loads {
		p.Rows = append(p.Rows, Row{l, picture.Load(l.Counts, most, p.From, p.Step, l.Name)})
	}
	return p, nil
}

// name finds the providers of the jobs of schedules.
func name(ctx context.Context, tx *store.Tx, env millrace.EnvironmentID, all []millrace.SyncJobCronTrigger, names map[millrace.SyncJobID]string) error {
	for i := range all {
		id := all[i].SyncJobID
		if _, known := names[id]; known {
			continue
		}
		job, err := tx.SyncJobs().Get(ctx, env, id)
		if err != nil && millrace.KindOf(err) != millrace.KindNotFound {
			return err
		}
		if names[id] = "several"; err == nil && job.IntegrationName != "" {
			names[id] = job.IntegrationName
		}
	}
	return nil
}
