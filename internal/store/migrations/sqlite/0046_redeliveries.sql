-- Redeliveries: deliveries of a webhook that it did not get, queued once more, batch by batch.
CREATE TABLE webhook_redelivery (
    id TEXT NOT NULL PRIMARY KEY,
    environment_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    status TEXT NOT NULL,
    filter TEXT NOT NULL,
    through_sequence BIGINT NOT NULL,
    position BIGINT NOT NULL,
    redelivered BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL
);
CREATE INDEX webhook_redelivery_list ON webhook_redelivery (environment_id, created_at, id);
CREATE UNIQUE INDEX webhook_redelivery_running ON webhook_redelivery (webhook_id, environment_id) WHERE status = 'running';
-- What a redelivery takes, in its order.
CREATE INDEX delivery_given_up ON delivery (webhook_id, environment_id, sequence) WHERE status IN ('failed', 'cancelled') AND sync_job_run_id = '';
