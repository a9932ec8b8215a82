-- A batch is of one environment and is matched in parts: how far that has come is stored with each of them.
ALTER TABLE event_batch ADD COLUMN environment_id TEXT NOT NULL DEFAULT '';
ALTER TABLE event_batch ADD COLUMN progress TEXT NOT NULL DEFAULT '';
UPDATE event_batch SET environment_id = COALESCE((SELECT e.environment_id FROM event AS e WHERE e.batch_id = event_batch.id ORDER BY e.created_at LIMIT 1), '');
-- The workflows of an event are read page by page.
DROP INDEX workflow_event;
CREATE INDEX workflow_event ON workflow (environment_id, event, created_at, id);
-- How many workflow runs an event from outside has caused, directly or through events of those runs.
ALTER TABLE event ADD COLUMN root_event_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sync_job_run ADD COLUMN root_event_id TEXT NOT NULL DEFAULT '';
CREATE TABLE fan_out (
    root_event_id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL,
    runs BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
