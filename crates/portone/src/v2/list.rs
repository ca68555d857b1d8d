//! Lists of payments.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::payment::{Payment, Version};
use crate::{Error, json::Object};

/// Which payments to list (`GET /payments`). Everything that is left out restricts nothing, except that PortOne looks back
/// 90 days unless `from` is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Which time `from` and `until` are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_type: Option<TimestampType>,
    /// From this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Payments in one of these states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<FilterStatus>,
    /// Payments with one of these means, in PortOne's words: `CARD`, `VIRTUAL_ACCOUNT`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Payments through one of these modules, in PortOne's words: `TOSSPAYMENTS`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pg_provider: Vec<String>,
    /// Payments through test channels, or through live ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_test: Option<bool>,
    /// Payments that a schedule made, or others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_scheduled: Option<bool>,
    /// Payments of this generation of PortOne.
    #[serde(serialize_with = "version", skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Payments in this currency (ISO 4217).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Payments in which one of these fields has this value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text_search: Vec<TextSearch>,
    /// What the order is by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_by: Option<SortBy>,
    /// Which end comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_order: Option<SortOrder>,
}

/// Which time a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimestampType {
    /// When the payment began.
    CreatedAt,
    /// When it last changed its state.
    StatusChangedAt,
}

/// A state to list payments by. Not quite the words of [`State`](super::State): what a payment calls `PAY_PENDING` is
/// `PENDING` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FilterStatus {
    /// `READY`
    Ready,
    /// `PENDING`
    Pending,
    /// `VIRTUAL_ACCOUNT_ISSUED`
    VirtualAccountIssued,
    /// `PAID`
    Paid,
    /// `FAILED`
    Failed,
    /// `PARTIAL_CANCELLED`
    PartialCancelled,
    /// `CANCELLED`
    Cancelled,
}

/// A field, in PortOne's words (`PAYMENT_ID`, `TX_ID`, `ORDER_NAME`, …), and its value. `Debug` shows the field alone.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct TextSearch {
    /// The field.
    pub field: String,
    /// Its value.
    pub value: String,
}

/// What a list is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SortBy {
    /// When the payment began.
    RequestedAt,
    /// When it last changed its state.
    StatusChangedAt,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SortOrder {
    /// The latest first.
    #[serde(rename = "DESC")]
    Descending,
    /// The earliest first.
    #[serde(rename = "ASC")]
    Ascending,
}

/// Which page of a list. PortOne refuses pages beyond the first 60,000 payments.
///
/// What one answer may hold is limited in bytes, too: pages of some 100 payments fit in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// From 0.
    pub number: u32,
    /// Payments in a page.
    pub size: u32,
}

/// One page of payments.
#[derive(Clone, Debug)]
pub struct Payments {
    /// The payments, whatever their state or channel. One that this version cannot read is an error of its own: it hides none of
    /// the others.
    pub items: Vec<Result<Payment, Error>>,
    /// How many there are in all pages.
    pub total_count: u64,
}

/// What travels in `requestBody`.
#[derive(Serialize)]
pub(super) struct Query<'a> {
    pub(super) page: Page,
    pub(super) filter: InStore<'a>,
}

/// A filter with the store it is about.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InStore<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_id: Option<&'a str>,
    #[serde(flatten)]
    pub(super) filter: &'a Filter,
}

impl Payments {
    pub(super) fn parse(json: &str) -> Result<Self, Error> {
        let object = Object::parse("the list", json)?;
        let page = object.required_object("page")?;
        let total_count = u64::try_from(page.required_integer("totalCount")?)
            .map_err(|_| Error::garbled("totalCount is negative"))?;
        Ok(Self {
            items: object
                .required_list("items")?
                .into_iter()
                .map(Payment::from_json)
                .collect(),
            total_count,
        })
    }
}

impl fmt::Debug for TextSearch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TextSearch")
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

fn version<S: serde::Serializer>(
    version: &Option<Version>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    version.as_ref().map(Version::as_str).serialize(serializer)
}
