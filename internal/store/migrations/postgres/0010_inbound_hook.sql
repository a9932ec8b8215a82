-- Requests that third parties made to us. While a replay_key is set, no second request with it is accepted.
CREATE TABLE inbound_hook (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    environment_integration_id TEXT COLLATE "C" NOT NULL,
    integrated_account_id TEXT COLLATE "C" NOT NULL,
    integrated_account_ids TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    content_type TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    header BYTEA NOT NULL,
    query BYTEA NOT NULL,
    body BYTEA NOT NULL,
    replay_key TEXT COLLATE "C" NOT NULL,
    duplicate_of TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    evaluation TEXT COLLATE "C" NOT NULL,
    event_count BIGINT NOT NULL,
    event_ids TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    evaluated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX inbound_hook_replay ON inbound_hook (replay_key) WHERE replay_key <> '';
CREATE INDEX inbound_hook_list ON inbound_hook (environment_id, created_at, id);
CREATE INDEX inbound_hook_account ON inbound_hook (integrated_account_id, created_at);
CREATE INDEX inbound_hook_open ON inbound_hook (batch_id, created_at, id) WHERE status = 'accepted';
