-- The first tables. `migrations/postgres` has the same tables and columns under the same number.
--
-- Times are microseconds since 1970 in UTC. Amounts are whole minor units of their currency.
-- What must never be false is a named constraint here, so that no program error can make it so.
-- STRICT: without it SQLite stores any type in any column.

CREATE TABLE orders (
    payment_id              TEXT NOT NULL,
    version                 INTEGER NOT NULL,
    name                    TEXT NOT NULL,
    amount_minor            INTEGER NOT NULL,
    currency                TEXT NOT NULL,
    portone                 TEXT NOT NULL,
    pay_method              TEXT,
    channel_key             TEXT,
    buyer_name              TEXT,
    buyer_email             TEXT,
    buyer_tel               TEXT,
    return_url              TEXT,
    locale                  TEXT,
    metadata                TEXT,
    fingerprint             TEXT NOT NULL,
    status_token            TEXT NOT NULL,
    pay_token               TEXT NOT NULL,
    status                  TEXT NOT NULL,
    accepted_transaction_id TEXT,
    refunded_minor          INTEGER NOT NULL,
    expires_at              INTEGER,
    expired_at              INTEGER,
    closed_at               INTEGER,
    checked_at              INTEGER,
    next_check_at           INTEGER,
    checks_without_change   INTEGER NOT NULL,
    prepared_at             INTEGER,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (payment_id),
    CONSTRAINT orders_status_token_key UNIQUE (status_token),
    -- A transaction pays at most one order.
    CONSTRAINT orders_accepted_transaction_id_key UNIQUE (accepted_transaction_id),
    -- ...and it is one of this order's own. Deferred: the order is written before its transactions, as it is the lock.
    CONSTRAINT orders_accepted_transaction_fkey FOREIGN KEY (payment_id, accepted_transaction_id)
        REFERENCES transactions (payment_id, transaction_id) DEFERRABLE INITIALLY DEFERRED,
    -- Paid means: paid by a transaction that is named.
    CONSTRAINT orders_paid_by_transaction
        CHECK ((status IN ('paid', 'partially_refunded', 'refunded')) = (accepted_transaction_id IS NOT NULL)),
    CONSTRAINT orders_version_check CHECK (version >= 0),
    -- 2^53 - 1: what every JSON reader holds exactly.
    CONSTRAINT orders_amount_check CHECK (amount_minor BETWEEN 0 AND 9007199254740991),
    CONSTRAINT orders_refunded_check CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT orders_currency_check CHECK (length(currency) = 3),
    CONSTRAINT orders_portone_check CHECK (portone IN ('v1', 'v2')),
    CONSTRAINT orders_status_check CHECK (status IN (
        'open', 'awaiting_deposit', 'paid', 'partially_refunded', 'refunded', 'held', 'expired', 'closed')),
    CONSTRAINT orders_checks_without_change_check CHECK (checks_without_change >= 0)
) STRICT;

CREATE INDEX orders_created_at_idx ON orders (created_at, payment_id);
CREATE INDEX orders_next_check_at_idx ON orders (next_check_at, payment_id) WHERE next_check_at IS NOT NULL;

