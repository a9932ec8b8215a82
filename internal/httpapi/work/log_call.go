package work

import (
	"strconv"

	"github.com/millrace/millrace"
)

func callEntry(c *millrace.CallLog) entry {
	out := entry{
		"_id": c.ID, "timestamp": c.CreatedAt, "request_type": "proxy", "resource": c.Resource, "method": c.Method,
		"http_method": c.HTTPMethod, "http_url": c.HTTPURL, "http_status_code": c.HTTPStatusCode,
		"http_status_category": strconv.FormatInt(c.HTTPStatusCode/100, 10) + "xx",
		"duration":             c.Duration, "fetch_duration": c.FetchDuration, "tenant_id": c.TenantID, "integration": c.Integration,
		"integrated_account_id": string(c.IntegratedAccountID), "integrated_account_needs_reauth": c.NeedsReauth, "message": c.Message,
	}
	if c.ResultCount > 0 || c.Method == "list" && c.Message == "" {
		out["result_count"] = c.ResultCount
	}
	if c.Message != "" {
		out["logs"] = []entry{{"timestamp": c.CreatedAt, "level": millrace.LogError, "message": c.Message}}
	}
	return out
}
