-- The W3C trace context of the request that a row follows from; empty: there is none.
ALTER TABLE event ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE inbound_hook ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE sync_job_run ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE waiting_task ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
