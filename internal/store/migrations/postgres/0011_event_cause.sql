ALTER TABLE event ADD COLUMN sync_job_run_id TEXT NOT NULL DEFAULT '';
CREATE INDEX event_of_run ON event (sync_job_run_id) WHERE sync_job_run_id <> '';
