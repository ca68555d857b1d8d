-- Until when a buyer can pay with a number that was issued, where there is no account: nobody waits for it for ever. And a deposit
-- goes back by a bank's transfer: it takes days, and needs attention at once when the account did not get it.
-- `migrations/sqlite` does the same under the same number.
ALTER TABLE transactions ADD COLUMN pay_by BIGINT;

DROP VIEW attention;
CREATE VIEW attention AS
SELECT f.kind, f.portone, f.payment_id, f.transaction_id, f.amount_minor, f.currency, f.cancelled_minor, f.first_seen_at, f.last_seen_at,
    '' AS refund_id,
    -- An answer that cannot be read may be readable a moment later: ten minutes, in microseconds.
    CASE f.kind WHEN 'unclear' THEN f.first_seen_at + 600000000 ELSE 0 END AS needs_from
FROM findings AS f
WHERE f.gone_at IS NULL
    -- The order was made after all, and has the payment now.
    AND NOT (f.kind = 'orphan' AND EXISTS (SELECT 1 FROM transactions AS t WHERE t.transaction_id = f.transaction_id))
    -- It was read since.
    AND NOT (f.kind = 'unclear' AND EXISTS (SELECT 1 FROM transactions AS t
        WHERE t.transaction_id = f.transaction_id AND t.checked_at > f.last_seen_at))
    AND NOT EXISTS (SELECT 1 FROM settled AS s WHERE s.kind = f.kind AND s.transaction_id = f.transaction_id
        AND (f.kind <> 'drift' OR s.cancelled_minor = f.cancelled_minor))
UNION ALL
SELECT t.verdict, o.portone, t.payment_id, t.transaction_id, t.amount_minor, t.currency, t.cancelled_minor, t.first_seen_at, t.checked_at, '', 0
FROM transactions AS t JOIN orders AS o ON o.payment_id = t.payment_id
WHERE t.verdict IN ('duplicate', 'late', 'held')
    AND (t.status = 'paid' OR (t.status = 'cancelled' AND (t.amount_minor IS NULL OR t.cancelled_minor < t.amount_minor)))
    AND NOT EXISTS (SELECT 1 FROM settled AS s WHERE s.kind = t.verdict AND s.transaction_id = t.transaction_id)
UNION ALL
SELECT 'refund_in_doubt', o.portone, r.payment_id, r.transaction_id, t.amount_minor, t.currency, t.cancelled_minor, r.created_at, r.updated_at,
    r.refund_id,
    -- PortOne has taken it, and a gateway may need hours, a bank days: one or four, in microseconds, from the call.
    CASE
        WHEN r.state <> 'requested' OR r.trouble_code = 'not_received' THEN 0
        WHEN t.virtual_account_number IS NULL THEN COALESCE(r.called_at, r.created_at) + 86400000000
        ELSE COALESCE(r.called_at, r.created_at) + 345600000000
    END
FROM refunds AS r JOIN transactions AS t ON t.payment_id = r.payment_id AND t.transaction_id = r.transaction_id
    JOIN orders AS o ON o.payment_id = r.payment_id
WHERE r.state IN ('requested', 'in_doubt')
    AND NOT EXISTS (SELECT 1 FROM settled AS s WHERE s.kind = 'refund_in_doubt' AND s.refund_id = r.refund_id);
