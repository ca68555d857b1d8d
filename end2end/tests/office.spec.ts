// The merchant's back office: plain documents and forms, the same with scripts and without.
import { expect, type Stack, test, user } from "../fixtures.ts";
import { comeBack, completePath, pay } from "../helpers/portone.ts";
import { expectAccessible, expectNoSidewaysScroll, record } from "../helpers/pages.ts";
import { signIn } from "../helpers/sign-in.ts";

/** An order that was paid with another amount than its own. */
async function heldOrder(stack: Stack) {
  const order = await stack.createOrder({ amount: 64_900, buyer: { name: "김하늘", email: "buyer@example.com" } });
  const impUid = await pay(stack, order, { amount: 100 });
  expect(await comeBack(stack, completePath(order, impUid))).toBe("held");
  return { order, impUid };
}

test("signing in and out by keyboard alone", async ({ page, context }) => {
  await page.goto("/orders");
  await expect(page).toHaveURL(/\/login\?next=/);
  await expect(page.getByLabel("이메일")).toBeFocused();

  await page.keyboard.type(user.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(user.password);
  await page.keyboard.press("Enter");

  await expect(page).toHaveURL("/orders");
  await expect(page.getByRole("banner")).toContainText(user.email);
  const cookies = await context.cookies();
  expect(cookies.map(({ name }) => name).sort()).toEqual(["wanryo", "wanryo-browser"]);
  for (const cookie of cookies) {
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Lax", path: "/" });
  }

  await page.getByRole("button", { name: "로그아웃" }).focus();
  await page.keyboard.press("Enter");

  await expect(page).toHaveURL("/login");
  expect((await context.cookies()).map(({ name }) => name)).toEqual(["wanryo-browser"]);
  await page.goto("/orders");
  await expect(page).toHaveURL(/\/login/);
});

test("a session that was signed out is worth nothing to who kept it", async ({ page, context }) => {
  await signIn(page);
  const kept = await context.cookies();
  await page.getByRole("button", { name: "로그아웃" }).click();
  await expect(page).toHaveURL("/login");

  await context.addCookies(kept);
  await page.goto("/orders");

  await expect(page).toHaveURL(/\/login/);
});

for (const { wrong, email, password } of [
  { wrong: "password", email: user.email, password: "correct horse battery stapler" },
  { wrong: "address", email: "nobody@example.com", password: user.password },
]) {
  test(`a wrong ${wrong} is refused in the same words`, async ({ page, context }) => {
    await page.goto("/login");
    await page.getByLabel("이메일").fill(email);
    await page.getByLabel("비밀번호").fill(password);
    await page.getByRole("button", { name: "로그인" }).click();

    await expect(page.getByRole("alert")).toHaveText("이메일이나 비밀번호가 맞지 않아요.");
    await expect(page.getByLabel("비밀번호")).toHaveValue("");
    expect(await context.cookies()).toEqual([]);
    await expectAccessible(page);
  });
}

test("orders are listed newest first and found by status and by number", async ({ page, stack }) => {
  const open = await stack.createOrder();
  const { order: held, impUid } = await heldOrder(stack);
  await signIn(page);

  const rows = page.getByRole("table").getByRole("row");
  const row = (id: string) => rows.filter({ has: page.getByRole("link", { name: id, exact: true }) });
  await expect(rows.nth(1)).toContainText(held.payment_id);
  await expect(rows.nth(2)).toContainText(open.payment_id);
  await expect(row(held.payment_id)).toContainText("64,900원");
  await expectAccessible(page);

  await page.getByLabel("상태").selectOption("held");
  await page.getByRole("button", { name: "찾기" }).click();
  await expect(page).toHaveURL(/status=held/);
  await expect(row(held.payment_id)).toBeVisible();
  await expect(row(open.payment_id)).toHaveCount(0);

  await page.getByLabel("상태").selectOption("");
  await page.getByLabel("번호로 찾기").fill(open.payment_id);
  await page.keyboard.press("Enter");
  await expect(row(open.payment_id)).toBeVisible();
  await expect(row(held.payment_id)).toHaveCount(0);

  await page.getByLabel("번호로 찾기").fill(impUid);
  await page.getByRole("button", { name: "찾기" }).click();
  await expect(row(held.payment_id)).toBeVisible();
  await expect(rows).toHaveCount(2);

  await page.getByLabel("번호로 찾기").fill("NO-SUCH-ORDER");
  await page.getByRole("button", { name: "찾기" }).click();
  await expect(page.getByRole("table")).toHaveCount(0);
  await expect(page.getByRole("main")).toContainText("조건에 맞는 주문이 없어요");
  await page.getByRole("link", { name: "조건 지우기" }).click();
  await expect(page).toHaveURL("/orders");
});

test("a held order shows every check with what was wanted and found, and its whole history", async ({ page, stack }) => {
  const { order, impUid } = await heldOrder(stack);
  await signIn(page);
  const seen = record(page);

  await page.getByRole("link", { name: order.payment_id, exact: true }).click();

  await expect(page.getByRole("heading", { level: 1 })).toContainText(order.payment_id);
  const attempt = page.getByRole("article").filter({ hasText: impUid });
  const checks = attempt.getByRole("table").getByRole("row");
  const check = (name: string) => checks.filter({ has: page.getByRole("rowheader", { name }) });
  // The head, and one row for each check.
  await expect(checks).toHaveCount(7);
  await expect(check("금액")).toContainText("64900");
  await expect(check("금액")).toContainText("100");
  await expect(check("금액")).toContainText("불일치");
  await expect(check("통화")).toContainText("KRW");
  await expect(check("통화")).not.toContainText("불일치");
  await expect(check("주문번호")).toContainText(order.payment_id);
  await expect(check("거래번호")).toContainText(impUid);
  for (const happened of ["주문이 만들어졌어요", "구매자가 결제창에서 돌아왔어요", "PortOne의 답을 확인했어요", "상태가 바뀌었어요"]) {
    await expect(page.getByRole("listitem").filter({ hasText: happened }).first()).toBeVisible();
  }
  await expect(page.getByRole("main")).toContainText("buyer@example.com");
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  expect(seen.errors).toEqual([]);
});

test("the button asks PortOne, and the order stands where it says", async ({ page, stack }) => {
  const order = await stack.createOrder();
  await signIn(page);
  await page.goto(`/orders/${order.payment_id}`);
  const summary = page.locator("section", { has: page.getByRole("heading", { level: 1 }) });
  await expect(summary).toHaveAttribute("data-status", "open");
  await pay(stack, order);

  await page.getByRole("button", { name: "PortOne에 지금 물어보기" }).click();

  await expect(page.getByRole("status")).toBeVisible();
  await expect(summary).toHaveAttribute("data-status", "paid");
});

test("the button says when PortOne does not answer, and changes nothing", async ({ page, stack }) => {
  const order = await stack.createOrder();
  await pay(stack, order);
  await signIn(page);
  await page.goto(`/orders/${order.payment_id}`);
  await stack.sandboxPost("/_sandbox/faults", { call: "any", kind: "status", status: 503 });

  await page.getByRole("button", { name: "PortOne에 지금 물어보기" }).click();

  await expect(page.getByRole("alert")).toContainText("PortOne");
  await expect(page.locator("section", { has: page.getByRole("heading", { level: 1 }) })).toHaveAttribute("data-status", "open");
});

test("closing an order is asked twice, and a payment after that is late", async ({ page, stack }) => {
  const order = await stack.createOrder();
  await signIn(page);
  await page.goto(`/orders/${order.payment_id}`);
  const close = page.getByRole("button", { name: "주문 닫기" });
  await expect(close).toBeHidden();

  await page.getByText("이 주문 닫기").click();
  await close.click();

  const summary = page.locator("section", { has: page.getByRole("heading", { level: 1 }) });
  await expect(summary).toHaveAttribute("data-status", "closed");
  expect(await comeBack(stack, completePath(order, await pay(stack, order)))).toBe("late");
  await page.reload();
  await expect(page.getByRole("article")).toHaveAttribute("data-verdict", "late");
  await expectAccessible(page);
});

test("a note is left for the others, and what is none is said at the field", async ({ page, stack }) => {
  const { order } = await heldOrder(stack);
  await signIn(page);
  await page.goto(`/orders/${order.payment_id}`);
  const notes = page.locator("#notes");
  const note = notes.getByLabel("새 메모");

  // Something is there, as the browser sees it, and nothing as a person does.
  await note.fill("\n ");
  await notes.getByRole("button", { name: "메모 남기기" }).click();
  await expect(note).toHaveAttribute("aria-invalid", "true");
  await expect(notes).toContainText("메모를 1자에서 500자 사이로 적어 주세요.");
  await expectAccessible(page);

  await note.fill("구매자와 통화했어요.\n내일 다시 연락하기로 했어요.");
  await notes.getByRole("button", { name: "메모 남기기" }).click();

  await expect(page.getByRole("status").filter({ hasText: "메모를 남겼어요." })).toBeVisible();
  await expect(notes.getByRole("listitem")).toHaveText(/구매자와 통화했어요.\s+내일 다시 연락하기로 했어요.*e2e@example\.com/s);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await expectAccessible(page);
  }
  await expectNoSidewaysScroll(page);
});

