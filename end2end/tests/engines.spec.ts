// The outcomes that most buyers see, in browsers that are not Chromium: what it takes for granted, others may not know.
import { expect, test as base } from "../fixtures.ts";
import { type Engine, type EngineName, launch } from "../helpers/engines.ts";
import { scene } from "../helpers/outcomes.ts";
import { approve, completePath, deposit, pay } from "../helpers/portone.ts";

/** From what happens at PortOne to a page that says so. */
const LIVE_MS_MAX = 2_000;
const START_MS_MAX = 60_000;
/** Often enough to tell whether it was in time. */
const OFTEN = [50];

const test = base.extend<{ noErrors: void }, { engine: Engine }>({
  engine: [
    async ({}, use, workerInfo) => {
      const engine = await launch(workerInfo.project.name as EngineName);
      await use(engine);
      await engine.close();
    },
    { scope: "worker", timeout: START_MS_MAX },
  ],
  noErrors: [
    async ({ engine }, use) => {
      engine.errors.length = 0;
      await use();
      expect(engine.errors).toEqual([]);
    },
    { auto: true },
  ],
});

/** Languages that a browser without a desktop around it asks for are its own affair. */
const inKorean = { locale: "ko" };

/** What the page says of the payment; nothing while one page takes the place of another. */
async function outcome(engine: Engine): Promise<unknown> {
  return await engine.evaluate(`document.querySelector("main")?.dataset.outcome`).catch(() => undefined);
}

async function expectOutcome(engine: Engine, wanted: string, timeout = 5_000): Promise<void> {
  await expect.poll(() => outcome(engine), { timeout, intervals: OFTEN }).toBe(wanted);
}

/** Waits past the page's first look by the clock, so that it is an event that tells. */
async function hasLooked(engine: Engine): Promise<void> {
  const looks = `performance.getEntriesByType("resource").some(({ name, initiatorType }) => initiatorType === "fetch" && !name.includes("/pkg/"))`;
  await expect.poll(() => engine.evaluate(looks), { timeout: 10_000 }).toBe(true);
}

/** Fails unless the page looks as it was drawn: its colours are known, it fits, and its heading was focused. */
async function expectDrawn(engine: Engine): Promise<void> {
  // Browsers focus when they first draw.
  await expect.poll(() => engine.evaluate("document.activeElement?.tagName")).toBe("H1");
  const seen = (await engine.evaluate(`(() => {
    const slip = getComputedStyle(document.querySelector("main.slip"));
    const root = document.documentElement;
    return {
      background: getComputedStyle(root).backgroundColor,
      slip: slip.backgroundColor,
      color: slip.color,
      isTooWide: root.scrollWidth > root.clientWidth,
      language: root.lang,
      title: document.title,
      heading: document.querySelector("h1")?.textContent,
    };
  })()`)) as Record<string, unknown>;
  expect(seen).toMatchObject({ isTooWide: false, language: "ko", title: `${seen["heading"]} · 완료상점` });
  for (const color of [seen["background"], seen["slip"], seen["color"]]) {
    expect(color).toMatch(/^(rgb\(|color\(|oklch\(|lab\()/);
  }
  expect(seen["color"]).not.toBe(seen["slip"]);
}

test.describe("in browsers beside Chromium", { tag: "@engines" }, () => {
  for (const { name, outcome, says, play } of ["paid", "failed, declined", "held", "virtual_account_issued", "pending", "not_found"].map(scene)) {
    test(name, async ({ engine, stack }) => {
      await engine.open(`${stack.app}${await play(stack)}&lang=ko`);

      await expectOutcome(engine, outcome);
      expect(await engine.evaluate(`document.querySelector("h1").textContent`)).toMatch(says.ko);
      await expectDrawn(engine);
    });
  }

  test("a deposit turns the page of an account into one that says paid", async ({ engine, stack }) => {
    const order = await stack.createOrder(inKorean);
    const vbank = { status: "ready", pay_method: "vbank", vbank_num: "56212345678901", vbank_date: Date.UTC(2100, 0, 1) / 1000 };
    const impUid = await pay(stack, order, vbank);
    await engine.open(`${stack.app}${completePath(order, impUid)}`);
    await expectOutcome(engine, "virtual_account_issued");
    // Scripts have taken over: the copy button is there, and the countdown counts.
    await expect.poll(() => engine.evaluate(`document.querySelector(".copy > button:not([hidden])") !== null`)).toBe(true);
    expect(await engine.evaluate(`document.querySelector(".account").textContent`)).toMatch(/남았어요/);
    await engine.press(".copy > button");
    await expect.poll(() => engine.evaluate(`document.querySelector(".copy").textContent`)).toMatch(/복사했어요|복사하지 못했어요/);
    await hasLooked(engine);

    await deposit(stack, impUid);

    await expectOutcome(engine, "paid", LIVE_MS_MAX);
  });

  test("an approval turns a pending page into one that says paid", async ({ engine, stack }) => {
    const order = await stack.createOrder(inKorean);
    const impUid = await pay(stack, order, { status: "ready" });
    await engine.open(`${stack.app}${completePath(order, impUid)}`);
    await expectOutcome(engine, "pending");
    await hasLooked(engine);

    await approve(stack, impUid);

    await expectOutcome(engine, "paid", LIVE_MS_MAX);
    await expectDrawn(engine);
  });

  test("the pay page's button comes to life", async ({ engine, stack }) => {
    const order = await stack.createOrder(inKorean);

    await engine.open(order.pay_url);

    await expect.poll(() => engine.evaluate(`document.querySelector("main button:not([disabled])")?.textContent`)).toContain("64,900원 결제하기");
  });
});
