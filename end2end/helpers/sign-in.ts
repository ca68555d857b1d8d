// The way into the back office.
import { expect, type Page } from "@playwright/test";

import { user } from "../fixtures.ts";

/** Signs in through the form; without a name it is the merchant's user. */
export async function signIn(page: Page, email = user.email, password = user.password): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("이메일").fill(email);
  await page.getByLabel("비밀번호").fill(password);
  await page.getByRole("button", { name: "로그인" }).click();
  await expect(page).not.toHaveURL(/login/);
}
