//! Orders in every state, brought there the way buyers bring them: through PortOne's window, and back by redirect.
//!
//! Webhooks are answered before the redirect meanwhile, so that every run tells the same histories.

use anyhow::Context;
use portone_sandbox::{Sandbox, WebhookMode};
use serde_json::{Value, json};

use super::http::{Api, Order};
use crate::developer::buyer::{Buyer, Purchase};
use crate::domain::order::{Mode, Portone};

/// Addresses that the introduction names.
pub(super) struct Samples {
    pub(super) pay_url: String,
    pub(super) paid_url: String,
    pub(super) account_url: String,
    pub(super) held_url: String,
}

/// What happens to an order.
enum Story {
    /// Nobody has tried to pay it.
    Open,
    /// The window ends with the named choice of the sandbox, and the buyer comes back.
    Window(&'static str),
    /// The window ends with the first choice, and a second window with the other.
    Windows(&'static str, &'static str),
    /// Two windows are open at once, and both are paid.
    PaidTwice,
    /// An account is issued and paid into.
    Deposited,
    /// Paid, and given back in PortOne's console: so much of it, or all.
    Refunded(Option<i64>),
    /// Closed while the window was open, and paid after that.
    PaidLate,
    /// Closed unpaid.
    Closed,
}

struct Sample {
    portone: Portone,
    payment_id: &'static str,
    name: &'static str,
    amount: i64,
    buyer: &'static str,
    story: Story,
}

const fn sample(
    payment_id: &'static str,
    name: &'static str,
    amount: i64,
    buyer: &'static str,
    story: Story,
) -> Sample {
    Sample {
        portone: Portone::V1,
        payment_id,
        name,
        amount,
        buyer,
        story,
    }
}

/// The same, paid through PortOne V2.
const fn by_v2(sample: Sample) -> Sample {
    Sample {
        portone: Portone::V2,
        ..sample
    }
}

/// Oldest first; the list shows them the other way round.
const SAMPLES: [Sample; 20] = [
    sample(
        "DEMO-1001",
        "핸드드립 커피 세트",
        38_000,
        "김하늘",
        Story::Window("pay"),
    ),
    sample(
        "DEMO-1002",
        "린넨 앞치마",
        24_500,
        "이서준",
        Story::Refunded(None),
    ),
    sample(
        "DEMO-1003",
        "도자기 머그 2개",
        42_000,
        "박지우",
        Story::Refunded(Some(21_000)),
    ),
    sample(
        "DEMO-1004",
        "원목 도마",
        31_000,
        "최유나",
        Story::Window("cancel"),
    ),
    sample(
        "DEMO-1005",
        "무선 이어폰",
        129_000,
        "정도윤",
        Story::Windows("decline_limit", "pay"),
    ),
    sample("DEMO-1006", "겨울 이불", 89_000, "한지민", Story::Deposited),
    sample("DEMO-1007", "캔버스 가방", 27_000, "오세훈", Story::Closed),
    sample("DEMO-1008", "러닝화", 99_000, "윤서연", Story::PaidTwice),
    sample(
        "DEMO-1009",
        "공연 입장권 2매",
        110_000,
        "강민재",
        Story::PaidLate,
    ),
    sample(
        "DEMO-1010",
        "기계식 키보드",
        158_000,
        "신예린",
        Story::Window("pay_tampered_amount"),
    ),
    sample(
        "DEMO-1011",
        "전기 주전자",
        45_900,
        "배준호",
        Story::Window("pay_test_channel"),
    ),
    sample(
        "DEMO-1012",
        "책상 스탠드",
        52_000,
        "조은채",
        Story::Window("decline_balance"),
    ),
    sample(
        "DEMO-1013",
        "여행용 파우치",
        18_900,
        "문가온",
        Story::Window("abandon"),
    ),
    sample(
        "DEMO-1014",
        "유기농 잡곡 5kg",
        33_400,
        "서지호",
        Story::Window("pay_flag_false"),
    ),
    sample(
        "DEMO-1015",
        "요가 매트",
        36_000,
        "남다은",
        Story::Window("issue_vbank"),
    ),
    sample("DEMO-1016", "수제 그래놀라", 15_800, "임시우", Story::Open),
    by_v2(sample(
        "DEMO-2001",
        "드립백 20개입",
        19_800,
        "황보라",
        Story::Window("pay"),
    )),
    by_v2(sample(
        "DEMO-2002",
        "휴대용 우산",
        22_000,
        "전태오",
        Story::Window("decline_card"),
    )),
    by_v2(sample(
        "DEMO-2003",
        "블루투스 스피커",
        74_000,
        "고은별",
        Story::Window("pay_tampered_amount"),
    )),
    by_v2(sample(
        "DEMO-2004",
        "여름 돗자리",
        12_500,
        "노아름",
        Story::Window("issue_virtual_account"),
    )),
];

/// Makes them all.
pub(super) async fn make(api: &Api, sandbox: &Sandbox, shop_url: &str) -> anyhow::Result<Samples> {
    sandbox.set_webhook(WebhookMode::Before);
    let stage = Stage {
        api,
        buyer: Buyer::new(sandbox.url().clone(), api.app_url(), Mode::Live)?,
        shop_url,
    };
    let mut made = Vec::with_capacity(SAMPLES.len());
    for sample in &SAMPLES {
        let order = stage
            .play(sample)
            .await
            .with_context(|| format!("sample {}", sample.payment_id))?;
        made.push((sample, order));
    }
    sandbox.set_webhook(WebhookMode::After);

    let of = |wanted: &str| {
        let found = made
            .iter()
            .find(|(sample, _)| matches!(sample.story, Story::Window(choice) if choice == wanted));
        found
            .map(|(_, order)| order.status_url.clone())
            .with_context(|| format!("no sample ends with {wanted}"))
    };
    let open = made
        .iter()
        .find(|(sample, _)| matches!(sample.story, Story::Open))
        .context("no sample is open")?;
    Ok(Samples {
        pay_url: open.1.pay_url.clone(),
        paid_url: of("pay")?,
        account_url: of("issue_vbank")?,
        held_url: of("pay_tampered_amount")?,
    })
}

struct Stage<'s> {
    api: &'s Api,
    buyer: Buyer,
    shop_url: &'s str,
}

