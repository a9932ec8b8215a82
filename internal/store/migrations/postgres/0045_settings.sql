-- What a process that uses the database is, and since when it runs; empty and 0: an older version.
ALTER TABLE node ADD COLUMN version TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN started_at BIGINT NOT NULL DEFAULT 0;

-- What the last removal of old rows has removed, a row for each kind.
CREATE TABLE cleanup (
    kind TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    removed BIGINT NOT NULL,
    ended_at BIGINT NOT NULL
);

-- When a user had enough of the tour of what happened first; 0: not yet. Those who have been here know their way.
ALTER TABLE app_user ADD COLUMN toured_at BIGINT NOT NULL DEFAULT 0;
UPDATE app_user SET toured_at = signed_in_at;
