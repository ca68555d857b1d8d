// PortOne's own server SDKs for V2, as they are: each takes the API's address as a setting.
//
// The Python SDK checks every answer against PortOne's schema field by field, and so judges the sandbox as well.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { PortOneClient, Webhook } from "@portone/server-sdk";
import { CancelPaymentError, GetPaymentError, PreRegisterPaymentError } from "@portone/server-sdk/payment";

import { startLab, v2Credentials } from "../support/lab.mjs";
import { runPythonTests } from "../support/programs.mjs";

const STATUSES = ["READY", "PAY_PENDING", "VIRTUAL_ACCOUNT_ISSUED", "PAID", "FAILED", "PARTIAL_CANCELLED", "CANCELLED"];

/** One webhook of each type that the sandbox sends, as the shop got it. */
async function webhooksOfEveryType(lab, prefix) {
  const webhooks = [];
  const take = async (id, type) => {
    webhooks.push({ type, ...(await lab.webhookOf(id, type)) });
  };
  for (const [status, type] of [
    ["READY", "Transaction.Ready"],
    ["PAY_PENDING", "Transaction.PayPending"],
    ["VIRTUAL_ACCOUNT_ISSUED", "Transaction.VirtualAccountIssued"],
    ["PAID", "Transaction.Paid"],
    ["FAILED", "Transaction.Failed"],
    ["PARTIAL_CANCELLED", "Transaction.PartialCancelled"],
    ["CANCELLED", "Transaction.Cancelled"],
  ]) {
    await lab.createV2Payment({ id: `${prefix}-type-${status}`, status, webhook: true });
    await take(`${prefix}-type-${status}`, type);
  }
  const id = `${prefix}-type-PAID`;
  await lab.control("POST", `/_sandbox/v2/payments/${id}/dispute`, {});
  await take(id, "Transaction.DisputeCreated");
  await lab.control("POST", `/_sandbox/v2/payments/${id}/dispute`, { resolved: true });
  await take(id, "Transaction.DisputeResolved");
  await lab.control("PATCH", "/_sandbox/v2/config", { cancel: "asynchronous" });
  const headers = { authorization: `PortOne ${v2Credentials.secret}` };
  await fetch(`${lab.v2}/payments/${id}/cancel`, { method: "POST", headers, body: JSON.stringify({ reason: "변심" }) });
  await take(id, "Transaction.CancelPending");
  await lab.control("PATCH", "/_sandbox/v2/config", { cancel: "immediate" });
  return webhooks;
}

