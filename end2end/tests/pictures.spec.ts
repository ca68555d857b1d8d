// What the buyer's pages look like, in pictures that a person has accepted.
//
// After a change that is meant to be seen, all of them are taken anew at once and looked at before they are committed:
//
//   npx playwright test tests/pictures.spec.ts --update-snapshots
import { galleryTest as test } from "../fixtures.ts";
import { settled } from "../helpers/pages.ts";
import { expectPicture } from "../helpers/pictures.ts";
import { states } from "../helpers/states.ts";

/** One of each kind of page: these in both languages and themes on both screens. */
const kinds = new Set([
  "paid",
  "paid_with_test_money",
  "virtual_account_issued",
  "approving",
  "left",
  "unconfirmed",
  "declined",
  "partially_refunded",
  "held",
  "duplicate",
  "not_found",
  "too_many_requests",
  "framed",
  "pay",
  "pay_paid",
]);
/** The others are made of the same parts: their own words are seen once on each screen, the two as unlike as they can be. */
const unlike = { phone: ["ko light"], desktop: ["en dark"] };
const all = ["ko light", "ko dark", "en light", "en dark"];

// One picture point for each CSS pixel, whatever the phone has.
test.use({ contextOptions: { reducedMotion: "reduce" }, deviceScaleFactor: 1 });

for (const state of states) {
  test(`${state} looks as accepted`, { tag: "@scripts" }, async ({ page, gallery }, info) => {
    const views = kinds.has(state) ? all : unlike[info.project.name as keyof typeof unlike];
    for (const view of views) {
      const [language, theme] = view.split(" ") as [string, "light" | "dark"];
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(`${gallery}/_gallery/${state}?lang=${language}`);
      await settled(page);
      await expectPicture(page, `${state}-${language}-${theme}.png`, info);
    }
  });
}
