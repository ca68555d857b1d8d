// V1 clients from the registries, as they are: each takes the API's address as a setting.
//
// iamport-rest-client-nodejs (npm) and iamport-rest-client (PyPI) are PortOne's own; iamporter (npm) is a stranger's.
// The latter two send the bare access token, as PortOne's older clients do.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import iamportClient from "iamport-rest-client-nodejs";
import { Iamporter, IamporterError } from "iamporter";

import { startLab, v1Credentials } from "../support/lab.mjs";
import { runPythonTests } from "../support/programs.mjs";

const { Iamport, Request, Enum } = iamportClient;
const { Payments, Prepare, Authenticate } = Request;

describe("V1", { timeout: 300_000 }, () => {
  let lab;
  before(async () => {
    lab = await startLab();
  });
  after(async () => {
    await lab?.close();
  });

  describe("iamport-rest-client-nodejs", () => {
    let client;
    before(() => {
      client = new Iamport({ apiKey: v1Credentials.key, apiSecret: v1Credentials.secret, baseUrl: lab.v1 });
    });

    it("gets a token", async () => {
      const request = Authenticate.getToken({ imp_key: v1Credentials.key, imp_secret: v1Credentials.secret });
      const { data } = await request.request(client);

      assert.ok(data.response.access_token.length > 0);
      assert.ok(data.response.expired_at > data.response.now);
    });

    it("is refused with a wrong secret", async () => {
      const stranger = new Iamport({ apiKey: v1Credentials.key, apiSecret: "wrong", baseUrl: lab.v1 });

      await assert.rejects(
        Payments.getByImpUid({ imp_uid: "imp_000000000000" }).request(stranger),
        ({ response }) => response.status === 401 && response.data.code === -1,
      );
    });

    it("reads a payment by each of its ids", async () => {
      const { imp_uid } = await lab.createV1Payment({ merchant_uid: "nodejs-read", name: "완료 티셔츠" });

      const byImpUid = await Payments.getByImpUid({ imp_uid }).request(client);
      const byMerchantUid = await Payments.getByMerchantUid({
        merchant_uid: "nodejs-read",
        status: Enum.StatusEnum.PAID,
        sorting: Enum.SortingEnum.STARTED_DESC,
      }).request(client);
      const all = await Payments.getByMerchantUids({
        merchant_uid: "nodejs-read",
        status: Enum.StatusEnum.PAID,
        page: 1,
        sorting: Enum.SortingEnum.STARTED_DESC,
      }).request(client);

      assert.equal(byImpUid.data.response.imp_uid, imp_uid);
      assert.equal(byImpUid.data.response.merchant_uid, "nodejs-read");
      assert.equal(byImpUid.data.response.status, "paid");
      assert.equal(byImpUid.data.response.amount, 64_900);
      assert.equal(byImpUid.data.response.name, "완료 티셔츠");
      assert.equal(byMerchantUid.data.response.imp_uid, imp_uid);
      assert.deepEqual(
        all.data.response.list.map((payment) => payment.imp_uid),
        [imp_uid],
      );
    });

    it("reads several payments at once, and says which do not exist", async () => {
      const { imp_uid } = await lab.createV1Payment({ merchant_uid: "nodejs-several" });

      const { status, data } = await Payments.getByImpUids({ imp_uid: [imp_uid, "imp_000000000000"] }).request(client);

      assert.equal(status, 207);
      assert.deepEqual(
        data.response.map((payment) => payment.imp_uid),
        [imp_uid],
      );
      assert.deepEqual(data.failed, ["imp_000000000000"]);
    });

    it("lists payments by status", async () => {
      const { imp_uid } = await lab.createV1Payment({ merchant_uid: "nodejs-failed", status: "failed" });

      const { data } = await Payments.getByStatus({ status: Enum.StatusEnum.FAILED, limit: 20 }).request(client);

      assert.ok(data.response.list.some((payment) => payment.imp_uid === imp_uid));
      assert.ok(data.response.list.every((payment) => payment.status === "failed"));
    });

    it("does not find a payment that is not there", async () => {
      await assert.rejects(
        Payments.getByImpUid({ imp_uid: "imp_000000000000" }).request(client),
        ({ response }) => response.status === 404,
      );
    });

    it("registers an amount, and only once", async () => {
      const order = { merchant_uid: "nodejs-prepare", amount: 64_900 };
      await Prepare.postAmount(order).request(client);

      const { data } = await Prepare.getAmount(order).request(client);

      assert.equal(data.response.merchant_uid, "nodejs-prepare");
      assert.equal(data.response.amount, 64_900);
      await assert.rejects(Prepare.postAmount(order).request(client), ({ response }) => response.data.code !== 0);
    });

    it("cancels in parts, guarded by the balance, until nothing is left", async () => {
      const { imp_uid } = await lab.createV1Payment({ merchant_uid: "nodejs-cancel" });
      const cancel = (fields) => Payments.cancel({ imp_uid, reason: "고객 변심", ...fields }).request(client);

      const {
        data: { response: part },
      } = await cancel({ amount: 4_900, checksum: 64_900 });
      await assert.rejects(cancel({ amount: 4_900, checksum: 64_900 }), ({ response }) => response.data.code !== 0);
      const {
        data: { response: whole },
      } = await cancel({ checksum: 60_000 });
      await assert.rejects(cancel({}), ({ response }) => response.data.code !== 0 && response.data.response === null);

      assert.equal(part.status, "cancelled");
      assert.equal(part.cancel_amount, 4_900);
      assert.equal(whole.cancel_amount, 64_900);
      assert.deepEqual(
        whole.cancel_history.map(({ amount }) => amount),
        [4_900, 60_000],
      );
      assert.equal(whole.cancel_reason, "고객 변심");
    });
  });

  describe("iamporter", () => {
    let client;
    before(() => {
      client = new Iamporter({ apiKey: v1Credentials.key, secret: v1Credentials.secret, host: lab.v1 });
    });

    it("reads a payment by each of its ids", async () => {
      const { imp_uid } = await lab.createV1Payment({ merchant_uid: "iamporter-read", currency: "USD", amount: 14.2 });

      const byImpUid = await client.findByImpUid(imp_uid);
      const byMerchantUid = await client.findByMerchantUid("iamporter-read");

      assert.equal(byImpUid.data.amount, 14.2);
      assert.equal(byImpUid.data.currency, "USD");
      assert.equal(byMerchantUid.data.imp_uid, imp_uid);
    });

    it("registers an amount", async () => {
      await client.createPreparedPayment({ merchant_uid: "iamporter-prepare", amount: 1_000 });

      const { data } = await client.getPreparedPayment("iamporter-prepare");

      assert.equal(data.amount, 1_000);
    });

    it("cancels a payment once", async () => {
      const { imp_uid } = await lab.createV1Payment({ merchant_uid: "iamporter-cancel" });

      const { data } = await client.cancelByImpUid(imp_uid);

      assert.equal(data.cancel_amount, 64_900);
      await assert.rejects(client.cancelByImpUid(imp_uid), (error) => error instanceof IamporterError);
    });
  });

  it("iamport-rest-client, in Python", async () => {
    const { imp_uid } = await lab.createV1Payment({ merchant_uid: "python-read" });

    const count = await runPythonTests("test_v1.py", {
      PORTONE_V1_API_URL: `${lab.v1}/`,
      PORTONE_V1_API_KEY: v1Credentials.key,
      PORTONE_V1_API_SECRET: v1Credentials.secret,
      IMP_UID: imp_uid,
      MERCHANT_UID: "python-read",
    });

    assert.equal(count, 5);
  });

  it("every answer was one that PortOne describes", (test) => {
    assert.ok(lab.exchanges("v1").length >= 20);
    assert.deepEqual(lab.problems(test), []);
  });
});
