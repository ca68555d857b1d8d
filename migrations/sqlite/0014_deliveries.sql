-- Lists of deliveries by status or endpoint read what they show. `migrations/postgres` has the same indexes under the same number.
CREATE INDEX deliveries_pending_idx ON deliveries (id) WHERE status = 'pending';
CREATE INDEX deliveries_failed_idx ON deliveries (id) WHERE status = 'given_up';
CREATE INDEX deliveries_endpoint_id_idx ON deliveries (endpoint_id, id);
