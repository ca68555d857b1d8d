// How an order comes to each outcome of the completion page.
import type { Stack } from "../fixtures.ts";
import { breakApi, comeBack, completePath, pay, refund } from "./portone.ts";

/** By language. */
export type Says = Record<"ko" | "en" | "ja" | "zh", RegExp>;

export interface Scene {
  /** The outcome, and for failures the reason. */
  name: string;
  outcome: string;
  reason?: string;
  status: number;
  /** What heading and title must say, so that a tab tells the state. */
  says: Says;
  /** Whether the page keeps looking, which is the only thing scripts are for. */
  moving?: boolean;
  /** Makes it happen. Returns the path that the buyer opens. */
  play(stack: Stack): Promise<string>;
}

/** The buyer comes back after one attempt to pay. */
function afterPayment(fields: Record<string, unknown>) {
  return async (stack: Stack) => {
    const order = await stack.createOrder();
    return completePath(order, await pay(stack, order, fields));
  };
}

/** The buyer looks again after PortOne gave money back. */
function afterRefund(amount?: number) {
  return async (stack: Stack) => {
    const order = await stack.createOrder();
    const impUid = await pay(stack, order);
    const path = completePath(order, impUid);
    await comeBack(stack, path);
    await refund(stack, impUid, amount);
    return path;
  };
}

function failure(reason: string, failReason: string | null, says: Says = { ko: /못했/, en: /didn/, ja: /できません/, zh: /未成功/ }): Scene {
  const play = afterPayment({ status: "failed", fail_reason: failReason });
  return { name: `failed, ${reason}`, outcome: "failed", reason, status: 200, says, play };
}

/** Every outcome that PortOne V1 can lead to. */
export const scenes: Scene[] = [
  { name: "paid", outcome: "paid", status: 200, says: { ko: /완료/, en: /complete/, ja: /完了/, zh: /成功/ }, play: afterPayment({}) },
  {
    name: "virtual_account_issued",
    outcome: "virtual_account_issued",
    status: 200,
    says: { ko: /계좌/, en: /account/, ja: /口座/, zh: /账户/ },
    moving: true,
    play: afterPayment({
      status: "ready",
      pay_method: "vbank",
      vbank_name: "신한은행",
      vbank_num: "56212345678901",
      vbank_holder: "완료상점",
      vbank_date: Date.UTC(2100, 0, 1) / 1000,
    }),
  },
  { name: "pending", outcome: "pending", status: 202, says: { ko: /확인/, en: /checking/, ja: /確認して/, zh: /正在确认/ }, moving: true, play: afterPayment({ status: "ready" }) },
  failure("buyer_cancelled", "사용자가 결제를 취소하셨습니다", { ko: /취소/, en: /cancel/, ja: /キャンセル/, zh: /取消/ }),
  failure("declined", "[승인거절] 카드사에서 승인이 거절되었습니다."),
  failure("limit_exceeded", "[한도초과] 카드 이용한도를 초과하였습니다."),
  failure("insufficient_balance", "잔액부족으로 결제가 거절되었습니다."),
  failure("invalid_card", "유효하지 않은 카드 번호입니다."),
  failure("window_error", "결제창 호출에 실패하였습니다."),
  failure("refused_by_shop", "고객사 요청에 의해 결제가 중단되었습니다."),
  failure("unknown", null),
  { name: "refunded", outcome: "refunded", status: 200, says: { ko: /환불/, en: /refund/, ja: /返金/, zh: /退款/ }, play: afterRefund() },
  {
    name: "partially_refunded",
    outcome: "partially_refunded",
    status: 200,
    says: { ko: /일부.*환불/, en: /Part.*refund/, ja: /一部.*返金/, zh: /部分退款/ },
    play: afterRefund(20_000),
  },
  { name: "held", outcome: "held", status: 200, says: { ko: /확인할 수 없/, en: /can.t confirm/, ja: /確認できません/, zh: /无法确认付款$/ }, play: afterPayment({ amount: 100 }) },
  {
    name: "duplicate",
    outcome: "duplicate",
    status: 200,
    says: { ko: /두 번/, en: /twice/, ja: /二重/, zh: /重复/ },
    async play(stack) {
      const order = await stack.createOrder();
      await comeBack(stack, completePath(order, await pay(stack, order)));
      return completePath(order, await pay(stack, order));
    },
  },
  {
    name: "late",
    outcome: "late",
    status: 200,
    says: { ko: /마감된 뒤/, en: /after/, ja: /締め切り後/, zh: /结束后/ },
    async play(stack) {
      const order = await stack.createOrder();
      await stack.api("POST", `/api/v1/orders/${order.payment_id}/close`);
      return completePath(order, await pay(stack, order));
    },
  },
  {
    name: "unconfirmed",
    outcome: "unconfirmed",
    status: 202,
    says: { ko: /확인하지 못/, en: /couldn.t confirm/, ja: /まだ確認できて/, zh: /暂时无法确认/ },
    moving: true,
    async play(stack) {
      const order = await stack.createOrder();
      const impUid = await pay(stack, order);
      await breakApi(stack);
      return completePath(order, impUid);
    },
  },
  {
    name: "not_found",
    outcome: "not_found",
    status: 404,
    says: { ko: /찾을 수 없/, en: /can.t find/, ja: /見つかりません/, zh: /找不到/ },
    play: () => Promise.resolve("/payments/complete?imp_uid=imp_123456789012&merchant_uid=NO-SUCH-ORDER"),
  },
  {
    name: "invalid",
    outcome: "invalid",
    status: 400,
    says: { ko: /읽을 수 없/, en: /can.t read/, ja: /読み取れません/, zh: /无法读取/ },
    play: () => Promise.resolve("/payments/complete?imp_uid=..%2Fusers%2FgetToken"),
  },
];

/** The scene of an outcome. */
export function scene(name: string): Scene {
  const found = scenes.find((scene) => scene.name === name);
  if (found === undefined) {
    throw new Error(`no scene is called ${name}`);
  }
  return found;
}
