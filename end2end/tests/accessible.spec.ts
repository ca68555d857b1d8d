// Every page of the back office, from the server's own list of them, as axe sees it.
import { readFileSync } from "node:fs";

import { expect, test } from "../fixtures.ts";
import { expectAccessible, expectNoSidewaysScroll } from "../helpers/pages.ts";
import { comeBack, completePath, pay } from "../helpers/portone.ts";
import { signIn } from "../helpers/sign-in.ts";

const doors = readFileSync(new URL("../../src/web/office/doors.rs", import.meta.url), "utf8");
const pages = [...doors.matchAll(/\bpage\(\s*"(\/[^"]+)"/g)].map(([, path = ""]) => path).filter((path) => !path.endsWith(".csv"));

test("axe finds nothing on any page of the back office, light or dark", async ({ page, stack }) => {
  // A dozen pages, twice each.
  test.slow();
  expect(pages.length).toBeGreaterThan(8);
  const order = await stack.createOrder({ amount: 64_900 });
  expect(await comeBack(stack, completePath(order, await pay(stack, order)))).toBe("paid");
  await page.goto("/login");
  await inBothThemes();
  await signIn(page);
  for (const path of pages) {
    await page.goto(path.replace("{payment_id}", order.payment_id));
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    expect(new URL(page.url()).pathname).not.toBe("/login");
    await inBothThemes();
    await expectNoSidewaysScroll(page);
  }

  async function inBothThemes(): Promise<void> {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await expectAccessible(page);
    }
  }
});