CREATE TABLE transactions (
    transaction_id                 TEXT NOT NULL,
    payment_id                     TEXT NOT NULL,
    status                         TEXT NOT NULL,
    verdict                        TEXT NOT NULL,
    amount_minor                   INTEGER,
    currency                       TEXT,
    cancelled_minor                INTEGER NOT NULL,
    test                           INTEGER,
    pay_method                     TEXT,
    pg_provider                    TEXT,
    approval_number                TEXT,
    method_name                    TEXT,
    fail_reason                    TEXT,
    receipt_url                    TEXT,
    virtual_account_bank           TEXT,
    virtual_account_number         TEXT,
    virtual_account_holder         TEXT,
    virtual_account_expires_at     INTEGER,
    paid_at                        INTEGER,
    checks                         TEXT NOT NULL,
    first_seen_at                  INTEGER NOT NULL,
    checked_at                     INTEGER NOT NULL,
    -- A transaction belongs to one order.
    CONSTRAINT transactions_pkey PRIMARY KEY (transaction_id),
    -- What orders_accepted_transaction_fkey points at.
    CONSTRAINT transactions_payment_id_transaction_id_key UNIQUE (payment_id, transaction_id),
    CONSTRAINT transactions_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES orders (payment_id),
    CONSTRAINT transactions_status_check CHECK (status IN ('ready', 'pay_pending', 'failed', 'paid', 'cancelled')),
    CONSTRAINT transactions_verdict_check CHECK (verdict IN (
        'pending', 'awaiting_deposit', 'failed', 'accepted', 'duplicate', 'late', 'held')),
    -- No upper bound and no comparison of the two: these are PortOne's figures, kept even when they make no sense.
    CONSTRAINT transactions_amount_check CHECK (amount_minor >= 0),
    CONSTRAINT transactions_cancelled_check CHECK (cancelled_minor >= 0),
    CONSTRAINT transactions_test_check CHECK (test IN (0, 1)),
    CONSTRAINT transactions_virtual_account_check CHECK (
        (virtual_account_bank IS NULL) = (virtual_account_number IS NULL)
        AND (virtual_account_bank IS NOT NULL OR (virtual_account_holder IS NULL AND virtual_account_expires_at IS NULL)))
) STRICT;

-- An order accepts at most one transaction.
CREATE UNIQUE INDEX transactions_accepted_once ON transactions (payment_id) WHERE verdict = 'accepted';

-- Few beside all others: what needs attention is found without reading the rest.
CREATE INDEX transactions_attention_idx ON transactions (first_seen_at, transaction_id) WHERE verdict IN ('duplicate', 'late', 'held');

CREATE TABLE history (
    payment_id TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    actor      TEXT NOT NULL,
    data       TEXT NOT NULL,
    once_key   TEXT,
    CONSTRAINT history_pkey PRIMARY KEY (payment_id, seq),
    -- A repeated redirect is one entry. Entries without a key are all kept: NULLs differ from each other.
    CONSTRAINT history_once_key UNIQUE (payment_id, once_key),
    CONSTRAINT history_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES orders (payment_id),
    CONSTRAINT history_seq_check CHECK (seq >= 1),
    CONSTRAINT history_kind_check CHECK (kind IN (
        'order_created', 'prepared', 'prepare_failed', 'redirect', 'webhook', 'checked', 'check_failed', 'transition',
        'evidence_refused', 'closed', 'expired', 'confirmed', 'confirm_refused', 'refund_requested', 'refund_done',
        'refund_refused', 'refund_in_doubt', 'refund_not_done'))
) STRICT;

CREATE TABLE outbox (
    -- Made of the transition: the same transition twice is one event.
    id             TEXT NOT NULL,
    payment_id     TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    event_type     TEXT NOT NULL,
    transaction_id TEXT,
    status         TEXT NOT NULL,
    refunded_minor INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_payment_id_seq_key UNIQUE (payment_id, seq),
    CONSTRAINT outbox_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES orders (payment_id),
    CONSTRAINT outbox_seq_check CHECK (seq >= 1),
    CONSTRAINT outbox_event_type_check CHECK (event_type IN (
        'order.paid', 'order.virtual_account_issued', 'order.payment_failed', 'order.held', 'order.duplicate_payment',
        'order.late_payment', 'order.refunded', 'order.partially_refunded', 'order.expired')),
    CONSTRAINT outbox_status_check CHECK (status IN (
        'open', 'awaiting_deposit', 'paid', 'partially_refunded', 'refunded', 'held', 'expired', 'closed')),
    CONSTRAINT outbox_refunded_check CHECK (refunded_minor >= 0)
) STRICT;

