-- What a delivery of a run carries, so that the log can tell without its body.
ALTER TABLE delivery ADD COLUMN resource TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN method TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN records BIGINT NOT NULL DEFAULT 0;
CREATE INDEX delivery_run ON delivery (sync_job_run_id, created_at, id) WHERE sync_job_run_id <> '';

-- What happened in a run that no other row tells: errors, what nobody was told, and what debug shows.
CREATE TABLE run_log (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL,
    sync_job_run_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    event TEXT NOT NULL,
    level TEXT NOT NULL,
    node TEXT NOT NULL,
    resource TEXT NOT NULL,
    method TEXT NOT NULL,
    message TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX run_log_list ON run_log (environment_id, created_at, id) WHERE delivery_id = '';
CREATE INDEX run_log_run ON run_log (sync_job_run_id, created_at, id);
CREATE INDEX run_log_delivery ON run_log (delivery_id) WHERE delivery_id <> '';
CREATE INDEX cron_fire_list ON cron_fire (environment_id, created_at);
