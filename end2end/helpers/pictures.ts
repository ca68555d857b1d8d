// Pictures of pages, as a person accepted them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

import { expect, type Page, type TestInfo } from "@playwright/test";
import sharp from "sharp";

/** A page has few colours; the rest are edges of letters, and with them a picture would be three times its size. */
const COLOURS = 32;
/** Pixels that may differ in a picture of the same engine: none but a stray edge of a letter. */
const PIXELS_MAX = 20;
/** What is left of a picture when its letters do not count, in pixels. */
const COARSE = { width: 12, height: 24 };
/** How far that may be off on the average, of 255. Serifs for everything make mostly 1 to 9 of it, no style sheet 14 to 27, the other theme over 200. */
const COARSE_MAX = 10;

/**
 * Fails if the whole page does not look as in the picture that was accepted (`--update-snapshots` accepts what is there: look at it).
 *
 * Letters are drawn otherwise by each release of a browser and each version of a font. Where those are not the ones of the
 * pictures, they are compared without their letters: areas, colours and proportions.
 */
export async function expectPicture(page: Page, name: string, test: TestInfo): Promise<void> {
  const picture = await few(await page.screenshot({ fullPage: true, animations: "disabled", caret: "hide" }));
  const accepted = test.snapshotPath(name);
  if (!existsSync(accepted) || (await isOfSameEngine(page, test))) {
    expect(picture).toMatchSnapshot(name, { maxDiffPixels: PIXELS_MAX });
    return;
  }
  const [is, was] = await Promise.all([coarse(picture), coarse(readFileSync(accepted))]);
  const off = is.reduce((sum, value, index) => sum + Math.abs(value - (was[index] ?? 0)), 0) / is.length;
  expect(off, `${name}, by another engine than its picture is of`).toBeLessThan(COARSE_MAX);
}

/** Whether this browser is the one that the pictures are of, or will be when they are being accepted. */
async function isOfSameEngine(page: Page, test: TestInfo): Promise<boolean> {
  const widths = await page.evaluate(() => {
    const context = document.createElement("canvas").getContext("2d");
    const { fontFamily } = getComputedStyle(document.body);
    return [400, 600, 700].map((weight) => {
      if (context !== null) {
        context.font = `${weight} 100px ${fontFamily}`;
      }
      return context?.measureText("결제가 완료됐어요 Payment complete 64,900원 ₩").width;
    });
  });
  const engine = `${page.context().browser()?.version()}\n${widths.join("\n")}\n`;
  const file = test.snapshotPath("engine.txt");
  // Whoever accepts a picture accepts all of them: the rest fail until they are of this engine, too.
  if (["all", "changed"].includes(test.config.updateSnapshots) || !existsSync(file)) {
    writeFileSync(file, engine);
    return true;
  }
  return readFileSync(file, "utf8") === engine;
}

/** The picture with the few colours that it is kept with. */
async function few(picture: Buffer): Promise<Buffer> {
  return await sharp(picture).png({ palette: true, colours: COLOURS, dither: 0, compressionLevel: 9 }).toBuffer();
}

/** What is left of a picture when its letters do not count: red, green and blue of each part of it. */
async function coarse(picture: Buffer): Promise<Buffer> {
  return await sharp(picture).resize({ ...COARSE, fit: "fill" }).removeAlpha().raw().toBuffer();
}
