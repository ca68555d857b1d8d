// The conditions that buyers really come in: inside other apps, without cookies, by keyboard, magnified, on paper, inside a frame.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { type BrowserContext, expect, type Page } from "@playwright/test";

import { test } from "../fixtures.ts";
import { scene } from "../helpers/outcomes.ts";
import { expectNoSidewaysScroll, record } from "../helpers/pages.ts";
import { approve, choose, completePath, openWindow, pay } from "../helpers/portone.ts";

/** How the browsers inside other apps call themselves. */
const IN_APP = {
  "KakaoTalk on Android":
    "Mozilla/5.0 (Linux; Android 14; SM-S921N Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36;KAKAOTALK 2510780",
  "KakaoTalk on an iPhone":
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 KAKAOTALK 10.8.1",
  "Naver":
    "Mozilla/5.0 (Linux; Android 14; SM-S921N Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36 NAVER(inapp; search; 2000; 12.6.2)",
  "Instagram":
    "Mozilla/5.0 (Linux; Android 14; SM-S921N Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36 Instagram 336.0.0.35.90 Android (34/14; 480dpi; 1080x2115; samsung; SM-S921N; e1s; s5e9945; ko_KR; 612345678)",
  "an Android WebView":
    "Mozilla/5.0 (Linux; Android 14; Pixel 7 Build/UQ1A.240205.002; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36",
};

/** What such a browser lacks: other windows, the clipboard, sharing, and a place to keep anything. */
async function takeAway(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const refuse = () => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    for (const store of ["localStorage", "sessionStorage", "indexedDB", "caches", "cookieStore"]) {
      Object.defineProperty(window, store, { get: refuse, configurable: true });
    }
    for (const gift of ["clipboard", "share", "serviceWorker", "locks"]) {
      Object.defineProperty(Navigator.prototype, gift, { get: () => undefined, configurable: true });
    }
    window.open = () => null;
    window.print = () => undefined;
  });
}

/** Cookies off, as the browser's own switch does it. */
async function takeCookies(context: BrowserContext, page: Page): Promise<void> {
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setDocumentCookieDisabled", { disabled: true });
}

test.describe("inside other apps", { tag: "@phone" }, () => {
  for (const [name, userAgent] of Object.entries(IN_APP)) {
    test.describe(name, () => {
      test.use({ userAgent });

      test("an order is paid, and a pending page becomes true by itself", async ({ page, context, stack, isMobile }) => {
        await takeAway(page);
        await takeCookies(context, page);
        const seen = record(page);
        const main = page.getByRole("main");
        const cookies: string[] = [];
        page.on("response", async (response) => {
          if (response.url().startsWith(stack.app)) {
            cookies.push(...(await response.headersArray()).filter((header) => header.name.toLowerCase() === "set-cookie").map(({ value }) => value));
          }
        });
        const order = await stack.createOrder();

        await choose(await openWindow(page, stack, order, { isMobile, javaScriptEnabled: true }), "pay");
        await page.waitForURL(`${stack.app}/payments/complete?**`);
        await expect(main).toHaveAttribute("data-outcome", "paid");

        const waiting = await stack.createOrder();
        const impUid = await pay(stack, waiting, { status: "ready" });
        await page.goto(completePath(waiting, impUid));
        await expect(main).toHaveAttribute("data-outcome", "pending");
        await approve(stack, impUid);
        await expect(main).toHaveAttribute("data-outcome", "paid", { timeout: 15_000 });

        await page.goto(await scene("virtual_account_issued").play(stack));
        await page.getByRole("button", { name: "계좌번호 복사" }).click();
        await expect(page.locator(".copy")).toContainText(/복사했어요|길게 눌러/);
        expect(seen.errors).toEqual([]);
        expect(cookies).toEqual([]);
        expect(await context.cookies()).toEqual([]);
      });
    });
  }
});

