# Makes an order, reads how it stands, and gives a part back once it is paid. Run again, it does nothing twice.
#   WANRYO_URL=https://pay.example.com WANRYO_KEY=wr_… PAYMENT_ID=ORD-1001 python3 shop.py
import json
import os
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

URL, KEY, PAYMENT_ID = (os.environ[name] for name in ("WANRYO_URL", "WANRYO_KEY", "PAYMENT_ID"))


def call(path, body, **headers):
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers}
    try:
        with urlopen(Request(URL + path, json.dumps(body).encode(), headers)) as answer:
            return json.load(answer)
    except HTTPError as refusal:
        # A refusal's type is a stable word, and leads to an explanation.
        problem = json.load(refusal)
        raise SystemExit(f"{problem['type']}: {problem['detail']}")


# The same body again is the same order.
order = call("/api/v1/orders", {"payment_id": PAYMENT_ID, "name": "사과 한 상자", "amount": 65000})

if order["status"] == "paid":
    # The same key with the same body again is the same refund.
    refund = call(
        f"/api/v1/orders/{quote(PAYMENT_ID, safe='')}/refunds",
        {"amount": 20000, "reason": "one of three came back"},
        **{"Idempotency-Key": f"return-{PAYMENT_ID}"},
    )
    print("refund", refund["state"])
else:
    print("pay at", order["pay_url"])
