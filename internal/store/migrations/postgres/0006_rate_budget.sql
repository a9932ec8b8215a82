CREATE TABLE account_rate (
    integrated_account_id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    blocked_since BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL
);

CREATE TABLE checkpoint_part (
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (sync_job_run_id, number)
);
