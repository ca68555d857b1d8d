-- The newest of the orders whose numbers begin alike are found without reading their rows.
-- `migrations/sqlite` has the same index under the same number.
CREATE INDEX orders_number_idx ON orders (payment_id, created_at);
