CREATE TABLE account_rate (
    integrated_account_id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL,
    blocked_since BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL
);

CREATE TABLE checkpoint_part (
    sync_job_run_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (sync_job_run_id, number)
);
