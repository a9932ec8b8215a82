ALTER TABLE webhook ADD COLUMN previous_secret BYTEA NOT NULL DEFAULT '';
ALTER TABLE webhook ADD COLUMN previous_secret_expires_at BIGINT NOT NULL DEFAULT 0;
