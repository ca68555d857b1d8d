//! PortOne in the model: payments that buyers, attackers and shops really made, and what its API says of them.

use jiff::Timestamp;
use rust_decimal::Decimal;
use wanryo::domain::evidence::{Evidence, Record, Reported};
use wanryo::domain::ids::{PayToken, PaymentId, StatusToken, TransactionId};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::{Buyer, Mode, Order, OrderStatus, Portone};
use wanryo::domain::transaction::{TransactionStatus, VirtualAccount};
use wanryo::domain::verification::Expected;

/// Orders of one configuration at most.
pub const ORDERS_MAX: usize = 2;
/// Payments of one configuration at most.
pub const PAYMENTS_MAX: usize = 4;
/// What every order of the model costs, in won.
pub const PRICE: i64 = 65_000;
/// What is given back of it first when it is given back in two parts.
pub const PART: i64 = 500;

/// Second zero of the model.
const EPOCH_SECOND: i64 = 1_700_000_000;
/// One tick of the model's time. Two moments of one tick are the same second to the product: that, too, happens.
const TICK_SECONDS: i64 = 3_600;

/// A tick as the product sees it.
#[must_use]
pub fn at(tick: u8) -> Timestamp {
    Timestamp::from_second(EPOCH_SECOND + i64::from(tick) * TICK_SECONDS).unwrap_or(Timestamp::MIN)
}

/// How a payment is made, which says what may become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Approved or declined at once.
    Card,
    /// Declined first and approved later, and given back with a delay, as PayPal does.
    /// <https://developers.portone.io/opi/ko/integration/pg/v1/paypal>
    Slow,
    /// An account is issued, and the deposit comes or does not.
    Account,
}

/// One payment that exists at PortOne, and what is wrong with it when something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The order whose number it was made under.
    pub order: usize,
    /// How it is made.
    pub means: Means,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
}

/// Why a payment must not pay its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Less than the order costs.
    Cheap,
    /// The right number of another currency's units.
    Currency,
    /// Made through a test channel.
    Test,
}

/// Where a payment stands at PortOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Phase {
    /// Not begun: PortOne does not know it.
    #[default]
    Absent,
    /// The window is open.
    Ready,
    /// An account waits for the deposit.
    Issued,
    /// The account was taken back before anybody deposited. PortOne says `cancelled`, with nothing given back.
    Withdrawn,
    /// Declined.
    Failed,
    /// The money is there.
    Paid,
    /// It is to be given back, and the gateway has not done it yet. PortOne says `cancelled`, with nothing given back.
    Returning,
    /// A part was given back.
    PartlyReturned,
    /// All was given back.
    Returned,
}

impl Phase {
    /// Whether the buyer's money has arrived, ever.
    #[must_use]
    pub const fn was_paid(self) -> bool {
        match self {
            Self::Absent | Self::Ready | Self::Issued | Self::Withdrawn | Self::Failed => false,
            Self::Paid | Self::Returning | Self::PartlyReturned | Self::Returned => true,
        }
    }

    /// How much was given back of a payment of `amount`.
    #[must_use]
    pub const fn returned(self, amount: i64) -> i64 {
        match self {
            Self::PartlyReturned => PART,
            Self::Returned => amount,
            Self::Absent
            | Self::Ready
            | Self::Issued
            | Self::Withdrawn
            | Self::Failed
            | Self::Paid
            | Self::Returning => 0,
        }
    }
}

/// A payment's state at PortOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Upstream {
    /// Where it stands.
    pub phase: Phase,
    /// The tick it was paid in, 0 before.
    pub paid_at: u8,
    /// Whether it was ever declined.
    pub declined: bool,
}

impl Payment {
    /// In won, or whole dollars when that is what is wrong with it.
    #[must_use]
    pub const fn amount(&self) -> i64 {
        match self.flaw {
            Some(Flaw::Cheap) => 1_000,
            Some(Flaw::Currency | Flaw::Test) | None => PRICE,
        }
    }

    /// What was given back of it in `phase`, in minor units of its currency.
    #[must_use]
    pub const fn returned_minor(&self, phase: Phase) -> i64 {
        let minor_units = match self.flaw {
            Some(Flaw::Currency) => 100,
            Some(Flaw::Cheap | Flaw::Test) | None => 1,
        };
        phase.returned(self.amount()) * minor_units
    }

