// The whole road, as a buyer walks it: pay page, PortOne's window, result.
import { expect, type Order, test } from "../fixtures.ts";
import { expectAccessible, expectNoSidewaysScroll, record } from "../helpers/pages.ts";
import { choose, deposit, openWindow, pay, payButton } from "../helpers/portone.ts";

/** How long a page may take to notice what happened elsewhere: its looks are a few seconds apart. */
const NOTICE_MS_MAX = 15_000;

/** Whether an address is the order's pay page, with the token that the shop was given or without it. */
function isPayPageOf(order: Order) {
  return (url: URL) => url.pathname === new URL(order.pay_url).pathname;
}

interface End {
  choice: string;
  outcome: string;
  reason?: string;
}

/** Ends of the window after which the browser comes back, and what is true then. */
const ends: End[] = [
  { choice: "pay", outcome: "paid" },
  { choice: "issue_vbank", outcome: "virtual_account_issued" },
  { choice: "decline", outcome: "failed", reason: "declined" },
  { choice: "decline_limit", outcome: "failed", reason: "limit_exceeded" },
  { choice: "decline_balance", outcome: "failed", reason: "insufficient_balance" },
  { choice: "decline_card", outcome: "failed", reason: "invalid_card" },
  { choice: "cancel", outcome: "failed", reason: "buyer_cancelled" },
  { choice: "pay_flag_false", outcome: "paid" },
  { choice: "pay_no_flag", outcome: "paid" },
  { choice: "pay_no_imp_uid", outcome: "paid" },
  { choice: "pay_success_key", outcome: "paid" },
  { choice: "pay_lag", outcome: "paid" },
  { choice: "pay_tampered_amount", outcome: "held" },
  { choice: "pay_tampered_currency", outcome: "held" },
  { choice: "pay_test_channel", outcome: "held" },
  { choice: "fail_flag_true", outcome: "failed", reason: "declined" },
];

for (const { choice, outcome, reason } of ends) {
  test(`${choice} ends as ${outcome}`, async ({ page, stack, isMobile, javaScriptEnabled }) => {
    const order = await stack.createOrder();

    await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), choice);

    await page.waitForURL(`${stack.app}/payments/complete?**`);
    const main = page.getByRole("main");
    await expect(main).toHaveAttribute("data-outcome", outcome);
    if (reason !== undefined) {
      await expect(main).toHaveAttribute("data-reason", reason);
    }
    await expect(main).toContainText(order.payment_id);
  });
}

// Windows for a telephone's bill stay shut unless they are told what kind of goods it is for.
for (const window_params of [undefined, { digital: true }]) {
  const goods = window_params === undefined ? "goods that are sent" : "digital goods";
  test(`${goods} are paid with a telephone's bill`, { tag: "@desktop" }, async ({ page, stack, isMobile, javaScriptEnabled }) => {
    const order = await stack.createOrder({ pay_method: "phone", window_params });

    await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay");

    await page.waitForURL(`${stack.app}/payments/complete?**`);
    await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
  });
}

test("a gateway that returns by POST ends as paid", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder();

  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay_post");
  if (!javaScriptEnabled) {
    await page.locator("#return").getByRole("button").click();
  }

  await page.waitForURL(`${stack.app}/payments/complete**`);
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
});

test("a payment that the window called failed is shown as paid, and the page says why", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder({ amount: 64_900 });

  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay_flag_false");

  const main = page.getByRole("main");
  await expect(main).toHaveAttribute("data-outcome", "paid");
  await expect(main).toContainText(/결제창.*실패.*64,900원.*결제됐/);
  await expect(main).toContainText("다시 결제하지 마세요");
});

test("a window that was left is pending, can be continued and paid", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  const window = await openWindow(page, stack, order, { isMobile, javaScriptEnabled });
  await choose(window, "abandon");
  if (isMobile || !javaScriptEnabled) {
    // The window's own way back, with both ids and without any flag. By its address: the page before has a link as well.
    await page.locator(`a[href^="${stack.app}/payments/complete"]`).click();
    await page.waitForURL(`${stack.app}/payments/complete?**`);
    await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "pending");
  } else {
    await expect(page.locator("iframe")).toHaveCount(0);
  }

  await page.goto(order.status_url);
  const main = page.getByRole("main");
  await expect(main).toHaveAttribute("data-outcome", "pending");
  await main.getByRole("link", { name: "이어서 결제하기" }).click();
  await expect(page).toHaveURL(isPayPageOf(order));

  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay");
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
});

test("a payment whose browser never came back is on the lasting link", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder();

  const window = await openWindow(page, stack, order, { isMobile, javaScriptEnabled });
  await choose(window, "pay_no_return");
  await expect(window.getByRole("heading", { name: "결제되었습니다" })).toBeVisible();
  await page.goto(order.status_url);

  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
});

test("a failed payment can be tried again on the same order", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "decline_limit");
  const main = page.getByRole("main");
  await expect(main).toHaveAttribute("data-outcome", "failed");

  await main.getByRole("link", { name: "다시 결제하기" }).click();
  await expect(page).toHaveURL(isPayPageOf(order));
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay");

  await expect(main).toHaveAttribute("data-outcome", "paid");
});

