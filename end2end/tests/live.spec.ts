// A page that stays open tells by itself, and soon, that the money came.
import { expect, test } from "../fixtures.ts";
import { completePath, deposit, pay } from "../helpers/portone.ts";

/** From the deposit to a page that says paid. */
const LIVE_MS_MAX = 2_000;
/** The same where nothing listens, and the page refreshes itself. */
const LIVE_WITHOUT_SCRIPTS_MS_MAX = 15_000;

test.describe("with scripts", { tag: "@scripts" }, () => {
  for (const way of ["the lasting link", "the redirect"] as const) {
    test(`a deposit is on the page of ${way} within two seconds`, async ({ page, stack }) => {
      const order = await stack.createOrder();
      const vbank = { status: "ready", pay_method: "vbank", vbank_num: "56212345678901", vbank_date: Date.UTC(2100, 0, 1) / 1000 };
      const impUid = await pay(stack, order, vbank);
      const main = page.getByRole("main");
      const listening = page.waitForResponse((response) => new URL(response.url()).pathname.endsWith("/events"));
      await page.goto(completePath(order, impUid));
      await expect(main).toHaveAttribute("data-outcome", "virtual_account_issued");
      expect((await listening).status()).toBe(200);
      if (way === "the lasting link") {
        const again = page.waitForResponse((response) => new URL(response.url()).pathname === `${new URL(order.status_url).pathname}/events`);
        await page.goto(order.status_url);
        expect((await again).status()).toBe(200);
      }
      // Past the first look by the clock, so that it is the event that tells.
      await page.waitForResponse((response) => response.request().headers()["accept"] === "application/json");

      await deposit(stack, impUid);
      const deposited = Date.now();

      await expect(main).toHaveAttribute("data-outcome", "paid", { timeout: LIVE_MS_MAX });
      test.info().annotations.push({ type: "milliseconds", description: String(Date.now() - deposited) });
    });
  }

  test("a page whose events do not come finds out by the clock", async ({ page, stack }) => {
    const order = await stack.createOrder();
    const impUid = await pay(stack, order, { status: "ready" });
    await page.route("**/events?**", (route) => route.abort());
    await page.goto(completePath(order, impUid));
    await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "pending");

    await stack.sandboxPost(`/_sandbox/payments/${impUid}/approve`);

    await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid", { timeout: 15_000 });
  });
});

test("a deposit is on the page within a quarter of a minute, with scripts or without", async ({ page, stack }) => {
  const order = await stack.createOrder();
  const vbank = { status: "ready", pay_method: "vbank", vbank_num: "56212345678901", vbank_date: Date.UTC(2100, 0, 1) / 1000 };
  const impUid = await pay(stack, order, vbank);
  await page.goto(completePath(order, impUid));
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "virtual_account_issued");

  await deposit(stack, impUid);

  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid", { timeout: LIVE_WITHOUT_SCRIPTS_MS_MAX });
});

test("the deadline is saved to a calendar, and the page opens on another device", async ({ page, stack, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  const vbank = { status: "ready", pay_method: "vbank", vbank_num: "56212345678901", vbank_date: Date.UTC(2100, 0, 1) / 1000 };
  await page.goto(completePath(order, await pay(stack, order, vbank)));
  const account = page.getByRole("region", { name: "입금할 계좌" });

  const downloading = page.waitForEvent("download");
  await account.getByRole("link", { name: "캘린더에 입금 기한 저장" }).click();
  const download = await downloading;

  expect(download.suggestedFilename()).toBe("deadline.ics");
  await expect(account).toContainText(/\d+일( \d+시간)? 남았어요/);
  const code = page.getByRole("img", { name: "이 화면의 주소가 담긴 QR 코드" });
  await expect(code).toBeHidden();
  await page.getByText("다른 기기에서 이 화면 보기").click();
  await expect(code).toBeVisible();
  if (javaScriptEnabled) {
    await expect(account.getByRole("button", { name: "계좌번호 복사" })).toBeVisible();
  }
});
