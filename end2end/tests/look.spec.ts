// The shop's own colour and logo, on pages that stay readable whatever the colour.
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "../fixtures.ts";
import { expectAccessible, expectOwnRequestsOnly, record } from "../helpers/pages.ts";
import { completePath, pay } from "../helpers/portone.ts";

const logo = join(tmpdir(), `wanryo-e2e-logo-${process.pid}.svg`);
// A script that must never run, in a picture that must be shown.
writeFileSync(
  logo,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8" width="8" height="8"><script>document.documentElement.setAttribute("data-ran", "yes")</script><path d="M0 0h8v8H0z" fill="#3a1d1d"/></svg>`,
);

// A yellow that could be read on nothing light.
test.use({ settings: { WANRYO_SHOP_COLOR: "#fee500", WANRYO_SHOP_LOGO: logo }, contextOptions: { reducedMotion: "reduce" } });

for (const colorScheme of ["light", "dark"] as const) {
  test(`a shop's yellow is readable on ${colorScheme} pages`, { tag: "@phone" }, async ({ page, stack }) => {
    await page.emulateMedia({ colorScheme });
    const order = await stack.createOrder();
    const seen = record(page);

    await page.goto(order.pay_url);
    await expectAccessible(page);
    await page.goto(completePath(order, await pay(stack, order)));
    await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
    await expectAccessible(page);
    await page.getByRole("main").getByRole("link").first().hover();
    await expectAccessible(page);

    expect(await page.locator(".shop-logo").evaluate((image: HTMLImageElement) => image.complete && image.naturalWidth > 0)).toBe(true);
    seen.requests = seen.requests.filter((request) => !request.url().startsWith(stack.sandbox));
    expectOwnRequestsOnly(seen, stack.app);
    expect(seen.errors).toEqual([]);
  });
}

test("a logo that is opened by itself runs nothing", { tag: "@phone" }, async ({ page, stack }) => {
  const response = await page.goto(`${stack.app}/shop-logo`);

  expect(response?.headers()["content-type"]).toBe("image/svg+xml");
  expect(await page.evaluate(() => document.documentElement.getAttribute("data-ran"))).toBeNull();
});
