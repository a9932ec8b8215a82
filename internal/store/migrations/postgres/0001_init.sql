-- Ids are UUID texts, times are microseconds since 1970 UTC with 0 for "not yet", documents are JSON text.

CREATE TABLE environment (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL DEFAULT '',
    team_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE api_token (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    name TEXT COLLATE "C" NOT NULL DEFAULT '',
    hash TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE integration (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    name TEXT COLLATE "C" NOT NULL DEFAULT '',
    category TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_beta BOOLEAN NOT NULL DEFAULT FALSE,
    sharing TEXT COLLATE "C" NOT NULL DEFAULT '',
    team_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    version BIGINT NOT NULL DEFAULT 0,
    config BYTEA NOT NULL,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE environment_integration (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    integration_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    show_in_catalog BOOLEAN NOT NULL DEFAULT FALSE,
    is_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    override BYTEA NOT NULL,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE integrated_account (
    id TEXT COLLATE "C" PRIMARY KEY,
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
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE webhook (
    id TEXT COLLATE "C" PRIMARY KEY,
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
    updated_at BIGINT NOT NULL DEFAULT 0
);

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
    delivered_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE event (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    batch_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    event TEXT COLLATE "C" NOT NULL DEFAULT '',
    payload TEXT COLLATE "C" NOT NULL DEFAULT '',
    idempotency_key TEXT COLLATE "C" NOT NULL DEFAULT '',
    depth BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0
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
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sync_job (
    id TEXT COLLATE "C" PRIMARY KEY,
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
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sync_job_run (
    id TEXT COLLATE "C" PRIMARY KEY,
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
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sync_job_cron_trigger (
    id TEXT COLLATE "C" PRIMARY KEY,
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
    updated_at BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE event_batch (
    id TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE decision (
    event_id TEXT COLLATE "C" NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    workflow_version BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    workflow_run_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (event_id, workflow_id)
);

CREATE TABLE workflow (
    id TEXT COLLATE "C" PRIMARY KEY,
    environment_id TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    trigger_name TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    config TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE workflow_version (
    workflow_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    workflow TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workflow_id, version)
);

CREATE TABLE workflow_step (
    workflow_run_id TEXT COLLATE "C" NOT NULL,
    step_index BIGINT NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    result TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workflow_run_id, step_index)
);

CREATE TABLE frozen_delivery (
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    webhook_id TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    records BIGINT NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sync_job_run_id, sequence)
);

CREATE TABLE delivery_attempt (
    delivery_id TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    webhook_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    status_code BIGINT NOT NULL,
    error_class TEXT COLLATE "C" NOT NULL,
    response TEXT COLLATE "C" NOT NULL,
    duration_ms BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE cron_fire (
    sync_job_cron_trigger_id TEXT COLLATE "C" NOT NULL,
    due_at BIGINT NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    sync_job_run_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sync_job_cron_trigger_id, due_at)
);

CREATE TABLE node (
    id TEXT COLLATE "C" PRIMARY KEY,
    seen_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX api_token_hash ON api_token (hash);
CREATE INDEX api_token_list ON api_token (environment_id, created_at, id);
CREATE UNIQUE INDEX integration_name ON integration (environment_id, name);
CREATE INDEX integration_list ON integration (environment_id, created_at, id);
CREATE UNIQUE INDEX environment_integration_one ON environment_integration (environment_id, integration_id);
CREATE INDEX environment_integration_list ON environment_integration (environment_id, created_at, id);
CREATE INDEX integrated_account_list ON integrated_account (environment_id, created_at, id);
CREATE INDEX integrated_account_install ON integrated_account (environment_integration_id);
CREATE INDEX integrated_account_tenant ON integrated_account (environment_id, tenant_id);
CREATE INDEX webhook_list ON webhook (environment_id, created_at, id);
CREATE INDEX delivery_backlog ON delivery (webhook_id, sequence) WHERE status = 'pending';
CREATE INDEX delivery_list ON delivery (environment_id, created_at, id);
CREATE INDEX delivery_attempt_list ON delivery_attempt (delivery_id, created_at);
CREATE INDEX event_list ON event (environment_id, created_at, id);
CREATE INDEX event_batch_events ON event (batch_id);
CREATE UNIQUE INDEX event_idempotency ON event (environment_id, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX workflow_event ON workflow (environment_id, event);
CREATE INDEX workflow_list ON workflow (environment_id, created_at, id);
CREATE UNIQUE INDEX workflow_run_event ON workflow_run (event_id, workflow_id);
CREATE INDEX workflow_run_list ON workflow_run (environment_id, created_at, id);
CREATE INDEX workflow_run_open ON workflow_run (created_at) WHERE status IN ('created', 'running');
CREATE INDEX sync_job_list ON sync_job (environment_id, created_at, id);
CREATE UNIQUE INDEX sync_job_run_step ON sync_job_run (workflow_run_id, step_index) WHERE workflow_run_id <> '';
CREATE INDEX sync_job_run_list ON sync_job_run (environment_id, created_at, id);
CREATE INDEX sync_job_run_last ON sync_job_run (environment_id, sync_job_id, integrated_account_id, started_at) WHERE status = 'completed';
CREATE INDEX sync_job_run_open ON sync_job_run (created_at) WHERE status IN ('created', 'running', 'rate_limited');
CREATE UNIQUE INDEX sync_job_cron_trigger_step ON sync_job_cron_trigger (workflow_id, step_index, integrated_account_id) WHERE workflow_id <> '';
CREATE INDEX sync_job_cron_trigger_due ON sync_job_cron_trigger (next_run_at) WHERE next_run_at > 0;
CREATE INDEX sync_job_cron_trigger_list ON sync_job_cron_trigger (environment_id, created_at, id);
