// wanryo's API for shops, judged by its own description: Schemathesis makes requests that fit it and requests that do not, alone
// and in a row, and looks whether the answers are as described.
//
// https://schemathesis.readthedocs.io
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { startLab, v1Credentials } from "../support/lab.mjs";
import { runSchemathesis, startWanryo } from "../support/programs.mjs";

/** Requests below which it has not done its work. */
const CASES_MIN = 800;

describe("the API of wanryo", { timeout: 600_000 }, () => {
  let lab;
  let wanryo;
  before(async () => {
    lab = await startLab();
    wanryo = await startWanryo(lab.v1, v1Credentials);
  });
  after(async () => {
    await wanryo?.stop();
    await lab?.close();
  });

  it("is as its description says", async (test) => {
    for (const id of ["OPEN", "PAID"]) {
      await wanryo.call("POST", "/api/v1/orders", { payment_id: id, name: "사과 한 상자", amount: 64_900 });
    }
    const payment = await lab.createV1Payment({ merchant_uid: "PAID", status: "paid", sandbox: true });
    await wanryo.call("GET", `/payments/complete?imp_uid=${payment.imp_uid}&merchant_uid=PAID`);
    const endpoint = await wanryo.call("POST", "/api/v1/webhook-endpoints", { url: "http://127.0.0.1:9/events" });

    const said = await runSchemathesis(`${wanryo.url}/api/v1/openapi.json`, wanryo.key, {
      payment_id: ["PAID", "OPEN"],
      endpoint_id: [endpoint.id],
      id: [1],
    });

    const cases = Number(/(\d+) generated/.exec(said)?.[1]);
    assert.ok(cases >= CASES_MIN, `${cases} cases\n${said}`);
    assert.match(said, /Tested: (\d+)\n/);
    test.diagnostic(`${cases} cases`);
  });
});
