-- Who changed what. Entries with an empty environment_id are about the installation.
CREATE TABLE audit_entry (
    id TEXT NOT NULL PRIMARY KEY,
    environment_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    action TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    via TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    more BIGINT NOT NULL,
    subject TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX audit_entry_list ON audit_entry (environment_id, created_at, id);
CREATE INDEX audit_entry_all ON audit_entry (created_at, id);
CREATE INDEX audit_entry_of_resource ON audit_entry (environment_id, resource_id, created_at, id);
CREATE INDEX audit_entry_of_actor ON audit_entry (environment_id, actor_id, created_at, id);
