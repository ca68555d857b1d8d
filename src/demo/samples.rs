//! Orders in every state, brought there the way buyers bring them: through PortOne's window, and back by redirect.
//!
//! Webhooks are answered before the redirect meanwhile, so that every run tells the same histories.

use anyhow::{Context, ensure};
use portone_sandbox::{Sandbox, WebhookMode};
use reqwest::header::{ACCEPT, LOCATION};
use serde_json::{Value, json};

use super::http::{self, Api, Order};
use crate::domain::order::Portone;

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
        sandbox,
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
    sandbox: &'s Sandbox,
    shop_url: &'s str,
}

impl Stage<'_> {
    async fn play(&self, sample: &Sample) -> anyhow::Result<Order> {
        let order = self.api.make_order(&self.order_of(sample)).await?;
        let id = sample.payment_id;
        match sample.story {
            Story::Open => {}
            Story::Closed => self.api.close(id).await?,
            Story::Window(choice) => {
                self.visit(sample, choice).await?;
            }
            Story::Windows(first, second) => {
                self.visit(sample, first).await?;
                self.visit(sample, second).await?;
            }
            Story::PaidTwice => {
                let windows = [self.open(sample).await?, self.open(sample).await?];
                for window in &windows {
                    self.end(sample, window, "pay").await?;
                }
            }
            Story::Deposited => {
                let transaction = self.visit(sample, "issue_vbank").await?;
                self.drive(sample, &transaction, "deposit", &json!({}))
                    .await?;
                self.api.sync(id).await?;
            }
            Story::Refunded(part) => {
                let transaction = self.visit(sample, "pay").await?;
                let body = part.map_or_else(
                    || json!({ "reason": "단순 변심" }),
                    |amount| json!({ "amount": amount, "reason": "1개 파손" }),
                );
                self.drive(sample, &transaction, "cancel", &body).await?;
                self.api.sync(id).await?;
            }
            Story::PaidLate => {
                let window = self.open(sample).await?;
                self.api.close(id).await?;
                self.end(sample, &window, "pay").await?;
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
            order["channel_key"] = json!(Sandbox::V2_LIVE_CHANNEL_KEY);
        }
        order
    }

    /// Opens the window, ends it, and comes back. Returns PortOne's id.
    async fn visit(&self, sample: &Sample, choice: &str) -> anyhow::Result<String> {
        let window = self.open(sample).await?;
        self.end(sample, &window, choice).await?;
        Ok(window)
    }

    /// What the browser SDK does on a phone.
    async fn open(&self, sample: &Sample) -> anyhow::Result<String> {
        let redirect_url = format!("{}/payments/complete", self.api.app_url());
        let (parameters, id_name) = match sample.portone {
            Portone::V1 => (
                json!({
                    "merchant_uid": sample.payment_id,
                    "name": sample.name,
                    "amount": sample.amount,
                    "pay_method": "card",
                    "buyer_name": sample.buyer,
                    "buyer_email": "buyer@example.com",
                    "buyer_tel": "010-0000-0000",
                    "m_redirect_url": redirect_url,
                }),
                "imp_uid",
            ),
            Portone::V2 => (
                json!({
                    "storeId": Sandbox::V2_STORE_ID,
                    "channelKey": Sandbox::V2_LIVE_CHANNEL_KEY,
                    "paymentId": sample.payment_id,
                    "orderName": sample.name,
                    "totalAmount": sample.amount,
                    "currency": "KRW",
                    "payMethod": "CARD",
                    "customer": { "fullName": sample.buyer, "email": "buyer@example.com", "phoneNumber": "010-0000-0000" },
                    "redirectUrl": redirect_url,
                }),
                "txId",
            ),
        };
        let url = self.sandbox_url(sample, "checkout")?;
        let answer = self
            .api
            .client()
            .post(url)
            .json(&parameters)
            .send()
            .await
            .context("the sandbox does not answer")?;
        let opened: Value = serde_json::from_slice(&http::read(answer).await?)
            .context("the sandbox's answer is no JSON")?;
        let id = opened.get(id_name).and_then(Value::as_str);
        Ok(id
            .with_context(|| format!("the sandbox opened no window: {opened}"))?
            .to_owned())
    }

    /// Chooses how the window ends, and goes where the browser is sent. A window that was left sends nobody anywhere.
    async fn end(&self, sample: &Sample, transaction: &str, choice: &str) -> anyhow::Result<()> {
        let url = self.sandbox_url(sample, &format!("window/{transaction}"))?;
        let answer = self
            .api
            .client()
            .post(url)
            .form(&[("choice", choice)])
            .send()
            .await
            .context("the sandbox does not answer")?;
        let Some(location) = answer.headers().get(LOCATION) else {
            ensure!(
                answer.status().is_success(),
                "the window answered {}",
                answer.status()
            );
            return Ok(());
        };
        let location = location
            .to_str()
            .context("the window sends the buyer to no address")?
            .to_owned();
        let page = self
            .api
            .client()
            .get(location)
            .header(ACCEPT, "application/json")
            .send()
            .await
            .context("the app does not answer")?;
        ensure!(
            page.status().is_success(),
            "the completion page answered {}",
            page.status()
        );
        Ok(())
    }

    /// Does in the sandbox what a bank, or the merchant in PortOne's console, would do.
    async fn drive(
        &self,
        sample: &Sample,
        transaction: &str,
        action: &str,
        body: &Value,
    ) -> anyhow::Result<()> {
        let url = self.sandbox_url(sample, &format!("payments/{transaction}/{action}"))?;
        let answer = self
            .api
            .client()
            .post(url)
            .json(body)
            .send()
            .await
            .context("the sandbox does not answer")?;
        ensure!(
            answer.status().is_success(),
            "the sandbox answered {} to {action}",
            answer.status()
        );
        Ok(())
    }

    fn sandbox_url(&self, sample: &Sample, path: &str) -> anyhow::Result<url::Url> {
        let root = match sample.portone {
            Portone::V1 => "_sandbox",
            Portone::V2 => "_sandbox/v2",
        };
        self.sandbox
            .url()
            .join(&format!("{root}/{path}"))
            .context("the sandbox's address is no URL")
    }
}
