-- The latest 403 of a provider, until a later request succeeds.
ALTER TABLE integrated_account ADD COLUMN last_forbidden_error TEXT COLLATE "C" NOT NULL DEFAULT '';
