"""Standard Webhooks' reference library for Python, as it is."""

import json
import os
import unittest
from datetime import datetime, timezone

from standardwebhooks import Webhook, WebhookVerificationError

SECRETS = os.environ["WEBHOOK_SECRETS"].split(",")
HEADERS = json.loads(os.environ["WEBHOOK_HEADERS"])
BODY = os.environ["WEBHOOK_BODY"]


class Webhooks(unittest.TestCase):
    def test_it_fits_each_secret(self):
        for secret in SECRETS:
            with self.subTest(secret):
                self.assertEqual(Webhook(secret).verify(BODY, HEADERS), json.loads(BODY))

    def test_a_changed_one_does_not_fit(self):
        with self.assertRaisesRegex(WebhookVerificationError, "No matching signature"):
            Webhook(SECRETS[0]).verify(f"{BODY} ", HEADERS)

    def test_it_does_not_fit_another_time(self):
        headers = HEADERS | {"webhook-timestamp": str(int(HEADERS["webhook-timestamp"]) - 1)}

        with self.assertRaisesRegex(WebhookVerificationError, "No matching signature"):
            Webhook(SECRETS[0]).verify(BODY, headers)

    def test_an_old_one_is_refused_although_it_is_signed(self):
        old = datetime(2021, 2, 25, tzinfo=timezone.utc)
        signature = Webhook(SECRETS[0]).sign("msg_1", old, BODY)
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(old.timestamp())),
            "webhook-signature": signature,
        }

        with self.assertRaisesRegex(WebhookVerificationError, "too old"):
            Webhook(SECRETS[0]).verify(BODY, headers)


if __name__ == "__main__":
    unittest.main()
