"""PortOne's own V1 client for Python, as it is: it takes the API's address as an argument.

Its `find_by_status` is broken in itself, so nothing is listed here.
"""

import os
import unittest

from iamport import Iamport

IMP_UID = os.environ["IMP_UID"]
MERCHANT_UID = os.environ["MERCHANT_UID"]


def client(secret=os.environ["PORTONE_V1_API_SECRET"]):
    return Iamport(
        imp_key=os.environ["PORTONE_V1_API_KEY"],
        imp_secret=secret,
        imp_url=os.environ["PORTONE_V1_API_URL"],
    )


class Reading(unittest.TestCase):
    def test_a_payment_is_found_by_each_of_its_ids(self):
        by_imp_uid = client().find_by_imp_uid(IMP_UID)
        by_merchant_uid = client().find_by_merchant_uid(MERCHANT_UID)

        self.assertEqual(by_imp_uid["merchant_uid"], MERCHANT_UID)
        self.assertEqual(by_imp_uid, by_merchant_uid)
        self.assertTrue(client().is_paid(64_900, imp_uid=IMP_UID))
        self.assertFalse(client().is_paid(100, imp_uid=IMP_UID))

    def test_a_payment_that_is_not_there_is_404(self):
        with self.assertRaises(Iamport.HttpError) as raised:
            client().find_by_imp_uid("imp_000000000000")

        self.assertEqual(raised.exception.code, 404)

    def test_a_wrong_secret_is_401(self):
        with self.assertRaises(Iamport.HttpError) as raised:
            client("wrong").find_by_imp_uid(IMP_UID)

        self.assertEqual(raised.exception.code, 401)


class Writing(unittest.TestCase):
    def test_an_amount_is_registered_once(self):
        client().prepare("python-prepare", 64_900)

        self.assertTrue(client().prepare_validate("python-prepare", 64_900))
        with self.assertRaises(Iamport.ResponseError):
            client().prepare("python-prepare", 64_900)

    def test_a_payment_is_cancelled_in_parts_guarded_by_the_balance(self):
        part = client().cancel("변심", imp_uid=IMP_UID, amount=4_900, checksum=64_900)
        with self.assertRaises(Iamport.ResponseError) as raised:
            client().cancel("변심", imp_uid=IMP_UID, amount=4_900, checksum=64_900)
        rest = client().cancel_by_merchant_uid(MERCHANT_UID, "변심", checksum=60_000)

        self.assertEqual(part["cancel_amount"], 4_900)
        self.assertNotEqual(raised.exception.code, 0)
        self.assertEqual(rest["cancel_amount"], 64_900)
        self.assertEqual([one["amount"] for one in rest["cancel_history"]], [4_900, 60_000])


if __name__ == "__main__":
    unittest.main()
