-- What failed in a run. Runs in which something failed are no base of the next one, so those that are there are counted.
ALTER TABLE sync_job_run ADD COLUMN error_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sync_job_run ADD COLUMN first_error TEXT NOT NULL DEFAULT '';
ALTER TABLE sync_job_run ADD COLUMN is_partial BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sync_job_run ADD COLUMN wait_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE sync_job_run ADD COLUMN waits_for_account TEXT NOT NULL DEFAULT '';
CREATE INDEX sync_job_run_account ON sync_job_run (waits_for_account, environment_id) WHERE waits_for_account <> '';
UPDATE sync_job_run SET error_count = (SELECT COALESCE(SUM(m.value ->> 'failed'), 0) FROM json_each(resource_stats) AS r, json_each(r.value) AS m)
    WHERE resource_stats LIKE '%"failed":%';
UPDATE sync_job_run SET is_partial = TRUE WHERE status = 'completed' AND error_count > 0;
CREATE INDEX sync_job_run_partial ON sync_job_run (environment_id, created_at, id) WHERE is_partial = TRUE;
-- For the count of accounts by status.
CREATE INDEX integrated_account_status ON integrated_account (status);
