-- What is left to do about accounts that were deleted.
CREATE TABLE disconnection (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    integrated_account_id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    wait_until BIGINT NOT NULL,
    revocation BYTEA,
    attempt BIGINT NOT NULL,
    retry_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX disconnection_due ON disconnection (retry_at);
CREATE INDEX disconnection_environment ON disconnection (environment_id);
