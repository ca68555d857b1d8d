//! What the API answers with, as types: the description at `/api/v1/openapi.json` is made of them.
//!
//! Every field is always there. What is not known is `null`.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::attention::{AttentionItem, AttentionKind};
use crate::domain::delivery::{self, DeliveryStatus, Endpoint, EndpointStatus, Trouble};
use crate::domain::event::EventType;
use crate::domain::history::{EntryKind, StoredEntry};
use crate::domain::order::{self, OrderStatus, Portone};
use crate::domain::refund::{self, RefundState};
use crate::domain::transaction::{self, TransactionStatus, Verdict};
use crate::domain::verification::{self, CheckName};
use crate::ports::store::Snapshot;
use crate::service::Core;

/// Names a closed set of words in the description, as the domain has them.
macro_rules! word_schemas {
    ($($(#[$doc:meta])* $name:ident = $words:ty;)+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = <$words>::ALL.iter().map(|word| word.as_str());
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

word_schemas! {
    /// Where an order stands.
    OrderStatusWord = OrderStatus;
    /// A generation of PortOne.
    PortoneWord = Portone;
    /// PortOne's status of a transaction.
    TransactionStatusWord = TransactionStatus;
    /// Our reading of a transaction.
    VerdictWord = Verdict;
    /// One thing that is checked.
    CheckWord = CheckName;
    /// How far a refund is.
    RefundStateWord = RefundState;
    /// What an entry of the history is about.
    EntryWord = EntryKind;
    /// Why a payment needs attention.
    AttentionWord = AttentionKind;
    /// What events tell of.
    EventTypeWord = EventType;
    /// Whether events are sent to an endpoint.
    EndpointStatusWord = EndpointStatus;
    /// How far a delivery is.
    DeliveryStatusWord = DeliveryStatus;
    /// Why an attempt did not deliver.
    DeliveryTroubleWord = Trouble;
}

/// An order in a list
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderBrief {
    /// The shop's id of the payment
    payment_id: String,
    /// What is sold
    name: String,
    #[schema(value_type = OrderStatusWord)]
    status: &'static str,
    /// What it costs, in the currency's minor unit
    amount: i64,
    /// ISO 4217
    #[schema(value_type = String)]
    currency: &'static str,
    /// How much was given back of what paid it
    refunded_amount: i64,
    #[schema(value_type = PortoneWord)]
    portone: &'static str,
    pay_method: Option<String>,
    channel_key: Option<String>,
    buyer: BuyerAnswer,
    /// Where the shop wants the buyer next
    return_url: Option<String>,
    locale: Option<String>,
    /// The shop's own object, as it came, decimals as doubles
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// What else PortOne's payment window is told, as it came
    #[schema(value_type = Option<Object>)]
    window_params: Option<Map<String, Value>>,
    /// PortOne's id of the one transaction that paid it
    transaction_id: Option<String>,
    /// Where the buyer pays; fills in who pays, so it is for the buyer alone
    pay_url: String,
    /// The lasting link to how the payment stands
    status_url: String,
    expires_at: Option<Timestamp>,
    expired_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    /// When PortOne was last asked and answered
    checked_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl OrderBrief {
    pub(super) fn of(core: &Core, order: &order::Order) -> Self {
        let metadata = order.metadata.as_deref();
        let order::Buyer { name, email, tel } = order.buyer.clone();
        Self {
            payment_id: order.payment_id.as_str().to_owned(),
            name: order.name.clone(),
            status: order.status.as_str(),
            amount: order.amount.minor,
            currency: order.amount.currency.code(),
            refunded_amount: order.refunded_minor,
            portone: order.portone.as_str(),
            pay_method: order.pay_method.clone(),
            channel_key: order.channel_key.clone(),
            buyer: BuyerAnswer { name, email, tel },
            return_url: order.return_url.clone(),
            locale: order.locale.clone(),
            metadata: metadata.and_then(|text| serde_json::from_str(text).ok()),
            window_params: order
                .window_params
                .as_ref()
                .map(|params| params.as_object().clone()),
            transaction_id: order
                .accepted_transaction_id
                .as_ref()
                .map(|id| id.as_str().to_owned()),
            pay_url: core.prefilled_pay_url(order),
            status_url: core.status_url(&order.status_token),
            expires_at: order.expires_at,
            expired_at: order.expired_at,
            closed_at: order.closed_at,
            checked_at: order.checked_at,
            created_at: order.created_at,
            updated_at: order.updated_at,
        }
    }
}

/// Who pays, as the shop said
#[derive(Serialize, ToSchema)]
#[schema(as = Buyer)]
pub struct BuyerAnswer {
    name: Option<String>,
    email: Option<String>,
    tel: Option<String>,
}

impl std::fmt::Debug for BuyerAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BuyerAnswer(..)")
    }
}

/// An order with everything that belongs to it
#[derive(Debug, Serialize, ToSchema)]
pub struct Order {
    #[serde(flatten)]
    brief: OrderBrief,
    /// Every attempt to pay it, first seen first
    transactions: Vec<Transaction>,
    /// Every check of every verification
    checks: Vec<Check>,
    /// What was asked to be given back through here
    refunds: Vec<Refund>,
}

impl Order {
    pub(super) fn of(core: &Core, snapshot: &Snapshot, refunds: &[refund::Refund]) -> Self {
        let transactions = &snapshot.transactions;
        let checks = transactions
            .iter()
            .flat_map(|found| found.checks.iter().map(|check| Check::of(found, check)));
        Self {
            brief: OrderBrief::of(core, &snapshot.order),
            transactions: transactions.iter().map(Transaction::of).collect(),
            checks: checks.collect(),
            refunds: refunds.iter().map(Refund::of).collect(),
        }
    }
}

/// A page of orders
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderList {
    pub(super) orders: Vec<OrderBrief>,
    /// Leads to the next page; `null` on the last
    pub(super) next_cursor: Option<String>,
}

/// One attempt to pay
#[derive(Debug, Serialize, ToSchema)]
pub struct Transaction {
    /// PortOne's id
    transaction_id: String,
    #[schema(value_type = TransactionStatusWord)]
    status: &'static str,
    #[schema(value_type = VerdictWord)]
    verdict: &'static str,
    /// In the currency's minor unit; `null` when PortOne's figure is no amount of its currency
    amount: Option<i64>,
    currency: Option<String>,
    /// How much was given back
    refunded_amount: i64,
    /// Test money; `null` when PortOne did not say
    test: Option<bool>,
    pay_method: Option<String>,
    pg_provider: Option<String>,
    method_name: Option<String>,
    approval_number: Option<String>,
    /// The gateway's own words
    fail_reason: Option<String>,
    receipt_url: Option<String>,
    virtual_account: Option<VirtualAccount>,
    paid_at: Option<Timestamp>,
    first_seen_at: Timestamp,
    checked_at: Timestamp,
}

impl Transaction {
    fn of(transaction: &transaction::Transaction) -> Self {
        Self {
            transaction_id: transaction.transaction_id.as_str().to_owned(),
            status: transaction.status.as_str(),
            verdict: transaction.verdict.as_str(),
            amount: transaction.amount_minor,
            currency: transaction.currency.clone(),
            refunded_amount: transaction.cancelled_minor,
            test: transaction.test,
            pay_method: transaction.pay_method.clone(),
            pg_provider: transaction.pg_provider.clone(),
            method_name: transaction.method_name.clone(),
            approval_number: transaction.approval_number.clone(),
            fail_reason: transaction.fail_reason.clone(),
            receipt_url: transaction.receipt_url.clone(),
            virtual_account: transaction.virtual_account.as_ref().map(VirtualAccount::of),
            paid_at: transaction.paid_at,
            first_seen_at: transaction.first_seen_at,
            checked_at: transaction.checked_at,
        }
    }
}

/// An account to deposit to
#[derive(Serialize, ToSchema)]
pub struct VirtualAccount {
    /// V1 by name, V2 by a code such as `SHINHAN`
    bank: Option<String>,
    account_number: String,
    holder: Option<String>,
    expires_at: Option<Timestamp>,
}

impl VirtualAccount {
    fn of(account: &transaction::VirtualAccount) -> Self {
        Self {
            bank: account.named_bank().map(str::to_owned),
            account_number: account.account_number.clone(),
            holder: account.holder.clone(),
            expires_at: account.expires_at,
        }
    }
}

impl std::fmt::Debug for VirtualAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VirtualAccount(..)")
    }
}

/// One check of one transaction
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    transaction_id: String,
    #[schema(value_type = CheckWord)]
    name: &'static str,
    /// What the order asks for
    expected: String,
    /// What PortOne reports
    actual: String,
    passed: bool,
}

