-- The schema of the first release. Its number is 23 because it makes what 23 steps of development made, so that a
-- database of the last step is up to date.
--
-- Ids are UUID texts, times are microseconds since 1970 UTC with 0 for "not yet", documents are JSON text.
--
-- An id that clients may choose is unique in its environment only: what another environment has taken is free, and nobody
-- learns of it. Primary keys begin with the id, so that a row is found by it and new rows stand at the end of the index.

CREATE TABLE environment (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL DEFAULT '',
    team_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    -- Names are compared by name_key, which ignores case and spacing. While an environment is being deleted its name is free.
    name_key TEXT NOT NULL DEFAULT '',
    deleting_at BIGINT NOT NULL DEFAULT 0,
    -- The share of what environments have in common: 200 is twice as much as 100.
    weight BIGINT NOT NULL DEFAULT 100
);
CREATE UNIQUE INDEX environment_name ON environment (name_key);

CREATE TABLE api_token (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    name TEXT COLLATE "C" NOT NULL DEFAULT '',
    hash TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    -- admin: the token manages environments, and belongs to none.
    scope TEXT NOT NULL DEFAULT 'environment'
);
CREATE UNIQUE INDEX api_token_hash ON api_token (hash);
CREATE INDEX api_token_list ON api_token (environment_id, created_at, id);

