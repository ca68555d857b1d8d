-- While its row is there PostgreSQL has not recovered from a crash, and was not replaced by a standby: either empties a table that
-- is not logged. https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-UNLOGGED
CREATE UNLOGGED TABLE crash_mark (
    id SMALLINT NOT NULL,
    mark TEXT NOT NULL,
    CONSTRAINT crash_mark_pkey PRIMARY KEY (id),
    CONSTRAINT crash_mark_id_check CHECK (id = 1)
);
