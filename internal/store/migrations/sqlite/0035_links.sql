-- Tokens with which customers connect accounts. The id is the hash of the token.
CREATE TABLE link_token (
    id TEXT NOT NULL PRIMARY KEY,
    environment_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    integrated_account_id TEXT NOT NULL,
    options TEXT NOT NULL,
    context BLOB,
    expires_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX link_token_end ON link_token (expires_at);
CREATE INDEX link_token_environment ON link_token (environment_id);

-- What browsers do with them. The id is the hash of the state of the redirect.
CREATE TABLE connect_session (
    id TEXT NOT NULL PRIMARY KEY,
    environment_id TEXT NOT NULL,
    link_token_id TEXT NOT NULL,
    browser TEXT NOT NULL,
    attempt TEXT NOT NULL,
    environment_integration_id TEXT NOT NULL,
    integration TEXT NOT NULL,
    method TEXT NOT NULL,
    secrets BLOB,
    response BLOB,
    integrated_account_id TEXT NOT NULL,
    failure TEXT NOT NULL,
    failure_type TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX connect_session_link ON connect_session (link_token_id);
CREATE INDEX connect_session_end ON connect_session (expires_at);
CREATE INDEX connect_session_environment ON connect_session (environment_id);

-- How the connect page looks, and which pages may show it.
ALTER TABLE environment ADD COLUMN connect TEXT NOT NULL DEFAULT '';
