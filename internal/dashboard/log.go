package dashboard

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/millrace/millrace/internal/dashboard/entry"
)

// logPage is a page of one of the logs of the API.
type logPage struct {
	*list[entry.Log]
	Log     string
	Accepts []string // what it can be filtered by
}

func (h *Handler) logs(r *request) (*view, error) {
	q := r.URL.Query()
	v := &logPage{list: &list[entry.Log]{Form: q}, Log: q.Get("log")}
	if v.Log == "" {
		v.Log = entry.Logs()[0][0]
	}
	ask := url.Values{"log_type": {v.Log}, "limit": {strconv.Itoa(perPage)}, "next_cursor": {q.Get("cursor")}}
	for _, log := range entry.Logs() {
		v.Filters = append(v.Filters, filter{log[1], r.URL.Path + "?log=" + log[0], log[0] == v.Log})
		if log[0] == v.Log {
			v.Accepts = log[2:]
		}
	}
	for _, name := range v.Accepts {
		if text := q.Get(name); text != "" {
			ask.Set("log_type_filter["+name+"]", text)
		}
	}
	w, err := h.ask(r.Context(), r, http.MethodGet, "/log?"+ask.Encode(), "", nil)
	if err != nil {
		return nil, err
	}
	var page struct {
		Result []json.RawMessage `json:"result"`
		Next   *string           `json:"next_cursor"`
	}
	if err := json.Unmarshal(w.body.Bytes(), &page); err != nil {
		return nil, err
	}
	for _, raw := range page.Result {
		v.Rows = append(v.Rows, entry.OfLog(raw))
	}
	v.Next = r.next(page.Next)
	return &view{name: "logs", title: "Logs", body: v}, nil
}
