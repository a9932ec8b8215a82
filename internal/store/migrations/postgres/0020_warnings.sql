-- What was probably not meant is found when a workflow or a sync job is saved, and only then: a read must cost nothing.
-- A JSON array, or empty. Rows that were saved before have none until they are saved again.
ALTER TABLE workflow ADD COLUMN warnings TEXT NOT NULL DEFAULT '';
ALTER TABLE sync_job ADD COLUMN warnings TEXT NOT NULL DEFAULT '';
