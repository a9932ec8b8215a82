-- What the dashboard shows first: what failed lately, and what belongs to an account.
CREATE INDEX sync_job_run_failed ON sync_job_run (environment_id, created_at, id) WHERE status = 'failed';
CREATE INDEX sync_job_run_of_account ON sync_job_run (integrated_account_id, created_at) WHERE integrated_account_id <> '';
CREATE INDEX workflow_run_failed ON workflow_run (environment_id, created_at, id) WHERE status = 'failed';
CREATE INDEX cron_fire_trouble ON cron_fire (environment_id, created_at) WHERE outcome IN ('missed', 'failed');
CREATE INDEX delivery_failed ON delivery (environment_id, created_at, id) WHERE status = 'failed';
CREATE INDEX integrated_account_trouble ON integrated_account (environment_id, updated_at) WHERE status IN ('needs_reauth', 'validation_error', 'post_install_error');
