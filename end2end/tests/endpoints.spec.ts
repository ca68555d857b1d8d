// The shop's own server, where events go, when it is not there any more.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { expect, test } from "../fixtures.ts";
import { expectAccessible, expectNoSidewaysScroll, record } from "../helpers/pages.ts";
import { comeBack, completePath, pay } from "../helpers/portone.ts";
import { signIn } from "../helpers/sign-in.ts";

// Where the shop's server is.
test.use({ settings: { WANRYO_EVENT_TARGETS_PRIVATE: "127.0.0.1/32" }, contextOptions: { reducedMotion: "reduce" } });

test("an endpoint that is gone needs a look until it is enabled and takes what waited", async ({ page, stack }) => {
  const seen = record(page);
  let answer = 410;
  const shop = createServer((_request, response) => response.writeHead(answer).end());
  await new Promise<void>((resolve) => shop.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(shop.address() as AddressInfo).port}/hooks`;
  const { id } = (await stack.api("POST", "/api/v1/webhook-endpoints", { url, event_types: ["order.paid"] })) as { id: string };
  const order = await stack.createOrder();
  expect(await comeBack(stack, completePath(order, await pay(stack, order)))).toBe("paid");
  await expect.poll(async () => JSON.stringify(await stack.api("GET", `/api/v1/webhook-endpoints/${id}`))).toContain('"gone"');
  await signIn(page);

  await page.goto("/attention");
  const item = page.getByRole("article").filter({ hasText: url });
  await expect(item).toContainText("웹훅 주소가 없어졌어요");
  await expect(item).toContainText("기다리는 이벤트");
  await expect(item).toContainText("1건");
  await expect(page.getByRole("navigation", { name: "관리 화면" }).getByRole("link", { name: /^확인 필요/ })).toContainText("1");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await expectAccessible(page);
  }
  await expectNoSidewaysScroll(page);

  answer = 200;
  await item.getByRole("link", { name: "웹훅 주소 보기" }).click();
  await page.getByRole("article").filter({ hasText: url }).getByRole("button", { name: "사용", exact: true }).click();
  await expect.poll(async () => JSON.stringify(await stack.api("GET", `/api/v1/deliveries?endpoint_id=${id}`))).toContain('"delivered"');
  await page.goto("/attention");
  await expect(item).toHaveCount(0);
  expect(seen.errors).toEqual([]);
  await stack.api("DELETE", `/api/v1/webhook-endpoints/${id}`);
  shop.close();
  shop.closeAllConnections();
});
