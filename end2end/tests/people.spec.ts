// Who may come in: people, keys and one's own account, the same with scripts and without.
import { createHmac } from "node:crypto";

import type { Browser, Page } from "@playwright/test";

import { expect, test, user } from "../fixtures.ts";
import { expectAccessible, expectNoSidewaysScroll, record } from "../helpers/pages.ts";
import { signIn } from "../helpers/sign-in.ts";

/** Two passwords are hashed for a new one, by a build that is not optimised. */
const HASHING_MS_MAX = 15_000;
/** A one-time code is that of its time, in steps as long as this (RFC 6238). */
const STEP_MS = 30_000;

/** An address that no other test has. */
let people = 0;
function address(project: string): string {
  people += 1;
  return `staff-${project}-${Date.now().toString(36)}-${people}@example.com`;
}

const navigation = (page: Page) => page.getByRole("navigation", { name: "관리 화면" });

/** Adds a person on the page; the password to hand over. */
async function add(page: Page, email: string, role: string): Promise<string> {
  await page.goto("/settings/users");
  await page.getByLabel("이메일").fill(email);
  await page.locator("#new-role").selectOption(role);
  await page.getByRole("button", { name: "사용자 추가" }).click();
  const status = page.getByRole("status");
  await expect(status).toContainText(email);
  return (await status.getByRole("code").textContent()) ?? "";
}

async function expectAccessibleInBothThemes(page: Page): Promise<void> {
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await expectAccessible(page);
  }
}

async function elsewhere(browser: Browser, baseURL: string | undefined): Promise<Page> {
  const options = baseURL === undefined ? {} : { baseURL };
  return await (await browser.newContext({ ...options, locale: "ko-KR" })).newPage();
}

test("a person is added, chooses a password, sees what the role allows, and is shut out", async ({ page, browser, baseURL }, info) => {
  test.slow();
  const seen = record(page);
  const email = address(info.project.name);
  await signIn(page);
  await navigation(page).getByRole("link", { name: "사용자" }).click();
  await expectAccessibleInBothThemes(page);
  await expectNoSidewaysScroll(page);
  const password = await add(page, email, "viewer");
  await expectAccessibleInBothThemes(page);
  await expectNoSidewaysScroll(page);
  await page.goto("/settings/users");
  await expect(page.getByText(password)).toHaveCount(0);

  const theirs = await elsewhere(browser, baseURL);
  await signIn(theirs, email, password);
  await expect(theirs).toHaveURL("/settings/account?error=choose_password");
  await expect(theirs.getByRole("alert")).toHaveText("먼저 새 비밀번호를 정해 주세요.");
  await expectAccessibleInBothThemes(theirs);
  await expectNoSidewaysScroll(theirs);
  await theirs.getByLabel("지금 비밀번호").fill(password);
  await theirs.getByLabel("새 비밀번호", { exact: true }).fill("a password of my own");
  await theirs.getByLabel("새 비밀번호 확인").fill("a password of my other");
  await theirs.getByRole("button", { name: "비밀번호 바꾸기" }).click();
  await expect(theirs.getByRole("alert")).toHaveText("새 비밀번호 두 개가 서로 달라요.");
  await expectAccessible(theirs);
  await theirs.getByLabel("지금 비밀번호").fill(password);
  await theirs.getByLabel("새 비밀번호", { exact: true }).fill("a password of my own");
  await theirs.getByLabel("새 비밀번호 확인").fill("a password of my own");
  await theirs.keyboard.press("Enter");
  await expect(theirs).toHaveURL(/done=password/, { timeout: HASHING_MS_MAX });
  await expect(theirs.getByRole("status")).toContainText("비밀번호를 바꿨어요");
  await expect(navigation(theirs).getByRole("link", { name: "사용자" })).toHaveCount(0);
  await theirs.goto("/settings/users");
  await expect(theirs.getByRole("heading", { level: 1 })).toHaveText("이 작업을 할 권한이 없어요");
  await theirs.goto("/settings/webhooks");
  await expect(theirs.getByRole("button", { name: "주소 추가" })).toHaveCount(0);

  await page.reload();
  const article = page.getByRole("article").filter({ hasText: email });
  await article.getByText("변경").click();
  await expectAccessible(page);
  await article.getByLabel("역할").selectOption("staff");
  await article.getByRole("button", { name: "역할 바꾸기" }).click();
  await expect(page.getByRole("status")).toHaveText("역할을 바꿨어요.");
  await expect(article).toHaveAttribute("data-user", "staff");
  await article.getByText("변경").click();
  await article.getByRole("button", { name: "사용 중지" }).click();
  await expect(page.getByRole("status")).toHaveText("이 사용자는 이제 로그인할 수 없어요.");
  await expectAccessible(page);
  await theirs.goto("/orders");
  await expect(theirs).toHaveURL(/\/login/);
  await theirs.context().close();
  expect(seen.errors).toEqual([]);
});

