// The same road through PortOne V2: another window, another way back, the same result pages. What both generations share is
// told by payment.spec.ts.
import type { Page } from "@playwright/test";

import { expect, test, v2 } from "../fixtures.ts";
import { expectAccessible, expectNoSidewaysScroll, foreignRequests, record } from "../helpers/pages.ts";
import { approveV2, choose, createV2Order, depositV2, openWindow, payButton, payV2 } from "../helpers/portone.ts";

/** How long a page may take to notice what happened elsewhere: its looks are a few seconds apart. */
const NOTICE_MS_MAX = 15_000;

interface End {
  choice: string;
  outcome: string;
  reason?: string;
  /** Where it is asked: everywhere, if nothing else is said. */
  tag?: string;
}

/** Ends of the window after which the browser comes back, and what is true then. */
const ends: End[] = [
  { choice: "pay", outcome: "paid" },
  { choice: "cancel", outcome: "failed", reason: "buyer_cancelled" },
  { choice: "pay_with_code", outcome: "paid" },
  // Other names, in a redirect's query and in what the SDK's promise brings.
  { choice: "pay_payment_id_only", outcome: "paid", tag: "@scripts" },
  { choice: "pay_beta_names", outcome: "paid", tag: "@scripts" },
  // These differ in PortOne's record and not in the way back, which every browser walks alike.
  { choice: "decline_limit", outcome: "failed", reason: "limit_exceeded", tag: "@desktop" },
  { choice: "fail_without_code", outcome: "failed", reason: "declined", tag: "@desktop" },
  { choice: "pay_lag", outcome: "paid", tag: "@desktop" },
  { choice: "pay_tampered_amount", outcome: "held", tag: "@desktop" },
  { choice: "pay_tampered_currency", outcome: "held", tag: "@desktop" },
  { choice: "pay_test_channel", outcome: "held", tag: "@desktop" },
  { choice: "pay_other_store", outcome: "held", tag: "@desktop" },
];

async function expectEnd(page: Page, app: string, { outcome, reason }: End): Promise<void> {
  await page.waitForURL(`${app}/payments/complete?**`);
  const main = page.getByRole("main");
  // Where PortOne's API lags behind, the page becomes true by itself.
  await expect(main).toHaveAttribute("data-outcome", outcome, { timeout: NOTICE_MS_MAX });
  if (reason !== undefined) {
    await expect(main).toHaveAttribute("data-reason", reason);
  }
}

for (const end of ends) {
  test(`${end.choice} ends as ${end.outcome}`, { tag: end.tag ?? [] }, async ({ page, stack, isMobile, javaScriptEnabled }) => {
    const order = await createV2Order(stack);

    await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), end.choice);

    await expectEnd(page, stack.app, end);
    await expect(page.getByRole("main")).toContainText(order.payment_id);
  });
}

// Windows for a telephone's bill stay shut unless they are told what kind of goods it is for.
for (const window_params of [undefined, { productType: "PRODUCT_TYPE_DIGITAL" }]) {
  const goods = window_params === undefined ? "goods that are sent" : "digital goods";
  test(`${goods} are paid with a telephone's bill`, { tag: "@desktop" }, async ({ page, stack, isMobile, javaScriptEnabled }) => {
    const order = await createV2Order(stack, { pay_method: "MOBILE", window_params });

    await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay");

    await expectEnd(page, stack.app, { choice: "pay", outcome: "paid" });
  });
}

test("an issued account is shown with the bank's name, and turns to paid", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await createV2Order(stack, { amount: 64_900, pay_method: "vbank" });
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "issue_virtual_account");
  const main = page.getByRole("main");
  await expect(main).toHaveAttribute("data-outcome", "virtual_account_issued");
  const account = page.getByRole("region", { name: /계좌/ });
  await expect(account).toContainText("신한은행");
  await expect(account).toContainText("64,900원");

  await depositV2(stack, order);

  if (javaScriptEnabled) {
    await expect(main).toHaveAttribute("data-outcome", "paid", { timeout: NOTICE_MS_MAX });
  } else {
    await main.getByRole("link", { name: "지금 다시 확인" }).click();
    await expect(main).toHaveAttribute("data-outcome", "paid");
  }
  await expect(main).toContainText("가상계좌 · 신한은행");
});

test("a payment that the gateway has not decided is pending, and turns to paid", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await createV2Order(stack);
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay_pending");
  await expectEnd(page, stack.app, { choice: "pay_pending", outcome: "pending" });

  await approveV2(stack, order);

  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid", { timeout: NOTICE_MS_MAX });
});

