// The shop at a glance, and the list of orders as it is narrowed down: by hand, by keyboard, and as a file.
import { readFile } from "node:fs/promises";

import { expect, test } from "../fixtures.ts";
import { expectAccessible, expectNoSidewaysScroll, record } from "../helpers/pages.ts";
import { comeBack, completePath, pay } from "../helpers/portone.ts";
import { signIn } from "../helpers/sign-in.ts";

test("the overview sums up today, and its days are a table", async ({ page, stack }) => {
  const seen = record(page);
  const order = await stack.createOrder({ amount: 64_900 });
  await comeBack(stack, completePath(order, await pay(stack, order)));
  await signIn(page);

  await page.getByRole("navigation", { name: "관리 화면" }).getByRole("link", { name: "한눈에 보기" }).click();

  await expect(page).toHaveURL("/overview");
  const paid = page.getByRole("article").filter({ has: page.getByRole("heading", { name: "결제 완료" }) });
  await expect(paid).toContainText(/[\d,]+원/);
  const rows = page.getByRole("table", { name: "최근 14일, KRW" }).getByRole("row");
  await expect(rows).toHaveCount(15);
  await expect(rows.nth(1).getByRole("rowheader")).toContainText("오늘");
  await expect(rows.nth(1).getByRole("cell").first()).toContainText(/[\d,]+원/);
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await expectAccessible(page);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await expectNoSidewaysScroll(page);
  await page.getByRole("link", { name: "English" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Overview");
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  expect(seen.errors).toEqual([]);
});

test("a condition that cannot be read is said at its field, and the mended list is a file", async ({ page, stack }) => {
  const order = await stack.createOrder({ amount: 12_345, pay_method: "vbank", buyer: { tel: "010-1234-8642" } });
  await signIn(page);
  await page.getByLabel("최소 금액").fill("만이천");
  await page.getByLabel("번호로 찾기").fill("8642");
  await page.getByRole("button", { name: "찾기" }).click();

  await expect(page.getByLabel("최소 금액")).toHaveValue("만이천");
  await expect(page.getByLabel("최소 금액")).toHaveAccessibleDescription(/10,000처럼 숫자로/);
  await expect(page.getByRole("table")).toHaveCount(0);
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await expectAccessible(page);
  }

  await page.getByLabel("최소 금액").fill("12,345");
  await page.getByLabel("결제 수단").selectOption("virtual_account");
  await page.getByRole("button", { name: "찾기" }).click();
  await expect(page.getByRole("link", { name: order.payment_id, exact: true })).toBeVisible();
  await expectAccessible(page);
  await page.setViewportSize({ width: 320, height: 640 });
  await expectNoSidewaysScroll(page);

  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "이 목록을 CSV로 내려받기" }).click();
  const file = await download;
  expect(file.suggestedFilename()).toMatch(/^orders_until_\d{4}-\d\d-\d\d\.csv$/);
  const lines = (await readFile(await file.path(), "utf8")).trimEnd().split("\r\n");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^\uFEFF주문번호,/);
  expect(lines[1]).toContain(`${order.payment_id},`);
});