test("a refund is chosen, confirmed by its amount, and shown", async ({ page, stack }) => {
  const order = await stack.createOrder({ amount: 64_900 });
  expect(await comeBack(stack, completePath(order, await pay(stack, order)))).toBe("paid");
  await signIn(page);
  await page.goto(`/orders/${order.payment_id}`);
  await page.getByRole("link", { name: "환불하기" }).click();
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);

  await page.getByLabel("환불할 금액").fill("64,901");
  await page.getByRole("button", { name: "다음" }).click();
  await expect(page.getByLabel("환불할 금액")).toHaveAccessibleDescription(/환불할 수 있는 금액보다 많아요/);
  await expectAccessible(page);
  await page.getByLabel("환불할 금액").fill("20,000");
  await page.getByRole("button", { name: "다음" }).click();

  await expect(page.getByRole("heading", { level: 1 })).toHaveText("20,000원 환불");
  await expect(page.getByRole("main")).toContainText("44,900원");
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  await page.getByLabel("환불 사유").fill("단순 변심");
  await page.getByRole("button", { name: "20,000원 환불하기" }).click();

  await expect(page.getByRole("status")).toHaveText("환불했어요.");
  const refunds = page.getByRole("region", { name: "환불" }).getByRole("row").filter({ hasText: "단순 변심" });
  await expect(refunds).toContainText("20,000원");
  await expect(refunds).toContainText("환불됐어요");
  await expectAccessible(page);
  await page.goto(`${page.url().split("?")[0]}?lang=en`);
  await page.getByRole("link", { name: "Refund", exact: true }).click();
  await page.getByRole("link", { name: "Refund all of it (₩44,900)" }).click();
  await expect(page.getByRole("button", { name: "Refund ₩44,900 now" })).toBeVisible();
  await expectAccessible(page);
});

