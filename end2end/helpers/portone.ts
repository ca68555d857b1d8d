// What happens at PortOne, done at the sandbox: attempts to pay, deposits, refunds, trouble.
import { expect, type FrameLocator, type Page } from "@playwright/test";

import { type NewOrder, type Order, type Stack, v2 } from "../fixtures.ts";

/** A payment as PortOne's API tells of it; the part that tests look at. */
interface Payment {
  imp_uid: string;
}

/** An order to be paid through PortOne V2. */
export async function createV2Order(stack: Stack, overrides: NewOrder = {}): Promise<Order> {
  return await stack.createOrder({ portone: "v2", channel_key: v2.channelKey, ...overrides });
}

/** An attempt to pay the order, as PortOne records it: paid and true to the order, where `fields` say nothing else. Nobody is told. */
export async function pay(stack: Stack, order: Order, fields: Record<string, unknown> = {}): Promise<string> {
  const { payment_id: merchant_uid, amount, currency } = order;
  const payment = await stack.sandboxPost("/_sandbox/payments", { merchant_uid, amount, currency, ...fields });
  return (payment as Payment).imp_uid;
}

/** Money comes from somebody's bank to the account that was issued. */
export async function deposit(stack: Stack, impUid: string): Promise<void> {
  await stack.sandboxPost(`/_sandbox/payments/${impUid}/deposit`);
}

/** The gateway approves what it has left undecided. */
export async function approve(stack: Stack, impUid: string): Promise<void> {
  await stack.sandboxPost(`/_sandbox/payments/${impUid}/approve`);
}

/** The merchant gives money back in PortOne's console: all of it, or the amount. */
export async function refund(stack: Stack, impUid: string, amount?: number): Promise<void> {
  await stack.sandboxPost(`/_sandbox/payments/${impUid}/cancel`, { amount, reason: "단순 변심" });
}

/** An attempt to pay a V2 order, as PortOne records it: paid and true to the order. Nobody is told. */
export async function payV2(stack: Stack, { payment_id, name, amount, currency }: Order): Promise<void> {
  await stack.sandboxPost("/_sandbox/v2/payments", { id: payment_id, orderName: name, amount, currency });
}

/** Money comes from somebody's bank to the account that was issued for a V2 order. */
export async function depositV2(stack: Stack, order: Order): Promise<void> {
  await stack.sandboxPost(`/_sandbox/v2/payments/${order.payment_id}/deposit`);
}

/** The gateway approves what it has left undecided of a V2 order. */
export async function approveV2(stack: Stack, order: Order): Promise<void> {
  await stack.sandboxPost(`/_sandbox/v2/payments/${order.payment_id}/approve`);
}

/** PortOne's API answers nothing but errors, until the test ends. */
export async function breakApi(stack: Stack): Promise<void> {
  await stack.sandboxPost("/_sandbox/faults", { call: "any", kind: "status", status: 503 });
}

/** Where PortOne sends the buyer, as a path. */
export function completePath(order: Order, impUid: string): string {
  return `/payments/complete?${new URLSearchParams({ imp_uid: impUid, merchant_uid: order.payment_id, imp_success: "true" })}`;
}

/** The buyer comes back, in a browser that nobody looks at. Returns the outcome. */
export async function comeBack(stack: Stack, path: string): Promise<string> {
  const response = await fetch(`${stack.app}${path}`, { headers: { accept: "application/json" } });
  const { outcome } = (await response.json()) as { outcome: string };
  return outcome;
}

/** PortOne's window, wherever it opened. */
export type PaymentWindow = Page | FrameLocator;

/**
 * The buyer opens the pay page and, with the button, PortOne's window: a page of its own on a phone, a frame on a desktop.
 * Without scripts there is no button, and the window is opened as PortOne's SDK would open it on a phone.
 */
export async function openWindow(
  page: Page,
  stack: Stack,
  order: Order,
  { isMobile, javaScriptEnabled }: { isMobile: boolean; javaScriptEnabled: boolean },
): Promise<PaymentWindow> {
  if (!javaScriptEnabled) {
    await page.goto(await windowUrl(stack, order));
    return page;
  }
  await page.goto(order.pay_url);
  await payButton(page).click();
  if (isMobile) {
    await page.waitForURL(`${stack.sandbox}/_sandbox/${order.portone === "v2" ? "v2/" : ""}window/*`);
    return page;
  }
  return page.frameLocator("iframe");
}

/** Where PortOne's SDK takes a phone. */
async function windowUrl(stack: Stack, order: Order): Promise<string> {
  const { payment_id, amount, currency, name } = order;
  const redirectUrl = `${stack.app}/payments/complete`;
  if (order.portone === "v2") {
    const ids = { storeId: v2.storeId, channelKey: v2.channelKey, paymentId: payment_id };
    const sale = { orderName: name, totalAmount: amount, currency, payMethod: "CARD" };
    const opened = await stack.sandboxPost("/_sandbox/v2/checkout?device=mobile", { ...ids, ...sale, redirectUrl });
    return (opened as { windowUrl: string }).windowUrl;
  }
  const parameters = { merchant_uid: payment_id, amount, currency, name, m_redirect_url: redirectUrl };
  const opened = await stack.sandboxPost("/_sandbox/checkout?code=imp00000000&flow=redirect", parameters);
  return (opened as { window_url: string }).window_url;
}

/** The one button on the pay page: it says how much. */
export function payButton(page: Page) {
  return page.getByRole("main").getByRole("button", { name: /\d/ });
}

/** The buyer ends the window. Choices that no gateway offers are folded away. */
export async function choose(window: PaymentWindow, choice: string): Promise<void> {
  const button = window.locator(`button[name="choice"][value="${choice}"]`);
  await expect(button).toBeAttached();
  const fold = window.locator("details", { has: button });
  if ((await fold.count()) > 0) {
    await fold.locator("summary").click();
  }
  await button.click();
}
