-- How much of what environments share one has, beside others: 200 is twice of 100.
ALTER TABLE environment ADD COLUMN weight BIGINT NOT NULL DEFAULT 100;
