// Events of wanryo, as a shop's server gets them, read by Standard Webhooks' reference libraries.
//
// https://github.com/standard-webhooks/standard-webhooks
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { Webhook, WebhookVerificationError } from "standardwebhooks";

import { startLab, v1Credentials } from "../support/lab.mjs";
import { runPythonTests, startWanryo } from "../support/programs.mjs";
import { startReceiver } from "../support/receiver.mjs";

const other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

describe("events of wanryo", { timeout: 300_000 }, () => {
  let lab;
  let wanryo;
  let shop;
  before(async () => {
    lab = await startLab();
    shop = await startReceiver();
    wanryo = await startWanryo(lab.v1, v1Credentials);
  });
  after(async () => {
    await wanryo?.stop();
    await shop?.close();
    await lab?.close();
  });

  /** What the shop is told of an order that was just paid. */
  async function told(id) {
    await wanryo.call("POST", "/api/v1/orders", { payment_id: id, name: "사과 한 상자", amount: 64_900 });
    const payment = await lab.createV1Payment({ merchant_uid: id, status: "paid", sandbox: true });
    await wanryo.call("GET", `/payments/complete?imp_uid=${payment.imp_uid}&merchant_uid=${id}`);
    return await shop.next(({ body }) => JSON.parse(body).data.payment_id === id);
  }

  it("fit the endpoint's secret, and both while it is being replaced", async () => {
    const made = await wanryo.call("POST", "/api/v1/webhook-endpoints", { url: shop.url });
    const first = await told("order-1");

    const event = new Webhook(made.secret).verify(first.body, first.headers);
    assert.equal(event.type, "order.paid");
    assert.deepEqual([event.data.payment_id, event.data.amount], ["order-1", 64_900]);
    assert.throws(() => new Webhook(other).verify(first.body, first.headers), WebhookVerificationError);

    const rotated = await wanryo.call("POST", `/api/v1/webhook-endpoints/${made.id}/rotate`);
    const { body, headers } = await told("order-2");
    const secrets = [made.secret, rotated.secret];
    for (const secret of secrets) {
      assert.equal(new Webhook(secret).verify(body, headers).data.payment_id, "order-2");
    }
    assert.throws(() => new Webhook(secrets[1]).verify(`${body} `, headers), WebhookVerificationError);

    const count = await runPythonTests("test_webhooks.py", {
      WEBHOOK_SECRETS: secrets.join(","),
      WEBHOOK_HEADERS: JSON.stringify(headers),
      WEBHOOK_BODY: body,
    });
    assert.ok(count >= 4, `${count} tests in Python`);
  });
});
