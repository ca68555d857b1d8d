-- When an order's personal data was erased; NULL while it may have some.
ALTER TABLE orders ADD COLUMN erased_at INTEGER;

-- What is still to be erased, oldest first, is found without reading what was. The columns do not change while an order lives.
CREATE INDEX orders_to_erase_idx ON orders (created_at, payment_id) WHERE erased_at IS NULL;
-- The same of what people wrote when they settled a payment, which need not have an order.
CREATE INDEX settled_to_erase_idx ON settled (settled_at) WHERE note <> '';
