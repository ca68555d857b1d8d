-- What else a shop wants said to PortOne's payment window: gateways have parameters that no field of an order is for.
-- `migrations/sqlite` does the same under the same number.
ALTER TABLE orders ADD COLUMN window_params TEXT;
