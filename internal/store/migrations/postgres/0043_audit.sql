-- Who changed what. Entries with an empty environment_id are about the installation.
CREATE TABLE audit_entry (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    actor_type TEXT COLLATE "C" NOT NULL,
    actor_id TEXT COLLATE "C" NOT NULL,
    actor_name TEXT COLLATE "C" NOT NULL,
    via TEXT COLLATE "C" NOT NULL,
    before TEXT COLLATE "C" NOT NULL,
    after TEXT COLLATE "C" NOT NULL,
    more BIGINT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX audit_entry_list ON audit_entry (environment_id, created_at, id);
CREATE INDEX audit_entry_all ON audit_entry (created_at, id);
CREATE INDEX audit_entry_of_resource ON audit_entry (environment_id, resource_id, created_at, id);
CREATE INDEX audit_entry_of_actor ON audit_entry (environment_id, actor_id, created_at, id);