impl Check {
    fn of(transaction: &transaction::Transaction, check: &verification::Check) -> Self {
        Self {
            transaction_id: transaction.transaction_id.as_str().to_owned(),
            name: check.name.as_str(),
            expected: check.expected.clone(),
            actual: check.actual.clone(),
            passed: check.passed,
        }
    }
}

/// Money that was asked to be given back. The account it goes to is nobody's to read back
#[derive(Debug, Serialize, ToSchema)]
pub struct Refund {
    refund_id: String,
    payment_id: String,
    transaction_id: String,
    /// In the currency's minor unit
    amount: i64,
    #[schema(value_type = String)]
    currency: &'static str,
    /// How much of it is free of tax, where PortOne was told
    tax_free_amount: Option<i64>,
    reason: String,
    #[schema(value_type = RefundStateWord)]
    state: &'static str,
    requested_by: String,
    error: Option<RefundTrouble>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// What last went wrong
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundTrouble {
    /// PortOne's code, or a word of ours
    code: String,
    /// The gateway's words
    message: Option<String>,
}

impl Refund {
    pub(super) fn of(refund: &refund::Refund) -> Self {
        let money = refund.amount.money();
        let trouble = refund.trouble.as_ref();
        Self {
            refund_id: refund.id.as_str().to_owned(),
            payment_id: refund.payment_id.as_str().to_owned(),
            transaction_id: refund.transaction_id.as_str().to_owned(),
            amount: money.minor,
            currency: money.currency.code(),
            tax_free_amount: refund.tax_free_minor,
            reason: refund.reason.clone(),
            state: refund.state.as_str(),
            requested_by: refund.requested_by.clone(),
            error: trouble.map(|trouble| RefundTrouble {
                code: trouble.code.clone(),
                message: trouble.message.clone(),
            }),
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}

/// The refunds of an order
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundList {
    pub(super) payment_id: String,
    pub(super) refunds: Vec<Refund>,
}

/// The whole history of an order, oldest first
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    pub(super) payment_id: String,
    pub(super) events: Vec<HistoryEntry>,
}

/// Something that happened to an order
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// Grows within the order
    seq: i64,
    at: Timestamp,
    #[schema(value_type = EntryWord)]
    kind: &'static str,
    /// Who: `buyer`, `webhook`, `worker`, `shop:NAME`, …
    actor: String,
    /// Details, by kind
    #[schema(value_type = Object)]
    data: Value,
}

impl HistoryEntry {
    pub(super) fn of(stored: StoredEntry) -> Self {
        let entry = stored.entry;
        Self {
            seq: stored.seq,
            at: entry.at,
            kind: entry.kind.as_str(),
            actor: entry.actor,
            data: entry.data,
        }
    }
}

/// A page of what needs attention
#[derive(Debug, Serialize, ToSchema)]
pub struct AttentionList {
    pub(super) items: Vec<Attention>,
    /// Leads to the next page; `null` on the last
    pub(super) next_cursor: Option<String>,
}

/// A payment that a person has to look at
#[derive(Debug, Serialize, ToSchema)]
pub struct Attention {
    #[schema(value_type = AttentionWord)]
    kind: &'static str,
    #[schema(value_type = PortoneWord)]
    portone: &'static str,
    /// As PortOne has it; an orphan's need not be one that an order could have
    payment_id: String,
    transaction_id: String,
    /// `null` when PortOne's figure is no amount of its currency
    amount: Option<i64>,
    currency: Option<String>,
    refunded_amount: i64,
    first_seen_at: Timestamp,
    last_seen_at: Timestamp,
}

impl Attention {
    pub(super) fn of(item: &AttentionItem) -> Self {
        Self {
            kind: item.kind.as_str(),
            portone: item.portone.as_str(),
            payment_id: item.payment_id.clone(),
            transaction_id: item.transaction_id.as_str().to_owned(),
            amount: item.amount_minor,
            currency: item.currency.clone(),
            refunded_amount: item.cancelled_minor,
            first_seen_at: item.first_seen_at,
            last_seen_at: item.last_seen_at,
        }
    }
}

/// Where events are sent. Its secrets are shown when they are made, and never again
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookEndpoint {
    id: String,
    url: String,
    /// `null` is all of them
    #[schema(value_type = Option<Vec<EventTypeWord>>)]
    event_types: Option<Vec<&'static str>>,
    #[schema(value_type = EndpointStatusWord)]
    status: &'static str,
    /// Since when nothing has been delivered
    failing_since: Option<Timestamp>,
    /// Until when it is left alone
    resume_at: Option<Timestamp>,
    /// Until when webhooks are signed with the secret before, too
    previous_secret_valid_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl WebhookEndpoint {
    pub(super) fn of(endpoint: &Endpoint, now: Timestamp) -> Self {
        let types = endpoint.event_types.as_ref();
        let previous = endpoint.secrets.previous.as_ref();
        Self {
            id: endpoint.id.as_str().to_owned(),
            url: endpoint.url.clone(),
            event_types: types.map(|types| types.iter().map(|one| one.as_str()).collect()),
            status: endpoint.status.as_str(),
            failing_since: endpoint.failing_since,
            resume_at: endpoint.resume_at.filter(|at| now < *at),
            previous_secret_valid_until: previous
                .map(|(_, until)| *until)
                .filter(|until| now < *until),
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

/// An endpoint with its newest secret, shown this once
#[derive(Serialize, ToSchema)]
pub struct WebhookEndpointWithSecret {
    #[serde(flatten)]
    endpoint: WebhookEndpoint,
    /// `whsec_…`, as Standard Webhooks has it
    secret: String,
}

impl WebhookEndpointWithSecret {
    pub(super) fn of(endpoint: &Endpoint, now: Timestamp) -> Self {
        Self {
            endpoint: WebhookEndpoint::of(endpoint, now),
            secret: endpoint.secrets.newest.expose_secret().to_owned(),
        }
    }
}

/// All endpoints
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookEndpointList {
    pub(super) webhook_endpoints: Vec<WebhookEndpoint>,
    /// Always `null`: there are never more than fit on one page
    pub(super) next_cursor: Option<String>,
}

/// What became of asking for many to be sent again
#[derive(Debug, Serialize, ToSchema)]
pub struct Redelivered {
    /// How many are sent again
    pub(super) redelivered: usize,
    /// Whether there may be more; ask once more then, with `next_cursor` as `cursor`
    pub(super) more: bool,
    /// Behind which the others are
    pub(super) next_cursor: Option<String>,
}

/// An event for an endpoint
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryBrief {
    id: i64,
    endpoint_id: String,
    /// Also the webhook's `webhook-id`
    event_id: String,
    #[schema(value_type = EventTypeWord)]
    event_type: &'static str,
    payment_id: String,
    #[schema(value_type = DeliveryStatusWord)]
    status: &'static str,
    attempt_count: i64,
    next_attempt_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl DeliveryBrief {
    pub(super) fn of(delivery: &delivery::Delivery) -> Self {
        Self {
            id: delivery.id,
            endpoint_id: delivery.endpoint_id.as_str().to_owned(),
            event_id: delivery.event_id.clone(),
            event_type: delivery.event_type.as_str(),
            payment_id: delivery.payment_id.as_str().to_owned(),
            status: delivery.status.as_str(),
            attempt_count: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            created_at: delivery.created_at,
            updated_at: delivery.updated_at,
        }
    }
}

/// An event for an endpoint, with every attempt
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    #[serde(flatten)]
    brief: DeliveryBrief,
    attempts: Vec<DeliveryAttempt>,
}

impl Delivery {
    pub(super) fn of(delivery: &delivery::Delivery, attempts: &[delivery::Attempt]) -> Self {
        Self {
            brief: DeliveryBrief::of(delivery),
            attempts: attempts.iter().map(DeliveryAttempt::of).collect(),
        }
    }
}

/// One attempt to deliver
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryAttempt {
    /// From 1
    number: i64,
    at: Timestamp,
    duration_ms: i64,
    /// Status of the answer, when there was one
    code: Option<u16>,
    #[schema(value_type = Option<DeliveryTroubleWord>)]
    error: Option<&'static str>,
    /// The beginning of the answer
    answer: Option<String>,
}

impl DeliveryAttempt {
    fn of(attempt: &delivery::Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at,
            duration_ms: attempt.duration_ms,
            code: attempt.code,
            error: attempt.trouble.map(|trouble| trouble.as_str()),
            answer: attempt.answer.clone(),
        }
    }
}

/// A page of deliveries
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    pub(super) deliveries: Vec<DeliveryBrief>,
    /// Leads to the next page; `null` on the last
    pub(super) next_cursor: Option<String>,
}