-- Money to be given back, written before PortOne is called.
CREATE TABLE refunds (
    refund_id       TEXT NOT NULL,
    version         INTEGER NOT NULL,
    payment_id      TEXT NOT NULL,
    transaction_id  TEXT NOT NULL,
    amount_minor    INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    reason          TEXT NOT NULL,
    -- Where the money goes. Personal data: here until the call is settled, see refunds_account_is_gone.
    account_bank    TEXT,
    account_number  TEXT,
    account_holder  TEXT,
    account_tel     TEXT,
    requested_by    TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint     TEXT NOT NULL,
    state           TEXT NOT NULL,
    -- What PortOne let be cancelled right before, and what had been cancelled.
    guard_minor     INTEGER NOT NULL,
    reserved_minor  INTEGER NOT NULL,
    cancellation_id TEXT,
    attempts        INTEGER NOT NULL,
    called_at       INTEGER,
    next_at         INTEGER,
    trouble_code    TEXT,
    trouble_message TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    CONSTRAINT refunds_pkey PRIMARY KEY (refund_id),
    -- The same request again is the same refund.
    CONSTRAINT refunds_idempotency_key UNIQUE (payment_id, idempotency_key),
    CONSTRAINT refunds_transaction_fkey FOREIGN KEY (payment_id, transaction_id)
        REFERENCES transactions (payment_id, transaction_id),
    CONSTRAINT refunds_version_check CHECK (version >= 0),
    -- To PortOne V1 an amount of 0 is everything.
    CONSTRAINT refunds_amount_check CHECK (amount_minor BETWEEN 1 AND guard_minor),
    CONSTRAINT refunds_guard_check CHECK (guard_minor <= 9007199254740991),
    CONSTRAINT refunds_reserved_check CHECK (reserved_minor >= 0),
    CONSTRAINT refunds_currency_check CHECK (length(currency) = 3),
    CONSTRAINT refunds_state_check CHECK (state IN (
        'intended', 'calling', 'requested', 'in_doubt', 'done', 'refused', 'not_done')),
    CONSTRAINT refunds_in_flight_has_time
        CHECK ((state IN ('intended', 'calling', 'requested', 'in_doubt')) = (next_at IS NOT NULL)),
    CONSTRAINT refunds_call_has_time CHECK (state <> 'calling' OR called_at IS NOT NULL),
    CONSTRAINT refunds_account_is_whole CHECK (
        (account_bank IS NULL) = (account_number IS NULL) AND (account_bank IS NULL) = (account_holder IS NULL)
        AND (account_bank IS NOT NULL OR account_tel IS NULL)),
    CONSTRAINT refunds_account_is_gone CHECK (account_bank IS NULL OR state IN ('intended', 'calling')),
    CONSTRAINT refunds_attempts_check CHECK (attempts >= 0),
    CONSTRAINT refunds_trouble_check CHECK (trouble_code IS NOT NULL OR trouble_message IS NULL)
) STRICT;

-- A transaction has at most one refund in flight.
CREATE UNIQUE INDEX refunds_one_in_flight ON refunds (transaction_id)
    WHERE state IN ('intended', 'calling', 'requested', 'in_doubt');
-- So few that the back office counts them for every page.
CREATE INDEX refunds_unclear_idx ON refunds (transaction_id) WHERE state IN ('requested', 'in_doubt');
CREATE INDEX refunds_next_at_idx ON refunds (next_at, refund_id) WHERE next_at IS NOT NULL;

