-- Runs of a job with a mutex_key stand in line: waiting_for names the run in front. A run whose key is not resolved yet
-- would share it with others, so runs that are open take no part.
ALTER TABLE sync_job_run ADD COLUMN force BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sync_job_run ADD COLUMN waiting_for TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE sync_job_run SET force = TRUE WHERE mutex_key <> '' AND status IN ('created', 'running', 'rate_limited');

-- At most one run holds a key, whatever the code above the database does.
CREATE UNIQUE INDEX sync_job_run_mutex ON sync_job_run (environment_id, mutex_key)
    WHERE mutex_key <> '' AND force = FALSE AND waiting_for = '' AND status IN ('created', 'running', 'rate_limited');
CREATE INDEX sync_job_run_line ON sync_job_run (environment_id, mutex_key)
    WHERE mutex_key <> '' AND force = FALSE AND status IN ('created', 'running', 'rate_limited');
CREATE UNIQUE INDEX sync_job_run_behind ON sync_job_run (waiting_for) WHERE waiting_for <> '';

CREATE TABLE sync_job_run_state (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    state_key TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX sync_job_run_state_list ON sync_job_run_state (environment_id, state_key, created_at, id);

CREATE TABLE sync_job_template (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    team_id TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    integration_name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    sharing TEXT COLLATE "C" NOT NULL,
    default_runtime_version BIGINT NOT NULL,
    args_schema TEXT COLLATE "C" NOT NULL,
    args_validation TEXT COLLATE "C" NOT NULL,
    resources TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX sync_job_template_list ON sync_job_template (environment_id, created_at, id);
