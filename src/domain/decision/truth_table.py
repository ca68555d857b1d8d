#!/usr/bin/env python3
"""Writes truth_table.csv: what one answer of PortOne about one transaction must do to an open order, in every combination.

Written from the rules, not from the program, so that the two can be held against each other:

  The answer is about the order if it names the order's number, is about the transaction that was asked for, and no other
  order has used that transaction. If not, it touches nothing.
  It agrees with the order if amount, currency and store are the order's, PortOne says whether the channel is live or test,
  and it is the one that this server takes payments for.
  ready, pay_pending   nothing is decided: the attempt is pending.
  failed               the attempt failed; the order can still be paid.
  paid                 accepted if it agrees, and the order is paid; else held, and the order waits for a person.
  cancelled (whole)    recorded as refund of the order if it agrees; else there is nothing left to hold.
  anything else        a word that nobody knows yet decides nothing.

Needs nothing but Python. To renew the file: python3 truth_table.py > truth_table.csv
"""

import itertools

PREDICATES = ["payment_id", "amount", "currency", "channel_told", "channel_agrees", "asked", "store", "unused"]
ABOUT = {"payment_id", "asked", "unused"}
STATUSES = ["ready", "pay_pending", "failed", "paid", "cancelled", "unknown"]


def expected(true, status):
    """The transaction's verdict and the order's status."""
    if not ABOUT <= true or status == "unknown":
        return "none", "open"
    agrees = len(true) == len(PREDICATES)
    return {
        "ready": ("pending", "open"),
        "pay_pending": ("pending", "open"),
        "failed": ("failed", "open"),
        "paid": ("accepted", "paid") if agrees else ("held", "held"),
        "cancelled": ("accepted", "refunded") if agrees else ("held", "open"),
    }[status]


print(",".join([*PREDICATES, "status", "verdict", "order"]))
for values in itertools.product([1, 0], repeat=len(PREDICATES)):
    true = {name for name, value in zip(PREDICATES, values) if value}
    for status in STATUSES:
        print(",".join([*map(str, values), status, *expected(true, status)]))
