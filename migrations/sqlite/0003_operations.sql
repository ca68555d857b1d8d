-- Operators count orders by status, once a minute: from an index, as the rows are wide.
CREATE INDEX orders_status_idx ON orders (status);

-- Requests that a shop named, so that the same name is the same request. For a day.
CREATE TABLE named_requests (
    -- Name of the shop's key.
    shop        TEXT NOT NULL,
    name        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    CONSTRAINT named_requests_pkey PRIMARY KEY (shop, name)
) STRICT;

CREATE INDEX named_requests_created_at_idx ON named_requests (created_at);