-- Webhooks as they came. No foreign key: a webhook may be faster than its order, or speak of none.
CREATE TABLE inbox (
    id             INTEGER NOT NULL CONSTRAINT inbox_pkey PRIMARY KEY AUTOINCREMENT,
    received_at    INTEGER NOT NULL,
    version        TEXT NOT NULL,
    payment_id     TEXT NOT NULL,
    transaction_id TEXT,
    claimed_status TEXT,
    -- PortOne's name for one message, the same in all its deliveries. V1's messages have none.
    webhook_id     TEXT,
    state          TEXT NOT NULL,
    try_at         INTEGER,
    attempts       INTEGER NOT NULL,
    -- Goes up whenever somebody takes or wakes the webhook; only the holder of the last lease may settle it.
    lease          INTEGER NOT NULL,
    -- A message that comes again is the same entry. NULLs differ from each other.
    CONSTRAINT inbox_webhook_id_key UNIQUE (webhook_id),
    CONSTRAINT inbox_version_check CHECK (version IN ('v1', 'v2')),
    CONSTRAINT inbox_state_check CHECK (state IN ('waiting', 'done', 'dropped')),
    CONSTRAINT inbox_waiting_has_time CHECK ((state = 'waiting') = (try_at IS NOT NULL)),
    CONSTRAINT inbox_attempts_check CHECK (attempts >= 0),
    CONSTRAINT inbox_lease_check CHECK (lease >= 0)
) STRICT;

CREATE INDEX inbox_try_at_idx ON inbox (try_at, id) WHERE state = 'waiting';
CREATE INDEX inbox_payment_id_idx ON inbox (payment_id) WHERE state = 'waiting';
CREATE INDEX inbox_settled_idx ON inbox (received_at, id) WHERE state <> 'waiting';

-- What the sweep found and no row of an order tells. No foreign key: most of these have no order.
CREATE TABLE findings (
    kind            TEXT NOT NULL,
    transaction_id  TEXT NOT NULL,
    portone         TEXT NOT NULL,
    -- As PortOne has it: it need not be an id that an order could have.
    payment_id      TEXT NOT NULL,
    amount_minor    INTEGER,
    currency        TEXT,
    cancelled_minor INTEGER NOT NULL,
    paid_at         INTEGER,
    first_seen_at   INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL,
    -- When it was looked for and not found any more.
    gone_at         INTEGER,
    -- However often it is found, it is one.
    CONSTRAINT findings_pkey PRIMARY KEY (kind, transaction_id),
    CONSTRAINT findings_kind_check CHECK (kind IN ('orphan', 'drift')),
    CONSTRAINT findings_portone_check CHECK (portone IN ('v1', 'v2')),
    -- No upper bound: these are PortOne's figures.
    CONSTRAINT findings_amount_check CHECK (amount_minor >= 0),
    CONSTRAINT findings_cancelled_check CHECK (cancelled_minor >= 0)
) STRICT;

CREATE INDEX findings_first_seen_at_idx ON findings (first_seen_at, transaction_id) WHERE gone_at IS NULL;

-- A person's word that a payment was taken care of. A record: rows are never changed, and hold the payment as it stood.
CREATE TABLE settled (
    kind            TEXT NOT NULL,
    transaction_id  TEXT NOT NULL,
    portone         TEXT NOT NULL,
    payment_id      TEXT NOT NULL,
    amount_minor    INTEGER,
    currency        TEXT,
    cancelled_minor INTEGER NOT NULL,
    first_seen_at   INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL,
    settled_at      INTEGER NOT NULL,
    settled_by      TEXT NOT NULL,
    note            TEXT NOT NULL,
    -- Which refund of the transaction, as it may have several one after the other. Empty when it is about none: a key has no NULL.
    refund_id       TEXT NOT NULL,
    CONSTRAINT settled_pkey PRIMARY KEY (kind, transaction_id, refund_id, cancelled_minor),
    CONSTRAINT settled_kind_check CHECK (kind IN ('orphan', 'drift', 'duplicate', 'late', 'held', 'refund_in_doubt')),
    CONSTRAINT settled_refund_check CHECK ((kind = 'refund_in_doubt') = (refund_id <> '')),
    CONSTRAINT settled_portone_check CHECK (portone IN ('v1', 'v2'))
) STRICT;

