// Each outcome as a page: it says what is true, in every language, to everybody, and tells nobody else.
import { expect, test } from "../fixtures.ts";
import { scene, scenes } from "../helpers/outcomes.ts";
import { expectAccessible, expectNoSidewaysScroll, expectOneAnswerOnly, expectOwnRequestsOnly, record } from "../helpers/pages.ts";

// Colours are judged where they end up, not on their way there.
test.use({ contextOptions: { reducedMotion: "reduce" } });

const languages = [
  { language: "ko", locale: "ko-KR", tag: "ko", where: [] },
  { language: "en", locale: "en-US", tag: "en", where: [] },
  // The same pages with other words: once is enough.
  { language: "ja", locale: "ja-JP", tag: "ja", where: ["@phone"] },
  { language: "zh", locale: "zh-CN", tag: "zh-CN", where: ["@phone"] },
] as const;

for (const { language, locale, tag, where } of languages) {
  test.describe(`in ${language}`, { tag: [...where] }, () => {
    test.use({ locale });

    for (const { name, outcome, reason, status, says, moving, play } of scenes) {
      test(name, async ({ page, stack, context }) => {
        const path = await play(stack);
        const seen = record(page);

        const response = await page.goto(path);

        expect(response?.status()).toBe(status);
        const main = page.getByRole("main");
        await expect(main).toHaveAttribute("data-outcome", outcome);
        if (reason !== undefined) {
          await expect(main).toHaveAttribute("data-reason", reason);
        }
        await expect(page.locator("html")).toHaveAttribute("lang", tag);
        const heading = page.getByRole("heading", { level: 1 });
        await expect(heading).toHaveText(says[language]);
        await expect(page).toHaveTitle(`${await heading.textContent()} · 완료상점`);
        await expect(page.locator('meta[name="robots"]')).toHaveAttribute("content", /noindex/);
        await expectAccessible(page);
        await expectNoSidewaysScroll(page);
        expectOwnRequestsOnly(seen, stack.app);
        if (!moving) {
          expectOneAnswerOnly(seen);
        }
        expect(seen.errors).toEqual([]);
        expect(await context.cookies()).toEqual([]);
      });
    }
  });
}

test.describe("in the dark", () => {
  test.use({ colorScheme: "dark" });

  // One of each tone, and the page with the most on it.
  for (const { name, outcome, play } of ["paid", "virtual_account_issued", "pending", "failed, declined", "held", "refunded", "not_found"].map(scene)) {
    test(name, async ({ page, stack }) => {
      await page.goto(await play(stack));

      await expect(page.getByRole("main")).toHaveAttribute("data-outcome", outcome);
      await expectAccessible(page);
    });
  }
});

test("the shop's language wins over the browser's, and the buyer's choice over both", async ({ page, stack }) => {
  const order = await stack.createOrder({ locale: "en" });

  await page.goto(order.status_url);
  await expect(page.locator("html")).toHaveAttribute("lang", "en");

  await page.getByRole("link", { name: "한국어" }).click();
  await expect(page.locator("html")).toHaveAttribute("lang", "ko");
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "pending");
});

test("an order that is missing and one that is somebody else's look the same", async ({ page, stack }) => {
  const [mine, theirs] = [await stack.createOrder(), await stack.createOrder()];
  const answers: string[] = [];
  const paid = (await stack.sandboxPost("/_sandbox/payments", { merchant_uid: theirs.payment_id, amount: theirs.amount })) as { imp_uid: string };

  for (const merchantUid of [mine.payment_id, "NO-SUCH-ORDER"]) {
    const response = await page.goto(`/payments/complete?imp_uid=${paid.imp_uid}&merchant_uid=${merchantUid}`);
    expect(response?.status()).toBe(404);
    answers.push(await page.locator("body").innerText());
  }

  expect(answers[0]).toBe(answers[1]);
});

test("an address that is no page says so", async ({ page }) => {
  const response = await page.goto("/no/such/page");

  expect(response?.status()).toBe(404);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expectAccessible(page);
});