    /// What the payment may become next by itself: by its buyer, its gateway or time. Giving back is for [`Payment::returns`].
    #[must_use]
    pub const fn progress(&self, phase: Phase) -> &'static [Phase] {
        match (self.means, phase) {
            (Means::Card | Means::Slow, Phase::Absent) => &[Phase::Ready],
            (Means::Card | Means::Slow, Phase::Ready) => &[Phase::Paid, Phase::Failed],
            (Means::Slow, Phase::Failed) => &[Phase::Paid],
            (Means::Account, Phase::Absent) => &[Phase::Issued],
            (Means::Account, Phase::Issued) => &[Phase::Paid],
            (Means::Slow, Phase::Returning) => &[Phase::Returned],
            (
                Means::Card,
                Phase::Failed
                | Phase::Paid
                | Phase::Returning
                | Phase::PartlyReturned
                | Phase::Returned
                | Phase::Issued
                | Phase::Withdrawn,
            )
            | (
                Means::Slow,
                Phase::Paid
                | Phase::PartlyReturned
                | Phase::Returned
                | Phase::Issued
                | Phase::Withdrawn,
            )
            | (
                Means::Account,
                Phase::Ready
                | Phase::Failed
                | Phase::Paid
                | Phase::Returning
                | Phase::PartlyReturned
                | Phase::Returned
                | Phase::Withdrawn,
            ) => &[],
        }
    }

    /// What somebody at PortOne's console may make of it.
    #[must_use]
    pub const fn returns(&self, phase: Phase) -> &'static [Phase] {
        match (self.means, phase) {
            (Means::Account, Phase::Issued) => &[Phase::Withdrawn],
            (Means::Slow, Phase::Paid) => &[Phase::PartlyReturned, Phase::Returning],
            (Means::Card | Means::Account, Phase::Paid) => {
                &[Phase::PartlyReturned, Phase::Returned]
            }
            (Means::Card | Means::Account | Means::Slow, Phase::PartlyReturned) => {
                &[Phase::Returned]
            }
            (
                Means::Card | Means::Slow,
                Phase::Absent
                | Phase::Ready
                | Phase::Issued
                | Phase::Withdrawn
                | Phase::Failed
                | Phase::Returning
                | Phase::Returned,
            )
            | (
                Means::Account,
                Phase::Absent
                | Phase::Ready
                | Phase::Withdrawn
                | Phase::Failed
                | Phase::Returning
                | Phase::Returned,
            ) => &[],
        }
    }

    /// What PortOne's API says of it, or `None` when it knows nothing.
    #[must_use]
    pub fn record(&self, index: usize, upstream: Upstream, asked: bool) -> Option<Record> {
        let status = match upstream.phase {
            Phase::Absent => return None,
            Phase::Ready | Phase::Issued => TransactionStatus::Ready,
            Phase::Failed => TransactionStatus::Failed,
            Phase::Paid => TransactionStatus::Paid,
            Phase::Withdrawn | Phase::Returning | Phase::PartlyReturned | Phase::Returned => {
                TransactionStatus::Cancelled
            }
        };
        let id = transaction_id(index);
        let currency = match self.flaw {
            Some(Flaw::Currency) => "USD",
            Some(Flaw::Cheap | Flaw::Test) | None => "KRW",
        };
        Some(Record {
            portone: Some(Portone::V1),
            store_id: None,
            asked: asked.then(|| id.clone()),
            transaction_id: id,
            payment_id: payment_id(self.order).as_str().to_owned(),
            status: Some(status),
            reported: Reported::Major {
                amount: Decimal::from(self.amount()),
                cancelled: Decimal::from(upstream.phase.returned(self.amount())),
            },
            currency: Some(currency.to_owned()),
            test: Some(self.flaw == Some(Flaw::Test)),
            pay_method: None,
            pg_provider: None,
            approval_number: None,
            method_name: None,
            fail_reason: None,
            receipt_url: None,
            pay_by: None,
            given_back_at: None,
            virtual_account: (self.means == Means::Account).then(|| VirtualAccount {
                bank: "bank".to_owned(),
                account_number: "1".to_owned(),
                holder: None,
                expires_at: None,
            }),
            paid_at: upstream.phase.was_paid().then(|| at(upstream.paid_at)),
        })
    }
}

/// What PortOne answers about an order, by the words of `wanryo::ports::gateway::Gateway`: the payment that was asked for, and
/// the order's others unless that one holds money.
#[must_use]
pub fn answer(
    payments: &[Payment],
    order: usize,
    asked: Option<usize>,
    upstream: &[Upstream; PAYMENTS_MAX],
    fetched_at: u8,
) -> Evidence {
    let of = |index: usize, asked| payments[index].record(index, upstream[index], asked);
    let mut records: Vec<Record> = asked
        .and_then(|index| of(index, true))
        .into_iter()
        .collect();
    if !records.iter().any(Record::holds_money) {
        let others = (0..payments.len())
            .filter(|&index| payments[index].order == order && Some(index) != asked);
        records.extend(others.filter_map(|index| of(index, false)));
    }
    Evidence {
        fetched_at: at(fetched_at),
        records,
    }
}

/// The number of an order.
#[must_use]
#[expect(clippy::expect_used, reason = "a constant that is an id")]
pub fn payment_id(order: usize) -> PaymentId {
    PaymentId::parse(["ORD-A", "ORD-B"][order]).expect("an id")
}

/// PortOne's id of a payment.
#[must_use]
#[expect(clippy::expect_used, reason = "constants that are ids")]
pub fn transaction_id(payment: usize) -> TransactionId {
    TransactionId::parse(["imp_0", "imp_1", "imp_2", "imp_3"][payment]).expect("an id")
}

/// The payment that an id of PortOne's names.
#[must_use]
pub fn payment_of(id: &TransactionId) -> usize {
    (0..PAYMENTS_MAX)
        .find(|&index| &transaction_id(index) == id)
        .unwrap_or(PAYMENTS_MAX)
}

/// Takes real money, from V1.
#[must_use]
pub fn expected() -> Expected {
    Expected {
        mode: Mode::Live,
        v2_store_id: None,
    }
}

/// An order that was just made, at tick 0.
#[must_use]
pub fn order(index: usize, deadline: Option<u8>) -> Order {
    Order {
        payment_id: payment_id(index),
        version: 0,
        name: "order".to_owned(),
        amount: Money {
            minor: PRICE,
            currency: Currency::KRW,
        },
        portone: Portone::V1,
        pay_method: None,
        channel_key: None,
        buyer: Buyer::default(),
        return_url: None,
        locale: None,
        metadata: None,
        window_params: None,
        fingerprint: String::new(),
        status_token: StatusToken::from_bytes([0; 16]),
        pay_token: PayToken::from_bytes([0; 16]),
        status: OrderStatus::Open,
        accepted_transaction_id: None,
        refunded_minor: 0,
        expires_at: deadline.map(at),
        expired_at: None,
        closed_at: None,
        checked_at: None,
        next_check_at: Some(at(0)),
        checks_without_change: 0,
        prepared_at: None,
        created_at: at(0),
        updated_at: at(0),
    }
}