-- The first word counts. A word on a drift is about what had been given back by then: of each amount the first one counts.
CREATE UNIQUE INDEX settled_once ON settled (kind, transaction_id, refund_id) WHERE kind <> 'drift';
CREATE INDEX settled_at_idx ON settled (settled_at, transaction_id);

-- What needs attention from its needs_from on: findings whose cause is not gone, transactions that hold money nobody has decided
-- about, and refunds of which nobody knows whether the money went back.
CREATE VIEW attention AS
SELECT f.kind, f.portone, f.payment_id, f.transaction_id, f.amount_minor, f.currency, f.cancelled_minor, f.first_seen_at, f.last_seen_at,
    '' AS refund_id, 0 AS needs_from
FROM findings AS f
WHERE f.gone_at IS NULL
    -- The order was made after all, and has the payment now.
    AND NOT (f.kind = 'orphan' AND EXISTS (SELECT 1 FROM transactions AS t WHERE t.transaction_id = f.transaction_id))
    AND NOT EXISTS (SELECT 1 FROM settled AS s WHERE s.kind = f.kind AND s.transaction_id = f.transaction_id
        AND (f.kind <> 'drift' OR s.cancelled_minor = f.cancelled_minor))
UNION ALL
SELECT t.verdict, o.portone, t.payment_id, t.transaction_id, t.amount_minor, t.currency, t.cancelled_minor, t.first_seen_at, t.checked_at, '', 0
FROM transactions AS t JOIN orders AS o ON o.payment_id = t.payment_id
WHERE t.verdict IN ('duplicate', 'late', 'held')
    AND (t.status = 'paid' OR (t.status = 'cancelled' AND (t.amount_minor IS NULL OR t.cancelled_minor < t.amount_minor)))
    AND NOT EXISTS (SELECT 1 FROM settled AS s WHERE s.kind = t.verdict AND s.transaction_id = t.transaction_id)
UNION ALL
SELECT 'refund_in_doubt', o.portone, r.payment_id, r.transaction_id, t.amount_minor, t.currency, t.cancelled_minor, r.created_at, r.updated_at,
    r.refund_id,
    -- PortOne has taken it, and a gateway may need hours: a day, in microseconds, from the call.
    CASE r.state WHEN 'requested' THEN COALESCE(r.called_at, r.created_at) + 86400000000 ELSE 0 END
FROM refunds AS r JOIN transactions AS t ON t.payment_id = r.payment_id AND t.transaction_id = r.transaction_id
    JOIN orders AS o ON o.payment_id = r.payment_id
WHERE r.state IN ('requested', 'in_doubt')
    AND NOT EXISTS (SELECT 1 FROM settled AS s WHERE s.kind = 'refund_in_doubt' AND s.refund_id = r.refund_id);

-- Where the daily sweep stands: one row for all instances.
CREATE TABLE sweep (
    id       INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    -- The sweep under way, and the last that came to its end, as JSON.
    run      TEXT,
    finished TEXT,
    CONSTRAINT sweep_pkey PRIMARY KEY (id),
    CONSTRAINT sweep_one_check CHECK (id = 1),
    CONSTRAINT sweep_version_check CHECK (version >= 0)
) STRICT;

CREATE TABLE users (
    id            INTEGER NOT NULL CONSTRAINT users_pkey PRIMARY KEY AUTOINCREMENT,
    email         TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CONSTRAINT users_email_key UNIQUE (email)
) STRICT;

CREATE TABLE api_keys (
    key_hash   BLOB NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT api_keys_pkey PRIMARY KEY (key_hash),
    CONSTRAINT api_keys_hash_check CHECK (length(key_hash) = 32)
) STRICT;

CREATE TABLE sessions (
    token_hash BLOB NOT NULL,
    user_id    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (token_hash),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_hash_check CHECK (length(token_hash) = 32)
) STRICT;

CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
