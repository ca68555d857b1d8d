-- When a person took care of an event that was given up. Sending it again forgets it.
ALTER TABLE deliveries ADD COLUMN dismissed_at BIGINT;

-- What still needs attention, without reading what was taken care of.
CREATE INDEX deliveries_undelivered_idx ON deliveries (endpoint_id, id) WHERE status = 'given_up' AND dismissed_at IS NULL;