test("the last owner stays, and is told why", async ({ page }) => {
  await signIn(page);
  await page.goto("/settings/users");
  const me = page.getByRole("article").filter({ hasText: user.email });
  await me.getByText("변경").focus();
  await page.keyboard.press("Enter");
  await me.getByRole("button", { name: "사용 중지" }).focus();
  await page.keyboard.press("Enter");

  await expect(page.getByRole("alert")).toHaveText("로그인할 수 있는 소유자가 한 명은 있어야 해요.");
  await expectAccessible(page);
  await page.getByRole("link", { name: "English" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("People");
  await expectAccessible(page);
});

test("a key is made, shown once, used and revoked", async ({ page, stack }, info) => {
  const seen = record(page);
  const name = `shop ${address(info.project.name)}`;
  await signIn(page);
  await navigation(page).getByRole("link", { name: "API 키" }).click();
  await expectAccessibleInBothThemes(page);
  await expectNoSidewaysScroll(page);
  await page.getByLabel("이름").fill(name.slice(0, 60));
  await page.getByRole("button", { name: "키 만들기" }).click();
  const key = (await page.getByRole("status").getByRole("code").textContent()) ?? "";
  await expectAccessibleInBothThemes(page);
  await expectNoSidewaysScroll(page);
  const status = async () => (await fetch(`${stack.app}/api/v1/orders`, { headers: { authorization: `Bearer ${key}` } })).status;
  expect(await status()).toBe(200);

  await page.goto("/settings/keys");
  await expect(page.getByText(key)).toHaveCount(0);
  const article = page.getByRole("article").filter({ hasText: name.slice(0, 60) });
  await article.getByText("폐기").first().click();
  await expectAccessible(page);
  await article.getByRole("button", { name: "이 키 폐기하기" }).click();
  await expect(page.getByRole("status")).toHaveText("이제 이 키를 쓸 수 없어요.");
  await expect(article).toHaveCount(0);
  expect(await status()).toBe(401);
  expect(seen.errors).toEqual([]);
});

test("what people did is listed for owners, newest first, and the chain of it holds", async ({ page }, info) => {
  const seen = record(page);
  const email = address(info.project.name);
  await signIn(page);
  await add(page, email, "viewer");
  await navigation(page).getByRole("link", { name: "작업 기록" }).click();

  await expect(page).toHaveURL("/settings/audit");
  await expect(navigation(page).getByRole("link", { name: "작업 기록" })).toHaveAttribute("aria-current", "page");
  await expect(page.getByRole("status")).toContainText("처음 적힌 그대로예요");
  await expect(page.getByRole("alert")).toHaveCount(0);
  const added = page.getByRole("row").filter({ hasText: email });
  await expect(added).toContainText("사용자 추가");
  await expect(added).toContainText(user.email);
  await expectAccessibleInBothThemes(page);
  await expectNoSidewaysScroll(page);

  await page.getByRole("link", { name: "English" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Audit log");
  await expect(added).toContainText("Added a person");
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  expect(seen.errors).toEqual([]);
});

test("who guesses is asked to wait on the page itself, and a known browser is not", async ({ page, browser, baseURL }) => {
  // Each wrong password is hashed, and the waits have to grow longer than that takes.
  test.slow();
  await signIn(page);
  const stranger = await elsewhere(browser, baseURL);
  const email = `nobody-${Date.now().toString(36)}@example.com`;
  for (let tries = 0; tries < 16; tries += 1) {
    await stranger.goto("/login");
    await stranger.getByLabel("이메일").fill(email);
    await stranger.getByLabel("비밀번호").fill("wrong");
    await stranger.getByRole("button", { name: "로그인" }).click();
    if ((await stranger.getByRole("alert").textContent())?.includes("초 뒤에")) {
      break;
    }
  }

  await expect(stranger.getByRole("alert")).toHaveText(/로그인에 여러 번 실패했어요. \d+초 뒤에 다시 해 주세요./);
  await expectAccessible(stranger);
  await expect(stranger.getByLabel("비밀번호")).toHaveValue("");
  await stranger.context().close();
  await page.getByRole("button", { name: "로그아웃" }).click();
  await signIn(page);
});

/** The code that an authenticator app shows for a secret (RFC 6238). */
function codeOf(secret: string, step: number): string {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac("sha1", Buffer.from(bytes)).update(counter).digest();
  const from = (digest.at(-1) ?? 0) & 15;
  return String((digest.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

test("a second factor is set up by its code, asked for, and removed", async ({ page, browser, baseURL }, info) => {
  test.slow();
  const email = address(info.project.name);
  await signIn(page);
  const password = await add(page, email, "staff");
  const theirs = await elsewhere(browser, baseURL);
  const seen = record(theirs);
  await signIn(theirs, email, password);
  const own = "a password of my own";
  await theirs.getByLabel("지금 비밀번호").fill(password);
  await theirs.getByLabel("새 비밀번호", { exact: true }).fill(own);
  await theirs.getByLabel("새 비밀번호 확인").fill(own);
  await theirs.getByRole("button", { name: "비밀번호 바꾸기" }).click();
  await expect(theirs).toHaveURL(/done=password/, { timeout: HASHING_MS_MAX });

  await theirs.getByRole("button", { name: "2단계 인증 설정" }).click();
  await expect(theirs.getByRole("img", { name: "인증 앱으로 스캔할 QR 코드" })).toBeVisible();
  await expectAccessibleInBothThemes(theirs);
  await expectNoSidewaysScroll(theirs);
  const secret = (await theirs.getByText(/^[A-Z2-7]{32}$/).textContent()) ?? "";
  await theirs.getByLabel("인증 코드").fill("000");
  await theirs.keyboard.press("Enter");
  await expect(theirs.getByRole("alert")).toContainText("코드가 맞지 않아요");
  await expectAccessible(theirs);
  // The code of the step before, so that those of this one and the next are left for later; not when it is about to be too old.
  await expect.poll(() => Date.now() % STEP_MS, { timeout: STEP_MS }).toBeLessThan(STEP_MS / 2);
  const step = Math.floor(Date.now() / STEP_MS);
  await theirs.getByLabel("인증 코드").fill(codeOf(secret, step - 1));
  await theirs.getByRole("button", { name: "켜기" }).click();
  const codes = await theirs.getByRole("status").getByRole("code").allTextContents();
  expect(codes).toHaveLength(10);
  await expectAccessibleInBothThemes(theirs);
  await expectNoSidewaysScroll(theirs);

  await theirs.getByRole("button", { name: "로그아웃", exact: true }).click();
  await theirs.getByLabel("이메일").fill(email);
  await theirs.getByLabel("비밀번호").fill(own);
  await theirs.keyboard.press("Enter");
  await expect(theirs).toHaveURL(/\/login\/code/);
  await expect(theirs.getByLabel("인증 코드")).toBeFocused();
  await expectAccessibleInBothThemes(theirs);
  await expectNoSidewaysScroll(theirs);
  await theirs.keyboard.type("000000");
  await theirs.keyboard.press("Enter");
  await expect(theirs.getByRole("alert")).toHaveText("코드가 맞지 않거나 이미 쓴 코드예요.");
  await expectAccessible(theirs);
  await theirs.getByLabel("인증 코드").fill(codes[0] ?? "");
  await theirs.keyboard.press("Enter");
  await expect(theirs).toHaveURL("/orders");

  await theirs.goto("/settings/account");
  await expect(theirs.getByRole("main")).toContainText("복구 코드가 9개 남았어요.");
  const code = theirs.getByLabel("인증 코드").filter({ visible: true });
  await theirs.getByText("복구 코드 새로 만들기").first().click();
  await expectAccessible(theirs);
  await code.fill(codes[1] ?? "");
  await theirs.getByRole("button", { name: "복구 코드 새로 만들기" }).click();
  await expect(theirs.getByRole("status").getByRole("code")).toHaveCount(10);
  await expectAccessible(theirs);

  await theirs.goto("/settings/account");
  await expect(theirs.getByRole("main")).toContainText("복구 코드가 10개 남았어요.");
  await theirs.getByText("2단계 인증 끄기").first().click();
  await expectAccessible(theirs);
  await code.fill(codeOf(secret, Math.floor(Date.now() / STEP_MS)));
  await theirs.getByRole("button", { name: "2단계 인증 끄기" }).click();
  await expect(theirs.getByRole("status")).toHaveText("2단계 인증을 껐어요.");
  await theirs.context().close();
  expect(seen.errors).toEqual([]);
});
