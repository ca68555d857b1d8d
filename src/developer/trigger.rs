//! `wanryo trigger`: brings a new order to where a named event comes, the way a buyer would, with the sandbox as PortOne.
//!
//! The order is made in the database, beside the running server; everything after that is told to the server from outside, as
//! in earnest: the buyer comes back by redirect, and the sandbox sends its webhooks.

use std::sync::Arc;

use anyhow::{Context, ensure};
use jiff::SignedDuration;
use serde_json::json;

use super::buyer::{Buyer, Purchase};
use crate::compose;
use crate::config::Settings;
use crate::domain::event::EventType;
use crate::domain::history::Actor;
use crate::domain::ids::PaymentId;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Buyer as BuyerData, Mode, Portone};
use crate::ports::entropy::draw;
use crate::service::Core;
use crate::service::orders::{self, Made, NewOrder};
use crate::service::sync::{Ask, sync};

/// What the order costs, in won.
const PRICE: i64 = 10_000;
/// Who the history says made it.
const NAME: &str = "wanryo trigger";
/// An order that is to expire may be paid for this long.
const EXPIRES_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// Makes an order with which the event happens, and returns its id. `portone` is the generation to pay through; the one that is
/// set up, V1 first, when absent.
///
/// # Errors
/// What stopped it: no sandbox, no running server, a database that cannot be opened.
pub async fn run(
    settings: &Settings,
    event: EventType,
    portone: Option<Portone>,
) -> anyhow::Result<PaymentId> {
    let (portone, sandbox_url) = match (portone, &settings.v1, &settings.v2) {
        (None | Some(Portone::V1), Some(v1), _) => (Portone::V1, &v1.api_url),
        (None | Some(Portone::V2), _, Some(v2)) => (Portone::V2, &v2.api_url),
        (None, None, None) => anyhow::bail!(
            "no PortOne is set up; set PORTONE_V1_API_URL and its keys, or PORTONE_V2_API_URL and its own"
        ),
        (Some(missing), _, _) => anyhow::bail!("PortOne {} is not set up", missing.as_str()),
    };
    ensure!(
        settings.mode == Mode::Test,
        "orders are made up on a server for tests alone; start it, and this, with WANRYO_MODE=test"
    );
    // An id that is paid takes no second payment, <https://developers.portone.io/api/rest-v2/payment>.
    ensure!(
        (event, portone) != (EventType::OrderDuplicatePayment, Portone::V2),
        "PortOne V2 takes no second payment for an id; --portone v1 does"
    );
    let (core, database) = compose::offline(settings).await?;
    let core = Arc::new(core);
    let sandbox_url = sandbox_url
        .join("/")
        .context("the sandbox's address is no URL")?;
    let buyer = Buyer::new(
        sandbox_url.clone(),
        &core.settings.public_url,
        settings.mode,
    )?;
    ensure!(
        buyer.finds_the_sandbox().await,
        "at {sandbox_url} is no portone-sandbox; nothing is bought at PortOne itself"
    );
    let id = Scene {
        core: &core,
        buyer,
        portone,
    }
    .play(event)
    .await?;
    database.close().await;
    Ok(id)
}

struct Scene<'s> {
    core: &'s Arc<Core>,
    buyer: Buyer,
    portone: Portone,
}

impl Scene<'_> {
    async fn play(&self, event: EventType) -> anyhow::Result<PaymentId> {
        let bytes: [u8; 8] = draw(self.core.entropy.as_ref());
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = PaymentId::parse(&format!("trigger-{text}")).context("the id is none")?;
        let lasts = (event == EventType::OrderExpired).then_some(EXPIRES_AFTER);
        self.make(&id, lasts).await?;
        let (portone, purchase) = (
            self.portone,
            Purchase {
                portone: self.portone,
                payment_id: id.as_str(),
                name: NAME,
                amount: PRICE,
                buyer: NAME,
            },
        );
        let buyer = &self.buyer;
        match event {
            EventType::OrderPaid => drop(buyer.visit(purchase, "pay").await?),
            EventType::OrderVirtualAccountIssued => {
                let choice = match portone {
                    Portone::V1 => "issue_vbank",
                    Portone::V2 => "issue_virtual_account",
                };
                buyer.visit(purchase, choice).await?;
            }
            EventType::OrderPaymentFailed => {
                buyer.visit(purchase, "decline_card").await?;
            }
            EventType::OrderHeld => {
                buyer.visit(purchase, "pay_tampered_amount").await?;
            }
            EventType::OrderDuplicatePayment => {
                let windows = [buyer.open(purchase).await?, buyer.open(purchase).await?];
                for window in &windows {
                    buyer.end(portone, window, "pay").await?;
                }
            }
            EventType::OrderLatePayment => {
                let window = buyer.open(purchase).await?;
                orders::close(self.core, &id, Actor::Shop(NAME.to_owned())).await?;
                buyer.end(portone, &window, "pay").await?;
            }
            EventType::OrderRefunded => self.give_back(purchase, &id, PRICE).await?,
            EventType::OrderPartiallyRefunded => {
                self.give_back(purchase, &id, PRICE / 2).await?;
            }
            // The running server ends it when its time is over.
            EventType::OrderExpired => {}
        }
        Ok(id)
    }

    async fn make(&self, id: &PaymentId, lasts: Option<SignedDuration>) -> anyhow::Result<()> {
        let mode = self.core.settings.expected.mode;
        let channel_key =
            (self.portone == Portone::V2).then(|| Buyer::channel_key(mode).to_owned());
        let expires_at = lasts.and_then(|lasts| self.core.clock.now().checked_add(lasts).ok());
        let new = NewOrder {
            payment_id: id.clone(),
            name: NAME.to_owned(),
            amount: Money {
                minor: PRICE,
                currency: Currency::KRW,
            },
            portone: self.portone,
            pay_method: None,
            channel_key,
            buyer: BuyerData::default(),
            return_url: None,
            expires_at,
            locale: None,
            metadata: None,
            window_params: None,
            fingerprint: id.to_string(),
        };
        match orders::make(self.core, new, Actor::Shop(NAME.to_owned())).await? {
            Made::New(_) => Ok(()),
            Made::Same(_) | Made::Different => anyhow::bail!("there is an order {id} already"),
        }
    }

    /// Paid, and given back in PortOne's console, which sends no message: so PortOne is asked.
    async fn give_back(
        &self,
        purchase: Purchase<'_>,
        id: &PaymentId,
        amount: i64,
    ) -> anyhow::Result<()> {
        let transaction = self.buyer.visit(purchase, "pay").await?;
        let body = json!({ "amount": amount, "reason": NAME });
        self.buyer
            .drive(self.portone, &transaction, "cancel", &body)
            .await?;
        let ask = Ask {
            payment_id: id.clone(),
            transaction_id: None,
            patient: false,
            actor: Actor::Shop(NAME.to_owned()),
        };
        sync(self.core, ask).await?;
        Ok(())
    }
}
