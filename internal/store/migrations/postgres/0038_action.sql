-- When the next action of an account that has a schedule is due; 0: never.
ALTER TABLE integrated_account ADD COLUMN action_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX integrated_account_action ON integrated_account (action_at) WHERE action_at > 0;
