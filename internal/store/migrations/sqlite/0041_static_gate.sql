-- Proxies with a fixed address, and which accounts use which.
CREATE TABLE static_gate (
    id TEXT NOT NULL PRIMARY KEY,
    environment_id TEXT NOT NULL,
    name TEXT NOT NULL,
    domain TEXT NOT NULL,
    token BLOB,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX static_gate_list ON static_gate (environment_id, created_at, id);
ALTER TABLE integrated_account ADD COLUMN static_gate_id TEXT NOT NULL DEFAULT '';
CREATE INDEX integrated_account_gate ON integrated_account (static_gate_id) WHERE static_gate_id <> '';
