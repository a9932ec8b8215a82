-- Hashes of deleted tokens, so that who still has one learns what became of it.
CREATE TABLE deleted_token (
    hash TEXT PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);
UPDATE api_token SET scope = 'write' WHERE scope = 'environment';
