-- Who did what in the back office. `migrations/postgres` has the same tables and columns under the same number.

-- Rows are added and never changed. Each carries the digest of the one before, and one over that and its own columns.
CREATE TABLE audit_log (
    -- From 1, without gaps.
    id              INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    actor           TEXT NOT NULL,
    act             TEXT NOT NULL,
    -- Whom or what it was done to.
    target          TEXT,
    detail          TEXT,
    previous_digest BLOB NOT NULL,
    digest          BLOB NOT NULL,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_digest_check CHECK (length(previous_digest) = 32 AND length(digest) = 32)
) STRICT;

-- Where the chain ends: rows that are taken off its end are missed, too. One row.
CREATE TABLE audit_head (
    only_row    INTEGER NOT NULL,
    last_id     INTEGER NOT NULL,
    last_digest BLOB NOT NULL,
    CONSTRAINT audit_head_pkey PRIMARY KEY (only_row),
    CONSTRAINT audit_head_only_row_check CHECK (only_row = 1),
    CONSTRAINT audit_head_digest_check CHECK (length(last_digest) = 32)
) STRICT;

INSERT INTO audit_head (only_row, last_id, last_digest)
VALUES (1, 0, x'0000000000000000000000000000000000000000000000000000000000000000');

-- How often somebody was wrong: few of a thousand wrong passwords become rows of the log.
CREATE TABLE audit_mistakes (
    -- The e-mail address of the account; empty for addresses that nobody may sign in with.
    account TEXT NOT NULL,
    act     TEXT NOT NULL,
    since   INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    CONSTRAINT audit_mistakes_pkey PRIMARY KEY (account, act)
) STRICT;
