package httpapi_test

import (
	"strings"
	"testing"
)

func TestLogRejects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for query, paths := range map[string][]string{
			"":                                   {"log_type"},
			"log_type=rapid_brige&limit=x":       {"limit", "log_type"},
			"log_type=webhook&limit=101":         {"limit"},
			"log_type=webhook&limit=0":           {"limit"},
			"log_type=webhook&status=failed":     {"status"},
			"log_type=webhook&created_at[gt]=no": {"created_at[gt]"},
			"log_type=rapid_bridge&log_type_filter[sync_job_run]=x":                     {"log_type_filter[sync_job_run]"},
			"log_type=sync_job_cron_trigger&log_type_filter[integration]=x":             {"log_type_filter[integration]"},
			"log_type=rapid_bridge&next_cursor=x":                                       {"next_cursor"},
			"log_type=rapid_bridge&created_at[lt]=2026-01-02":                           {"created_at[lt]"},
			"log_type=rapid_bridge&created_at[gt]=2026-01-01&created_at[lt]=2026-03-01": {"created_at[gt]"},
		} {
			got := w.get("/log?"+query).rejected(400, paths...)
			if strings.Contains(query, "rapid_brige") && got.failure("log_type")["suggestion"] != "rapid_bridge" {
				t.Errorf("got %v, want a suggestion", got.failure("log_type"))
			}
		}
		other := "log_type=rapid_bridge&log_type_filter[environment_id]=" + strings.Repeat("0", 8) + "-0000-4000-8000-000000000000"
		for _, query := range []string{"log_type=rapid_bridge", "log_type=mcp", "log_type=rapid_bridge&next_cursor=", other} {
			got := w.get("/log?" + query).ok()
			if len(got.ids()) != 0 || got.at("next_cursor") != nil {
				t.Errorf("%s: got %v, want an empty page", query, got)
			}
		}
	})
}
