-- A delivery keeps its first attempt in its own row: most have no other, and a row less is written. One of a run has its
-- bytes there, too, until it is answered.
ALTER TABLE delivery ADD COLUMN first_attempt TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN run_sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN body BLOB NOT NULL DEFAULT x'';
UPDATE delivery SET run_sequence = f.sequence, body = f.body FROM frozen_delivery AS f
WHERE delivery.status = 'pending' AND delivery.sync_job_run_id = f.sync_job_run_id AND delivery.created_at = f.created_at;
DROP TABLE frozen_delivery;
DROP INDEX delivery_backlog;
CREATE INDEX delivery_backlog ON delivery (webhook_id, sequence) WHERE status = 'pending' AND sequence > 0;
CREATE INDEX delivery_frozen ON delivery (sync_job_run_id, run_sequence) WHERE status = 'pending' AND sync_job_run_id <> '';
-- An event is kept as long as a delivery of it waits. Such deliveries are found by the time that they share with it: in order of
-- time, an index changes in one place.
UPDATE delivery SET created_at = e.created_at FROM event AS e WHERE delivery.status = 'pending' AND delivery.sequence > 0 AND delivery.event_id = e.id;
DROP INDEX delivery_of_event;
CREATE INDEX delivery_waiting ON delivery (environment_id, created_at) WHERE status = 'pending' AND sequence > 0;
