-- Who did what in the back office. `migrations/sqlite` has the same tables and columns under the same number.

-- Rows are added and never changed. Each carries the digest of the one before, and one over that and its own columns.
CREATE TABLE audit_log (
    -- From 1, without gaps.
    id              BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    actor           TEXT NOT NULL,
    act             TEXT NOT NULL,
    -- Whom or what it was done to.
    target          TEXT,
    detail          TEXT,
    previous_digest BYTEA NOT NULL,
    digest          BYTEA NOT NULL,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_digest_check CHECK (length(previous_digest) = 32 AND length(digest) = 32)
);

-- Where the chain ends: rows that are taken off its end are missed, too. One row.
CREATE TABLE audit_head (
    only_row    BIGINT NOT NULL,
    last_id     BIGINT NOT NULL,
    last_digest BYTEA NOT NULL,
    CONSTRAINT audit_head_pkey PRIMARY KEY (only_row),
    CONSTRAINT audit_head_only_row_check CHECK (only_row = 1),
    CONSTRAINT audit_head_digest_check CHECK (length(last_digest) = 32)
);

INSERT INTO audit_head (only_row, last_id, last_digest)
VALUES (1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');

-- How often somebody was wrong: few of a thousand wrong passwords become rows of the log.
CREATE TABLE audit_mistakes (
    -- The e-mail address of the account; empty for addresses that nobody may sign in with.
    account TEXT NOT NULL,
    act     TEXT NOT NULL,
    since   BIGINT NOT NULL,
    count   BIGINT NOT NULL,
    CONSTRAINT audit_mistakes_pkey PRIMARY KEY (account, act)
);
