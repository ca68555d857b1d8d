#!/bin/sh
# Makes an order, reads how it stands, and gives a part back once it is paid. Run again, it does nothing twice.
#   WANRYO_URL=https://pay.example.com WANRYO_KEY=wr_… PAYMENT_ID=ORD-1001 sh shop.sh
set -eu

call() {
  curl --silent --show-error --fail-with-body --header "Authorization: Bearer $WANRYO_KEY" \
    --header 'Content-Type: application/json' "$@"
}

# The same body again is the same order.
order=$(call --data "{\"payment_id\":\"$PAYMENT_ID\",\"name\":\"사과 한 상자\",\"amount\":65000}" "$WANRYO_URL/api/v1/orders")

case $order in
*'"status":"paid"'*)
  # The same key with the same body again is the same refund.
  refund=$(call --header "Idempotency-Key: return-$PAYMENT_ID" --data '{"amount":20000,"reason":"one of three came back"}' \
    "$WANRYO_URL/api/v1/orders/$PAYMENT_ID/refunds")
  echo "refund $(printf %s "$refund" | sed 's/.*"state":"\([a-z_]*\)".*/\1/')"
  ;;
*)
  echo "pay at $(printf %s "$order" | sed 's/.*"pay_url":"\([^"]*\)".*/\1/')"
  ;;
esac
