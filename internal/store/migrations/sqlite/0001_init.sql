-- Ids are UUID texts, times are microseconds since 1970 UTC with 0 for "not yet", documents are JSON text.

CREATE TABLE environment (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    team_id TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE api_token (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    hash TEXT NOT NULL DEFAULT '',
    created_by TEXT NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE integration (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    category TEXT NOT NULL DEFAULT '',
    is_beta BOOLEAN NOT NULL DEFAULT FALSE,
    sharing TEXT NOT NULL DEFAULT '',
    team_id TEXT NOT NULL DEFAULT '',
    version BIGINT NOT NULL DEFAULT 0,
    config BLOB NOT NULL,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE environment_integration (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    integration_id TEXT NOT NULL DEFAULT '',
    show_in_catalog BOOLEAN NOT NULL DEFAULT FALSE,
    is_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    override BLOB NOT NULL,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE integrated_account (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    tenant_id TEXT NOT NULL DEFAULT '',
    environment_integration_id TEXT NOT NULL DEFAULT '',
    authentication_method TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT '',
    last_error TEXT NOT NULL DEFAULT '',
    is_sandbox BOOLEAN NOT NULL DEFAULT FALSE,
    region TEXT NOT NULL DEFAULT '',
    context TEXT NOT NULL DEFAULT '',
    secrets BLOB NOT NULL,
    features TEXT NOT NULL DEFAULT '',
    unified_model_override TEXT NOT NULL DEFAULT '',
    integration_override TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    target_url TEXT NOT NULL DEFAULT '',
    is_active BOOLEAN NOT NULL DEFAULT FALSE,
    event_types TEXT NOT NULL DEFAULT '',
    secret BLOB NOT NULL,
    signature_encoding TEXT NOT NULL DEFAULT '',
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
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    webhook_id TEXT NOT NULL DEFAULT '',
    event_id TEXT NOT NULL DEFAULT '',
    sync_job_run_id TEXT NOT NULL DEFAULT '',
    sequence BIGINT NOT NULL DEFAULT 0,
    event TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT '',
    attempts BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    delivered_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE event (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    batch_id TEXT NOT NULL DEFAULT '',
    event TEXT NOT NULL DEFAULT '',
    payload TEXT NOT NULL DEFAULT '',
    idempotency_key TEXT NOT NULL DEFAULT '',
    depth BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE workflow_run (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    workflow_id TEXT NOT NULL DEFAULT '',
    workflow_version BIGINT NOT NULL DEFAULT 0,
    event_id TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    retry_attempt BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT NOT NULL DEFAULT 0,
    finished_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sync_job (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    label TEXT NOT NULL DEFAULT '',
    integration_name TEXT NOT NULL DEFAULT '',
    default_runtime_version BIGINT NOT NULL DEFAULT 0,
    args_schema TEXT NOT NULL DEFAULT '',
    args_validation TEXT NOT NULL DEFAULT '',
    mutex_key TEXT NOT NULL DEFAULT '',
    state_key TEXT NOT NULL DEFAULT '',
    error_handling TEXT NOT NULL DEFAULT '',
    resources TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sync_job_run (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    sync_job_id TEXT NOT NULL DEFAULT '',
    integrated_account_id TEXT NOT NULL DEFAULT '',
    webhook_id TEXT NOT NULL DEFAULT '',
    workflow_run_id TEXT NOT NULL DEFAULT '',
    step_index BIGINT NOT NULL DEFAULT 0,
    sync_job_cron_trigger_id TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT '',
    args TEXT NOT NULL DEFAULT '',
    resources TEXT NOT NULL DEFAULT '',
    error_handling TEXT NOT NULL DEFAULT '',
    ignore_previous_run BOOLEAN NOT NULL DEFAULT FALSE,
    events_to_send TEXT NOT NULL DEFAULT '',
    version BIGINT NOT NULL DEFAULT 0,
    resource_stats TEXT NOT NULL DEFAULT '',
    mutex_key TEXT NOT NULL DEFAULT '',
    state_key TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    retry_at BIGINT NOT NULL DEFAULT 0,
    parked_since BIGINT NOT NULL DEFAULT 0,
    depth BIGINT NOT NULL DEFAULT 0,
    epoch BIGINT NOT NULL DEFAULT 0,
    sequence BIGINT NOT NULL DEFAULT 0,
    checkpoint BLOB NOT NULL DEFAULT x'',
    created_at BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT NOT NULL DEFAULT 0,
    finished_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sync_job_cron_trigger (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL DEFAULT '',
    sync_job_id TEXT NOT NULL DEFAULT '',
    integrated_account_id TEXT NOT NULL DEFAULT '',
    cron_expression TEXT NOT NULL DEFAULT '',
    timezone TEXT NOT NULL DEFAULT '',
    args TEXT NOT NULL DEFAULT '',
    webhook_id TEXT NOT NULL DEFAULT '',
    daemon_group_key TEXT NOT NULL DEFAULT '',
    super_query TEXT NOT NULL DEFAULT '',
    error_handling TEXT NOT NULL DEFAULT '',
    events_to_send TEXT NOT NULL DEFAULT '',
    meta TEXT NOT NULL DEFAULT '',
    workflow_id TEXT NOT NULL DEFAULT '',
    step_index BIGINT NOT NULL DEFAULT 0,
    next_run_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE event_batch (
    id TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE decision (
    event_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    workflow_version BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT NOT NULL,
    workflow_run_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (event_id, workflow_id)
);

CREATE TABLE workflow (
    id TEXT PRIMARY KEY,
    environment_id TEXT NOT NULL,
    label TEXT NOT NULL,
    trigger_name TEXT NOT NULL,
    event TEXT NOT NULL,
    config TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE workflow_version (
    workflow_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    environment_id TEXT NOT NULL,
    event TEXT NOT NULL,
    workflow TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workflow_id, version)
);

CREATE TABLE workflow_step (
    workflow_run_id TEXT NOT NULL,
    step_index BIGINT NOT NULL,
    environment_id TEXT NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (workflow_run_id, step_index)
);

CREATE TABLE frozen_delivery (
    sync_job_run_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    webhook_id TEXT NOT NULL,
    event TEXT NOT NULL,
    records BIGINT NOT NULL,
    resource TEXT NOT NULL,
    method TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sync_job_run_id, sequence)
);

CREATE TABLE delivery_attempt (
    delivery_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    status_code BIGINT NOT NULL,
    error_class TEXT NOT NULL,
    response TEXT NOT NULL,
    duration_ms BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE cron_fire (
    sync_job_cron_trigger_id TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    environment_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    sync_job_run_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sync_job_cron_trigger_id, due_at)
);

CREATE TABLE node (
    id TEXT PRIMARY KEY,
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