-- What the encryption key sealed at the first start.
CREATE TABLE key_check (
    id BIGINT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Processes that use the database.
CREATE TABLE node (
    id TEXT COLLATE "C" PRIMARY KEY,
    seen_at BIGINT NOT NULL
);

CREATE TABLE integration (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    name TEXT COLLATE "C" NOT NULL DEFAULT '',
    category TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_beta BOOLEAN NOT NULL DEFAULT FALSE,
    sharing TEXT COLLATE "C" NOT NULL DEFAULT '',
    team_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    version BIGINT NOT NULL DEFAULT 0,
    config BYTEA NOT NULL,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (id, environment_id)
);
CREATE UNIQUE INDEX integration_name ON integration (environment_id, name);
CREATE INDEX integration_list ON integration (environment_id, created_at, id);

CREATE TABLE environment_integration (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    integration_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    show_in_catalog BOOLEAN NOT NULL DEFAULT FALSE,
    is_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    override BYTEA NOT NULL,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    -- Inbound hooks may name it by its id alone, unless the id was chosen by a client.
    addressable BOOLEAN NOT NULL DEFAULT TRUE,
    PRIMARY KEY (id, environment_id)
);
CREATE UNIQUE INDEX environment_integration_one ON environment_integration (environment_id, integration_id);
CREATE INDEX environment_integration_list ON environment_integration (environment_id, created_at, id);

CREATE TABLE integrated_account (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    tenant_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    environment_integration_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    authentication_method TEXT COLLATE "C" NOT NULL DEFAULT '',
    status TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_error TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_sandbox BOOLEAN NOT NULL DEFAULT FALSE,
    region TEXT COLLATE "C" NOT NULL DEFAULT '',
    context TEXT COLLATE "C" NOT NULL DEFAULT '',
    secrets BYTEA NOT NULL,
    features TEXT COLLATE "C" NOT NULL DEFAULT '',
    unified_model_override TEXT COLLATE "C" NOT NULL DEFAULT '',
    integration_override TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    -- Inbound hooks may name it by its id alone, unless the id was chosen by a client.
    addressable BOOLEAN NOT NULL DEFAULT TRUE,
    -- Whether the members that its integration declares as secret are set apart. SQL cannot encrypt them.
    sealed BOOLEAN NOT NULL DEFAULT FALSE,
    full_override BYTEA NOT NULL DEFAULT '',
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX integrated_account_list ON integrated_account (environment_id, created_at, id);
CREATE INDEX integrated_account_install ON integrated_account (environment_integration_id);
CREATE INDEX integrated_account_tenant ON integrated_account (environment_id, tenant_id);
CREATE INDEX integrated_account_unsealed ON integrated_account (id) WHERE NOT sealed;

-- Until when a provider wants no requests of an account.
CREATE TABLE account_rate (
    integrated_account_id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    blocked_since BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL,
    PRIMARY KEY (integrated_account_id, environment_id)
);

-- Requests to providers that were made under an idempotency key. The id is derived from the scope of the key.
CREATE TABLE idempotent_call (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    request_hash TEXT NOT NULL DEFAULT '',
    status BIGINT NOT NULL DEFAULT 0,
    header TEXT NOT NULL DEFAULT '',
    body BYTEA NOT NULL,
    truncated BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX idempotent_call_created ON idempotent_call (created_at);

CREATE TABLE event (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    batch_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    event TEXT COLLATE "C" NOT NULL DEFAULT '',
    payload TEXT COLLATE "C" NOT NULL DEFAULT '',
    idempotency_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    depth BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    sync_job_run_id TEXT NOT NULL DEFAULT '',
    root_event_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX event_list ON event (environment_id, created_at, id);
CREATE INDEX event_batch_events ON event (batch_id);
CREATE UNIQUE INDEX event_idempotency ON event (environment_id, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX event_of_run ON event (sync_job_run_id) WHERE sync_job_run_id <> '';

-- A batch holds events of one environment and is matched in parts; progress is stored with each of them.
CREATE TABLE event_batch (
    id TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL,
    environment_id TEXT NOT NULL DEFAULT '',
    progress TEXT NOT NULL DEFAULT ''
);

-- How many workflow runs an event from outside has caused, directly or through events of those runs.
CREATE TABLE fan_out (
    root_event_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    runs BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (root_event_id, environment_id)
);

-- Requests that providers made to us. While a replay_key is set, no second request with it is accepted.
CREATE TABLE inbound_hook (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    environment_integration_id TEXT COLLATE "C" NOT NULL,
    integrated_account_id TEXT COLLATE "C" NOT NULL,
    integrated_account_ids TEXT COLLATE "C" NOT NULL,
    batch_id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    content_type TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    header BYTEA NOT NULL,
    query BYTEA NOT NULL,
    body BYTEA NOT NULL,
    replay_key TEXT COLLATE "C" NOT NULL,
    duplicate_of TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    evaluation TEXT COLLATE "C" NOT NULL,
    event_count BIGINT NOT NULL,
    event_ids TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    evaluated_at BIGINT NOT NULL
);
CREATE INDEX inbound_hook_list ON inbound_hook (environment_id, created_at, id);
CREATE INDEX inbound_hook_account ON inbound_hook (integrated_account_id, created_at);
CREATE INDEX inbound_hook_open ON inbound_hook (batch_id, created_at, id) WHERE status = 'accepted';
CREATE UNIQUE INDEX inbound_hook_replay ON inbound_hook (replay_key, environment_id) WHERE replay_key <> '';

CREATE TABLE workflow (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    trigger_name TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    config TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- A JSON array, or empty, found when the workflow is saved, so that a read costs nothing.
    warnings TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX workflow_list ON workflow (environment_id, created_at, id);
-- The workflows of an event are read page by page.
CREATE INDEX workflow_event ON workflow (environment_id, event, created_at, id);

CREATE TABLE workflow_version (
    workflow_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    workflow TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workflow_id, version, environment_id)
);

-- The idempotency keys of events that have led to a run.
CREATE TABLE workflow_key (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    workflow_run_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX workflow_key_age ON workflow_key (created_at);

CREATE TABLE decision (
    event_id TEXT COLLATE "C" NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    workflow_version BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    workflow_run_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    run_at BIGINT NOT NULL DEFAULT 0,
    cancelled_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (event_id, workflow_id, environment_id)
);

CREATE TABLE workflow_run (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    workflow_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    workflow_version BIGINT NOT NULL DEFAULT 0,
    event_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    status TEXT COLLATE "C" NOT NULL DEFAULT '',
    result TEXT COLLATE "C" NOT NULL DEFAULT '',
    error TEXT COLLATE "C" NOT NULL DEFAULT '',
    retry_attempt BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT NOT NULL DEFAULT 0,
    finished_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    -- Flow control: what the run waits for, until when, and the hashed keys under which runs are counted.
    waiting TEXT COLLATE "C" NOT NULL DEFAULT '',
    run_at BIGINT NOT NULL DEFAULT 0,
    cancelled_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    debounce_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    run_before BIGINT NOT NULL DEFAULT 0,
    rate_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    rate_at BIGINT NOT NULL DEFAULT 0,
    concurrency_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    slot BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX workflow_run_list ON workflow_run (environment_id, created_at, id);
CREATE INDEX workflow_run_open ON workflow_run (created_at) WHERE status IN ('created', 'running');
CREATE INDEX workflow_run_waiting ON workflow_run (workflow_id) WHERE waiting <> '';
CREATE UNIQUE INDEX workflow_run_event ON workflow_run (event_id, workflow_id, environment_id);
CREATE UNIQUE INDEX workflow_run_debounce ON workflow_run (debounce_key, environment_id) WHERE waiting = 'debounce';
CREATE INDEX workflow_run_rate ON workflow_run (rate_key, environment_id, rate_at) WHERE rate_at > 0;
CREATE INDEX workflow_run_slot ON workflow_run (concurrency_key, environment_id, created_at, id) WHERE slot > 0;

CREATE TABLE workflow_step (
    workflow_run_id TEXT COLLATE "C" NOT NULL,
    step_index BIGINT NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    result TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workflow_run_id, step_index)
);

CREATE TABLE sync_job (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    label TEXT COLLATE "C" NOT NULL DEFAULT '',
    integration_name TEXT COLLATE "C" NOT NULL DEFAULT '',
    default_runtime_version BIGINT NOT NULL DEFAULT 0,
    args_schema TEXT COLLATE "C" NOT NULL DEFAULT '',
    args_validation TEXT COLLATE "C" NOT NULL DEFAULT '',
    mutex_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    state_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    error_handling TEXT COLLATE "C" NOT NULL DEFAULT '',
    resources TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    -- A JSON array, or empty, found when the sync job is saved.
    warnings TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX sync_job_list ON sync_job (environment_id, created_at, id);

CREATE TABLE sync_job_template (
    id TEXT COLLATE "C" NOT NULL,
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
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX sync_job_template_list ON sync_job_template (environment_id, created_at, id);

-- Runs of a job with a mutex_key stand in line: waiting_for names the run in front. Runs with force take no part.
CREATE TABLE sync_job_run (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    sync_job_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    integrated_account_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    webhook_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    workflow_run_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    step_index BIGINT NOT NULL DEFAULT 0,
    sync_job_cron_trigger_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    status TEXT COLLATE "C" NOT NULL DEFAULT '',
    args TEXT COLLATE "C" NOT NULL DEFAULT '',
    resources TEXT COLLATE "C" NOT NULL DEFAULT '',
    error_handling TEXT COLLATE "C" NOT NULL DEFAULT '',
    ignore_previous_run BOOLEAN NOT NULL DEFAULT FALSE,
    events_to_send TEXT COLLATE "C" NOT NULL DEFAULT '',
    version BIGINT NOT NULL DEFAULT 0,
    resource_stats TEXT COLLATE "C" NOT NULL DEFAULT '',
    mutex_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    state_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    error TEXT COLLATE "C" NOT NULL DEFAULT '',
    retry_at BIGINT NOT NULL DEFAULT 0,
    parked_since BIGINT NOT NULL DEFAULT 0,
    depth BIGINT NOT NULL DEFAULT 0,
    epoch BIGINT NOT NULL DEFAULT 0,
    sequence BIGINT NOT NULL DEFAULT 0,
    checkpoint BYTEA NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT NOT NULL DEFAULT 0,
    finished_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    force BOOLEAN NOT NULL DEFAULT FALSE,
    waiting_for TEXT COLLATE "C" NOT NULL DEFAULT '',
    root_event_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (id, environment_id)
);
CREATE UNIQUE INDEX sync_job_run_step ON sync_job_run (workflow_run_id, step_index) WHERE workflow_run_id <> '';
CREATE INDEX sync_job_run_list ON sync_job_run (environment_id, created_at, id);
CREATE INDEX sync_job_run_last ON sync_job_run (environment_id, sync_job_id, integrated_account_id, started_at) WHERE status = 'completed';
CREATE INDEX sync_job_run_open ON sync_job_run (created_at) WHERE status IN ('created', 'running', 'rate_limited');
-- At most one run holds a key, whatever the code above the database does.
CREATE UNIQUE INDEX sync_job_run_mutex ON sync_job_run (environment_id, mutex_key)
    WHERE mutex_key <> '' AND force = FALSE AND waiting_for = '' AND status IN ('created', 'running', 'rate_limited');
CREATE INDEX sync_job_run_line ON sync_job_run (environment_id, mutex_key)
    WHERE mutex_key <> '' AND force = FALSE AND status IN ('created', 'running', 'rate_limited');
-- The runs of a schedule that have not ended.
CREATE INDEX sync_job_run_schedule ON sync_job_run (sync_job_cron_trigger_id)
    WHERE sync_job_cron_trigger_id <> '' AND status IN ('created', 'running', 'rate_limited');
CREATE UNIQUE INDEX sync_job_run_behind ON sync_job_run (waiting_for, environment_id) WHERE waiting_for <> '';

CREATE TABLE checkpoint_part (
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    body BYTEA NOT NULL,
    environment_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (sync_job_run_id, environment_id, number)
);

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

-- What happened in a run that no other row tells: errors, what was not delivered, and the output of debug.
CREATE TABLE run_log (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    delivery_id TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    level TEXT COLLATE "C" NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX run_log_list ON run_log (environment_id, created_at, id) WHERE delivery_id = '';
CREATE INDEX run_log_run ON run_log (sync_job_run_id, created_at, id);
CREATE INDEX run_log_delivery ON run_log (delivery_id) WHERE delivery_id <> '';

CREATE TABLE sync_job_cron_trigger (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    sync_job_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    integrated_account_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    cron_expression TEXT COLLATE "C" NOT NULL DEFAULT '',
    timezone TEXT COLLATE "C" NOT NULL DEFAULT '',
    args TEXT COLLATE "C" NOT NULL DEFAULT '',
    webhook_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    daemon_group_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    super_query TEXT COLLATE "C" NOT NULL DEFAULT '',
    error_handling TEXT COLLATE "C" NOT NULL DEFAULT '',
    events_to_send TEXT COLLATE "C" NOT NULL DEFAULT '',
    meta TEXT COLLATE "C" NOT NULL DEFAULT '',
    workflow_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    step_index BIGINT NOT NULL DEFAULT 0,
    next_run_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    catch_up TEXT COLLATE "C" NOT NULL DEFAULT 'one',
    overlap TEXT COLLATE "C" NOT NULL DEFAULT 'queue',
    spread BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX sync_job_cron_trigger_due ON sync_job_cron_trigger (next_run_at) WHERE next_run_at > 0;
CREATE INDEX sync_job_cron_trigger_list ON sync_job_cron_trigger (environment_id, created_at, id);
CREATE UNIQUE INDEX sync_job_cron_trigger_step ON sync_job_cron_trigger (workflow_id, step_index, integrated_account_id, environment_id) WHERE workflow_id <> '';

-- A row may stand for several due times, from due_at to last_due_at.
CREATE TABLE cron_fire (
    sync_job_cron_trigger_id TEXT COLLATE "C" NOT NULL,
    due_at BIGINT NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_due_at BIGINT NOT NULL DEFAULT 0,
    instants BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (sync_job_cron_trigger_id, due_at, environment_id)
);
CREATE INDEX cron_fire_list ON cron_fire (environment_id, created_at);

-- A notification destination is a webhook of a kind of its own; its address and secrets are sealed in config.
CREATE TABLE webhook (
    id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    target_url TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_active BOOLEAN NOT NULL DEFAULT FALSE,
    event_types TEXT COLLATE "C" NOT NULL DEFAULT '',
    secret BYTEA NOT NULL,
    signature_encoding TEXT COLLATE "C" NOT NULL DEFAULT '',
    next_sequence BIGINT NOT NULL DEFAULT 0,
    sent_sequence BIGINT NOT NULL DEFAULT 0,
    epoch BIGINT NOT NULL DEFAULT 0,
    attempt BIGINT NOT NULL DEFAULT 0,
    not_before BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    previous_secret BYTEA NOT NULL DEFAULT '',
    previous_secret_expires_at BIGINT NOT NULL DEFAULT 0,
    ordering TEXT NOT NULL DEFAULT 'first_attempt',
    concurrency BIGINT NOT NULL DEFAULT 1,
    rate_limit BIGINT NOT NULL DEFAULT 0,
    rate_period BIGINT NOT NULL DEFAULT 0,
    rate_used_until BIGINT NOT NULL DEFAULT 0,
    put_aside BIGINT NOT NULL DEFAULT 0,
    -- The share, in percent, of the time that it may fail at which the last notification was sent.
    failing_told BIGINT NOT NULL DEFAULT 0,
    notification TEXT COLLATE "C" NOT NULL DEFAULT '',
    label TEXT COLLATE "C" NOT NULL DEFAULT '',
    config BYTEA NOT NULL DEFAULT '',
    PRIMARY KEY (id, environment_id)
);
CREATE INDEX webhook_list ON webhook (environment_id, created_at, id);

-- A delivery keeps its first attempt in its own row: most have no other, which saves writing a row. A delivery of a run has
-- its body here, too, until the receiver has responded.
CREATE TABLE delivery (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    webhook_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    event_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    sync_job_run_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    sequence BIGINT NOT NULL DEFAULT 0,
    event TEXT COLLATE "C" NOT NULL DEFAULT '',
    status TEXT COLLATE "C" NOT NULL DEFAULT '',
    attempts BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    delivered_at BIGINT NOT NULL DEFAULT 0,
    resource TEXT COLLATE "C" NOT NULL DEFAULT '',
    method TEXT COLLATE "C" NOT NULL DEFAULT '',
    records BIGINT NOT NULL DEFAULT 0,
    integrated_account_id TEXT NOT NULL DEFAULT '',
    failures BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL DEFAULT 0,
    first_attempt TEXT NOT NULL DEFAULT '',
    run_sequence BIGINT NOT NULL DEFAULT 0,
    body BYTEA NOT NULL DEFAULT ''
);
CREATE INDEX delivery_list ON delivery (environment_id, created_at, id);
CREATE INDEX delivery_run ON delivery (sync_job_run_id, created_at, id) WHERE sync_job_run_id <> '';
-- An event is kept as long as a delivery of it waits. Such deliveries are found by the creation time that they share with
-- it: in order of time, an index changes in one place.
CREATE INDEX delivery_waiting ON delivery (environment_id, created_at) WHERE status = 'pending' AND sequence > 0;
CREATE INDEX delivery_backlog ON delivery (webhook_id, environment_id, sequence) WHERE status = 'pending' AND sequence > 0;
CREATE INDEX delivery_retry ON delivery (webhook_id, environment_id, next_attempt_at) WHERE status = 'pending' AND next_attempt_at > 0;
CREATE INDEX delivery_frozen ON delivery (sync_job_run_id, environment_id, run_sequence) WHERE status = 'pending' AND sync_job_run_id <> '';

CREATE TABLE delivery_attempt (
    delivery_id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    webhook_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    status_code BIGINT NOT NULL,
    error_class TEXT COLLATE "C" NOT NULL,
    response TEXT COLLATE "C" NOT NULL,
    duration_ms BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    header TEXT NOT NULL DEFAULT ''
);
CREATE INDEX delivery_attempt_list ON delivery_attempt (delivery_id, created_at);

-- Tasks of environments that have as many with River as they may, in the order in which they are given to it.
CREATE TABLE waiting_task (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind TEXT NOT NULL,
    task_key TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    integrated_account_id TEXT NOT NULL,
    turn BIGINT NOT NULL,
    wake BOOLEAN NOT NULL,
    UNIQUE (kind, task_key)
);
CREATE INDEX waiting_task_line ON waiting_task (kind, environment_id, turn, id);

-- Customers whose data is being removed: what the rows are about, and how far the removal has come.
CREATE TABLE erasure (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    integrated_account_id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    pass BIGINT NOT NULL,
    stage BIGINT NOT NULL,
    mark_at BIGINT NOT NULL,
    mark_id TEXT COLLATE "C" NOT NULL,
    not_before BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- The member of a document that is stored as text, as the text that a filter compares; '' when there is none. Providers send
-- JSON that PostgreSQL cannot convert: \u0000, halves of surrogate pairs, too deep a nesting. One such row must not make a whole
-- list fail, so what cannot be represented is read as U+FFFD, and a document that cannot be read at all has no members. The type
-- is json, not jsonb, because jsonb rejects numbers such as 1e-99999999999.
CREATE FUNCTION millrace_member(doc text, path text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF doc = '' THEN
    RETURN '';
  END IF;
  BEGIN
    RETURN COALESCE(doc::json #>> path, '');
  EXCEPTION WHEN OTHERS THEN
    doc := regexp_replace(doc, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g');
    doc := regexp_replace(doc, '(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])', '\1\\ufffd', 'g');
    doc := regexp_replace(doc, '(?<!\\)((?:\\\\)*)(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}', '\1\\ufffd', 'g');
    RETURN COALESCE(doc::json #>> path, '');
  END;
EXCEPTION WHEN OTHERS THEN
  RETURN '';
END
$$;
