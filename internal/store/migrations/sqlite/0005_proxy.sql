-- Calls to third parties that were made under an idempotency key. The id follows from what the key is scoped to.
CREATE TABLE idempotent_call (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    request_hash TEXT NOT NULL DEFAULT '',
    status BIGINT NOT NULL DEFAULT 0,
    header TEXT NOT NULL DEFAULT '',
    body BLOB NOT NULL,
    truncated BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX idempotent_call_created ON idempotent_call (created_at);
