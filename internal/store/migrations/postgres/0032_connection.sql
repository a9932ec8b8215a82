-- The actions of a connection: what became of them, and who takes an account that is connecting on.
ALTER TABLE integrated_account ADD COLUMN last_action_run_result TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE integrated_account ADD COLUMN connection TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX integrated_account_connecting ON integrated_account (created_at) WHERE status = 'connecting' AND connection <> '';
