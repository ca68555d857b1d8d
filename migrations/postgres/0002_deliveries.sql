-- Events on their way to the shop. `migrations/sqlite` has the same tables and columns under the same number.

CREATE TABLE webhook_endpoints (
    endpoint_id           TEXT COLLATE "C" NOT NULL,
    url                   TEXT NOT NULL,
    -- As they are: something has to be signed with them. Gone when the endpoint is deleted.
    secret                TEXT,
    previous_secret       TEXT,
    previous_valid_until  BIGINT,
    -- The wanted types, each between spaces; NULL is all of them.
    event_types           TEXT,
    status                TEXT NOT NULL,
    -- Since when nothing but failures came back.
    failing_since         BIGINT,
    -- Nothing is sent before.
    resume_at             BIGINT,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (endpoint_id),
    CONSTRAINT webhook_endpoints_status_check CHECK (status IN ('enabled', 'paused', 'disabled', 'gone', 'deleted')),
    CONSTRAINT webhook_endpoints_secret_check CHECK ((status = 'deleted') = (secret IS NULL)),
    CONSTRAINT webhook_endpoints_previous_check CHECK ((previous_secret IS NULL) = (previous_valid_until IS NULL))
);

-- An event for an endpoint, written in the transaction that writes the event.
CREATE TABLE deliveries (
    id              BIGINT GENERATED ALWAYS AS IDENTITY,
    endpoint_id     TEXT COLLATE "C" NOT NULL,
    event_id        TEXT COLLATE "C" NOT NULL,
    payment_id      TEXT COLLATE "C" NOT NULL,
    -- The event's place among its order's.
    seq             BIGINT NOT NULL,
    status          TEXT NOT NULL,
    -- Attempts in all, and since it was last asked for: the second is its place in the schedule.
    attempts        BIGINT NOT NULL,
    tries           BIGINT NOT NULL,
    next_attempt_at BIGINT,
    -- Goes up whenever somebody takes or settles the delivery; only the holder of the last lease may settle it.
    lease           BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    CONSTRAINT deliveries_pkey PRIMARY KEY (id),
    -- An event is for an endpoint once.
    CONSTRAINT deliveries_endpoint_id_event_id_key UNIQUE (endpoint_id, event_id),
    CONSTRAINT deliveries_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints (endpoint_id),
    CONSTRAINT deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES outbox (id),
    CONSTRAINT deliveries_status_check CHECK (status IN ('pending', 'delivered', 'given_up')),
    CONSTRAINT deliveries_pending_has_time CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT deliveries_attempts_check CHECK (tries BETWEEN 0 AND attempts),
    CONSTRAINT deliveries_lease_check CHECK (lease >= 0)
);

CREATE INDEX deliveries_due_idx ON deliveries (endpoint_id, next_attempt_at, id) WHERE status = 'pending';
-- Whether an earlier event of the order is still on its way.
CREATE INDEX deliveries_order_idx ON deliveries (endpoint_id, payment_id, seq) WHERE status = 'pending';
CREATE INDEX deliveries_payment_id_idx ON deliveries (payment_id, id);
CREATE INDEX deliveries_given_up_idx ON deliveries (endpoint_id, id) WHERE status = 'given_up';

CREATE TABLE delivery_attempts (
    delivery_id  BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    duration_ms  BIGINT NOT NULL,
    code         BIGINT,
    error        TEXT,
    -- The beginning of what was answered.
    answer       TEXT,
    CONSTRAINT delivery_attempts_pkey PRIMARY KEY (delivery_id, number),
    CONSTRAINT delivery_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES deliveries (id),
    CONSTRAINT delivery_attempts_number_check CHECK (number >= 1),
    CONSTRAINT delivery_attempts_duration_check CHECK (duration_ms >= 0),
    CONSTRAINT delivery_attempts_code_check CHECK (code BETWEEN 100 AND 999),
    CONSTRAINT delivery_attempts_error_check CHECK (error IN (
        'status', 'redirect', 'gone', 'target_refused', 'connect_failed', 'timeout', 'interrupted')),
    CONSTRAINT delivery_attempts_failed_check CHECK (error IS NOT NULL OR code BETWEEN 200 AND 299)
);
