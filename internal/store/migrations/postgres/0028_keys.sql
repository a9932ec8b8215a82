-- A row for each encryption key that has sealed values, the newest last; when a server began to encrypt with it.
ALTER TABLE key_check ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
-- The encryption keys of a node, the one that it encrypts with first; empty: an older version, which knows the first key only.
ALTER TABLE node ADD COLUMN keys TEXT NOT NULL DEFAULT '';
