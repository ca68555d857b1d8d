//! An order: what is sold, for how much, and where it stands.

use jiff::Timestamp;

use super::ids::{PayToken, PaymentId, StatusToken, TransactionId};
use super::money::Money;
use super::window_params::WindowParams;

/// Whether this server takes real money or test money. Comes from the deployment's settings, never from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Real money; a payment made through a test channel is refused.
    Live,
    /// Test channels only; every page says so.
    Test,
}

/// Which generation of PortOne an order is paid through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portone {
    /// `api.iamport.kr`
    V1,
    /// `api.portone.io`
    V2,
}

/// Where an order stands. Follows from its transactions, see [`super::decision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Waiting to be paid.
    Open,
    /// An account was issued and nothing was deposited yet.
    AwaitingDeposit,
    /// One verified transaction paid it.
    Paid,
    /// Paid, and a part was given back.
    PartiallyRefunded,
    /// Paid, and all of it was given back.
    Refunded,
    /// Somebody paid, and a check failed: a person looks.
    Held,
    /// Its time ran out unpaid.
    Expired,
    /// The shop wants no payment any more.
    Closed,
}

/// Gives an enum one word per variant, the same in SQL, JSON and logs.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it in the database, the API and the log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word back.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::custom("an unknown word"))
            }
        }
    };
}
pub(crate) use words;

words!(Mode { Live = "live", Test = "test" });
words!(Portone { V1 = "v1", V2 = "v2" });
words!(OrderStatus {
    Open = "open",
    AwaitingDeposit = "awaiting_deposit",
    Paid = "paid",
    PartiallyRefunded = "partially_refunded",
    Refunded = "refunded",
    Held = "held",
    Expired = "expired",
    Closed = "closed",
});

impl OrderStatus {
    /// Whether the pay page may offer to pay.
    #[must_use]
    pub fn is_payable(self) -> bool {
        match self {
            Self::Open | Self::AwaitingDeposit => true,
            Self::Paid
            | Self::PartiallyRefunded
            | Self::Refunded
            | Self::Held
            | Self::Expired
            | Self::Closed => false,
        }
    }
}

/// Who pays, as the shop told us. Personal data: never on a page that ids alone can open, never in a log.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Buyer {
    /// Full name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub tel: Option<String>,
}

impl std::fmt::Debug for Buyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Buyer(..)")
    }
}

/// An order as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The merchant's id of the payment.
    pub payment_id: PaymentId,
    /// Grows by one with each change; a change names the version it was decided on.
    pub version: i64,
    /// What is sold, as the buyer reads it.
    pub name: String,
    /// What it costs.
    pub amount: Money,
    /// Which PortOne it is paid through.
    pub portone: Portone,
    /// The way to pay that the shop asked for, in PortOne's words (`card`, `vbank`, …).
    pub pay_method: Option<String>,
    /// PortOne's channel key, when the shop chose the channel.
    pub channel_key: Option<String>,
    /// Who pays.
    pub buyer: Buyer,
    /// Where the shop wants the buyer to go on afterwards.
    pub return_url: Option<String>,
    /// Language tag the shop asked for (`ko`, `en`).
    pub locale: Option<String>,
    /// The shop's own JSON, kept as text, given back as it came.
    pub metadata: Option<String>,
    /// What else the shop wants said to PortOne's payment window.
    pub window_params: Option<WindowParams>,
    /// Fingerprint of the request that made the order: the same body again is the same order.
    pub fingerprint: String,
    /// Capability that opens the status page.
    pub status_token: StatusToken,
    /// Capability that lets the pay page fill in who pays.
    pub pay_token: PayToken,
    /// Where it stands.
    pub status: OrderStatus,
    /// The one transaction that paid it.
    pub accepted_transaction_id: Option<TransactionId>,
    /// How much of the accepted transaction was given back, in minor units.
    pub refunded_minor: i64,
    /// Until when it may be paid.
    pub expires_at: Option<Timestamp>,
    /// When its time was seen to have run out.
    pub expired_at: Option<Timestamp>,
    /// When the shop closed it.
    pub closed_at: Option<Timestamp>,
    /// When PortOne was last asked and answered.
    pub checked_at: Option<Timestamp>,
    /// When PortOne will be asked again without anybody's prompting; `None` when nothing can change by itself.
    pub next_check_at: Option<Timestamp>,
    /// How often PortOne was asked in the background since something last changed.
    pub checks_without_change: i64,
    /// When the amount was registered at PortOne in advance.
    pub prepared_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::Buyer;

    #[test]
    fn who_pays_is_never_printed() {
        let buyer = Buyer {
            name: Some("홍길동".to_owned()),
            email: Some("hong@example.com".to_owned()),
            tel: Some("010-1234-5678".to_owned()),
        };

        assert_eq!(format!("{buyer:?}"), "Buyer(..)");
    }
}
