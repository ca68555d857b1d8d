//! The server that is looked at, as scenarios see it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

/// Which of PortOne's two APIs an order is paid through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    /// `imp_uid` and `merchant_uid`; <https://developers.portone.io/api/rest-v1>
    V1,
    /// `paymentId` and `txId`; <https://developers.portone.io/api/rest-v2>
    V2,
}

/// What the buyer is told after the redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Paid, and every check passed.
    Paid,
    /// There is an account to deposit to; nothing is paid.
    VirtualAccountIssued,
    /// PortOne knows the payment, and it is not finished.
    Pending,
    /// PortOne says failed, and nothing of the order is paid.
    Failed,
    /// Paid once, given back whole since.
    Refunded,
    /// Paid once, given back in part since.
    PartiallyRefunded,
    /// PortOne says paid and a check failed: a person looks.
    Held,
    /// The order was paid by another transaction before.
    Duplicate,
    /// Paid after the order had ended.
    Late,
    /// PortOne could not be asked.
    Unconfirmed,
    /// No such order, or the ids do not belong together.
    NotFound,
    /// The request names no payment.
    Invalid,
}

impl Outcome {
    /// Every word.
    pub const ALL: [Self; 12] = [
        Self::Paid,
        Self::VirtualAccountIssued,
        Self::Pending,
        Self::Failed,
        Self::Refunded,
        Self::PartiallyRefunded,
        Self::Held,
        Self::Duplicate,
        Self::Late,
        Self::Unconfirmed,
        Self::NotFound,
        Self::Invalid,
    ];

    /// As it stands in rules and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::VirtualAccountIssued => "virtual_account_issued",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Held => "held",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Unconfirmed => "unconfirmed",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Where an order stands at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Nothing is paid yet, and it can be.
    Open,
    /// An account was issued, and the deposit is awaited.
    AwaitingDeposit,
    /// Paid and fulfilled.
    Paid,
    /// Paid, given back in part.
    PartiallyRefunded,
    /// Paid, given back whole.
    Refunded,
    /// Money came that fails a check.
    Held,
    /// Its time ran out.
    Expired,
    /// The shop wants no payment any more.
    Closed,
}

impl OrderStatus {
    /// Every word.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::AwaitingDeposit,
        Self::Paid,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Held,
        Self::Expired,
        Self::Closed,
    ];

    /// As it stands in rules and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::AwaitingDeposit => "awaiting_deposit",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Closed => "closed",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a target may lack. Scenarios that need it are then skipped, and counted as skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Orders that are paid through PortOne V1.
    V1,
    /// Orders that are paid through PortOne V2.
    V2,
    /// Webhooks.
    Webhooks,
    /// A redirect that arrives as a POSTed form.
    PostReturn,
    /// Payment by deposit to an issued account.
    VirtualAccounts,
    /// Looking again later for payments that it was not told of.
    Reconciliation,
    /// Telling an order's state ([`Target::state`]).
    State,
    /// Ending an order ([`Target::close`]).
    Close,
    /// Answering PortOne's question before approval ([`Target::confirm_url`]).
    Confirm,
    /// Noticing refunds that were made elsewhere.
    Refunds,
}

impl fmt::Display for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1 => "orders through PortOne V1",
            Self::V2 => "orders through PortOne V2",
            Self::Webhooks => "webhooks",
            Self::PostReturn => "redirects by POST",
            Self::VirtualAccounts => "virtual accounts",
            Self::Reconciliation => "looking for payments that it was not told of",
            Self::State => "telling an order's state",
            Self::Close => "closing an order",
            Self::Confirm => "confirming a payment before its approval",
            Self::Refunds => "refunds that were made elsewhere",
        })
    }
}

/// An order at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Order {
    /// The shop's id: V1 `merchant_uid`, V2 `paymentId`. At most 40 of `a-z`, `0-9` and `-`.
    pub payment_id: String,
    /// What is sold.
    pub name: String,
    /// In the currency's minor unit: 65000 is 65,000 won, 1420 is 14.20 dollars.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Which API it is paid through.
    pub generation: Generation,
    /// The channel to pay through; V2 alone needs one.
    pub channel_key: Option<String>,
}

/// What can be known of an order at the target. What is not known is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderState {
    /// Where it stands.
    pub status: OrderStatus,
    /// How much was given back, in the currency's minor unit.
    pub refunded: Option<i64>,
    /// How often the order was fulfilled: goods sent, points given, a mail written. Once is right, whatever happens.
    pub effects: Option<u32>,
}

impl OrderState {
    /// A state of which the status alone is known.
    #[must_use]
    pub fn new(status: OrderStatus) -> Self {
        Self {
            status,
            refunded: None,
            effects: None,
        }
    }

    /// Adds how much was given back.
    #[must_use]
    pub fn refunded(mut self, minor: Option<i64>) -> Self {
        self.refunded = minor;
        self
    }