test("an issued account is shown with all it takes to deposit, and turns to paid", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder({ amount: 64_900 });
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "issue_vbank");
  const main = page.getByRole("main");
  await expect(main).toHaveAttribute("data-outcome", "virtual_account_issued");
  const account = page.getByRole("region", { name: /계좌/ });
  await expect(account).toContainText("신한은행");
  await expect(account).toContainText(/562\d{11}/);
  await expect(account).toContainText("64,900원");

  await deposit(stack, new URL(page.url()).searchParams.get("imp_uid") ?? "");

  if (javaScriptEnabled) {
    await expect(main).toHaveAttribute("data-outcome", "paid", { timeout: NOTICE_MS_MAX });
  } else {
    // It looks again by itself, but only every minute: people take that long to deposit.
    await expect(page.locator('meta[http-equiv="refresh"]')).toHaveAttribute("content", /^\d+;url=\/payments\/complete\?/);
    await main.getByRole("link", { name: "지금 다시 확인" }).click();
    await expect(main).toHaveAttribute("data-outcome", "paid");
  }
});

test.describe("with scripts", { tag: "@scripts" }, () => {

  test("the account number is copied by a button that says so", async ({ page, stack, context, isMobile, javaScriptEnabled }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: stack.app });
    const order = await stack.createOrder();
    await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "issue_vbank");
    const account = page.getByRole("region", { name: /계좌/ });

    await account.getByRole("button", { name: "계좌번호 복사" }).click();

    await expect(account.getByRole("status")).toHaveText("복사했어요");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toMatch(/^562\d{11}$/);
    await expect(account).toContainText(copied);
  });

  test("a pay page without PortOne's SDK says so and lets the buyer try again", async ({ page, stack }) => {
    const order = await stack.createOrder();
    await page.route("**/v1/iamport.js", (route) => route.abort());
    await page.goto(order.pay_url);

    await payButton(page).click();

    await expect(page.getByRole("main").getByRole("status")).toContainText("결제창을 불러오지 못했어요");
    await expect(payButton(page)).toBeEnabled();
  });

  test("a pay page left open while the order was paid elsewhere leads to the result", async ({ page, stack }) => {
    const order = await stack.createOrder();
    await page.goto(order.pay_url);
    await expect(payButton(page)).toBeEnabled();
    await pay(stack, order);

    await payButton(page).click();

    const main = page.getByRole("main");
    await expect(main.getByRole("status")).toContainText("이미 결제된 주문");
    await expect(payButton(page)).toBeHidden();
    await main.getByRole("link", { name: "결제 상태 보기" }).click();
    await expect(main).toHaveAttribute("data-outcome", "paid");
  });

  test("closing the frame by key is the buyer's cancel", { tag: "@desktop" }, async ({ page, stack }) => {
    const order = await stack.createOrder();
    await page.goto(order.pay_url);
    // A button that is not enabled yet cannot take the focus, and the key would go nowhere.
    await expect(payButton(page)).toBeEnabled();
    await payButton(page).focus();
    await page.keyboard.press("Enter");
    await expect(page.frameLocator("iframe").getByRole("heading", { level: 1 })).toBeVisible();

    await page.keyboard.press("Escape");

    await expect(page.getByRole("main")).toHaveAttribute("data-reason", "buyer_cancelled");
  });
});

test("the pay page shows the order, and is a page for everybody", async ({ page, stack, javaScriptEnabled }) => {
  const order = await stack.createOrder({ amount: 64_900, name: "완료 티셔츠" });
  const seen = record(page);

  const response = await page.goto(order.pay_url);

  expect(response?.status()).toBe(200);
  const main = page.getByRole("main");
  await expect(main).toContainText("64,900원");
  await expect(main).toContainText("완료 티셔츠");
  if (javaScriptEnabled) {
    await expect(payButton(page)).toBeEnabled();
  } else {
    // Looked for by its element, because locators by text pass over <noscript>.
    const hint = main.locator("noscript p");
    await expect(hint).toBeVisible();
    await expect(hint).toContainText("자바스크립트가 필요해요");
    await expect(payButton(page)).toBeDisabled();
  }
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  expect(seen.errors).toEqual([]);
});

test("the pay page of a paid order offers no second payment", async ({ page, stack }) => {
  const order = await stack.createOrder();
  await pay(stack, order);
  await stack.api("POST", `/api/v1/orders/${order.payment_id}/sync`);

  await page.goto(order.pay_url);

  await expect(payButton(page)).toHaveCount(0);
  await page.getByRole("main").getByRole("link", { name: "결제 상태 보기" }).click();
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
});

test("who only knows the order's number learns nothing of the buyer", async ({ page, stack }) => {
  const order = await stack.createOrder({ buyer: { name: "김하늘", email: "haneul@example.com", tel: "010-1234-5678" } });

  await page.goto(order.pay_url);
  const forBuyer = await page.content();
  await page.goto(`/pay/${order.payment_id}`);
  const forStrangers = await page.content();

  for (const personal of ["김하늘", "haneul@example.com", "010-1234-5678"]) {
    expect(forBuyer).toContain(personal);
    expect(forStrangers).not.toContain(personal);
  }
});
