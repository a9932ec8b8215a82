-- Who asks for the next pair of tokens of an account, and what became of that. The id is that of the account.
CREATE TABLE account_grant (
    id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    attempt_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    retry_at BIGINT NOT NULL,
    response BLOB,
    previous BLOB,
    pair TEXT NOT NULL,
    used BOOLEAN NOT NULL,
    granted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    refresh_at BIGINT NOT NULL,
    refused_at BIGINT NOT NULL,
    cause TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX account_grant_due ON account_grant (refresh_at) WHERE refresh_at > 0;
