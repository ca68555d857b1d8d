"""PortOne's own SDK for Python, as it is: it takes the API's address as an argument.

It reads every answer into the dataclasses that were generated from PortOne's API description, and raises for any field
that does not fit.
"""

import json
import os
import unittest

import portone_server_sdk as portone
from portone_server_sdk import webhook
from portone_server_sdk.common import PageInput
from portone_server_sdk.payment import (
    CancelledPayment,
    FailedPayment,
    GetPaymentError,
    PaidPayment,
    PartialCancelledPayment,
    PayPendingPayment,
    PaymentFilterInput,
    ReadyPayment,
    SucceededPaymentCancellation,
    VirtualAccountIssuedPayment,
)

SECRET = os.environ["PORTONE_V2_API_SECRET"]
WEBHOOK_SECRET = os.environ["PORTONE_V2_WEBHOOK_SECRET"]
WEBHOOKS = json.loads(os.environ["WEBHOOKS"])

STATES = {
    "READY": ReadyPayment,
    "PAY_PENDING": PayPendingPayment,
    "VIRTUAL_ACCOUNT_ISSUED": VirtualAccountIssuedPayment,
    "PAID": PaidPayment,
    "FAILED": FailedPayment,
    "PARTIAL_CANCELLED": PartialCancelledPayment,
    "CANCELLED": CancelledPayment,
}

CLASSES = {
    "Transaction.Ready": "WebhookTransactionReady",
    "Transaction.PayPending": "WebhookTransactionPayPending",
    "Transaction.VirtualAccountIssued": "WebhookTransactionVirtualAccountIssued",
    "Transaction.Paid": "WebhookTransactionPaid",
    "Transaction.Failed": "WebhookTransactionFailed",
    "Transaction.PartialCancelled": "WebhookTransactionCancelledPartialCancelled",
    "Transaction.Cancelled": "WebhookTransactionCancelledCancelled",
    "Transaction.CancelPending": "WebhookTransactionCancelledCancelPending",
    "Transaction.DisputeCreated": "WebhookTransactionDisputeCreated",
    "Transaction.DisputeResolved": "WebhookTransactionDisputeResolved",
}


def client(secret):
    return portone.PaymentClient(secret=secret, base_url=os.environ["PORTONE_V2_API_URL"])


# One for all tests: each reads the certificates of every authority a dozen times.
PAYMENTS = client(SECRET)


class Reading(unittest.TestCase):
    def test_a_payment_of_every_state_fits_its_class(self):
        for status, expected in STATES.items():
            with self.subTest(status):
                payment = PAYMENTS.get_payment(payment_id=f"python-{status}")

                self.assertIsInstance(payment, expected)
                self.assertEqual(payment.id, f"python-{status}")
                self.assertEqual(payment.amount.total, 64_900)

    def test_a_page_of_payments_fits_its_class(self):
        answer = PAYMENTS.get_payments(
            page=PageInput(number=0, size=5), filter=PaymentFilterInput(status=["PAID"])
        )

        self.assertGreaterEqual(len(answer.items), 1)
        for payment in answer.items:
            self.assertIsInstance(payment, PaidPayment)

    def test_the_attempts_of_a_payment_fit_their_class(self):
        answer = PAYMENTS.get_payment_transactions(payment_id="python-PAID")

        self.assertEqual([type(item).__name__ for item in answer.items], ["PaidPaymentTransaction"])

    def test_a_payment_that_is_not_there_is_named(self):
        with self.assertRaises(GetPaymentError) as raised:
            PAYMENTS.get_payment(payment_id="nobody")

        self.assertEqual(type(raised.exception).__name__, "PaymentNotFoundError")

    def test_a_wrong_secret_is_named(self):
        with self.assertRaises(GetPaymentError) as raised:
            client("wrong").get_payment(payment_id="nobody")

        self.assertEqual(type(raised.exception).__name__, "UnauthorizedError")


class Writing(unittest.TestCase):
    def test_an_amount_is_registered(self):
        PAYMENTS.pre_register_payment(payment_id="python-register", total_amount=1_000, currency="KRW")
        with self.assertRaises(portone.errors.PortOneError) as raised:
            PAYMENTS.pre_register_payment(payment_id="python-PAID", total_amount=1_000, currency="KRW")

        self.assertEqual(type(raised.exception).__name__, "AlreadyPaidError")

    def test_a_payment_is_cancelled_in_parts_guarded_by_the_balance(self):
        def cancel(**fields):
            return PAYMENTS.cancel_payment(payment_id="python-cancel", reason="변심", **fields).cancellation

        part = cancel(amount=4_900, current_cancellable_amount=64_900)
        with self.assertRaises(portone.errors.PortOneError) as raised:
            cancel(amount=4_900, current_cancellable_amount=64_900)
        rest = cancel()

        self.assertIsInstance(part, SucceededPaymentCancellation)
        self.assertEqual(type(raised.exception).__name__, "CancellableAmountConsistencyBrokenError")
        self.assertEqual(rest.total_amount, 60_000)


class Webhooks(unittest.TestCase):
    def test_those_of_every_type_are_verified_and_fit_their_class(self):
        for one in WEBHOOKS:
            with self.subTest(one["type"]):
                event = webhook.verify(WEBHOOK_SECRET, one["body"], one["headers"])

                self.assertIsInstance(event, getattr(webhook, CLASSES[one["type"]]))
                self.assertTrue(event.data.payment_id.startswith("python-webhook-"))

    def test_there_is_one_of_every_type(self):
        self.assertEqual({one["type"] for one in WEBHOOKS}, set(CLASSES))

    def test_a_changed_one_is_refused(self):
        with self.assertRaises(webhook.WebhookVerificationError) as raised:
            webhook.verify(WEBHOOK_SECRET, WEBHOOKS[0]["body"] + " ", WEBHOOKS[0]["headers"])

        self.assertEqual(raised.exception.reason, "NO_MATCHING_SIGNATURE")

    def test_an_old_one_is_refused(self):
        headers = WEBHOOKS[0]["headers"] | {"webhook-timestamp": "1614265330"}

        with self.assertRaises(webhook.WebhookVerificationError) as raised:
            webhook.verify(WEBHOOK_SECRET, WEBHOOKS[0]["body"], headers)

        self.assertEqual(raised.exception.reason, "TIMESTAMP_TOO_OLD")


if __name__ == "__main__":
    unittest.main()