test("after a failed attempt the same order is paid by a second one", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await createV2Order(stack);
  const main = page.getByRole("main");
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "decline");
  await expect(main).toHaveAttribute("data-outcome", "failed");
  const failed = page.url();

  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay");
  await page.waitForURL((url) => url.href.startsWith(`${stack.app}/payments/complete?`) && url.href !== failed);
  await expect(main).toHaveAttribute("data-outcome", "paid");

  // The first tab again: its attempt has failed, the order has not.
  await page.goto(failed);
  await expect(main).toHaveAttribute("data-outcome", "paid");
});

test.describe("with scripts", { tag: "@scripts" }, () => {

  test("the pay page loads the SDK of its order's generation alone", async ({ page, stack }) => {
    const scripts = async (url: string) => {
      const seen = record(page);
      await page.goto(url);
      await expect(payButton(page)).toBeEnabled();
      return foreignRequests(seen, stack.app);
    };

    expect(await scripts((await createV2Order(stack)).pay_url)).toEqual([`${stack.sandbox}/v2/browser-sdk.js`]);
    expect(await scripts((await stack.createOrder()).pay_url)).toEqual([`${stack.sandbox}/v1/iamport.js`]);
  });

  test("an order that was paid elsewhere meanwhile leads to the result", async ({ page, stack }) => {
    const order = await createV2Order(stack);
    await page.goto(order.pay_url);
    await expect(payButton(page)).toBeEnabled();
    await payV2(stack, order);

    await payButton(page).click();

    const main = page.getByRole("main");
    await expect(main.getByRole("status")).toContainText("이미 결제된 주문");
    await expect(payButton(page)).toBeHidden();
    await main.getByRole("link", { name: "결제 상태 보기" }).click();
    await expect(main).toHaveAttribute("data-outcome", "paid");
  });

  test("what PortOne refuses before its window opens is said, and can be tried again", async ({ page, stack }) => {
    const order = await createV2Order(stack);
    await page.route("**/_sandbox/v2/checkout?*", (route) =>
      route.fulfill({
        headers: { "access-control-allow-origin": "*" },
        json: { success: false, code: "ChannelNotFound", message: "채널이 존재하지 않습니다." },
      }),
    );
    await page.goto(order.pay_url);

    await payButton(page).click();

    await expect(page.getByRole("main").getByRole("status")).toContainText("결제창이 열리지 않았어요");
    await expect(page.getByRole("link", { name: "결제 상태 보기" })).toBeVisible();
    await expect(payButton(page)).toBeEnabled();
    await expect(page).toHaveURL(order.pay_url);
  });

  test("closing the frame by key is the buyer's cancel", { tag: "@desktop" }, async ({ page, stack }) => {
    const order = await createV2Order(stack);
    await page.goto(order.pay_url);
    await payButton(page).click();
    await expect(page.frameLocator("iframe").getByRole("heading", { level: 1 })).toBeVisible();

    await page.keyboard.press("Escape");

    await expect(page.getByRole("main")).toHaveAttribute("data-reason", "buyer_cancelled");
  });

  test("an order without a channel has a pay page that says so and offers no button", async ({ page, stack }) => {
    const order = await stack.createOrder({ portone: "v2" });
    const seen = record(page);

    const response = await page.goto(order.pay_url);

    expect(response?.status()).toBe(200);
    const main = page.getByRole("main");
    await expect(main).toContainText("쇼핑몰의 결제 설정이 끝나지 않았어요");
    await expect(main.getByRole("button")).toHaveCount(0);
    await expectAccessible(page);
    await expectNoSidewaysScroll(page);
    expect(foreignRequests(seen, stack.app)).toEqual([]);
  });

  test("a buyer's details go into the window, and to nobody who only knows the number", { tag: "@desktop" }, async ({ page, stack }) => {
    const buyer = { name: "김하늘", email: "haneul@example.com", tel: "010-1234-5678" };
    const order = await createV2Order(stack, { buyer });

    await page.goto(order.pay_url);
    const forBuyer = await page.content();
    await page.goto(`/pay/${order.payment_id}`);
    const forStrangers = await page.content();

    for (const personal of Object.values(buyer)) {
      expect(forBuyer).toContain(personal);
      expect(forStrangers).not.toContain(personal);
    }
    expect(forStrangers).toContain(v2.storeId);
  });
});
