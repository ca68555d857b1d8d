// The back office in the hands of somebody on the telephone: every click is counted, and there may be few.
import { expect, type Locator, type Page } from "@playwright/test";

import { test as base } from "../fixtures.ts";
import { signIn } from "./sign-in.ts";

/** From the page where a signed-in person lands to an answer. */
const CLICKS_MAX = 3;

/** A test has this and no page, so there is no other way from one page to the next. */
export class Office {
  readonly #page: Page;
  #clicks = 0;

  constructor(page: Page) {
    this.#page = page;
  }

  get clicks(): number {
    return this.#clicks;
  }

  /** What the page is about, to be read. */
  get main(): Locator {
    return this.#page.getByRole("main");
  }

  /** Where the menu leads. */
  async choose(name: string | RegExp): Promise<void> {
    await this.click(this.#page.getByRole("navigation", { name: "관리 화면" }).getByRole("link", { name }));
  }

  /** Types into the search field, which is no click, and sends it, which is one. */
  async search(number: string): Promise<void> {
    await this.main.getByLabel("번호로 찾기").fill(number);
    await this.click(this.main.getByRole("button", { name: "찾기", exact: true }));
  }

  /** Follows a link or presses a button. Each of the back office opens a page. */
  async click(target: Locator): Promise<void> {
    expect(this.#clicks, "clicks before this one").toBeLessThan(CLICKS_MAX);
    await expect(target).toBeVisible();
    this.#clicks += 1;
    await Promise.all([this.#page.waitForEvent("load"), target.click()]);
  }
}

export const test = base.extend<{ office: Office }>({
  office: async ({ page }, use, info) => {
    await signIn(page);
    await expect(page).toHaveURL("/orders");
    const opened: string[] = [];
    page.on("request", (request) => {
      const isOpening = request.isNavigationRequest() && request.frame() === page.mainFrame();
      if (isOpening && request.redirectedFrom() === null) {
        opened.push(request.url());
      }
    });

    const office = new Office(page);
    await use(office);

    expect(opened, "pages, one for each click that was counted").toHaveLength(office.clicks);
    await expect(page.locator("details[open]"), "parts that were unfolded without a click that was counted").toHaveCount(0);
    info.annotations.push({ type: "clicks", description: String(office.clicks) });
  },
});

/** Fails unless a person can read each of the words there. */
export async function expectSays(part: Locator, ...words: string[]): Promise<void> {
  await expect(part).toBeVisible();
  for (const word of words) {
    // What is hidden is no answer.
    await expect(part).toContainText(word, { useInnerText: true });
  }
}
