-- An event is kept as long as a delivery of it waits.
CREATE INDEX delivery_of_event ON delivery (event_id) WHERE status = 'pending' AND sequence > 0;

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
