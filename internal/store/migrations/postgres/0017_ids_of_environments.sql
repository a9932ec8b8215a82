-- An id that clients may choose is unique in its environment only: what another environment has taken is free, and nobody learns
-- of it. Keys begin with the id, so that a row is found as before and new rows stand at the end of the index.
ALTER TABLE integration DROP CONSTRAINT integration_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE environment_integration DROP CONSTRAINT environment_integration_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE integrated_account DROP CONSTRAINT integrated_account_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE webhook DROP CONSTRAINT webhook_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE event DROP CONSTRAINT event_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE workflow DROP CONSTRAINT workflow_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE sync_job DROP CONSTRAINT sync_job_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE sync_job_run DROP CONSTRAINT sync_job_run_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE sync_job_template DROP CONSTRAINT sync_job_template_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE sync_job_cron_trigger DROP CONSTRAINT sync_job_cron_trigger_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE decision DROP CONSTRAINT decision_pkey, ADD PRIMARY KEY (event_id, workflow_id, environment_id);
ALTER TABLE workflow_version DROP CONSTRAINT workflow_version_pkey, ADD PRIMARY KEY (workflow_id, version, environment_id);
ALTER TABLE workflow_key DROP CONSTRAINT workflow_key_pkey, ADD PRIMARY KEY (id, environment_id);
ALTER TABLE cron_fire DROP CONSTRAINT cron_fire_pkey, ADD PRIMARY KEY (sync_job_cron_trigger_id, due_at, environment_id);
ALTER TABLE fan_out DROP CONSTRAINT fan_out_pkey, ADD PRIMARY KEY (root_event_id, environment_id);
ALTER TABLE account_rate DROP CONSTRAINT account_rate_pkey, ADD PRIMARY KEY (integrated_account_id, environment_id);
ALTER TABLE checkpoint_part ADD COLUMN environment_id TEXT NOT NULL DEFAULT '';
UPDATE checkpoint_part SET environment_id = r.environment_id FROM sync_job_run AS r WHERE r.id = checkpoint_part.sync_job_run_id;
ALTER TABLE checkpoint_part DROP CONSTRAINT checkpoint_part_pkey, ADD PRIMARY KEY (sync_job_run_id, environment_id, number);

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