test("a browser that did not pay sees what the one that paid saw", async ({ page, browser, stack, javaScriptEnabled }) => {
  const order = await stack.createOrder();
  await page.goto(completePath(order, await pay(stack, order)));
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");

  const other = await browser.newContext({ javaScriptEnabled, locale: "ko-KR" });
  const elsewhere = await other.newPage();
  await elsewhere.goto(order.status_url);

  await expect(elsewhere.getByRole("main")).toHaveAttribute("data-outcome", "paid");
  expect(await elsewhere.getByRole("heading", { level: 1 }).textContent()).toBe(await page.getByRole("heading", { level: 1 }).textContent());
  await other.close();
});

test.describe("by keyboard alone", { tag: "@desktop" }, () => {
  test("whoever was told of a failure gets to pay again", async ({ page, stack }) => {
    const order = await stack.createOrder();
    const impUid = await pay(stack, order, { status: "failed", fail_reason: "[한도초과] 카드 이용한도를 초과하였습니다." });
    await page.goto(completePath(order, impUid));
    await expect(page.getByRole("heading", { level: 1 })).toBeFocused();

    await page.keyboard.press("Tab");

    const again = page.getByRole("link", { name: "다시 결제하기" });
    await expect(again).toBeFocused();
    await expectSeenFocus(page);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**${new URL(order.pay_url).pathname}**`);
    const button = page.getByRole("main").getByRole("button", { name: /\d/ });
    await expect(button).toBeEnabled();
    await expect(async () => {
      await page.keyboard.press("Tab");
      await expect(button).toBeFocused({ timeout: 100 });
    }).toPass({ timeout: 5_000 });
    await expectSeenFocus(page);
    await page.keyboard.press("Enter");
    await expect(page.frameLocator("iframe").getByRole("heading", { level: 1 })).toBeVisible();
  });

  test("every target of the account's page is reached in the order it is read in", async ({ page, stack }) => {
    await page.goto(await scene("virtual_account_issued").play(stack));
    await expect(page.getByRole("button", { name: "계좌번호 복사" })).toBeVisible();
    const targets = await page.locator("main").locator("a[href], button, summary").evaluateAll((all) => all.map((target) => target.textContent?.trim()));

    const reached: (string | undefined)[] = [];
    for (const _ of targets) {
      await page.keyboard.press("Tab");
      await expectSeenFocus(page);
      reached.push(await page.evaluate(() => document.activeElement?.textContent?.trim()));
    }

    expect(targets.length).toBeGreaterThanOrEqual(4);
    expect(reached).toEqual(targets);
  });
});

/** Fails unless one sees where the focus is. */
async function expectSeenFocus(page: Page): Promise<void> {
  const outline = await page.evaluate(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement ?? document.body);
    return [outlineStyle, Number.parseFloat(outlineWidth)] as const;
  });
  expect(outline[0]).not.toBe("none");
  expect(outline[1]).toBeGreaterThanOrEqual(2);
}

test.describe("as people set their browsers", { tag: "@desktop" }, () => {
  const names = ["paid", "virtual_account_issued", "pending", "failed, declined", "held"];

  for (const { name, play } of names.map(scene)) {
    test(`${name}: who wants no motion gets none`, async ({ page, stack }) => {
      await page.emulateMedia({ reducedMotion: "reduce" });
      await page.goto(await play(stack));

      const moving = () =>
        page.evaluate(() =>
          document.getAnimations().filter(({ effect, playState }) => playState === "running" && Number(effect?.getComputedTiming().duration) > 1).length,
        );
      expect(await moving()).toBe(0);
    });

    test(`${name}: magnified to 400 %, everything is there and nothing is cut off`, async ({ page, stack }) => {
      // 1280 × 1024 at 400 %, which is what WCAG 2.2 names.
      await page.setViewportSize({ width: 320, height: 256 });
      await page.goto(await play(stack));

      await expectNoSidewaysScroll(page);
      const cut = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("main *")]
          .filter((element) => getComputedStyle(element).overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1)
          .map((element) => element.outerHTML),
      );
      expect(cut).toEqual([]);
      for (const action of await page.locator("main .button").all()) {
        await action.scrollIntoViewIfNeeded();
        await expect(action).toBeInViewport({ ratio: 0.9 });
      }
    });

    test(`${name}: in forced colours the actions still look like actions`, async ({ page, stack }) => {
      await page.emulateMedia({ forcedColors: "active" });
      await page.goto(await play(stack));

      const flat = await page.locator("main .button:visible").evaluateAll((buttons) =>
        buttons
          .filter((button) => {
            const { borderTopStyle, borderTopWidth, borderTopColor, backgroundColor } = getComputedStyle(button);
            return borderTopStyle === "none" || Number.parseFloat(borderTopWidth) < 1 || borderTopColor === backgroundColor;
          })
          .map((button) => button.outerHTML),
      );
      expect(flat).toEqual([]);
      const mark = await page.locator(".mark-line").evaluate((line) => {
        const [own, around] = [getComputedStyle(line).stroke, getComputedStyle(document.documentElement).backgroundColor];
        return own !== "none" && own !== around;
      });
      expect(mark).toBe(true);
    });
  }

  test("motion is there for everybody else", async ({ page, stack }) => {
    await page.emulateMedia({ reducedMotion: "no-preference" });
    await page.goto(await scene("paid").play(stack));

    expect(await page.locator(".mark").evaluate((mark) => mark.getAnimations({ subtree: true }).length)).toBeGreaterThan(0);
  });

  test("printed, it is a receipt of one page, without buttons", async ({ page, stack }) => {
    const order = await stack.createOrder();
    await page.goto(completePath(order, await pay(stack, order)));
    await page.emulateMedia({ media: "print" });

    const main = page.getByRole("main");
    await expect(main).toContainText(order.payment_id);
    for (const said of ["결제가 완료됐어요", "64,900원", order.payment_id]) {
      await expect(main.getByText(said, { exact: false }).first()).toBeVisible();
    }
    await expect(main.locator(".button:visible, .watching:visible")).toHaveCount(0);
    await expect(page.getByRole("contentinfo")).toBeHidden();
    const pdf = (await page.pdf({ format: "A4" })).toString("latin1");
    expect(pdf.match(/\/Type\s*\/Page[^s]/g)).toHaveLength(1);
  });
});

test.describe("in a gateway's frame", () => {
  test("a result shows nothing but the way out, and the way out leads to it", async ({ page, stack }) => {
    const order = await stack.createOrder();
    const result = `${stack.app}${completePath(order, await pay(stack, order))}`;
    // A frame that lets no script run, and lets the window around it be left after a touch.
    const sandbox = "allow-same-origin allow-top-navigation-by-user-activation";
    const frame = `<!doctype html><title>gateway</title><iframe sandbox="${sandbox}" width="600" height="700" src="${result.replaceAll("&", "&amp;")}"></iframe>`;
    // A server of its own: Chromium lets no page that a test made up reach this machine from a frame.
    const gateway = createServer((_, response) => response.setHeader("content-type", "text/html").end(frame)).listen(0, "127.0.0.1");
    await once(gateway, "listening");
    await page.goto(`http://127.0.0.1:${(gateway.address() as AddressInfo).port}/`);
    const framed = page.frameLocator("iframe");
    await expect(framed.getByRole("heading", { level: 1 })).toHaveText("결제 결과는 이 창 밖에서 확인해 주세요");
    await expect(framed.locator("body")).not.toContainText(order.payment_id);

    await framed.getByRole("link", { name: "결과 보기" }).click();

    await page.waitForURL(result);
    await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
    gateway.close();
  });

  test("a frame of the pay page is left by itself", { tag: "@scripts" }, async ({ page, stack }) => {
    const order = await stack.createOrder();
    const result = `${stack.app}${completePath(order, await pay(stack, order))}`;
    await page.goto(`${stack.app}/pay/${order.payment_id}`);

    await page.evaluate((src) => {
      document.body.append(Object.assign(document.createElement("iframe"), { src }));
    }, result);

    await page.waitForURL(result);
    await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");
  });
});
