// Standard Webhooks' reference libraries against both ends of ours: what the sandbox and `crates/portone` sign, they
// accept; what they sign, `crates/portone` accepts.
//
// https://github.com/standard-webhooks/standard-webhooks
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { Webhook, WebhookVerificationError } from "standardwebhooks";

import { startLab } from "../support/lab.mjs";
import { runExample, runPythonTests } from "../support/programs.mjs";

const TOLERANCE_S = 5 * 60;

const newSecret = () => `whsec_${randomBytes(24).toString("base64")}`;

/** While a secret is being replaced, PortOne has two. */
const secrets = [newSecret(), newSecret()];

const verify = (secret, { body, headers }) => new Webhook(secret).verify(body, headers);

describe("webhooks", { timeout: 300_000 }, () => {
  let lab;
  before(async () => {
    lab = await startLab();
    await lab.control("PATCH", "/_sandbox/v2/config", { webhook_secrets: secrets });
  });
  after(async () => {
    await lab?.close();
  });

  /** A webhook that the sandbox sent. */
  async function sent(id) {
    await lab.createV2Payment({ id, webhook: true });
    return await lab.webhookOf(id);
  }

  describe("of the sandbox, read by standardwebhooks", () => {
    it("fit each of the sandbox's secrets, and no other", async () => {
      const webhook = await sent("order-1");

      for (const secret of secrets) {
        assert.equal(verify(secret, webhook).data.paymentId, "order-1");
      }
      assert.throws(() => verify(newSecret(), webhook), WebhookVerificationError);
    });

    it("do not fit when anything that is signed was changed", async () => {
      const { body, headers } = await sent("order-2");
      const later = String(Number(headers["webhook-timestamp"]) + 1);

      for (const changed of [
        { body: `${body} `, headers },
        { body: body.replace("order-2", "order-3"), headers },
        { body, headers: { ...headers, "webhook-id": "msg_other" } },
        { body, headers: { ...headers, "webhook-timestamp": later } },
      ]) {
        assert.throws(() => verify(secrets[0], changed), { message: "No matching signature found" });
      }
    });

    it("do not fit when they are old", async () => {
      await lab.createV2Payment({ id: "order-4" });
      const sentAgo = async (seconds) => {
        await lab.control("POST", "/_sandbox/v2/payments/order-4/webhook", { timestamp_offset_s: -seconds });
        return await lab.webhookOf("order-4");
      };

      assert.equal(verify(secrets[0], await sentAgo(TOLERANCE_S - 60)).data.paymentId, "order-4");
      const old = await sentAgo(TOLERANCE_S + 1);
      assert.throws(() => verify(secrets[0], old), { message: "Message timestamp too old" });
    });

    it("fit with Korean in them", async () => {
      const webhook = await sent("주문-1001");

      assert.equal(verify(secrets[0], webhook).data.paymentId, "주문-1001");
    });

    it("fit in Python as well", async () => {
      const { headers, body } = await sent("주문-1002");

      const count = await runPythonTests("test_webhooks.py", {
        WEBHOOK_SECRETS: secrets.join(),
        WEBHOOK_HEADERS: JSON.stringify(headers),
        WEBHOOK_BODY: body,
      });

      assert.equal(count, 4);
    });
  });

  describe("of crates/portone, read by standardwebhooks", () => {
    let dir;
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), "wanryo-interop-"));
    });
    after(async () => {
      await rm(dir, { recursive: true, force: true });
    });

    for (const body of ['{"type":"Transaction.Paid"}', "", "payment_id=order-1001&status=Paid", '{"주문":"완료"}\n']) {
      it(`fit: ${JSON.stringify(body)}`, async () => {
        const path = join(dir, "body");
        await writeFile(path, body);

        const printed = await runExample("sign_webhook", { PORTONE_V2_WEBHOOK_SECRETS: secrets.join() }, [
          "msg_1",
          path,
        ]);

        const headers = Object.fromEntries(
          printed
            .trim()
            .split("\n")
            .map((line) => line.split(": ")),
        );
        assert.equal(headers["webhook-id"], "msg_1");
        for (const secret of secrets) {
          new Webhook(secret).verify(body, headers, { jsonParse: false });
        }
        assert.throws(() => verify(newSecret(), { body, headers }), WebhookVerificationError);
      });
    }
  });

  describe("read by crates/portone", () => {
    const body = '{"type":"Transaction.Paid","timestamp":"2026-01-01T00:00:00Z","data":{"paymentId":"주문-1001"}}';

    const read = ({ headers, body }) => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      return runExample(
        "verify_webhook",
        { PORTONE_V2_WEBHOOK_SECRETS: secrets[1] },
        [],
        `${lines.join("")}\r\n${body}`,
      );
    };
    const signed = (secret, at = new Date()) => ({
      body,
      headers: {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": String(Math.floor(at / 1000)),
        "webhook-signature": new Webhook(secret).sign("msg_1", at, body),
      },
    });

    it("are understood if the sandbox sent them", async () => {
      const webhook = await sent("order-5");

      assert.equal(await read(webhook), `${webhook.headers["webhook-id"]} payment order-5: Paid\n`);
    });

    it("are understood if standardwebhooks signed them", async () => {
      assert.equal(await read(signed(secrets[1])), "msg_1 payment 주문-1001: Paid\n");
    });

    it("are refused if they were changed, are old, or have another's signature", async () => {
      const good = signed(secrets[1]);
      const old = new Date(Date.now() - (TOLERANCE_S + 60) * 1000);

      await assert.rejects(read({ ...good, body: body.replace("1001", "1002") }), /NoMatchingSignature/);
      await assert.rejects(read(signed(secrets[1], old)), /TooOld/);
      await assert.rejects(read(signed(secrets[0])), /NoMatchingSignature/);
    });
  });
});