test("an address for events is added, and its secret shown once", async ({ page }) => {
  await signIn(page);
  await page.getByRole("navigation", { name: "관리 화면" }).getByRole("link", { name: "웹훅" }).click();
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);

  await page.getByLabel("주소", { exact: true }).fill("http://10.0.0.1/hooks");
  await page.getByRole("button", { name: "주소 추가" }).click();
  await expect(page.getByRole("alert")).toContainText("이 주소로는 보낼 수 없어요");
  await expectAccessible(page);

  await page.getByLabel("주소", { exact: true }).fill("https://shop.example.com/hooks");
  await page.getByLabel(/order\.paid$/).check();
  await page.getByRole("button", { name: "주소 추가" }).click();
  await expect(page.getByText(/^whsec_/)).toBeVisible();
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);

  await page.goto("/settings/webhooks?lang=en");
  await expect(page.getByText(/^whsec_/)).toHaveCount(0);
  await expect(page.getByRole("article")).toContainText("https://shop.example.com/hooks");
  await expectAccessible(page);
  await page.getByText("Secret and deletion").first().click();
  await expectAccessible(page);
});

test("what needs a look is listed, counted, and settled with a word that stays", async ({ page, stack }) => {
  const seen = record(page);
  const { order, impUid } = await heldOrder(stack);
  await signIn(page);
  const navigation = page.getByRole("navigation", { name: "관리 화면" });

  await navigation.getByRole("link", { name: /^확인 필요/ }).click();

  await expect(page).toHaveURL("/attention");
  await expect(navigation.getByRole("link", { name: /^확인 필요/ })).toHaveAttribute("aria-current", "page");
  const item = page.getByRole("article").filter({ hasText: impUid });
  await expect(item).toContainText(order.payment_id);
  await expect(item).toContainText("100원");
  await expect(item.getByRole("link", { name: "주문 열기" })).toBeVisible();
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);

  await item.getByText("처리한 것으로 표시").click();
  await expectAccessible(page);
  await item.getByLabel("처리한 내용").fill("콘솔에서 환불했어요");
  await item.getByRole("button", { name: "표시하기" }).click();

  await expect(page.getByRole("status")).toHaveText("처리한 것으로 표시했어요.");
  await expect(page.getByRole("article").filter({ hasText: impUid })).toHaveCount(0);
  const settled = page.getByRole("region", { name: "처리한 결제" }).getByRole("row").filter({ hasText: impUid });
  await expect(settled).toContainText("콘솔에서 환불했어요");
  await expect(settled).toContainText(user.email);
  await expectAccessible(page);

  await page.getByRole("link", { name: "English" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Needs a look");
  await expectAccessible(page);
  expect(seen.errors).toEqual([]);
});

test("who settles a payment second keeps what they wrote, and finds the first word", async ({ page, context, stack }) => {
  const { impUid } = await heldOrder(stack);
  await signIn(page);
  const other = await context.newPage();
  for (const one of [page, other]) {
    await one.goto("/attention");
  }
  const settle = async (one: typeof page, note: string) => {
    const item = one.getByRole("article").filter({ hasText: impUid });
    await item.getByText("처리한 것으로 표시").click();
    await item.getByLabel("처리한 내용").fill(note);
    await item.getByRole("button", { name: "표시하기" }).click();
  };

  await settle(page, "콘솔에서 환불했어요");
  await expect(page.getByRole("status")).toHaveText("처리한 것으로 표시했어요.");
  await settle(other, "고객과 통화하고 내일 환불하기로 했어요");

  await expect(other.getByRole("alert")).toContainText("다른 사람이 먼저 표시했어요");
  await expect(other.getByText("고객과 통화하고 내일 환불하기로 했어요")).toBeVisible();
  const settled = other.getByRole("region", { name: "처리한 결제" }).getByRole("row").filter({ hasText: impUid });
  await expect(settled).toContainText("콘솔에서 환불했어요");
  await expectAccessible(other);
  await expectNoSidewaysScroll(other);
});

test("a form that is sent after the session has ended says so, and leads back to its page", async ({ page, context, stack }) => {
  const order = await stack.createOrder();
  await signIn(page);
  await page.goto(`/orders/${order.payment_id}`);
  await context.clearCookies();

  await page.getByLabel("새 메모").fill("내일 다시 전화하기");
  await page.getByRole("button", { name: "메모 남기기" }).click();

  await expect(page.getByRole("alert")).toContainText("방금 보낸 내용은 저장하지 않았어요");
  await expectAccessible(page);
  await page.getByLabel("이메일").fill(user.email);
  await page.getByLabel("비밀번호").fill(user.password);
  await page.getByRole("button", { name: "로그인" }).click();
  await expect(page).toHaveURL(`/orders/${order.payment_id}`);
  await expect(page.getByText("내일 다시 전화하기")).toHaveCount(0);
});

test("the sign-in page is a page for everybody, in both languages", async ({ page, context }) => {
  const seen = record(page);
  await page.goto("/login");
  await expect(page.locator("html")).toHaveAttribute("lang", "ko");
  await expectAccessible(page);

  await page.getByRole("link", { name: "English" }).click();

  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await expectNoSidewaysScroll(page);
  expect(seen.errors).toEqual([]);
  expect(await context.cookies()).toEqual([]);
});

test("strangers see nothing of an order, whether it exists or not", async ({ page, stack }) => {
  const order = await stack.createOrder();

  for (const id of [order.payment_id, "NO-SUCH-ORDER"]) {
    await page.goto(`/orders/${id}`);
    await expect(page).toHaveURL(`/login?next=${encodeURIComponent(`/orders/${id}`).replaceAll("-", "%2D")}`);
  }
});
