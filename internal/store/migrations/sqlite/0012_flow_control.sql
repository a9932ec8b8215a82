-- Flow control of workflows: what a run waits for, until when, and the keys under which runs are counted, as hashes.
ALTER TABLE workflow_run ADD COLUMN waiting TEXT NOT NULL DEFAULT '';
ALTER TABLE workflow_run ADD COLUMN run_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workflow_run ADD COLUMN cancelled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE workflow_run ADD COLUMN debounce_key TEXT NOT NULL DEFAULT '';
ALTER TABLE workflow_run ADD COLUMN run_before BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workflow_run ADD COLUMN rate_key TEXT NOT NULL DEFAULT '';
ALTER TABLE workflow_run ADD COLUMN rate_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workflow_run ADD COLUMN concurrency_key TEXT NOT NULL DEFAULT '';
ALTER TABLE workflow_run ADD COLUMN slot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN run_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN cancelled_by TEXT NOT NULL DEFAULT '';

CREATE UNIQUE INDEX workflow_run_debounce ON workflow_run (debounce_key) WHERE waiting = 'debounce';
CREATE INDEX workflow_run_rate ON workflow_run (rate_key, rate_at) WHERE rate_at > 0;
CREATE INDEX workflow_run_slot ON workflow_run (concurrency_key, created_at, id) WHERE slot > 0;
CREATE INDEX workflow_run_waiting ON workflow_run (workflow_id) WHERE waiting <> '';

-- The keys of events that have led to a run.
CREATE TABLE workflow_key (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL,
    workflow_run_id TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX workflow_key_age ON workflow_key (created_at);
