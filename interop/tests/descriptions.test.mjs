// The sandbox's answers and the client's requests, compared with PortOne's descriptions: every operation that either of
// them has, and every status that the sandbox can give.
//
// The client makes its calls in crates/portone/examples/tour.rs.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { startLab, v1Credentials, v2Credentials } from "../support/lab.mjs";
import { runExample } from "../support/programs.mjs";

/** An id that no payment has. */
const NOBODY = "imp_000000000000";

/** What the client knows to ask for. `POST /token/refresh` is missing: it would take half an hour. */
const clientOperations = {
  v1: [
    "POST /users/getToken",
    "GET /payments/{imp_uid}",
    "GET /payments/{imp_uid}/balance",
    "GET /payments",
    "GET /payments/find/{merchant_uid}/{payment_status}",
    "GET /payments/findAll/{merchant_uid}/{payment_status}",
    "GET /payments/status/{payment_status}",
    "POST /payments/prepare",
    "PUT /payments/prepare",
    "GET /payments/prepare/{merchant_uid}",
    "POST /payments/cancel",
    "POST /vbanks",
    "PUT /vbanks/{imp_uid}",
    "DELETE /vbanks/{imp_uid}",
    "GET /users/pg",
    "GET /banks",
    "GET /cards",
  ],
  v2: [
    "POST /login/api-secret",
    "GET /payments/{paymentId}",
    "GET /payments/{paymentId}/transactions",
    "GET /payments",
    "GET /banks",
    "POST /payments/{paymentId}/pre-register",
    "POST /payments/{paymentId}/confirm",
    "POST /payments/{paymentId}/cancel",
    "POST /payments/{paymentId}/cancellations/{cancellationId}/stop",
    "POST /payments/{paymentId}/resend-webhook",
    "POST /payments/{paymentId}/virtual-account/close",
  ],
};

