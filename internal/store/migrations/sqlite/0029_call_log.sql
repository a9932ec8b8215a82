-- What became of calls of the proxy API.
CREATE TABLE call_log (
    id TEXT NOT NULL PRIMARY KEY,
    environment_id TEXT NOT NULL,
    integrated_account_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    integration TEXT NOT NULL,
    resource TEXT NOT NULL,
    method TEXT NOT NULL,
    http_method TEXT NOT NULL,
    http_url TEXT NOT NULL,
    http_status_code BIGINT NOT NULL,
    result_count BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    fetch_duration BIGINT NOT NULL,
    needs_reauth BOOLEAN NOT NULL,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX call_log_list ON call_log (environment_id, created_at, id);
