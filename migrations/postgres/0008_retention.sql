-- When an order's personal data was erased, and whether it may have some: at first, and again once something was written.
ALTER TABLE orders ADD COLUMN erased_at BIGINT;
ALTER TABLE orders ADD COLUMN to_erase INTEGER NOT NULL DEFAULT 1;

-- What is still to be erased, oldest first, is found without reading what was. Moving an order writes nothing here.
CREATE INDEX orders_to_erase_idx ON orders (created_at, payment_id) WHERE to_erase = 1;
-- The same of what people wrote when they settled a payment, which need not have an order.
CREATE INDEX settled_to_erase_idx ON settled (settled_at) WHERE note <> '';
