-- Tasks of environments that have as many with River as they may, in the order in which they are given to it.
CREATE TABLE waiting_task (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    task_key TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    integrated_account_id TEXT NOT NULL,
    turn BIGINT NOT NULL,
    wake BOOLEAN NOT NULL,
    UNIQUE (kind, task_key)
);
CREATE INDEX waiting_task_line ON waiting_task (kind, environment_id, turn, id);
