-- An id that clients may choose is unique in its environment only: what another environment has taken is free, and nobody learns
-- of it. Keys begin with the id, so that a row is found as before and new rows stand at the end of the index.
-- SQLite cannot change a primary key: rekey in migrate.go writes the tables again before this file runs.
ALTER TABLE checkpoint_part ADD COLUMN environment_id TEXT NOT NULL DEFAULT '';
UPDATE checkpoint_part SET environment_id = r.environment_id FROM sync_job_run AS r WHERE r.id = checkpoint_part.sync_job_run_id;
CREATE TABLE checkpoint_part_new (
    sync_job_run_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (sync_job_run_id, environment_id, number)
);
INSERT INTO checkpoint_part_new SELECT sync_job_run_id, environment_id, number, body FROM checkpoint_part;
DROP TABLE checkpoint_part;
ALTER TABLE checkpoint_part_new RENAME TO checkpoint_part;

DROP INDEX workflow_run_event;
CREATE UNIQUE INDEX workflow_run_event ON workflow_run (event_id, workflow_id, environment_id);
DROP INDEX workflow_run_debounce;
CREATE UNIQUE INDEX workflow_run_debounce ON workflow_run (debounce_key, environment_id) WHERE waiting = 'debounce';
DROP INDEX workflow_run_rate;
CREATE INDEX workflow_run_rate ON workflow_run (rate_key, environment_id, rate_at) WHERE rate_at > 0;
DROP INDEX workflow_run_slot;
CREATE INDEX workflow_run_slot ON workflow_run (concurrency_key, environment_id, created_at, id) WHERE slot > 0;
DROP INDEX sync_job_cron_trigger_step;
CREATE UNIQUE INDEX sync_job_cron_trigger_step ON sync_job_cron_trigger (workflow_id, step_index, integrated_account_id, environment_id) WHERE workflow_id <> '';
DROP INDEX sync_job_run_behind;
CREATE UNIQUE INDEX sync_job_run_behind ON sync_job_run (waiting_for, environment_id) WHERE waiting_for <> '';
DROP INDEX inbound_hook_replay;
CREATE UNIQUE INDEX inbound_hook_replay ON inbound_hook (replay_key, environment_id) WHERE replay_key <> '';
DROP INDEX delivery_backlog;
CREATE INDEX delivery_backlog ON delivery (webhook_id, environment_id, sequence) WHERE status = 'pending' AND sequence > 0;
DROP INDEX delivery_retry;
CREATE INDEX delivery_retry ON delivery (webhook_id, environment_id, next_attempt_at) WHERE status = 'pending' AND next_attempt_at > 0;
DROP INDEX delivery_frozen;
CREATE INDEX delivery_frozen ON delivery (sync_job_run_id, environment_id, run_sequence) WHERE status = 'pending' AND sync_job_run_id <> '';

-- Hooks may name these by their id alone, unless it was chosen: then the address has to name the environment.
ALTER TABLE integrated_account ADD COLUMN addressable BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE environment_integration ADD COLUMN addressable BOOLEAN NOT NULL DEFAULT TRUE;
