-- Who a user is at the identity provider that signs them in.
ALTER TABLE app_user ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
ALTER TABLE app_user ADD COLUMN subject TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX app_user_identity ON app_user (issuer, subject) WHERE subject <> '';

-- Sign-ins there that made a session, until they would be over anyway. The id is the hash of the state.
CREATE TABLE used_sign_in (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_sign_in_end ON used_sign_in (expires_at);
