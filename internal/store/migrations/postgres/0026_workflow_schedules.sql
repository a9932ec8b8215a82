-- Workflows can be paused, and their schedules follow them: they rest, or are detached once they were edited by hand.
ALTER TABLE workflow ADD COLUMN is_active BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE sync_job_cron_trigger ADD COLUMN is_detached BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sync_job_cron_trigger ADD COLUMN rest_reason TEXT NOT NULL DEFAULT '';
