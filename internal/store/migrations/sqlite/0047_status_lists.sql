-- Lists by a status that few rows have, and of what has not ended.
CREATE INDEX delivery_cancelled ON delivery (environment_id, created_at, id) WHERE status = 'cancelled';
CREATE INDEX sync_job_run_stopped ON sync_job_run (environment_id, created_at, id) WHERE status = 'stopped';
CREATE INDEX sync_job_run_open_list ON sync_job_run (environment_id, created_at, id) WHERE status IN ('created', 'running', 'rate_limited');
CREATE INDEX workflow_run_cancelled ON workflow_run (environment_id, created_at, id) WHERE status = 'cancelled';
CREATE INDEX workflow_run_open_list ON workflow_run (environment_id, created_at, id) WHERE status IN ('created', 'running');
CREATE INDEX integrated_account_of_status ON integrated_account (environment_id, status, created_at, id);
CREATE INDEX integrated_account_of_install ON integrated_account (environment_id, environment_integration_id, created_at, id);
