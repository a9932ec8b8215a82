-- Tokens of accounts, which end after minutes.
CREATE TABLE account_token (
    hash TEXT NOT NULL PRIMARY KEY,
    environment_id TEXT NOT NULL,
    integrated_account_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX account_token_account ON account_token (environment_id, integrated_account_id);
CREATE INDEX account_token_end ON account_token (expires_at);

-- Tenants: what clients know of their customers.
CREATE TABLE tenant (
    id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    name TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX tenant_list ON tenant (environment_id, created_at, id);
INSERT INTO tenant (id, environment_id, name, metadata, created_at, updated_at)
SELECT tenant_id, environment_id, tenant_id, '{}', MIN(created_at), MIN(created_at) FROM integrated_account WHERE tenant_id <> '' GROUP BY environment_id, tenant_id;
