-- What the dashboard shows first: what failed lately, and what belongs to an account.
CREATE INDEX sync_job_run_trouble ON sync_job_run (environment_id, created_at, id) WHERE status = 'failed' OR is_partial = TRUE;
CREATE INDEX sync_job_run_of_account ON sync_job_run (integrated_account_id, created_at) WHERE integrated_account_id <> '';
CREATE INDEX workflow_run_trouble ON workflow_run (environment_id, created_at, id) WHERE status = 'failed';
CREATE INDEX cron_fire_trouble ON cron_fire (environment_id, created_at) WHERE outcome IN ('missed', 'failed');
CREATE INDEX delivery_undelivered ON delivery (environment_id, created_at, id) WHERE status = 'failed';