/** Sends requests; fails unless each is answered with the status that it should, and names all that are not. */
async function ask(base, headers, rows) {
  const surprises = [];
  for (const [status, method, path, body] of rows) {
    const response = await fetch(base + path, {
      method,
      headers: { ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status !== status) {
      surprises.push(`${method} ${path}: ${response.status} instead of ${status}: ${text}`);
    }
  }
  assert.deepEqual(surprises, []);
}

describe("V1 as described", { timeout: 300_000 }, () => {
  let lab;
  let ids;
  before(async () => {
    lab = await startLab();
    ids = {};
    for (const [name, fields] of Object.entries({
      ready: { status: "ready" },
      paid: { pay_method: "card" },
      transfer: { pay_method: "trans" },
      easyPay: { pay_method: "kakaopay" },
      dollars: { currency: "USD", amount: 14.2 },
      failed: { status: "failed" },
      cancelled: { status: "cancelled" },
      account: { status: "ready", pay_method: "vbank" },
      paidAccount: { pay_method: "vbank" },
      test: { sandbox: true },
    })) {
      const { imp_uid } = await lab.createV1Payment({ merchant_uid: `described-${name}`, ...fields });
      ids[name] = imp_uid;
    }
  });
  after(async () => {
    await lab?.close();
  });

  async function token() {
    const { key: imp_key, secret: imp_secret } = v1Credentials;
    const response = await fetch(`${lab.v1}/users/getToken`, {
      method: "POST",
      body: new URLSearchParams({ imp_key, imp_secret }),
    });
    const { response: granted } = await response.json();
    return { authorization: `Bearer ${granted.access_token}` };
  }

  it("every operation asks for a token", async () => {
    await ask(lab.v1, {}, [
      [401, "POST", "/users/getToken", { imp_key: v1Credentials.key, imp_secret: "wrong" }],
      [401, "GET", `/payments/${NOBODY}`],
      [401, "GET", `/payments/${NOBODY}/balance`],
      [401, "GET", `/payments?imp_uid[]=${NOBODY}`],
      [401, "GET", "/payments/find/nobody"],
      [401, "GET", "/payments/findAll/nobody"],
      [401, "GET", "/payments/status/all"],
      [401, "POST", "/payments/prepare", { merchant_uid: "a", amount: 1 }],
      [401, "PUT", "/payments/prepare", { merchant_uid: "a", amount: 1 }],
      [401, "GET", "/payments/prepare/a"],
      [401, "POST", "/payments/cancel", { imp_uid: NOBODY }],
      [401, "POST", "/vbanks", {}],
      [401, "PUT", `/vbanks/${NOBODY}`, {}],
      [401, "DELETE", `/vbanks/${NOBODY}`],
      [401, "GET", "/banks"],
      [401, "GET", "/banks/088"],
      [401, "GET", "/cards"],
      [401, "GET", "/cards/366"],
    ]);
  });

  it("every operation answers as it should", async () => {
    const vbank = {
      channel_key: "channel-key-sandbox",
      vbank_code: "088",
      vbank_due: 4_102_444_800,
      vbank_holder: "완료상점",
      amount: 64_900,
    };
    await ask(lab.v1, await token(), [
      ...Object.values(ids).map((imp_uid) => [200, "GET", `/payments/${imp_uid}?include_sandbox=true`]),
      [200, "GET", `/payments/${ids.paid}?extension=true`],
      [404, "GET", `/payments/${ids.test}`],
      [404, "GET", `/payments/${NOBODY}`],
      [405, "GET", `/payments/${ids.paid}/balance`],
      [404, "GET", `/payments/${NOBODY}/balance`],
      [200, "GET", `/payments?imp_uid[]=${ids.paid}&imp_uid[]=${ids.failed}`],
      [207, "GET", `/payments?imp_uid[]=${ids.paid}&imp_uid[]=${NOBODY}`],
      [404, "GET", `/payments?imp_uid[]=${NOBODY}`],
      [200, "GET", "/payments?merchant_uid[]=described-paid"],
      [200, "GET", "/payments/find/described-paid"],
      [200, "GET", "/payments/find/described-paid/paid?sorting=-updated"],
      [404, "GET", "/payments/find/nobody"],
      [200, "GET", "/payments/findAll/described-paid"],
      [200, "GET", "/payments/findAll/described-paid/paid?page=1&limit=1"],
      [400, "GET", "/payments/findAll/described-paid/unpaid"],
      [404, "GET", "/payments/findAll/nobody"],
      [200, "GET", "/payments/status/all?page=1&limit=2&sorting=-started"],
      [200, "GET", "/payments/status/cancelled"],
      [400, "GET", "/payments/status/unpaid"],
      [400, "GET", "/payments/status/all?page=1000"],
      [200, "POST", "/payments/prepare", { merchant_uid: "described-new", amount: 64_900, currency: "KRW" }],
      [200, "POST", "/payments/prepare", { merchant_uid: "described-new", amount: 64_900 }],
      [200, "PUT", "/payments/prepare", { merchant_uid: "described-new", amount: 14.2, currency: "USD" }],
      [404, "PUT", "/payments/prepare", { merchant_uid: "nobody", amount: 1 }],
      [200, "GET", "/payments/prepare/described-new"],
      [200, "GET", "/payments/prepare/nobody"],
      [200, "POST", "/payments/cancel", { imp_uid: ids.transfer, amount: 900, reason: "변심" }],
      [200, "POST", "/payments/cancel", { imp_uid: ids.transfer, checksum: 1 }],
      [200, "POST", "/payments/cancel", { merchant_uid: "described-transfer" }],
      [200, "POST", "/payments/cancel", { imp_uid: ids.transfer }],
      [200, "POST", "/payments/cancel", { imp_uid: NOBODY }],
      [200, "POST", "/vbanks", { merchant_uid: "described-vbank", ...vbank }],
      [200, "POST", "/vbanks", { merchant_uid: "described-paid", ...vbank }],
      [400, "PUT", `/vbanks/${ids.paid}`, { amount: 1_000 }],
      [404, "PUT", `/vbanks/${NOBODY}`, { amount: 1_000 }],
      [200, "PUT", `/vbanks/${ids.account}`, { amount: 1_000, vbank_due: 4_102_444_800 }],
      [200, "DELETE", `/vbanks/${ids.account}`],
      [400, "DELETE", `/vbanks/${ids.paid}`],
      [404, "DELETE", `/vbanks/${NOBODY}`],
      [200, "GET", "/users/pg"],
      [200, "GET", "/banks"],
      [200, "GET", "/banks/088"],
      [404, "GET", "/banks/nobody"],
      [200, "GET", "/cards"],
      [200, "GET", "/cards/366"],
      [404, "GET", "/cards/nobody"],
    ]);
  });

  it("shows payments as they come out of the window", async () => {
    const authorization = await token();
    const order = { name: "완료 티셔츠", amount: 64_900, m_redirect_url: "https://shop.example/complete" };
    const buyer = {
      buyer_name: "홍길동",
      buyer_email: "buyer@example.com",
      buyer_tel: "010-0000-0000",
      buyer_addr: "서울",
      buyer_postcode: "00000",
      custom_data: { gift: true },
      language: "en",
    };
    const rows = [];
    for (const [number, [choice, fields]] of [
      ["pay", { ...buyer, pay_method: "card", card: { detail: [] } }],
      ["pay", { pay_method: "trans" }],
      ["pay", { pay_method: "phone", digital: false }],
      ["pay", { pay_method: "kakaopay" }],
      ["pay", { pay_method: "card", currency: "USD", amount: 14.2 }],
      ["issue_vbank", { pay_method: "vbank" }],
      ["cancel", {}],
      ["decline_limit", {}],
      ["abandon", {}],
    ].entries()) {
      const merchant_uid = `bought-${number}`;
      await lab.buyV1({ ...order, ...fields, merchant_uid }, choice);
      rows.push([200, "GET", `/payments/findAll/${merchant_uid}`]);
    }
    await ask(lab.v1, authorization, rows);
  });

  it("shows the payments of every gateway that it imitates", async () => {
    const authorization = await token();
    const settings = await (await fetch(`${lab.v1}/users/pg`, { headers: authorization })).json();
    const gateways = new Set(settings.response.map(({ pg_provider }) => pg_provider));
    const rows = [];
    for (const pg of gateways) {
      for (const [choice, pay_method] of [
        ["pay", "card"],
        ["issue_vbank", "vbank"],
      ]) {
        const order = { name: "완료 티셔츠", amount: 64_900, m_redirect_url: "https://shop.example/complete" };
        const merchant_uid = `${pg}-${pay_method}`;
        await lab.buyV1({ ...order, merchant_uid, pg, pay_method }, choice);
        rows.push([200, "GET", `/payments/findAll/${merchant_uid}`]);
      }
    }

    assert.ok(gateways.size >= 5, [...gateways].join());
    await ask(lab.v1, authorization, rows);
  });

  it("every answer was one that PortOne describes", (test) => {
    assert.deepEqual(lab.problems(test), []);
  });
});

describe("V2 as described", { timeout: 300_000 }, () => {
  let lab;
  before(async () => {
    lab = await startLab();
    for (const [id, fields] of Object.entries({
      ready: { status: "READY" },
      pending: { status: "PAY_PENDING" },
      account: { status: "VIRTUAL_ACCOUNT_ISSUED" },
      paid: {},
      dollars: { currency: "USD", amount: 1_420 },
      test: { channel: { type: "TEST" } },
      failed: { status: "FAILED" },
      partly: { status: "PARTIAL_CANCELLED" },
      cancelled: { status: "CANCELLED" },
    })) {
      await lab.createV2Payment({ id, ...fields });
    }
  });
  after(async () => {
    await lab?.close();
  });

  const secret = { authorization: `PortOne ${v2Credentials.secret}` };
  const byBody = (body) => `requestBody=${encodeURIComponent(JSON.stringify(body))}`;

  it("every operation asks for the secret", async () => {
    await ask(lab.v2, {}, [
      [401, "POST", "/login/api-secret", { apiSecret: "wrong" }],
      [401, "POST", "/token/refresh", { refreshToken: "wrong" }],
      [401, "GET", "/payments/paid"],
      [401, "GET", "/payments/paid/transactions"],
      [401, "GET", "/payments"],
      [401, "POST", "/payments/new/pre-register", { totalAmount: 64_900, currency: "KRW" }],
      [401, "POST", "/payments/paid/confirm", { paymentToken: "token" }],
      [401, "POST", "/payments/paid/cancel", { reason: "변심" }],
      [401, "POST", "/payments/paid/cancellations/nothing/stop", {}],
      [401, "POST", "/payments/paid/resend-webhook", {}],
      [401, "POST", "/payments/account/virtual-account/close"],
    ]);
  });

  it("every operation answers as it should", async () => {
    await ask(lab.v2, secret, [
      [200, "POST", "/login/api-secret", { apiSecret: v2Credentials.secret }],
      ...["ready", "pending", "account", "paid", "dollars", "test", "failed", "partly", "cancelled"].flatMap((id) => [
        [200, "GET", `/payments/${id}`],
        [200, "GET", `/payments/${id}/transactions`],
      ]),
      [200, "GET", `/payments/paid?storeId=${v2Credentials.storeId}`],
      [404, "GET", "/payments/nobody"],
      [404, "GET", "/payments/nobody/transactions"],
      [200, "GET", "/payments"],
      [200, "GET", `/payments?${byBody({ page: { number: 0, size: 2 }, filter: { isTest: true, status: ["PAID"] } })}`],
      [400, "GET", `/payments?${byBody({ page: { number: -1 } })}`],
      [200, "POST", "/payments/new/pre-register", { totalAmount: 64_900, taxFreeAmount: 0, currency: "KRW" }],
      [409, "POST", "/payments/paid/pre-register", { totalAmount: 64_900, currency: "KRW" }],
      [400, "POST", "/payments/new/pre-register", { totalAmount: "64900" }],
      [404, "POST", "/payments/nobody/confirm", { paymentToken: "token" }],
      [200, "POST", "/payments/paid/cancel", { reason: "변심", amount: 900, currentCancellableAmount: 64_900 }],
      [409, "POST", "/payments/paid/cancel", { reason: "변심", currentCancellableAmount: 64_900 }],
      [409, "POST", "/payments/paid/cancel", { reason: "변심", amount: 64_900 }],
      [200, "POST", "/payments/paid/cancel", { reason: "변심", requester: "CUSTOMER", skipWebhook: true }],
      [409, "POST", "/payments/paid/cancel", { reason: "변심" }],
      [409, "POST", "/payments/ready/cancel", { reason: "변심" }],
      [404, "POST", "/payments/nobody/cancel", { reason: "변심" }],
      [400, "POST", "/payments/paid/cancel", {}],
      [404, "POST", "/payments/paid/cancellations/nothing/stop", {}],
      [200, "POST", "/payments/paid/resend-webhook", {}],
      [404, "POST", "/payments/paid/resend-webhook", { webhookId: "nothing" }],
      [404, "POST", "/payments/nobody/resend-webhook", {}],
      [200, "POST", "/payments/account/virtual-account/close"],
      [409, "POST", "/payments/account/virtual-account/close"],
      [404, "POST", "/payments/nobody/virtual-account/close"],
      [200, "GET", "/payments/account"],
      [200, "GET", "/payments/paid"],
      [200, "GET", "/payments-by-cursor"],
      [200, "GET", `/payments-by-cursor?${byBody({ size: 2 })}`],
      [200, "GET", "/banks"],
    ]);
  });

  it("shows payments as they come out of the window", async () => {
    const order = {
      storeId: v2Credentials.storeId,
      orderName: "완료 티셔츠",
      totalAmount: 64_900,
      currency: "KRW",
      channelKey: "channel-key-live",
      redirectUrl: "https://shop.example/complete",
    };
    const customer = {
      customerId: "customer-1",
      fullName: "홍길동",
      email: "buyer@example.com",
      phoneNumber: "010-0000-0000",
      address: { addressLine1: "서울", addressLine2: "1층" },
      birthYear: "1990",
      gender: "OTHER",
    };
    const products = [{ id: "shirt", name: "티셔츠", amount: 32_450, quantity: 2, link: "https://shop.example/shirt" }];
    const rows = [];
    for (const [number, [choice, fields]] of [
      ["pay", { customer, products, customData: { gift: true }, payMethod: "CARD" }],
      ["pay", { payMethod: "MOBILE", productType: "PRODUCT_TYPE_REAL" }],
      ...["TRANSFER", "GIFT_CERTIFICATE", "EASY_PAY", "ALIPAY"].map((payMethod) => ["pay", { payMethod }]),
      ["pay", { payMethod: "CARD", currency: "USD", totalAmount: 1_420, channelKey: "channel-key-test" }],
      ["issue_virtual_account", { payMethod: "VIRTUAL_ACCOUNT", virtualAccount: { accountExpiry: { validHours: 1 } } }],
      ["pay_pending", { payMethod: "CARD" }],
      ["cancel", { payMethod: "CARD" }],
      ["decline", { payMethod: "CARD" }],
      ["abandon", { payMethod: "CARD" }],
    ].entries()) {
      const paymentId = `bought-${number}`;
      await lab.buyV2({ ...order, ...fields, paymentId }, choice);
      rows.push([200, "GET", `/payments/${paymentId}`], [200, "GET", `/payments/${paymentId}/transactions`]);
    }
    await ask(lab.v2, secret, rows);
  });

  it("approves by hand what the buyer has authenticated", async () => {
    const fields = {
      storeId: v2Credentials.storeId,
      paymentId: "by-hand",
      orderName: "완료 티셔츠",
      totalAmount: 64_900,
      currency: "KRW",
      channelKey: "channel-key-live",
      payMethod: "CARD",
      redirectUrl: "https://shop.example/complete",
    };
    const back = await lab.buyV2(fields, "authenticate");
    const confirm = { paymentToken: back?.get("paymentToken"), totalAmount: 64_900, currency: "KRW", isTest: false };

    await ask(lab.v2, secret, [
      [400, "POST", "/payments/by-hand/confirm", { paymentToken: "another" }],
      [409, "POST", "/payments/by-hand/confirm", { ...confirm, totalAmount: 1 }],
      [200, "POST", "/payments/by-hand/confirm", confirm],
      [409, "POST", "/payments/by-hand/confirm", confirm],
      [200, "GET", "/payments/by-hand"],
    ]);
  });

  it("shows what happens to a payment later", async () => {
    await lab.createV2Payment({ id: "disputed", webhook: true });
    await lab.webhookOf("disputed", "Paid");
    await ask(lab.v2, secret, [[200, "GET", "/payments/disputed"]]);
    await lab.control("POST", "/_sandbox/v2/payments/disputed/dispute", {});
    await ask(lab.v2, secret, [[200, "GET", "/payments/disputed"]]);
    await lab.control("POST", "/_sandbox/v2/payments/disputed/dispute", { resolved: true });
    await ask(lab.v2, secret, [[200, "GET", "/payments/disputed"]]);

    await lab.control("PATCH", "/_sandbox/v2/config", { cancel: "asynchronous" });
    await lab.createV2Payment({ id: "later" });
    const cancel = async () => {
      const request = { method: "POST", headers: secret, body: JSON.stringify({ reason: "변심", amount: 100 }) };
      const { cancellation } = await (await fetch(`${lab.v2}/payments/later/cancel`, request)).json();
      return cancellation.id;
    };
    const [stopped, failed, done] = [await cancel(), await cancel(), await cancel()];
    await ask(lab.v2, secret, [
      [200, "GET", "/payments/later"],
      [200, "POST", `/payments/later/cancellations/${stopped}/stop`, {}],
      [409, "POST", `/payments/later/cancellations/${stopped}/stop`, {}],
    ]);
    await lab.control("POST", `/_sandbox/v2/payments/later/cancellations/${failed}`, { status: "FAILED" });
    await lab.control("POST", `/_sandbox/v2/payments/later/cancellations/${done}`, { status: "SUCCEEDED" });
    await ask(lab.v2, secret, [[200, "GET", "/payments/later"]]);
    await lab.control("PATCH", "/_sandbox/v2/config", { cancel: "immediate" });
  });

  it("gives the first answer again to the same request", async () => {
    const keyed = { ...secret, "idempotency-key": '"0123456789abcdef"' };
    const cancel = { reason: "변심", amount: 100 };
    await lab.createV2Payment({ id: "once" });

    await ask(lab.v2, keyed, [
      [200, "POST", "/payments/once/cancel", cancel],
      [200, "POST", "/payments/once/cancel", cancel],
    ]);

    const payment = await (await fetch(`${lab.v2}/payments/once`, { headers: secret })).json();
    assert.equal(payment.amount.cancelled, 100);
  });

  it("a token is as good as the secret, and is renewed", async () => {
    const post = async (path, body) => {
      const headers = { "content-type": "application/json" };
      return await (await fetch(lab.v2 + path, { method: "POST", headers, body: JSON.stringify(body) })).json();
    };

    const { refreshToken } = await post("/login/api-secret", { apiSecret: v2Credentials.secret });
    const renewed = await post("/token/refresh", { refreshToken });

    await ask(lab.v2, { authorization: `Bearer ${renewed.accessToken}` }, [[200, "GET", "/payments/dollars"]]);
  });

  it("every answer was one that PortOne describes", (test) => {
    assert.deepEqual(lab.problems(test), []);
  });
});

describe("crates/portone", { timeout: 300_000 }, () => {
  let lab;
  before(async () => {
    lab = await startLab();
  });
  after(async () => {
    await lab?.close();
  });

  it("asks V1 for what there is, in the way described", async (test) => {
    const { imp_uid } = await lab.createV1Payment({ merchant_uid: "tour" });

    const printed = await runExample(
      "tour",
      {
        PORTONE_V1_API_URL: lab.v1,
        PORTONE_V1_API_KEY: v1Credentials.key,
        PORTONE_V1_API_SECRET: v1Credentials.secret,
      },
      ["v1", imp_uid],
    );

    assert.match(printed, /^payment: Payment/);
    assert.deepEqual(lab.notAsked("v1", clientOperations.v1), []);
    assert.deepEqual(lab.requestProblems(test), []);
  });

  it("asks V2 for what there is, in the way described", async (test) => {
    await lab.createV2Payment({ id: "주문 1001" });
    await lab.createV2Payment({ id: "tour-account", status: "VIRTUAL_ACCOUNT_ISSUED" });

    const printed = await runExample(
      "tour",
      {
        PORTONE_V2_API_URL: lab.v2,
        PORTONE_V2_API_SECRET: v2Credentials.secret,
        PORTONE_V2_STORE_ID: v2Credentials.storeId,
      },
      ["v2", "주문 1001", "tour-account"],
    );

    assert.match(printed, /^payment: Payment/);
    assert.deepEqual(lab.notAsked("v2", clientOperations.v2), []);
    assert.deepEqual(lab.requestProblems(test), []);
  });

  it("was given answers that PortOne describes", (test) => {
    assert.deepEqual(lab.problems(test), []);
  });
});
