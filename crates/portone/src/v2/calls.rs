//! The calls.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Client,
    history::{Cancellation, WebhookRecord},
    id::{CancellationId, PaymentId},
    idempotency::IdempotencyKey,
    list::{self, Filter, Page, Payments},
    payment::Payment,
    request::{Cancel, Confirm, Confirmed, PreRegister},
};
use crate::{Error, json::Object};

/// A bank, as PortOne calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bank {
    /// PortOne's word, such as `SHINHAN`.
    pub bank: String,
    /// Its Korean name.
    pub name_ko: Option<String>,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resend<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_id: Option<&'a str>,
}

impl Client {
    /// What PortOne has under a payment's id. [`Error::NotFound`] if it has nothing.
    ///
    /// Payments through test channels are included, see [`Channel::channel_type`](super::Channel::channel_type).
    pub async fn payment(&self, id: &PaymentId) -> Result<Payment, Error> {
        let json = self.get(&["payments", id.as_str()]).await?;
        let payment = Payment::from_json(&json)?;
        about(id, &payment)?;
        Ok(payment)
    }

    /// Every attempt to make a payment, in PortOne's order. [`Error::NotFound`] if there is no such payment.
    ///
    /// PortOne calls this endpoint unstable: it may change without notice. Each attempt comes as a [`Payment`] in the state
    /// of that attempt; `disputes` are not told here.
    pub async fn transactions(&self, id: &PaymentId) -> Result<Vec<Payment>, Error> {
        let json = self.get(&["payments", id.as_str(), "transactions"]).await?;
        let object = Object::parse("the list", &json)?;
        let mut attempts = Vec::new();
        let mut seen = HashSet::new();
        for element in object.required_list("items")? {
            let attempt = Payment::from_transaction_json(element)?;
            about(id, &attempt)?;
            if !seen.insert(attempt.transaction_id.clone()) {
                return Err(Error::garbled("an attempt is listed twice"));
            }
            attempts.push(attempt);
        }
        Ok(attempts)
    }

    /// One page of the payments that `filter` lets pass.
    pub async fn payments(&self, filter: &Filter, page: Page) -> Result<Payments, Error> {
        let query = list::Query {
            page,
            filter: list::InStore {
                store_id: self.store_id(),
                filter,
            },
        };
        Payments::parse(&self.get_with_body(&["payments"], &query).await?)
    }

    /// The banks that PortOne knows. Needs no credentials and sends none.
    pub async fn banks(&self) -> Result<Vec<Bank>, Error> {
        let json = self.get_public(&["banks"]).await?;
        let object = Object::parse("the list", &json)?;
        let mut banks = Vec::new();
        for element in object.required_list("items")? {
            let object = Object::parse("a bank", element)?;
            banks.push(Bank {
                bank: object.required_text("bank")?,
                name_ko: object.object("name").and_then(|name| name.text("ko")),
            });
        }
        Ok(banks)
    }

    /// Registers the amount of a payment in advance, so that PortOne opens no window for another one. Registering again
    /// replaces what was registered. A payment that is complete is [`Error::Rejected`] with `ALREADY_PAID`.
    pub async fn pre_register(
        &self,
        id: &PaymentId,
        amount: &PreRegister,
        key: &IdempotencyKey,
    ) -> Result<(), Error> {
        let path = ["payments", id.as_str(), "pre-register"];
        let json = self.post(&path, amount, key).await?;
        Object::parse("the answer", &json)?;
        Ok(())
    }

    /// Approves a payment that the buyer has authenticated and that waits for the merchant's word.
    pub async fn confirm(
        &self,
        id: &PaymentId,
        confirm: &Confirm,
        key: &IdempotencyKey,
    ) -> Result<Confirmed, Error> {
        let path = ["payments", id.as_str(), "confirm"];
        Confirmed::parse(&self.post(&path, confirm, key).await?)
    }

    /// Gives money back.
    ///
    /// `Ok` does not say that money goes back; [`Cancellation::status`] does. It may be
    /// [`Requested`](super::CancellationStatus::Requested) only, and its type allows for
    /// [`Failed`](super::CancellationStatus::Failed). What has become of the payment is for [`Client::payment`] to say.
    pub async fn cancel(
        &self,
        id: &PaymentId,
        cancel: &Cancel,
        key: &IdempotencyKey,
    ) -> Result<Cancellation, Error> {
        let path = ["payments", id.as_str(), "cancel"];
        let json = self.post(&path, cancel, key).await?;
        let object = Object::parse("the answer", &json)?;
        Ok(Cancellation::parse(object.required_value("cancellation")?)?)
    }

    /// Calls off a cancellation that is under way. Returns when it was called off, if PortOne says.
    pub async fn stop_cancellation(
        &self,
        id: &PaymentId,
        cancellation: &CancellationId,
        key: &IdempotencyKey,
    ) -> Result<Option<Timestamp>, Error> {
        let path = [
            "payments",
            id.as_str(),
            "cancellations",
            cancellation.as_str(),
            "stop",
        ];
        let json = self.post(&path, &Nothing {}, key).await?;
        Ok(Object::parse("the answer", &json)?.timestamp("stoppedAt"))
    }

    /// Has a webhook sent again: the one with this id, or the latest.
    pub async fn resend_webhook(
        &self,
        id: &PaymentId,
        webhook_id: Option<&str>,
        key: &IdempotencyKey,
    ) -> Result<WebhookRecord, Error> {
        let path = ["payments", id.as_str(), "resend-webhook"];
        let json = self.post(&path, &Resend { webhook_id }, key).await?;
        let object = Object::parse("the answer", &json)?;
        Ok(WebhookRecord::parse(&object.required_object("webhook")?))
    }

    /// Closes the virtual account of a payment, so that nobody can deposit to it any more. Returns when it was closed, if
    /// PortOne says.
    pub async fn close_virtual_account(
        &self,
        id: &PaymentId,
        key: &IdempotencyKey,
    ) -> Result<Option<Timestamp>, Error> {
        let path = ["payments", id.as_str(), "virtual-account", "close"];
        let json = self.post_nothing(&path, key).await?;
        Ok(Object::parse("the answer", &json)?.timestamp("closedAt"))
    }
}

/// Refuses an answer about something else.
fn about(id: &PaymentId, payment: &Payment) -> Result<(), Error> {
    if payment.id == id.as_str() {
        Ok(())
    } else {
        Err(Error::garbled(
            "the payment has another id than the one asked for",
        ))
    }
}
