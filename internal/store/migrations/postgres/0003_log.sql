-- What a delivery of a run carries, so that the log can tell without its body.
ALTER TABLE delivery ADD COLUMN resource TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN method TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN records BIGINT NOT NULL DEFAULT 0;
CREATE INDEX delivery_run ON delivery (sync_job_run_id, created_at, id) WHERE sync_job_run_id <> '';

-- What happened in a run that no other row tells: errors, what nobody was told, and what debug shows.
CREATE TABLE run_log (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    delivery_id TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    level TEXT COLLATE "C" NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX run_log_list ON run_log (environment_id, created_at, id) WHERE delivery_id = '';
CREATE INDEX run_log_run ON run_log (sync_job_run_id, created_at, id);
CREATE INDEX run_log_delivery ON run_log (delivery_id) WHERE delivery_id <> '';
CREATE INDEX cron_fire_list ON cron_fire (environment_id, created_at);