impl Stage<'_> {
    async fn play(&self, sample: &Sample) -> anyhow::Result<Order> {
        let order = self.api.make_order(&self.order_of(sample)).await?;
        let (portone, id) = (sample.portone, sample.payment_id);
        let purchase = Purchase {
            portone,
            payment_id: id,
            name: sample.name,
            amount: sample.amount,
            buyer: sample.buyer,
        };
        match sample.story {
            Story::Open => {}
            Story::Closed => self.api.close(id).await?,
            Story::Window(choice) => {
                self.buyer.visit(purchase, choice).await?;
            }
            Story::Windows(first, second) => {
                self.buyer.visit(purchase, first).await?;
                self.buyer.visit(purchase, second).await?;
            }
            Story::PaidTwice => {
                let windows = [
                    self.buyer.open(purchase).await?,
                    self.buyer.open(purchase).await?,
                ];
                for window in &windows {
                    self.buyer.end(portone, window, "pay").await?;
                }
            }
            Story::Deposited => {
                let transaction = self.buyer.visit(purchase, "issue_vbank").await?;
                self.buyer
                    .drive(portone, &transaction, "deposit", &json!({}))
                    .await?;
                self.api.sync(id).await?;
            }
            Story::Refunded(part) => {
                let transaction = self.buyer.visit(purchase, "pay").await?;
                let body = part.map_or_else(
                    || json!({ "reason": "단순 변심" }),
                    |amount| json!({ "amount": amount, "reason": "1개 파손" }),
                );
                self.buyer
                    .drive(portone, &transaction, "cancel", &body)
                    .await?;
                self.api.sync(id).await?;
            }
            Story::PaidLate => {
                let window = self.buyer.open(purchase).await?;
                self.api.close(id).await?;
                self.buyer.end(portone, &window, "pay").await?;
            }
        }
        Ok(order)
    }

    fn order_of(&self, sample: &Sample) -> Value {
        let mut order = json!({
            "payment_id": sample.payment_id,
            "name": sample.name,
            "amount": sample.amount,
            "currency": "KRW",
            "portone": sample.portone,
            "buyer": { "name": sample.buyer, "email": "buyer@example.com", "tel": "010-0000-0000" },
            "return_url": format!("{}/orders/{}", self.shop_url, sample.payment_id),
            "metadata": { "sample": true },
        });
        if sample.portone == Portone::V2 {
            order["channel_key"] = json!(Buyer::channel_key(Mode::Live));
        }
        order
    }
}
