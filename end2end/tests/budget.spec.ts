// What a page costs: one small answer that is complete by itself; scripts come after it, and only where something is live.
import { brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";

import { expect, test } from "../fixtures.ts";
import { scene, scenes } from "../helpers/outcomes.ts";
import { fetchRaw } from "../helpers/wire.ts";

/** What arrives in the first round trip of a new TCP connection (RFC 6928): about 14 kB. */
const PAGE_BYTES_MAX = 14 * 1024;
const WASM_BYTES_MAX = 90_000;

// What the server sends is the same for every browser.
test.describe("over the wire", { tag: "@desktop" }, () => {
  // No browser takes part, so once is enough.

  for (const { name, status, moving, play } of scenes) {
    test(`the page of ${name} fits into the first round trip`, async ({ stack }, testInfo) => {
      const url = `${stack.app}${await play(stack)}`;

      const brotli = await fetchRaw(url, "br");
      const gzip = await fetchRaw(url, "gzip");

      for (const { encoding, bytes } of [brotli, gzip]) {
        testInfo.annotations.push({ type: "bytes", description: `${encoding}: ${bytes.length}` });
      }
      expect([brotli.status, brotli.encoding, gzip.encoding]).toEqual([status, "br", "gzip"]);
      expect(brotli.bytes.length).toBeLessThan(PAGE_BYTES_MAX);
      expect(gzip.bytes.length).toBeLessThan(PAGE_BYTES_MAX);
      const html = brotliDecompressSync(brotli.bytes);
      expect(html.toString()).toContain("</html>");
      // Only what is live names more to fetch. The icon is the browser's affair.
      expect(/<script[^>]+src=|<link[^>]+rel="(?!icon")/.test(html.toString())).toBe(moving ?? false);
      expect(gunzipSync(gzip.bytes).toString()).toContain("</html>");
      expect(gzipSync(html, { level: constants.Z_BEST_COMPRESSION }).length).toBeLessThan(PAGE_BYTES_MAX);
    });
  }
});

test.describe("with scripts", { tag: "@scripts" }, () => {

  test("the browser code is small and kept", async ({ page, stack }) => {
    const asked = page.waitForResponse((response) => response.url().endsWith(".wasm"));
    await page.goto(await scene("pending").play(stack));
    const response = await asked;
    expect(response.headers()["content-type"]).toBe("application/wasm");

    const { status, encoding, bytes } = await fetchRaw(response.url(), "gzip, deflate, br, zstd");

    expect([status, encoding]).toEqual([200, "br"]);
    expect(bytes.length).toBeLessThanOrEqual(WASM_BYTES_MAX);
  });

  for (const { name, outcome, play } of scenes.filter(({ moving }) => moving)) {
    test(`the page of ${name} is there before its scripts are`, async ({ page, stack }) => {
      const path = await play(stack);
      // Scripts that never arrive hold nothing up.
      await page.route("**/pkg/**", () => {});

      await page.goto(path, { waitUntil: "domcontentloaded" });

      await expect(page.getByRole("main")).toHaveAttribute("data-outcome", outcome);
      await expect(page.getByRole("heading", { level: 1 })).toBeInViewport();
      await expect.poll(() => page.evaluate(() => performance.getEntriesByName("first-contentful-paint").length)).toBe(1);
    });
  }

  test("a live page renders before it runs scripts", async ({ page, stack }) => {
    const loaded = page.waitForResponse((response) => response.url().endsWith(".wasm"));
    await page.goto(await scene("pending").play(stack));
    await loaded;

    const blocking = await page.evaluate(() => {
      const resources = performance.getEntriesByType("resource") as (PerformanceResourceTiming & { renderBlockingStatus: string })[];
      return resources.filter((resource) => resource.renderBlockingStatus === "blocking").map((resource) => resource.name);
    });
    expect(blocking).toEqual([]);
  });
});
