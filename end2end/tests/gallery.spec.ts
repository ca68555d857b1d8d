// Every state of the buyer's pages, in every language, light and dark: one load of each page is looked at from all sides.
import type { Browser, Page } from "@playwright/test";

import { expect, galleryTest as test } from "../fixtures.ts";
import { expectAccessible, expectNoSidewaysScroll, expectOwnRequestsOnly, expectReadable, expectTargets, record, settled } from "../helpers/pages.ts";
import { states } from "../helpers/states.ts";
import { fetchRaw } from "../helpers/wire.ts";

/** What arrives in the first round trip of a new TCP connection (RFC 6928): about 14 kB. */
const PAGE_BYTES_MAX = 14 * 1024;
const languages = ["ko", "en", "ja", "zh-CN"] as const;

// Colours are judged where they end up, not on their way there.
test.use({ contextOptions: { reducedMotion: "reduce" } });

test.describe("the gallery", { tag: "@phone" }, () => {
  test("lists every state in every language and theme", async ({ page, gallery }) => {
    await page.goto(`${gallery}/_gallery`);

    const addresses = await page.getByRole("main").getByRole("link").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    const expected = states.flatMap((state) =>
      ["light", "dark"].flatMap((theme) => languages.map((language) => `/_gallery/${state}?lang=${language}&theme=${theme}`)),
    );
    expect(addresses).toEqual(expected);
    await expectAccessible(page);
  });

  test("shows the theme that the address names, whatever the browser prefers", async ({ page, gallery }) => {
    const brightness = async () => {
      const color = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      return Math.max(...(color.match(/\d+/g) ?? []).map(Number));
    };
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.goto(`${gallery}/_gallery/paid?theme=dark`);
      expect(await brightness()).toBeLessThan(64);
      await page.goto(`${gallery}/_gallery/paid?theme=light`);
      expect(await brightness()).toBeGreaterThan(192);
    }
  });

  for (const state of states) {
    test(`${state} is right in every language, light and dark`, async ({ page, browser, gallery }) => {
      for (const language of languages) {
        const address = `${gallery}/_gallery/${state}?lang=${language}`;
        const seen = record(page);
        await page.emulateMedia({ colorScheme: "light" });
        await page.setViewportSize({ width: 390, height: 844 });

        await page.goto(address);

        await expect(page.locator("html")).toHaveAttribute("lang", language);
        await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
        if (language === "ko") {
          await settled(page);
          // Without addresses: each run has other ports.
          const tree = (await page.locator("body").ariaSnapshot()).replaceAll(/^ *- \/url: .*\n?/gm, "");
          expect(`${tree}\n`).toMatchSnapshot(`${state}.txt`);
          expect(await shape(page)).toEqual(await shapeWithoutScripts(browser, address));
        }
        await expectTargets(page);
        await expectAccessible(page);
        await page.emulateMedia({ colorScheme: "dark" });
        await expectReadable(page);
        await expectNoSidewaysScroll(page);
        // The pay page is there to load PortOne's script, and takes nothing else from elsewhere.
        if (state === "pay") {
          const elsewhere = seen.requests.map((request) => new URL(request.url())).filter(({ origin }) => origin !== gallery);
          expect(elsewhere.map(({ pathname }) => pathname)).toEqual(["/v1/iamport.js"]);
        } else {
          expectOwnRequestsOnly(seen, gallery);
        }
        expect(seen.errors).toEqual([]);
        const { bytes, encoding } = await fetchRaw(address, "br");
        expect([encoding, bytes.length < PAGE_BYTES_MAX], `${bytes.length} bytes`).toEqual(["br", true]);
        page.removeAllListeners();
      }
    });
  }
});

/** What a page is made of, without what only one of a browser with and one without scripts takes. */
async function shape(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const rows: string[] = [];
    const walk = (element: Element, depth: number) => {
      // Buttons come to life by scripts, and what stands in for them is for browsers without.
      if (element.matches("script, noscript, leptos-island, style")) {
        return;
      }
      const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent?.trim());
      rows.push(`${"  ".repeat(depth)}${element.tagName} ${element.className} ${own.join("")}`.trimEnd());
      for (const child of element.children) {
        walk(child, depth + 1);
      }
    };
    walk(document.body, 0);
    return rows;
  });
}

async function shapeWithoutScripts(browser: Browser, address: string): Promise<string[]> {
  const context = await browser.newContext({ javaScriptEnabled: false, locale: "ko-KR" });
  try {
    const page = await context.newPage();
    await page.goto(address);
    return await shape(page);
  } finally {
    await context.close();
  }
}