    /// Adds how often the order was fulfilled.
    #[must_use]
    pub fn effects(mut self, effects: Option<u32>) -> Self {
        self.effects = effects;
        self
    }
}

/// One request of the buyer's browser to the redirect address. It carries no cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visit {
    /// The address with everything that PortOne added to its query.
    pub url: Url,
    /// A form to POST; none is a GET.
    pub form: Option<Vec<(String, String)>>,
}

impl Visit {
    /// A visit by redirect.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self { url, form: None }
    }

    /// The same parameters as a POSTed form; the address keeps the query it had before PortOne.
    #[must_use]
    pub(crate) fn posted(self, redirect_url: &Url) -> Self {
        let own = redirect_url.query_pairs().count();
        let form = self.url.query_pairs().into_owned().skip(own).collect();
        Self {
            url: redirect_url.clone(),
            form: Some(form),
        }
    }

    /// The same with one more parameter at the end.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// The request, to be sent by a client that follows no redirect.
    pub fn request(&self, client: &reqwest::Client) -> reqwest::RequestBuilder {
        match &self.form {
            None => client.get(self.url.clone()),
            Some(form) => client.post(self.url.clone()).form(form),
        }
    }
}

/// What the target answered to a [`Visit`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What it says of the payment; none if it cannot be read from the answer.
    pub outcome: Option<Outcome>,
    /// How the body begins, to quote in a reason.
    pub excerpt: String,
}

/// Longest [`Answer::excerpt`], in characters.
const EXCERPT_CHARS_MAX: usize = 120;

impl Answer {
    /// An answer; the body is cut to what a reason may quote.
    #[must_use]
    pub fn new(status: u16, outcome: Option<Outcome>, body: &str) -> Self {
        let words: Vec<&str> = body.split_whitespace().collect();
        Self {
            status,
            outcome,
            excerpt: words.join(" ").chars().take(EXCERPT_CHARS_MAX).collect(),
        }
    }
}

/// Why the target could not be driven. None of this is a fault of the target's payment handling.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The target does not have it.
    #[error("the target does not support {0}")]
    Unsupported(Feature),
    /// The target did not answer, or not as agreed; the text is a whole sentence.
    #[error("{0}")]
    Failed(String),
}

/// A completion server to be looked at.
///
/// An implementation MUST send [`Target::complete`] to the real redirect address of the server, as a browser would, and
/// MUST NOT follow redirects, repeat requests or keep cookies. It MUST report what the server says, never what it
/// should say.
#[async_trait]
pub trait Target: Send + Sync {
    /// What the target lacks. Nothing, unless said otherwise.
    fn supports(&self, feature: Feature) -> bool {
        let _ = feature;
        true
    }

    /// The outcomes that the target can tell apart. Where it has none of the words that would be right, all that is
    /// asked is that it does not say `paid`.
    fn outcomes(&self) -> Vec<Outcome> {
        Outcome::ALL.to_vec()
    }

    /// The order states that the target can tell apart.
    fn statuses(&self) -> Vec<OrderStatus> {
        OrderStatus::ALL.to_vec()
    }

    /// Makes the order, and returns it as it was made. A target that can only use orders it already has returns one of
    /// those instead, a fresh one each time.
    async fn create_order(&self, order: &Order) -> Result<Order, TargetError>;

    /// The redirect address of this order, as the shop's page gives it to PortOne (`m_redirect_url`, `redirectUrl`).
    fn redirect_url(&self, order: &Order) -> Url;

    /// Where PortOne sends webhooks.
    fn webhook_url(&self) -> Url;

    /// Where PortOne asks before it approves a payment.
    fn confirm_url(&self) -> Option<Url> {
        None
    }

    /// Sends what the buyer's browser sends, and reads the answer.
    async fn complete(&self, visit: &Visit) -> Result<Answer, TargetError>;

    /// Where the order stands, by the shop's own view of it.
    async fn state(&self, order: &Order) -> Result<OrderState, TargetError>;

    /// Tells the target that no payment is wanted for the order any more.
    async fn close(&self, order: &Order) -> Result<(), TargetError> {
        let _ = order;
        Err(TargetError::Unsupported(Feature::Close))
    }

    /// Lets time go by at the target, and with it the work it does by itself: moves its clock and runs its timers if it
    /// can be told to, waits if it cannot. It is called with growing steps until what is waited for has happened.
    ///
    /// An implementation that moves a clock MUST move PortOne's by the same ([`Sandbox::advance_clock`]), or the
    /// signatures of webhooks, good for five minutes, soon fail.
    ///
    /// [`Sandbox::advance_clock`]: crate::Sandbox::advance_clock
    async fn pass_time(&self, by: Duration);

    /// How much time [`Target::pass_time`] may let go by in all while one thing is waited for; 10 s of it at most if the
    /// target does not support [`Feature::Reconciliation`].
    fn patience(&self) -> Duration;
}
