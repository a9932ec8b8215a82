-- What an integration declares as secret is set apart in the accounts that are there already at the next start: SQL cannot
-- encrypt it. The same goes for the secrets in an account's override.
ALTER TABLE integrated_account ADD COLUMN sealed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE integrated_account ADD COLUMN full_override BLOB NOT NULL DEFAULT x'';
CREATE INDEX integrated_account_unsealed ON integrated_account (id) WHERE NOT sealed;
