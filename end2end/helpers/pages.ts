// What must hold for every page.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page, type Request, test } from "@playwright/test";

/** Everything that axe can find of WCAG 2.2, levels A and AA. */
const WCAG_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
/**
 * Where axe would give up on contrast: at the notches of a perforation, which are pseudo-elements beside the text, and at
 * marks such as ✓, which have to be seen like any text.
 */
const CONTRAST_OPTIONS = { ignorePseudo: true, ignoreUnicode: false };
const AXE_OPTIONS = { rules: {}, checks: { "color-contrast": { options: CONTRAST_OPTIONS } } };
/** The narrowest screen that WCAG 2.2 names (1.4.10), in CSS pixels. */
const NARROW_PX = 320;
/** How long measuring a page may take, with a refresh in between. */
const MEASURE_MS_MAX = 5_000;

/** What a page did while a test looked at it. */
export interface Record {
  requests: Request[];
  /** Errors that the browser reported: scripts, content policy, failed loads. */
  errors: string[];
}

/** Keeps record from now on. */
export function record(page: Page): Record {
  const requests: Request[] = [];
  const errors: string[] = [];
  page.on("request", (request) => requests.push(request));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    // The browser calls every document that is answered 4xx an error of its own address.
    const isDocument = message.location().url === page.url() && message.text().includes("the server responded with a status");
    if (message.type() === "error" && !isDocument) {
      errors.push(message.text());
    }
  });
  return { requests, errors };
}

/** What the page asked of anybody but `origin`. */
export function foreignRequests({ requests }: Record, origin: string): string[] {
  return requests.map((request) => request.url()).filter((url) => new URL(url).origin !== origin);
}

/** Waits until the islands have taken over, where there are any. */
export async function settled(page: Page): Promise<void> {
  if ((await page.locator("leptos-island").count()) > 0) {
    await expect(page.locator("button[disabled], .copy > .button[hidden]")).toHaveCount(0);
  }
}

/** Fails if the page asked anybody but `origin` for anything. */
export function expectOwnRequestsOnly(seen: Record, origin: string): void {
  expect(foreignRequests(seen, origin)).toEqual([]);
}

/** Fails if the page takes more than the one answer that brought it, and its icon. */
export function expectOneAnswerOnly({ requests }: Record): void {
  expect(requests.map((request) => new URL(request.url()).pathname).filter((path) => path !== "/favicon.svg")).toHaveLength(1);
}

/**
 * Fails on each thing that axe finds, and on each text whose contrast it cannot tell.
 *
 * Axe is a script, so without scripts it cannot run; the projects that have them show it the same documents.
 */
export async function expectAccessible(page: Page): Promise<void> {
  await expectAxeFindsNothing(page, (axe) => axe.withTags(WCAG_TAGS));
}

/** Fails on what can become wrong with a page that was accessible before, when nothing but its colours changed. */
export async function expectReadable(page: Page): Promise<void> {
  await expectAxeFindsNothing(page, (axe) => axe.withRules(["color-contrast", "link-in-text-block"]));
}

async function expectAxeFindsNothing(page: Page, choose: (axe: AxeBuilder) => AxeBuilder): Promise<void> {
  if (test.info().project.use.javaScriptEnabled === false) {
    return;
  }
  await page.evaluate(flattenGradients);
  // In one frame: axe would open a page of its own to judge others, and a page of ours has none.
  const { violations, incomplete } = await choose(new AxeBuilder({ page }).options(AXE_OPTIONS)).setLegacyMode().analyze();
  await page.evaluate(restoreGradients);
  const untold = incomplete.filter(({ id }) => id === "color-contrast");
  const found = [...violations, ...untold].flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
  expect(found).toEqual([]);
}

/** Axe judges no text on a gradient. Each is replaced by one colour: that of its most opaque stop, where texts have the hardest time. */
function flattenGradients(): void {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  if (paint === null) {
    throw new Error("no canvas to mix colours on");
  }
  const mix = (...colors: string[]) => {
    paint.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      paint.fillStyle = color;
      paint.fillRect(0, 0, 1, 1);
    }
    return paint.getImageData(0, 0, 1, 1).data;
  };
  for (const element of document.querySelectorAll<HTMLElement>("body, body *")) {
    const { backgroundImage, backgroundColor } = getComputedStyle(element);
    const stops = backgroundImage.includes("gradient") ? (backgroundImage.match(/[a-z]+\([^()]*\d[^()]*\)/g) ?? []) : [];
    const [strongest] = stops.toSorted((one, other) => (mix(other)[3] ?? 0) - (mix(one)[3] ?? 0));
    if (strongest !== undefined) {
      const [red, green, blue, alpha] = mix(backgroundColor, strongest);
      element.style.background = `rgb(${red} ${green} ${blue} / ${(alpha ?? 255) / 255})`;
      element.dataset["flattened"] = "";
    }
  }
}

/** The page may be looked at again, in other colours. */
function restoreGradients(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-flattened]")) {
    element.style.removeProperty("background");
    delete element.dataset["flattened"];
  }
}

/** Fails if the page has to be scrolled sideways on the narrowest screen. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  await page.setViewportSize({ width: NARROW_PX, height: 640 });
  // Once more if the page refreshed itself meanwhile: a document that is gone cannot be measured.
  await expect(async () => {
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(NARROW_PX);
  }).toPass({ timeout: MEASURE_MS_MAX });
}

/** What WCAG 2.2 asks of every target (2.5.8), in CSS pixels. */
const TARGET_PX_MIN = 24;
/** What a thumb finds without looking: buttons, and links that look like them. */
const MAIN_TARGET_PX_MIN = 44;

/** Fails on each link or button that is too small to be hit. Links within a sentence are as high as their line. */
export async function expectTargets(page: Page): Promise<void> {
  const small = await page.evaluate(
    ([least, main]) => {
      const targets = [...document.querySelectorAll<HTMLElement>("a[href], button, summary, input, select")];
      return targets.flatMap((target) => {
        const { width, height } = target.getBoundingClientRect();
        if (width === 0 && height === 0) {
          return [];
        }
        const wanted = target.matches(".button") ? main : least;
        return Math.min(width, height) < wanted ? [`${target.outerHTML}: ${width} × ${height}, not ${wanted}`] : [];
      });
    },
    [TARGET_PX_MIN, MAIN_TARGET_PX_MIN] as const,
  );
  expect(small).toEqual([]);
}
