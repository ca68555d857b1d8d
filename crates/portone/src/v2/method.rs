//! Means of payment, each with what is particular to it. Nothing here decides anything, so nothing here is read strictly.

use std::fmt;

use jiff::Timestamp;

use super::open_enum::open_enum;
use crate::json::Object;

/// A means of payment. The list is open: PortOne may add means. `Debug` shows which one it is and no number.
#[derive(Clone, PartialEq, Eq)]
pub enum Method {
    /// `PaymentMethodCard`
    Card(Card),
    /// `PaymentMethodVirtualAccount`
    VirtualAccount(VirtualAccount),
    /// `PaymentMethodTransfer`
    Transfer(Transfer),
    /// `PaymentMethodMobile`: the buyer's telephone bill.
    Mobile {
        /// Telephone number.
        phone_number: Option<String>,
    },
    /// `PaymentMethodEasyPay`: a wallet.
    EasyPay {
        /// The wallet, such as `KAKAOPAY`.
        provider: Option<String>,
        /// What the wallet paid with.
        easy_pay_method: Option<EasyPayMethod>,
    },
    /// `PaymentMethodGiftCertificate`
    GiftCertificate {
        /// Kind of certificate, such as `CULTURELAND`.
        gift_certificate_type: Option<String>,
        /// Approval number.
        approval_number: Option<String>,
    },
    /// `PaymentMethodConvenienceStore`
    ConvenienceStore {
        /// Until when to pay in the shop.
        payment_deadline: Option<Timestamp>,
        /// The number that the buyer shows in the shop.
        confirmation_number: Option<String>,
        /// The number of the receipt.
        receipt_number: Option<String>,
        /// The chain of shops.
        brand: Option<String>,
    },
    /// `PaymentMethodCrypto`
    Crypto,
    /// A means this client does not know: PortOne's `type`.
    Unrecognized(String),
}

/// What a wallet paid with.
#[derive(Clone, PartialEq, Eq)]
pub enum EasyPayMethod {
    /// `PaymentMethodCard`
    Card(Card),
    /// `PaymentMethodTransfer`
    Transfer(Transfer),
    /// `PaymentMethodEasyPayMethodCharge`: money or points kept in the wallet.
    Charge {
        /// The bank the money came from.
        bank: Option<String>,
    },
    /// Something this client does not know: PortOne's `type`.
    Unrecognized(String),
}

/// A card.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// Publisher, such as `SHINHAN_CARD`.
    pub publisher: Option<String>,
    /// Issuer, such as `SHINHAN_CARD`.
    pub issuer: Option<String>,
    /// `LOCAL`, `MASTER`, `UNIONPAY`, `VISA`, `JCB`, `AMEX` or `DINERS`.
    pub brand: Option<String>,
    /// `CREDIT`, `DEBIT` or `GIFT`.
    pub card_type: Option<String>,
    /// `PERSONAL` or `CORPORATE`.
    pub owner_type: Option<String>,
    /// The first six or eight digits.
    pub bin: Option<String>,
    /// The card's name.
    pub name: Option<String>,
    /// The number, masked as the PG does it. Treat as sensitive.
    pub number: Option<String>,
    /// The card company's approval number.
    pub approval_number: Option<String>,
    /// Months of instalment; 0 is a lump sum.
    pub installment_month: Option<i64>,
    /// Whether the instalments cost no interest.
    pub is_interest_free: Option<bool>,
    /// Whether points of the card were used.
    pub point_used: Option<bool>,
}

open_enum! {
    /// How far the refund of a deposit is.
    RefundStatus {
        /// Under way.
        Pending = "PENDING",
        /// Part of it failed.
        PartialRefundFailed = "PARTIAL_REFUND_FAILED",
        /// Failed.
        Failed = "FAILED",
        /// Done.
        Completed = "COMPLETED",
    }
}

/// An account that was issued to be deposited to.
#[derive(Clone, PartialEq, Eq)]
pub struct VirtualAccount {
    /// Bank, such as `SHINHAN`.
    pub bank: Option<String>,
    /// Number; may have dashes.
    pub account_number: Option<String>,
    /// `FIXED` or `NORMAL`.
    pub account_type: Option<String>,
    /// Holder of the account; some PGs do not say.
    pub remittee_name: Option<String>,
    /// Who deposited.
    pub remitter_name: Option<String>,
    /// Until when to deposit.
    pub expired_at: Option<Timestamp>,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// How far a refund is, if there is one.
    pub refund_status: Option<RefundStatus>,
}

/// A transfer between accounts.
#[derive(Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Bank, such as `SHINHAN`.
    pub bank: Option<String>,
    /// The buyer's account.
    pub account_number: Option<String>,
}

