// What buyers do with browsers: two tabs, reloads, back and forward, waiting. The answer stays the same, or becomes true by itself.
import { expect, test } from "../fixtures.ts";
import { approve, choose, comeBack, completePath, openWindow, pay } from "../helpers/portone.ts";

/** How long a page may take to notice what happened elsewhere: its looks are a few seconds apart. */
const NOTICE_MS_MAX = 15_000;

test("two tabs, a reload, back and forward say the same", async ({ page, stack, context, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay");
  await page.waitForURL(`${stack.app}/payments/complete?**`);
  const paid = page.getByRole("main");
  await expect(paid).toHaveAttribute("data-outcome", "paid");

  const second = await context.newPage();
  await second.goto(page.url());
  await expect(second.getByRole("main")).toHaveAttribute("data-outcome", "paid");
  await second.goto(order.status_url);
  await expect(second.getByRole("main")).toHaveAttribute("data-outcome", "paid");

  await page.reload();
  await expect(paid).toHaveAttribute("data-outcome", "paid");

  const result = page.url();
  await page.goBack();
  await expect(page).not.toHaveURL(result);
  await page.goForward();
  await expect(page).toHaveURL(result);
  await expect(paid).toHaveAttribute("data-outcome", "paid");

  await paid.getByRole("link", { name: "나중에 이 화면 다시 보기" }).click();
  await expect(page).toHaveURL(order.status_url);
  await expect(paid).toHaveAttribute("data-outcome", "paid");
  await page.goBack();
  await expect(page).toHaveURL(result);
  await expect(paid).toHaveAttribute("data-outcome", "paid");

  const { events } = (await stack.api("GET", `/api/v1/orders/${order.payment_id}/events`)) as { events: { kind: string }[] };
  expect(events.filter(({ kind }) => kind === "transition")).toHaveLength(1);
});

test("the pay page, reached again by the back button, does not lead to a second payment", { tag: "@scripts" }, async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay");
  await page.waitForURL(`${stack.app}/payments/complete?**`);
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");

  await page.goto(order.pay_url);

  await expect(page.getByRole("main").getByRole("button")).toHaveCount(0);
  await expect(page.getByRole("main").getByRole("link", { name: "결제 상태 보기" })).toBeVisible();
});

test("reloading a result that came by POST says the same", async ({ page, stack, isMobile, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled }), "pay_post");
  if (!javaScriptEnabled) {
    await page.locator("#return").getByRole("button").click();
  }
  await page.waitForURL(`${stack.app}/payments/complete**`);
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");

  await page.reload();

  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
});

test("a pending page becomes true by itself in every tab, and says so first", async ({ page, stack, context, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  const impUid = await pay(stack, order, { status: "ready" });
  const path = completePath(order, impUid);
  // Announcements last for a moment, so they are listened to rather than looked for.
  const heard: string[] = [];
  await page.exposeFunction("hear", (text: string) => heard.push(text));
  await page.addInitScript(() => {
    const { hear } = window as unknown as { hear(text: string): void };
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const region = (target instanceof Element ? target : target.parentElement)?.closest('[role="status"], [aria-live]');
        if (region?.isConnected) {
          hear(region.textContent ?? "");
        }
      }
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  const second = await context.newPage();
  for (const tab of [page, second]) {
    await tab.goto(path);
    await expect(tab.getByRole("main")).toHaveAttribute("data-outcome", "pending");
  }

  await approve(stack, impUid);

  for (const tab of [page, second]) {
    await expect(tab.getByRole("main")).toHaveAttribute("data-outcome", "paid", { timeout: NOTICE_MS_MAX });
  }
  if (javaScriptEnabled) {
    expect(heard.join("\n")).toContain("결제 상태가 바뀌었어요");
  }
});

test("a page that could not be confirmed becomes true by itself once PortOne answers", async ({ page, stack }) => {
  const order = await stack.createOrder();
  const impUid = await pay(stack, order);
  await stack.sandboxPost("/_sandbox/faults", { call: "payment", kind: "status", status: 503, times: 1 });
  await page.goto(completePath(order, impUid));
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "unconfirmed");

  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid", { timeout: NOTICE_MS_MAX });
});

test("a payment refunded since is shown as refunded to who looks again", async ({ page, stack }) => {
  const order = await stack.createOrder();
  const impUid = await pay(stack, order);
  expect(await comeBack(stack, completePath(order, impUid))).toBe("paid");
  await page.goto(order.status_url);
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");

  await stack.sandboxPost(`/_sandbox/payments/${impUid}/cancel`, { reason: "단순 변심" });
  await page.reload();

  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "refunded");
});