describe("V2", { timeout: 300_000 }, () => {
  let lab;
  before(async () => {
    lab = await startLab();
  });
  after(async () => {
    await lab?.close();
  });

  describe("@portone/server-sdk", () => {
    let client;
    before(() => {
      // It would drop the path of an address.
      client = PortOneClient({ secret: v2Credentials.secret, baseUrl: lab.v2Origin });
    });

    it("reads a payment in every state", async () => {
      for (const status of STATUSES) {
        const paymentId = `sdk-${status}`;
        await lab.createV2Payment({ id: paymentId, status });

        const payment = await client.payment.getPayment({ paymentId });

        assert.equal(payment.id, paymentId);
        assert.equal(payment.status, status);
        assert.equal(payment.amount.total, 64_900);
        assert.equal(payment.currency, "KRW");
      }
    });

    it("reads a payment whose id must be escaped", async () => {
      await lab.createV2Payment({ id: "주문 1001+a&b" });

      const payment = await client.payment.getPayment({ paymentId: "주문 1001+a&b" });

      assert.equal(payment.id, "주문 1001+a&b");
    });

    it("does not find a payment that is not there", async () => {
      await assert.rejects(
        client.payment.getPayment({ paymentId: "nobody" }),
        (error) => error instanceof GetPaymentError && error.data.type === "PAYMENT_NOT_FOUND",
      );
    });

    it("is refused with a wrong secret", async () => {
      const stranger = PortOneClient({ secret: "wrong", baseUrl: lab.v2 });

      await assert.rejects(
        stranger.payment.getPayment({ paymentId: "nobody" }),
        (error) => error.data.type === "UNAUTHORIZED",
      );
    });

    it("lists payments by page and filter", async () => {
      await lab.createV2Payment({ id: "sdk-list-1", status: "PAY_PENDING" });
      await lab.createV2Payment({ id: "sdk-list-2", status: "PAY_PENDING" });

      const { items, page } = await client.payment.getPayments({
        page: { number: 0, size: 1 },
        filter: { status: ["PENDING"] },
      });

      assert.equal(items.length, 1);
      assert.equal(items[0].status, "PAY_PENDING");
      assert.equal(page.number, 0);
      assert.equal(page.size, 1);
      assert.ok(page.totalCount >= 2);
    });

    it("lists the attempts of a payment", async () => {
      await lab.createV2Payment({ id: "sdk-attempts" });

      const { items } = await client.payment.getPaymentTransactions({ paymentId: "sdk-attempts" });

      const payment = await client.payment.getPayment({ paymentId: "sdk-attempts" });
      assert.deepEqual(
        items.map(({ id }) => id),
        [payment.transactionId],
      );
    });

    it("registers an amount, but not of a payment that is paid", async () => {
      await lab.createV2Payment({ id: "sdk-paid" });

      const answer = await client.payment.preRegisterPayment({
        paymentId: "sdk-register",
        totalAmount: 64_900,
        currency: "KRW",
      });

      assert.deepEqual(answer, {});
      await assert.rejects(
        client.payment.preRegisterPayment({ paymentId: "sdk-paid", totalAmount: 64_900, currency: "KRW" }),
        (error) => error instanceof PreRegisterPaymentError && error.data.type === "ALREADY_PAID",
      );
    });

    it("cancels in parts, guarded by the balance, until nothing is left", async () => {
      const paymentId = "sdk-cancel";
      await lab.createV2Payment({ id: paymentId });
      const cancel = (fields) => client.payment.cancelPayment({ paymentId, reason: "고객 변심", ...fields });
      const refusedAs = (type) => (error) => error instanceof CancelPaymentError && error.data.type === type;

      const { cancellation } = await cancel({ amount: 4_900, currentCancellableAmount: 64_900 });
      const partly = await client.payment.getPayment({ paymentId });
      await assert.rejects(
        cancel({ amount: 4_900, currentCancellableAmount: 64_900 }),
        refusedAs("CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"),
      );
      await assert.rejects(cancel({ amount: 70_000 }), refusedAs("CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"));
      await cancel({});
      const wholly = await client.payment.getPayment({ paymentId });
      await assert.rejects(cancel({}), refusedAs("PAYMENT_ALREADY_CANCELLED"));

      assert.equal(cancellation.status, "SUCCEEDED");
      assert.equal(cancellation.totalAmount, 4_900);
      assert.equal(cancellation.reason, "고객 변심");
      assert.equal(partly.status, "PARTIAL_CANCELLED");
      assert.equal(partly.amount.cancelled, 4_900);
      assert.equal(wholly.status, "CANCELLED");
      assert.equal(wholly.amount.cancelled, 64_900);
    });

    it("closes a virtual account, once", async () => {
      const paymentId = "sdk-close";
      await lab.createV2Payment({ id: paymentId, status: "VIRTUAL_ACCOUNT_ISSUED" });

      const { closedAt } = await client.payment.closeVirtualAccount({ paymentId });

      assert.ok(Date.parse(closedAt) > 0);
      await assert.rejects(
        client.payment.closeVirtualAccount({ paymentId }),
        (error) => error.data.type === "PAYMENT_NOT_WAITING_FOR_DEPOSIT",
      );
    });

    it("verifies a webhook that the sandbox sent, and the same one sent again", async () => {
      await lab.createV2Payment({ id: "sdk-webhook", webhook: true });
      const first = await lab.webhookOf("sdk-webhook");
      await client.payment.resendWebhook({ paymentId: "sdk-webhook" });
      const second = await lab.webhookOf("sdk-webhook");

      const event = await Webhook.verify(v2Credentials.webhookSecret, first.body, first.headers);

      assert.equal(event.type, "Transaction.Paid");
      assert.equal(Webhook.isUnrecognizedWebhook(event), false);
      assert.equal(event.data.paymentId, "sdk-webhook");
      assert.equal(event.data.storeId, v2Credentials.storeId);
      assert.deepEqual(await Webhook.verify(v2Credentials.webhookSecret, second.body, second.headers), event);
      assert.equal(second.headers["webhook-id"], first.headers["webhook-id"]);
    });

    it("verifies webhooks of every type", async () => {
      for (const { type, headers, body } of await webhooksOfEveryType(lab, "sdk")) {
        const event = await Webhook.verify(v2Credentials.webhookSecret, body, headers);

        assert.equal(event.type, type);
        assert.equal(Webhook.isUnrecognizedWebhook(event), false);
      }
    });

    it("refuses a webhook that was changed, or signed by somebody else", async () => {
      await lab.createV2Payment({ id: "sdk-changed", webhook: true });
      const { headers, body } = await lab.webhookOf("sdk-changed");
      const changed = body.replace("Transaction.Paid", "Transaction.Ready");
      const refusedAs = (reason) => (error) =>
        error instanceof Webhook.WebhookVerificationError && error.reason === reason;

      assert.notEqual(changed, body);
      await assert.rejects(
        Webhook.verify(v2Credentials.webhookSecret, changed, headers),
        refusedAs("NO_MATCHING_SIGNATURE"),
      );
      await assert.rejects(
        Webhook.verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", body, headers),
        refusedAs("NO_MATCHING_SIGNATURE"),
      );
    });
  });

  it("portone-server-sdk, in Python", async () => {
    for (const status of STATUSES) {
      await lab.createV2Payment({ id: `python-${status}`, status });
    }
    await lab.createV2Payment({ id: "python-cancel" });
    const count = await runPythonTests("test_v2.py", {
      PORTONE_V2_API_URL: lab.v2,
      PORTONE_V2_API_SECRET: v2Credentials.secret,
      PORTONE_V2_WEBHOOK_SECRET: v2Credentials.webhookSecret,
      WEBHOOKS: JSON.stringify(await webhooksOfEveryType(lab, "python-webhook")),
    });

    assert.equal(count, 11);
  });

  it("every answer was one that PortOne describes", (test) => {
    assert.ok(lab.exchanges("v2").length >= 30);
    assert.deepEqual(lab.problems(test), []);
  });
});
