-- When a person took care of an event that was given up. Sending it again forgets it.
ALTER TABLE deliveries ADD COLUMN dismissed_at BIGINT;

-- Nobody is asked about what was given up before there was a place to say so.
UPDATE deliveries SET dismissed_at = updated_at WHERE status = 'given_up';

-- What still needs attention, without reading what was taken care of.
CREATE INDEX deliveries_undelivered_idx ON deliveries (endpoint_id, id) WHERE status = 'given_up' AND dismissed_at IS NULL;
