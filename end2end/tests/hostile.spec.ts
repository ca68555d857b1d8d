// What a redirect's address says is never shown, whatever it says: ten thousand hostile messages in a real browser.
//
// Most go out by `fetch` from a page of ours, one under each name whose value is kept for the record; each
// answer is parsed by the browser and must be, but for its nonce, the very document that a harmless message gets. Some hundred
// more are opened for real, so that whatever could run has the chance to.
import { expect, test } from "../fixtures.ts";
import { hostileTexts } from "../helpers/hostile.ts";
import { completePath, pay } from "../helpers/portone.ts";

const TEXTS = 10_000;
const NAVIGATIONS = 100;
/** Names that carry a gateway's own words, in both generations of PortOne. The first one says that the payment failed. */
const NAMES = ["error_msg", "message", "error_code", "code", "pgMessage", "pgCode", "status", "transactionType", "pay_method", "pg_provider"];
/** Requests at once: as a browser would. */
const AT_ONCE = 6;

// A trace would keep every answer.
test.use({ trace: "off" });

test("ten thousand hostile messages run nothing and change nothing", { tag: "@desktop" }, async ({ page, stack }) => {
  test.setTimeout(240_000);
  const order = await stack.createOrder();
  const path = completePath(order, await pay(stack, order));
  const texts = hostileTexts(TEXTS);
  expect(new Set(texts).size).toBe(TEXTS);
  const ran: string[] = [];
  page.on("dialog", (dialog) => {
    ran.push(dialog.message());
    void dialog.dismiss();
  });
  await page.exposeFunction("ran", (text: string) => ran.push(text));
  const queryOf = (values: string[]) => values.map((value, at) => `&${NAMES[at]}=${encodeURIComponent(value)}`).join("");
  await page.goto(`${path}&error_msg=harmless`);
  await expect(page.getByRole("main")).toHaveAttribute("data-outcome", "paid");

  const addresses: string[] = [];
  for (let at = 0; at < texts.length; at += NAMES.length) {
    addresses.push(path + queryOf(texts.slice(at, at + NAMES.length)));
  }
  const { answered, different } = await page.evaluate(
    async ([addresses, harmless, atOnce]) => {
      const load = async (address: string) => {
        const response = await fetch(address, { headers: { accept: "text/html" } });
        const text = (await response.text()).replaceAll(/nonce="[^"]*"/g, "");
        const parsed = new DOMParser().parseFromString(text, "text/html");
        const shape = [...parsed.querySelectorAll("*")].map((element) => [element.tagName, ...element.getAttributeNames()].join(" "));
        return { status: response.status, text, shape: shape.join("\n") };
      };
      const wanted = await load(harmless);
      const different: string[] = [];
      let answered = 0;
      let next = 0;
      const work = async () => {
        for (let address = addresses[next++]; address !== undefined; address = addresses[next++]) {
          const { status, text, shape } = await load(address);
          answered += 1;
          if (status !== wanted.status || shape !== wanted.shape || text !== wanted.text) {
            different.push(`${status} ${address}`);
          }
        }
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      return { answered, different };
    },
    [addresses, `${path}&error_msg=harmless`, AT_ONCE] as const,
  );
  expect(different).toEqual([]);
  expect(answered).toBe(TEXTS / NAMES.length);

  const shape = () => page.evaluate(() => [...document.querySelectorAll("body *")].map((element) => element.tagName).join(" "));
  const wanted = await shape();
  for (let at = 0; at < NAVIGATIONS; at += 1) {
    const text = texts[(at * 47) % TEXTS] ?? "";
    const response = await page.goto(`${path}&error_msg=${encodeURIComponent(text)}&message=${encodeURIComponent(text)}#${encodeURIComponent(text)}`);
    expect(response?.status(), text).toBe(200);
    expect(await shape(), text).toBe(wanted);
  }
  expect(ran).toEqual([]);
});
