-- What became of calls of the proxy API.
CREATE TABLE call_log (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    integrated_account_id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    integration TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    http_method TEXT COLLATE "C" NOT NULL,
    http_url TEXT COLLATE "C" NOT NULL,
    http_status_code BIGINT NOT NULL,
    result_count BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    fetch_duration BIGINT NOT NULL,
    needs_reauth BOOLEAN NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX call_log_list ON call_log (environment_id, created_at, id);
