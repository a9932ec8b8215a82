package dashboard

import (
	"html/template"
	"slices"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/calendar"
	"github.com/millrace/millrace/internal/dashboard/picture"
	"github.com/millrace/millrace/internal/store"
)

// calendarPage is what schedules will start.
type calendarPage struct {
	*calendar.Calendar
	Rows  []calendarRow
	Until time.Time
	Hours int
}

type calendarRow struct {
	calendar.Load
	Picture template.HTML
}

// Bounds of the calendar.
const (
	calendarPages = 4
	calendarRows  = 500 // schedules of a page
	dayHours      = 24
)

func (h *Handler) calendar(r *request) (*view, error) {
	v := &calendarPage{Hours: 1}
	if r.URL.Query().Get("hours") == "24" {
		v.Hours = dayHours
	}
	var all []millrace.SyncJobCronTrigger
	names, whole := map[millrace.SyncJobID]string{}, false
	err := h.DB.View(r.Context(), func(tx *store.Tx) error {
		q := millrace.Query{Limit: calendarRows, MaxBytes: millrace.MaxPageBytes}
		for range calendarPages {
			page, err := tx.Schedules().List(r.Context(), r.env.ID, q)
			if err != nil {
				return err
			}
			all = append(all, page.Result...)
			if whole = page.NextCursor == nil; whole {
				break
			}
			q.Cursor = *page.NextCursor
		}
		for i := range all {
			id := all[i].SyncJobID
			if _, known := names[id]; known {
				continue
			}
			job, err := absent(tx.SyncJobs().Get(r.Context(), r.env.ID, id))
			if err != nil {
				return err
			}
			if names[id] = "several"; job != nil && job.IntegrationName != "" {
				names[id] = job.IntegrationName
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	span := time.Duration(v.Hours) * time.Hour
	v.Calendar = calendar.Of(all, func(id millrace.SyncJobID) string { return names[id] }, r.now.Std(), span)
	v.Whole, v.Until = v.Whole && whole, v.From.Add(span)
	most := 0
	for _, l := range v.Loads {
		most = max(most, slices.Max(l.Counts))
	}
	for _, l := range v.Loads {
		v.Rows = append(v.Rows, calendarRow{l, picture.Load(l.Counts, most, v.From, v.Step, l.Name)})
	}
	return &view{name: "calendar", title: "Calendar of schedules", body: v}, nil
}
