-- What the shop's people write down about an order, for each other.
CREATE TABLE notes (
    payment_id TEXT COLLATE "C" NOT NULL,
    -- Of the form and what was written in it: sent twice, it is kept once.
    form_key   TEXT COLLATE "C" NOT NULL,
    written_at BIGINT NOT NULL,
    written_by TEXT NOT NULL,
    -- Empty once the time to keep it is over.
    note       TEXT NOT NULL,
    CONSTRAINT notes_pkey PRIMARY KEY (payment_id, form_key),
    CONSTRAINT notes_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES orders (payment_id)
);
