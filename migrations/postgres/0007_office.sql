-- What the list of orders is searched by, and what its overview is summed up from. `migrations/sqlite` has the same columns and indexes under the same number.

-- The last four digits of the buyer's telephone number, by which staff find an order while somebody is on the line. Made of the
-- number and gone with it: no second place has to be emptied.
ALTER TABLE orders ADD COLUMN buyer_tel_tail TEXT
    GENERATED ALWAYS AS (right(replace(replace(buyer_tel, '-', ''), ' ', ''), 4)) STORED;
CREATE INDEX orders_buyer_tel_tail_idx ON orders (buyer_tel_tail, created_at) WHERE buyer_tel_tail IS NOT NULL;

-- Counts by status, and the list of one status, newest first.
DROP INDEX orders_status_idx;
CREATE INDEX orders_status_idx ON orders (status, created_at, payment_id);

CREATE INDEX orders_amount_idx ON orders (currency, amount_minor);
CREATE INDEX transactions_approval_number_idx ON transactions (approval_number) WHERE approval_number IS NOT NULL;

-- What a day brought is read from that day alone.
CREATE INDEX transactions_paid_idx ON transactions ((COALESCE(paid_at, first_seen_at)), currency, amount_minor) WHERE verdict = 'accepted';
CREATE INDEX outbox_refunded_idx ON outbox (at) WHERE event_type IN ('order.refunded', 'order.partially_refunded');
CREATE INDEX delivery_attempts_at_idx ON delivery_attempts (at, error);
CREATE INDEX deliveries_waiting_idx ON deliveries (created_at) WHERE status = 'pending';
