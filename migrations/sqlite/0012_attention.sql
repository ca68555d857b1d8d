-- Payments that PortOne tells of as nobody here can read become findings, too. SQLite changes a CHECK by making the table anew.
-- `migrations/postgres` does the same under the same number.
DROP VIEW attention;

CREATE TABLE findings_anew (
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
    CONSTRAINT findings_kind_check CHECK (kind IN ('orphan', 'drift', 'unclear')),
    CONSTRAINT findings_portone_check CHECK (portone IN ('v1', 'v2')),
    -- No upper bound: these are PortOne's figures.
    CONSTRAINT findings_amount_check CHECK (amount_minor >= 0),
    CONSTRAINT findings_cancelled_check CHECK (cancelled_minor >= 0)
) STRICT;

INSERT INTO findings_anew SELECT * FROM findings;
DROP TABLE findings;
ALTER TABLE findings_anew RENAME TO findings;

CREATE INDEX findings_first_seen_at_idx ON findings (first_seen_at, transaction_id) WHERE gone_at IS NULL;
-- An order has few of them.
CREATE INDEX findings_unclear_idx ON findings (payment_id) WHERE kind = 'unclear';

CREATE TABLE settled_anew (
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
    CONSTRAINT settled_kind_check CHECK (kind IN ('orphan', 'drift', 'unclear', 'duplicate', 'late', 'held', 'refund_in_doubt')),
    CONSTRAINT settled_refund_check CHECK ((kind = 'refund_in_doubt') = (refund_id <> '')),
    CONSTRAINT settled_portone_check CHECK (portone IN ('v1', 'v2'))
) STRICT;

INSERT INTO settled_anew SELECT * FROM settled;
DROP TABLE settled;
ALTER TABLE settled_anew RENAME TO settled;

-- The first word counts. A word on a drift is about what had been given back by then: of each amount the first one counts.
CREATE UNIQUE INDEX settled_once ON settled (kind, transaction_id, refund_id) WHERE kind <> 'drift';
CREATE INDEX settled_at_idx ON settled (settled_at, transaction_id);
-- What people wrote, and may have to be erased.
CREATE INDEX settled_to_erase_idx ON settled (settled_at) WHERE note <> '';
-- What people settled of one order stands on its page.
CREATE INDEX settled_payment_id_idx ON settled (payment_id, settled_at);

-- What needs attention from its needs_from on: findings whose cause is not gone, transactions that hold money nobody has decided
-- about, and refunds of which nobody knows whether the money went back.
CREATE VIEW attention AS
SELECT f.kind, f.portone, f.payment_id, f.transaction_id, f.amount_minor, f.currency, f.cancelled_minor, f.first_seen_at, f.last_seen_at,
    '' AS refund_id,
    -- An answer that cannot be read may be readable a moment later: ten minutes, in microseconds.
    CASE f.kind WHEN 'unclear' THEN f.first_seen_at + 600000000 ELSE 0 END AS needs_from
FROM findings AS f
WHERE f.gone_at IS NULL
    -- The order was made after all, and has the payment now.
    AND NOT (f.kind = 'orphan' AND EXISTS (SELECT 1 FROM transactions AS t WHERE t.transaction_id = f.transaction_id))
    -- It was read since.
    AND NOT (f.kind = 'unclear' AND EXISTS (SELECT 1 FROM transactions AS t
        WHERE t.transaction_id = f.transaction_id AND t.checked_at > f.last_seen_at))
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
