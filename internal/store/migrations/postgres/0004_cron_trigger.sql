-- What a schedule does about missed instants, about runs that have not ended, and about everybody else's instants.
ALTER TABLE sync_job_cron_trigger ADD COLUMN catch_up TEXT COLLATE "C" NOT NULL DEFAULT 'one';
ALTER TABLE sync_job_cron_trigger ADD COLUMN overlap TEXT COLLATE "C" NOT NULL DEFAULT 'queue';
ALTER TABLE sync_job_cron_trigger ADD COLUMN spread BIGINT NOT NULL DEFAULT 0;

-- A row of cron_fire may stand for several instants, from due_at to last_due_at.
ALTER TABLE cron_fire ADD COLUMN id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE cron_fire ADD COLUMN last_due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cron_fire ADD COLUMN instants BIGINT NOT NULL DEFAULT 1;
UPDATE cron_fire SET last_due_at = due_at, id = sync_job_cron_trigger_id || '/' || due_at;

-- The runs of a schedule that have not ended.
CREATE INDEX sync_job_run_schedule ON sync_job_run (sync_job_cron_trigger_id)
    WHERE sync_job_cron_trigger_id <> '' AND status IN ('created', 'running', 'rate_limited');