impl Method {
    /// PortOne's word for it (`type`).
    pub fn as_str(&self) -> &str {
        match self {
            Self::Card(_) => "PaymentMethodCard",
            Self::VirtualAccount(_) => "PaymentMethodVirtualAccount",
            Self::Transfer(_) => "PaymentMethodTransfer",
            Self::Mobile { .. } => "PaymentMethodMobile",
            Self::EasyPay { .. } => "PaymentMethodEasyPay",
            Self::GiftCertificate { .. } => "PaymentMethodGiftCertificate",
            Self::ConvenienceStore { .. } => "PaymentMethodConvenienceStore",
            Self::Crypto => "PaymentMethodCrypto",
            Self::Unrecognized(method_type) => method_type,
        }
    }

    pub(super) fn parse(object: &Object<'_>) -> Self {
        let method_type = object.text("type").unwrap_or_default();
        match method_type.as_str() {
            "PaymentMethodCard" => Self::Card(Card::parse(object)),
            "PaymentMethodVirtualAccount" => Self::VirtualAccount(VirtualAccount::parse(object)),
            "PaymentMethodTransfer" => Self::Transfer(Transfer::parse(object)),
            "PaymentMethodMobile" => Self::Mobile {
                phone_number: object.text("phoneNumber"),
            },
            "PaymentMethodEasyPay" => Self::EasyPay {
                provider: object.text("provider"),
                easy_pay_method: object
                    .object("easyPayMethod")
                    .as_ref()
                    .map(EasyPayMethod::parse),
            },
            "PaymentMethodGiftCertificate" => Self::GiftCertificate {
                gift_certificate_type: object.text("giftCertificateType"),
                approval_number: object.text("approvalNumber"),
            },
            "PaymentMethodConvenienceStore" => Self::ConvenienceStore {
                payment_deadline: object.timestamp("paymentDeadline"),
                confirmation_number: object.text("confirmationNumber"),
                receipt_number: object.text("receiptNumber"),
                brand: object.text("convenienceStoreBrand"),
            },
            "PaymentMethodCrypto" => Self::Crypto,
            _ => Self::Unrecognized(method_type),
        }
    }
}

impl EasyPayMethod {
    /// PortOne's word for it (`type`).
    pub fn as_str(&self) -> &str {
        match self {
            Self::Card(_) => "PaymentMethodCard",
            Self::Transfer(_) => "PaymentMethodTransfer",
            Self::Charge { .. } => "PaymentMethodEasyPayMethodCharge",
            Self::Unrecognized(method_type) => method_type,
        }
    }

    fn parse(object: &Object<'_>) -> Self {
        let method_type = object.text("type").unwrap_or_default();
        match method_type.as_str() {
            "PaymentMethodCard" => Self::Card(Card::parse(object)),
            "PaymentMethodTransfer" => Self::Transfer(Transfer::parse(object)),
            "PaymentMethodEasyPayMethodCharge" => Self::Charge {
                bank: object.text("bank"),
            },
            _ => Self::Unrecognized(method_type),
        }
    }
}

impl Card {
    /// Reads the method; the card itself is an object inside it.
    fn parse(method: &Object<'_>) -> Self {
        let card = method.object("card");
        let text = |key| card.as_ref().and_then(|card| card.text(key));
        let installment = method.object("installment");
        Self {
            publisher: text("publisher"),
            issuer: text("issuer"),
            brand: text("brand"),
            card_type: text("type"),
            owner_type: text("ownerType"),
            bin: text("bin"),
            name: text("name"),
            number: text("number"),
            approval_number: method.text("approvalNumber"),
            installment_month: installment.as_ref().and_then(|i| i.integer("month")),
            is_interest_free: installment.as_ref().and_then(|i| i.flag("isInterestFree")),
            point_used: method.flag("pointUsed"),
        }
    }
}

impl VirtualAccount {
    fn parse(method: &Object<'_>) -> Self {
        Self {
            bank: method.text("bank"),
            account_number: method.text("accountNumber"),
            account_type: method.text("accountType"),
            remittee_name: method.text("remitteeName"),
            remitter_name: method.text("remitterName"),
            expired_at: method.timestamp("expiredAt"),
            issued_at: method.timestamp("issuedAt"),
            refund_status: method.text("refundStatus").map(RefundStatus::from),
        }
    }
}

impl Transfer {
    fn parse(method: &Object<'_>) -> Self {
        Self {
            bank: method.text("bank"),
            account_number: method.text("accountNumber"),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for EasyPayMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Card")
            .field("issuer", &self.issuer)
            .field("brand", &self.brand)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VirtualAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VirtualAccount")
            .field("bank", &self.bank)
            .field("expired_at", &self.expired_at)
            .field("refund_status", &self.refund_status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transfer")
            .field("bank", &self.bank)
            .finish_non_exhaustive()
    }
}
