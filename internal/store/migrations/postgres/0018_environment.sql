-- Operators name environments in commands, so a name stands for one: names are compared by name_key, which ignores case and
-- spacing. Where several have one name so far, nameEnvironmentsOnce gives
-- all but the oldest another one. While an environment is being deleted its name is free.
ALTER TABLE environment ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE environment ADD COLUMN deleting_at BIGINT NOT NULL DEFAULT 0;

-- admin: the token manages environments, and belongs to none.
ALTER TABLE api_token ADD COLUMN scope TEXT NOT NULL DEFAULT 'environment';

-- What the encryption key sealed at the first start.
CREATE TABLE key_check (
    id BIGINT PRIMARY KEY,
    value BYTEA NOT NULL
);
