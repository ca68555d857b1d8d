//! What goes along with a payment and decides nothing, so that nothing here is read strictly.

use std::fmt;

use jiff::Timestamp;

use crate::json::Object;

/// The buyer, as the merchant's page or the PG named them. Verified by nobody.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// The merchant's id of the buyer.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Year of birth.
    pub birth_year: Option<String>,
    /// Month of birth.
    pub birth_month: Option<String>,
    /// Day of birth.
    pub birth_day: Option<String>,
    /// `MALE`, `FEMALE` or `OTHER`.
    pub gender: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone_number: Option<String>,
    /// The address in one line.
    pub address: Option<String>,
    /// Postcode.
    pub zipcode: Option<String>,
}

impl Customer {
    pub(super) fn parse(object: &Object<'_>) -> Self {
        Self {
            id: object.text("id"),
            name: object.text("name"),
            birth_year: object.text("birthYear"),
            birth_month: object.text("birthMonth"),
            birth_day: object.text("birthDay"),
            gender: object.text("gender"),
            email: object.text("email"),
            phone_number: object.text("phoneNumber"),
            address: object
                .object("address")
                .and_then(|address| address.text("oneLine")),
            zipcode: object.text("zipcode"),
        }
    }
}

/// Where a payment was asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `PC`, `MOBILE` or `API`.
    pub platform_type: Option<String>,
    /// The buyer's browser.
    pub user_agent: Option<String>,
    /// The page.
    pub url: Option<String>,
    /// The buyer's address on the internet.
    pub ip_address: Option<String>,
}

impl Origin {
    pub(super) fn parse(object: &Object<'_>) -> Self {
        Self {
            platform_type: object.text("platformType"),
            user_agent: object.text("userAgent"),
            url: object.text("url"),
            ip_address: object.text("ipAddress"),
        }
    }
}

/// What was bought, as the merchant's page named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The merchant's id of it.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// The merchant's tag.
    pub tag: Option<String>,
    /// The merchant's code.
    pub code: Option<String>,
    /// Price of one, in the currency's minor unit.
    pub amount: Option<i64>,
    /// How many.
    pub quantity: Option<i64>,
    /// Where it is sold.
    pub link: Option<String>,
}

impl Product {
    pub(super) fn parse(object: &Object<'_>) -> Self {
        Self {
            id: object.text("id"),
            name: object.text("name"),
            tag: object.text("tag"),
            code: object.text("code"),
            amount: object.integer("amount"),
            quantity: object.integer("quantity"),
            link: object.text("link"),
        }
    }
}

/// The receipt for a payment in cash that the tax office knows of.
#[derive(Clone, PartialEq, Eq)]
pub struct CashReceipt {
    /// `ISSUED` or `CANCELLED`.
    pub status: Option<String>,
    /// `PERSONAL` or `CORPORATE`.
    pub receipt_type: Option<String>,
    /// The PG's id of it.
    pub pg_receipt_id: Option<String>,
    /// Approval number.
    pub issue_number: Option<String>,
    /// Amount, in the currency's minor unit.
    pub total_amount: Option<i64>,
    /// The part of it that is free of tax.
    pub tax_free_amount: Option<i64>,
    /// Where to find it.
    pub url: Option<String>,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
}

impl CashReceipt {
    pub(super) fn parse(object: &Object<'_>) -> Self {
        Self {
            status: object.text("status"),
            receipt_type: object.text("type"),
            pg_receipt_id: object.text("pgReceiptId"),
            issue_number: object.text("issueNumber"),
            total_amount: object.integer("totalAmount"),
            tax_free_amount: object.integer("taxFreeAmount"),
            url: object.text("url"),
            issued_at: object.timestamp("issuedAt"),
            cancelled_at: object.timestamp("cancelledAt"),
        }
    }
}

// Each lists what may be seen, so that a field added later is hidden until somebody decides otherwise.
impl fmt::Debug for Customer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Customer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Origin")
            .field("platform_type", &self.platform_type)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CashReceipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CashReceipt")
            .field("status", &self.status)
            .field("total_amount", &self.total_amount)
            .finish_non_exhaustive()
    }
}
