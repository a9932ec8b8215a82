ALTER TABLE webhook ADD COLUMN previous_secret BLOB NOT NULL DEFAULT x'';
ALTER TABLE webhook ADD COLUMN previous_secret_expires_at BIGINT NOT NULL DEFAULT 0;
