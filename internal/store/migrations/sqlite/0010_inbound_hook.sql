-- Requests that third parties made to us. While a replay_key is set, no second request with it is accepted.
CREATE TABLE inbound_hook (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL,
    environment_integration_id TEXT NOT NULL,
    integrated_account_id TEXT NOT NULL,
    integrated_account_ids TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    status TEXT NOT NULL,
    method TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    header BLOB NOT NULL,
    query BLOB NOT NULL,
    body BLOB NOT NULL,
    replay_key TEXT NOT NULL,
    duplicate_of TEXT NOT NULL,
    error TEXT NOT NULL,
    evaluation TEXT NOT NULL,
    event_count BIGINT NOT NULL,
    event_ids TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    evaluated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX inbound_hook_replay ON inbound_hook (replay_key) WHERE replay_key <> '';
CREATE INDEX inbound_hook_list ON inbound_hook (environment_id, created_at, id);
CREATE INDEX inbound_hook_account ON inbound_hook (integrated_account_id, created_at);
CREATE INDEX inbound_hook_open ON inbound_hook (batch_id, created_at, id) WHERE status = 'accepted';
