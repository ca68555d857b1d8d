//! What has happened to a payment: cancellations, disputes, webhooks.

use std::fmt;

use jiff::Timestamp;

use super::open_enum::open_enum;
use crate::json::{Malformed, Object};

open_enum! {
    /// What has become of a cancellation.
    CancellationStatus {
        /// Done.
        Succeeded = "SUCCEEDED",
        /// Under way: the PG answers later, and a webhook tells how.
        Requested = "REQUESTED",
        /// Nothing was given back.
        Failed = "FAILED",
    }
}

/// A cancellation, whole or in part. Amounts are in the currency's minor unit.
#[derive(Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// PortOne's id of it.
    pub id: String,
    /// What has become of it.
    pub status: CancellationStatus,
    /// How much was to be given back.
    pub total_amount: i64,
    /// The part of it that is free of tax.
    pub tax_free_amount: Option<i64>,
    /// The value added tax in it.
    pub vat_amount: Option<i64>,
    /// What goes back as points of a wallet.
    pub easy_pay_discount_amount: Option<i64>,
    /// The PG's number of it.
    pub pg_cancellation_id: Option<String>,
    /// Why, in the canceller's words.
    pub reason: Option<String>,
    /// When it was asked for.
    pub requested_at: Option<Timestamp>,
    /// When it was done.
    pub cancelled_at: Option<Timestamp>,
    /// Where the buyer finds the receipt.
    pub receipt_url: Option<String>,
    /// Where it came from: `CONSOLE`, `API`, `PORTONE_ADMIN` or `CHARGEBACK`.
    pub trigger: Option<String>,
}

impl Cancellation {
    pub(super) fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("a cancellation", json)?;
        Ok(Self {
            id: object.required_text("id")?,
            status: CancellationStatus::from(object.required_text("status")?),
            total_amount: object.required_minor_units("totalAmount")?,
            // Parts of the total that nothing is decided by: one that cannot be read hides no payment.
            tax_free_amount: object.integer("taxFreeAmount"),
            vat_amount: object.integer("vatAmount"),
            easy_pay_discount_amount: object.integer("easyPayDiscountAmount"),
            pg_cancellation_id: object.text("pgCancellationId"),
            reason: object.text("reason"),
            requested_at: object.timestamp("requestedAt"),
            cancelled_at: object.timestamp("cancelledAt"),
            receipt_url: object.text("receiptUrl"),
            trigger: object.text("trigger"),
        })
    }
}

open_enum! {
    /// What has become of a dispute.
    DisputeStatus {
        /// Open.
        Unresolved = "UNRESOLVED",
        /// Over.
        Resolved = "RESOLVED",
    }
}

/// A dispute that the buyer started at the PG.
#[derive(Clone, PartialEq, Eq)]
pub struct Dispute {
    /// What has become of it.
    pub status: DisputeStatus,
    /// The PG's id of it.
    pub pg_dispute_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    pub created_at: Option<Timestamp>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
}

impl Dispute {
    pub(super) fn parse(object: &Object<'_>) -> Self {
        Self {
            status: DisputeStatus::from(object.text("status").unwrap_or_default()),
            pg_dispute_id: object.text("pgDisputeId"),
            reason: object.text("reason"),
            created_at: object.timestamp("createdAt"),
            resolved_at: object.timestamp("resolvedAt"),
        }
    }
}

open_enum! {
    /// What has become of a webhook.
    WebhookStatus {
        /// The receiver answered with 2xx.
        Succeeded = "SUCCEEDED",
        /// The receiver answered with something else.
        FailedNotOkResponse = "FAILED_NOT_OK_RESPONSE",
        /// There was no answer.
        FailedUnexpectedError = "FAILED_UNEXPECTED_ERROR",
    }
}

/// A webhook that PortOne sent about a payment. Of a payment made through V1 little of it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRecord {
    /// PortOne's id of it, the same in every attempt to deliver it.
    pub id: Option<String>,
    /// What has become of it.
    pub status: Option<WebhookStatus>,
    /// The state of the payment it told of.
    pub payment_status: Option<String>,
    /// Where it was sent.
    pub url: Option<String>,
    /// Whether the payment did not wait for it.
    pub is_async: Option<bool>,
    /// How often it was sent.
    pub current_execution_count: Option<i64>,
    /// How often it is sent at most.
    pub max_execution_count: Option<i64>,
    /// What caused it: `MANUAL`, `VIRTUAL_ACCOUNT_DEPOSIT`, …
    pub trigger: Option<String>,
    /// The body that was sent.
    pub request_body: Option<String>,
    /// When it was sent.
    pub requested_at: Option<Timestamp>,
    /// The HTTP status of the answer.
    pub response_code: Option<String>,
    /// When the answer came.
    pub responded_at: Option<Timestamp>,
    /// When PortOne began with it.
    pub triggered_at: Option<Timestamp>,
}

impl WebhookRecord {
    pub(super) fn parse(object: &Object<'_>) -> Self {
        let request = object.object("request");
        let response = object.object("response");
        Self {
            id: object.text("id"),
            status: object.text("status").map(WebhookStatus::from),
            payment_status: object.text("paymentStatus"),
            url: object.text("url"),
            is_async: object.flag("isAsync"),
            current_execution_count: object.integer("currentExecutionCount"),
            max_execution_count: object.integer("maxExecutionCount"),
            trigger: object.text("trigger"),
            request_body: request.as_ref().and_then(|request| request.text("body")),
            requested_at: request
                .as_ref()
                .and_then(|request| request.timestamp("requestedAt")),
            response_code: response.as_ref().and_then(|response| response.text("code")),
            responded_at: response
                .as_ref()
                .and_then(|response| response.timestamp("respondedAt")),
            triggered_at: object.timestamp("triggeredAt"),
        }
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cancellation")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("total_amount", &self.total_amount)
            .field("requested_at", &self.requested_at)
            .field("cancelled_at", &self.cancelled_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Dispute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dispute")
            .field("status", &self.status)
            .field("created_at", &self.created_at)
            .field("resolved_at", &self.resolved_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebhookRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebhookRecord")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("payment_status", &self.payment_status)
            .field("current_execution_count", &self.current_execution_count)
            .finish_non_exhaustive()
    }
}
