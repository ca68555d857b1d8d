-- How much of a refund is free of tax: PortOne takes what is not said for taxed as a whole.
-- `migrations/sqlite` does the same under the same number.
ALTER TABLE refunds ADD COLUMN tax_free_minor BIGINT
    CONSTRAINT refunds_tax_free_check CHECK (tax_free_minor >= 0 AND tax_free_minor <= amount_minor);
