// Makes an order, reads how it stands, and gives a part back once it is paid. Run again, it does nothing twice.
//   WANRYO_URL=https://pay.example.com WANRYO_KEY=wr_… PAYMENT_ID=ORD-1001 node shop.mjs
const { WANRYO_URL: url, WANRYO_KEY: key, PAYMENT_ID: paymentId } = process.env;

async function call(path, body, headers = {}) {
  const answer = await fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const content = await answer.json();
  // A refusal's `type` is a stable word, and leads to an explanation.
  if (!answer.ok) throw new Error(`${content.type}: ${content.detail}`);
  return content;
}

// The same body again is the same order.
const order = await call("/api/v1/orders", { payment_id: paymentId, name: "사과 한 상자", amount: 65000 });

if (order.status === "paid") {
  // The same key with the same body again is the same refund.
  const refund = await call(
    `/api/v1/orders/${encodeURIComponent(paymentId)}/refunds`,
    { amount: 20000, reason: "one of three came back" },
    { "idempotency-key": `return-${paymentId}` },
  );
  console.log("refund", refund.state);
} else {
  console.log("pay at", order.pay_url);
}
