// Twelve questions that a merchant's support is asked about a payment. Each is answered by the back office within three
// clicks of the page where a signed-in person lands. docs/support.md lists them for people.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import type { APIRequestContext, Locator } from "@playwright/test";

import { expect, type Order, type Stack, user } from "../fixtures.ts";
import { expectSays, type Office, test as base } from "../helpers/clicks.ts";
import { comeBack, completePath, pay } from "../helpers/portone.ts";

const test = base.extend<{ shopInTrouble: void }>({
  // The shop's server, which is to be told of payments and cannot listen.
  shopInTrouble: async ({ stack }, use) => {
    const shop = createServer((_request, response) => response.writeHead(503).end("재고 서버 점검 중"));
    await new Promise<void>((resolve) => shop.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(shop.address() as AddressInfo).port}/hooks`;
    const endpoint = (await stack.api("POST", "/api/v1/webhook-endpoints", { url, event_types: ["order.paid"] })) as { id: string };
    await use();
    await stack.api("DELETE", `/api/v1/webhook-endpoints/${endpoint.id}`);
    shop.close();
    shop.closeAllConnections();
  },
});

// Where the shop's server is.
test.use({ settings: { WANRYO_EVENT_TARGETS_PRIVATE: "127.0.0.1/32" } });

/** The order's page, as somebody gets there who was told a number: two clicks. */
async function openOrder(office: Office, order: Order, number = order.payment_id): Promise<void> {
  await office.search(number);
  await office.click(row(office.main, order.payment_id).getByRole("link", { name: order.payment_id, exact: true }));
}

/** What stands on top of an order's page. */
function summary(office: Office): Locator {
  return office.main.locator("section:has(h1)");
}

/** One attempt to pay. */
function attempt(office: Office, impUid: string): Locator {
  return office.main.getByRole("article").filter({ hasText: impUid });
}

function entry(office: Office, happened: string): Locator {
  return office.main.getByRole("listitem").filter({ hasText: happened });
}

function row(part: Locator, words: string): Locator {
  return part.getByRole("row").filter({ hasText: words });
}

/** What stands beside a label. */
function fact(part: Locator, label: string): Locator {
  return part.locator(`dt:text-is("${label}") + dd`);
}

/** A time of Korea that is shown, of something that happened since then. */
async function expectTimeSince(part: Locator, since: number): Promise<void> {
  const shown = await part.getByRole("time").first().innerText();
  expect(shown).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  const at = Date.parse(`${shown.replace(" ", "T")}+09:00`);
  expect(at).toBeGreaterThanOrEqual(Math.floor(since / 1000) * 1000);
  expect(at).toBeLessThanOrEqual(Date.now());
}

/** A colleague signs in elsewhere and sends a form of the back office. */
async function colleagueSends(request: APIRequestContext, stack: Stack, path: string, form: Record<string, string>): Promise<void> {
  await request.post("/login", { form: { ...user } });
  const response = await request.post(path, { form, headers: { origin: stack.app }, maxRedirects: 0 });
  expect(response.headers()["location"]).toMatch(/\?done=/);
}

test("which orders are the caller's, who knows but their telephone number, and are they paid?", async ({ stack, office }) => {
  const buyer = { tel: "010-2345-7788" };
  const [paid, open] = [await stack.createOrder({ amount: 64_900, buyer }), await stack.createOrder({ amount: 31_000, buyer })];
  expect(await comeBack(stack, completePath(paid, await pay(stack, paid)))).toBe("paid");
  await stack.createOrder({ buyer: { tel: "010-2345-7799" } });

  await office.search("7788");

  await expect(office.main.getByRole("rowheader")).toHaveText([open.payment_id, paid.payment_id]);
  await expectSays(row(office.main, paid.payment_id), "64,900원", "결제 완료");
  await expectSays(row(office.main, open.payment_id), "31,000원", "결제 전");
});

test("the payment window said failed, and the buyer says the money is gone: was it taken?", async ({ stack, office }) => {
  const order = await stack.createOrder({ amount: 64_900 });
  const impUid = await pay(stack, order);
  const claim = new URLSearchParams({ imp_uid: impUid, merchant_uid: order.payment_id, imp_success: "false", error_msg: "통신 오류" });
  expect(await comeBack(stack, `/payments/complete?${claim}`)).toBe("paid");

  await openOrder(office, order);

  await expectSays(summary(office), "결제 완료", "64,900원", "PortOne에서 직접 확인했고");
  await expectSays(attempt(office, impUid), "이 주문의 결제", "결제됨");
  await expectSays(entry(office, "구매자가 결제창에서 돌아왔어요"), "imp_success = false", "error_msg = 통신 오류", "주장일 뿐");
});

test("why did the payment fail, and what does the buyer see?", async ({ stack, office }) => {
  const order = await stack.createOrder();
  const failReason = "[한도초과] 카드 이용한도를 초과하였습니다.";
  const impUid = await pay(stack, order, { status: "failed", fail_reason: failReason });
  expect(await comeBack(stack, completePath(order, impUid))).toBe("failed");

  await openOrder(office, order);

  await expectSays(summary(office), "아직 결제되지 않았어요");
  await expectSays(fact(attempt(office, impUid), "PortOne 상태"), "실패");
  await expectSays(fact(attempt(office, impUid), "PG사가 전한 실패 사유"), failReason);
  await office.click(office.main.getByRole("link", { name: "결제 결과 페이지 열기" }));
  await expectSays(office.main, "결제하지 못했어요", "돈은 빠져나가지 않았어요", "결제 한도를 넘었어요");
});

test("what has to be decided today, and why is that order held?", async ({ stack, office }) => {
  const order = await stack.createOrder({ amount: 64_900 });
  const impUid = await pay(stack, order, { amount: 100 });
  expect(await comeBack(stack, completePath(order, impUid))).toBe("held");

  await office.choose(/^확인 필요/);

  await expectSays(attempt(office, impUid), order.payment_id, "보류", "100원", "상품을 보내지 말고");
  await office.click(attempt(office, impUid).getByRole("link", { name: "주문 열기" }));
  const checks = attempt(office, impUid).getByRole("table");
  await expectSays(row(checks, "불일치"), "금액");
  await expect(checks.getByRole("columnheader")).toHaveText(["확인 항목", "결과", "주문", "PortOne"]);
  await expect(row(checks, "불일치").getByRole("cell")).toHaveText([/불일치/, "64900", "100"]);
});

test("which of two payments is the extra one, and how much of it can be given back?", async ({ stack, office }) => {
  const order = await stack.createOrder({ amount: 64_900 });
  const first = await pay(stack, order);
  expect(await comeBack(stack, completePath(order, first))).toBe("paid");
  const second = await pay(stack, order);
  expect(await comeBack(stack, completePath(order, second))).toBe("duplicate");

  await openOrder(office, order);

  await expectSays(attempt(office, first), "이 주문의 결제");
  await expectSays(attempt(office, second), "중복 결제", "이미 결제된 주문에 한 번 더");
  await office.click(attempt(office, second).getByRole("link", { name: "환불하기" }));
  await expectSays(fact(office.main, "거래번호"), second);
  await expectSays(fact(office.main, "환불할 수 있는 금액"), "64,900원");
});

test("which account was issued for the deposit, how much has to come, and until when?", async ({ stack, office }) => {
  const order = await stack.createOrder({ amount: 64_900 });
  const account = { vbank_name: "신한은행", vbank_num: "56212345678901", vbank_holder: "완료상점", vbank_date: Date.UTC(2100, 0, 1) / 1000 };
  const impUid = await pay(stack, order, { status: "ready", pay_method: "vbank", ...account });
  expect(await comeBack(stack, completePath(order, impUid))).toBe("virtual_account_issued");

  await openOrder(office, order);

  await expectSays(summary(office), "64,900원", "입금 대기");
  await expectSays(fact(attempt(office, impUid), "입금 계좌"), "신한은행 56212345678901 완료상점");
  await expectSays(fact(attempt(office, impUid), "입금 기한"), "2100-01-01 09:00:00");
});

test("whose is the card slip with this approval number, and when was it paid?", async ({ stack, office }) => {
  const since = Date.now();
  const order = await stack.createOrder({ amount: 64_900, buyer: { name: "김하늘" } });
  const impUid = await pay(stack, order, { apply_num: "30041234" });
  expect(await comeBack(stack, completePath(order, impUid))).toBe("paid");

  await openOrder(office, order, "30041234");

  await expectSays(fact(attempt(office, impUid), "승인번호"), "30041234");
  await expectSays(fact(attempt(office, impUid), "카드·은행"), "신한카드");
  await expectTimeSince(fact(attempt(office, impUid), "결제 시각"), since);
  await expectSays(fact(office.main, "이름"), "김하늘");
});

test("how much was given back, when, by whom and why, and how much is left?", async ({ stack, office, request }) => {
  const since = Date.now();
  const order = await stack.createOrder({ amount: 64_900 });
  const impUid = await pay(stack, order);
  expect(await comeBack(stack, completePath(order, impUid))).toBe("paid");
  const refund = { transaction_id: impUid, amount: "20000", left: "64900", reason: "한 벌 반품", key: "a".repeat(32) };
  await colleagueSends(request, stack, `/orders/${order.payment_id}/refund`, refund);

  await openOrder(office, order);

  const refunds = office.main.getByRole("region", { name: "환불" });
  await expectSays(row(refunds, "한 벌 반품"), "20,000원", "환불됐어요", `담당자 (${user.email})`);
  await expectTimeSince(row(refunds, "한 벌 반품"), since);
  await office.click(attempt(office, impUid).getByRole("link", { name: "환불하기" }));
  await expectSays(fact(office.main, "환불할 수 있는 금액"), "44,900원");
});

test("when did PortOne's webhook come, what did it say, and what did the buyer's browser say?", async ({ stack, office }) => {
  const since = Date.now();
  const order = await stack.createOrder();
  const impUid = await pay(stack, order, { webhook: true });
  const history = `/api/v1/orders/${order.payment_id}/events`;
  await expect.poll(async () => JSON.stringify(await stack.api("GET", history))).toContain('"kind":"webhook"');
  expect(await comeBack(stack, completePath(order, impUid))).toBe("paid");

  await openOrder(office, order);

  const webhook = entry(office, "PortOne 웹훅이 왔어요");
  await expectSays(webhook, `거래번호: ${impUid}`, "주장한 상태: paid");
  await expectTimeSince(webhook, since);
  const redirect = entry(office, "구매자가 결제창에서 돌아왔어요");
  await expectSays(redirect, "imp_success = true");
  await expectTimeSince(redirect, since);
});

test("was our server told of the payment, and what did it answer?", async ({ stack, office, shopInTrouble: _ }) => {
  const since = Date.now();
  const order = await stack.createOrder();
  expect(await comeBack(stack, completePath(order, await pay(stack, order)))).toBe("paid");
  const deliveries = `/api/v1/deliveries?payment_id=${order.payment_id}`;
  await expect.poll(async () => JSON.stringify(await stack.api("GET", deliveries))).toMatch(/"attempt_count":[1-9]/);

  await openOrder(office, order);

  const delivery = entry(office, "쇼핑몰 서버에 보낼 이벤트가 기다리고 있어요");
  await expectSays(delivery, "order.paid", "시도: ");
  await office.click(delivery.getByRole("link", { name: "자세히" }));
  const attempts = office.main.getByRole("region", { name: "시도" });
  await expectSays(attempts.getByRole("row").nth(1), "503 거절됨", "재고 서버 점검 중");
  await expectTimeSince(attempts, since);
});

test("how much was paid today?", async ({ stack, office }) => {
  for (const amount of [64_900, 31_000]) {
    const order = await stack.createOrder({ amount });
    expect(await comeBack(stack, completePath(order, await pay(stack, order)))).toBe("paid");
  }

  await office.choose("한눈에 보기");

  const today = (await office.main.getByRole("heading", { name: /^오늘/ }).innerText()).slice(-"2026-11-21".length);
  const paid = await paidOn(stack, today);
  const figure = office.main.getByRole("article").filter({ hasText: "오늘 결제된 주문이에요" });
  await expectSays(figure.getByText(`${paid.sum.toLocaleString("en")}원`, { exact: true }));
  await expectSays(figure, ` ${paid.count}건`);
});

test("who closed the order that the buyer cannot pay any more, and when?", async ({ stack, office, request }) => {
  const since = Date.now();
  const order = await stack.createOrder();
  await colleagueSends(request, stack, `/orders/${order.payment_id}/close`, {});

  await office.choose("작업 기록");

  const closed = row(office.main, order.payment_id);
  await expectSays(closed, "주문 닫음", `담당자 (${user.email})`);
  await expectTimeSince(closed, since);
});

/** What the shop's API says of a day in Korea; other questions' orders were paid in the same shop. */
async function paidOn(stack: Stack, day: string): Promise<{ sum: number; count: number }> {
  const { orders } = (await stack.api("GET", "/api/v1/orders?limit=100")) as { orders: Order[] };
  let [sum, count] = [0, 0];
  for (const { payment_id, amount } of orders) {
    const order = (await stack.api("GET", `/api/v1/orders/${payment_id}`)) as {
      transactions: { verdict: string; paid_at: string | null }[];
    };
    for (const { verdict, paid_at } of order.transactions) {
      const paidDay = paid_at && new Date(paid_at).toLocaleDateString("sv-SE", { timeZone: "Asia/Seoul" });
      if (verdict === "accepted" && paidDay === day) {
        [sum, count] = [sum + amount, count + 1];
      }
    }
  }
  return { sum, count };
}
