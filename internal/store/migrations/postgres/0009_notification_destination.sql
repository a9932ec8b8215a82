-- The share, in percent, of the time that a webhook may fail at which others were told last.
ALTER TABLE webhook ADD COLUMN failing_told BIGINT NOT NULL DEFAULT 0;
-- Where notifications go is a webhook of a kind of its own; its address and secrets are sealed.
ALTER TABLE webhook ADD COLUMN notification TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE webhook ADD COLUMN label TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE webhook ADD COLUMN config BYTEA NOT NULL DEFAULT '';
