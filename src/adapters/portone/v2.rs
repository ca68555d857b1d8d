//! PortOne V2: a payment by its id, which shows its current attempt; the other attempts by a list that PortOne calls unstable.

use jiff::Timestamp;
use portone::Code;
use portone::v2::{
    self, Cancel, CancelAmount, CancellationStatus, ChannelType, EasyPayMethod, ErrorType, Failure,
    Filter, FilterStatus, IdempotencyKey, Method, Payment, PreRegister, RefundStatus, SortBy,
    SortOrder, State, TimestampType, Version,
};

use super::{Part, balance, currency_code, failure, readable, text, to_micros};
use crate::domain::evidence::{Record, Reported};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::Portone;
use crate::domain::refund::{Answer, Balance, CANCELLATION_FAILED, Cancellation, Stage, Trouble};
use crate::domain::sweep::Listing;
use crate::domain::transaction::{TransactionStatus, VirtualAccount};
use crate::ports::gateway::{Attempts, CancelCall, GatewayError, Page};

/// Attempts of one payment that are looked at; buyers make a handful.
const ATTEMPTS_MAX: usize = 50;

/// PortOne V2.
#[derive(Debug, Clone)]
pub struct PortoneV2 {
    client: v2::Client,
    patient: v2::Client,
}

impl PortoneV2 {
    /// Asks through `client`, and gives money back through `patient`: PortOne asks its callers to wait a minute for that.
    /// <https://developers.portone.io/api/rest-v2>
    #[must_use]
    pub fn new(client: v2::Client, patient: v2::Client) -> Self {
        Self { client, patient }
    }

    /// One call, or two when another attempt than the current one was asked for. Only one attempt of a payment can succeed,
    /// and the payment then shows that one, so the others can tell of nothing but their failure.
    /// <https://developers.portone.io/opi/ko/integration/start/v2/checkout>
    pub(super) async fn attempts(
        &self,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        let payment_id = payment_id(id)?;
        let current = match self.client.payment(&payment_id).await {
            Ok(payment) => record(payment, asked)?,
            Err(error) if error.is_not_found() => {
                return Ok(Attempts {
                    records: Vec::new(),
                    complete: true,
                });
            }
            Err(error) => return Err(failure(Portone::V2, &error)),
        };
        let is_it = asked.is_none_or(|asked| asked == &current.transaction_id);
        let mut attempts = Attempts {
            records: vec![current],
            complete: true,
        };
        if !is_it {
            self.add_others(&payment_id, asked, &mut attempts).await;
        }
        Ok(attempts)
    }

    /// Adds the attempts that the payment does not show. That PortOne does not tell them says nothing about the payment.
    async fn add_others(
        &self,
        payment_id: &v2::PaymentId,
        asked: Option<&TransactionId>,
        attempts: &mut Attempts,
    ) {
        let listed = match self.client.transactions(payment_id).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(
                    payment.id = payment_id.as_str(),
                    error = &error as &dyn std::error::Error,
                    "PortOne told of a payment and not of its attempts"
                );
                attempts.complete = false;
                return;
            }
        };
        attempts.complete = listed.len() <= ATTEMPTS_MAX;
        for payment in listed.into_iter().take(ATTEMPTS_MAX) {
            match record(payment, asked) {
                Ok(other) => {
                    let is_new = attempts
                        .records
                        .iter()
                        .all(|known| known.transaction_id != other.transaction_id);
                    if is_new {
                        attempts.records.push(other);
                    }
                }
                Err(_) => attempts.complete = false,
            }
        }
    }

    pub(super) async fn prepare(&self, id: &PaymentId, amount: Money) -> Result<(), GatewayError> {
        let payment_id = payment_id(id)?;
        let amount = PreRegister::new(amount.minor, amount.currency.code());
        // A key of its own for each try: the answer to a key is remembered for three hours, a refusal as well.
        let key = IdempotencyKey::random();
        let registered = self.client.pre_register(&payment_id, &amount, &key).await;
        match registered {
            Ok(()) => Ok(()),
            Err(error) if is_already_paid(&error) => Err(GatewayError::AlreadyPaid),
            Err(error) => Err(failure(Portone::V2, &error)),
        }
    }

    /// By the time of the last change, so that a refund of an old payment is found among the new ones. Payments of V1, which
    /// V2 lists as well, are left to V1's own lists.
    pub(super) async fn list(
        &self,
        listing: Listing,
        (from, until): (Timestamp, Timestamp),
        part: Part,
    ) -> Result<Page, portone::Error> {
        let filter = Filter {
            timestamp_type: Some(TimestampType::StatusChangedAt),
            from: Some(from),
            until: Some(until),
            status: match listing {
                Listing::Paid => vec![FilterStatus::Paid],
                Listing::Cancelled => {
                    vec![FilterStatus::PartialCancelled, FilterStatus::Cancelled]
                }
            },
            version: Some(Version::V2),
            sort_by: Some(SortBy::StatusChangedAt),
            sort_order: Some(SortOrder::Ascending),
            ..Filter::default()
        };
        let wanted = v2::Page {
            number: part.number,
            size: part.size,
        };
        let found = self.client.payments(&filter, wanted).await?;
        let told = (u64::from(part.number) + 1) * u64::from(part.size);
        let here = found.items.len() as u64;
        let (records, unread) = readable(
            Portone::V2,
            found.items.into_iter().map(|payment| {
                let payment = payment.map_err(|error| failure(Portone::V2, &error))?;
                record(payment, None)
            }),
        );
        Ok(Page {
            records,
            // PortOne calls its count that of the objects "actually returned", which may be those of this page alone: a full page
            // is followed by one more look whatever the count says, and a count that is the page's own says nothing of the list.
            // https://developers.portone.io/api/rest-v2/type-def#PageInfo
            more: told < found.total_count || here >= u64::from(part.size),
            total: Some(found.total_count).filter(|count| *count > here),
            unread,
        })
    }

    pub(super) async fn balance(
        &self,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        let payment = self
            .client
            .payment(&payment_id(id)?)
            .await
            .map_err(|error| failure(Portone::V2, &error))?;
        // A payment is cancelled by its own id, and the attempt that it shows is the one that is given back.
        if payment.transaction_id.as_str() != transaction_id.as_str() {
            return Err(GatewayError::Garbled);
        }
        balance_of(&payment)
    }

    pub(super) async fn cancel(&self, call: &CancelCall) -> Result<Answer, portone::Error> {
        let unspeakable = |what: &str| portone::Error::InvalidConfiguration(what.to_owned());
        let id = v2::PaymentId::parse(call.payment_id.as_str())
            .map_err(|_| unspeakable("the payment's id is none of V2"))?;
        let key = IdempotencyKey::parse(call.refund_id.as_str())
            .map_err(|_| unspeakable("the refund's id is no idempotency key"))?;
        let amount = CancelAmount::Part(call.amount.non_zero());
        let mut cancel = Cancel::new(amount, call.reason.clone());
        // It is the shop's to give back, whoever asked the shop.
        cancel.requester = Some(v2::Requester::Admin);
        cancel.tax_free_amount = call.tax_free.map(|part| part.minor);
        cancel.current_cancellable_amount = Some(call.guard.minor);
        cancel.refund_account = call.account.clone().map(|account| v2::RefundAccount {
            bank: account.bank,
            number: account.number,
            holder_name: account.holder,
            holder_phone_number: account.tel,
        });
        let cancellation = self.patient.cancel(&id, &cancel, &key).await?;
        let trouble = |code: &str| Trouble {
            code: code.to_owned(),
            message: None,
        };
        Ok(match cancellation.status {
            CancellationStatus::Succeeded | CancellationStatus::Requested => Answer::Taken {
                cancellation_id: text(cancellation.id),
            },
            CancellationStatus::Failed => Answer::Refused(trouble(CANCELLATION_FAILED)),
            CancellationStatus::Unrecognized(_) => {
                Answer::Unknown(trouble(GatewayError::Garbled.as_str()))
            }
        })
    }
}

fn balance_of(payment: &Payment) -> Result<Balance, GatewayError> {
    let currency = Currency::parse(&payment.currency).map_err(|_| GatewayError::Garbled)?;
    let money = |minor: i64| Money::new(minor, currency).map_err(|_| GatewayError::Garbled);
    let mut listed: Vec<&v2::Cancellation> = payment.cancellations.iter().collect();
    listed.sort_by_key(|cancellation| cancellation.requested_at);
    let mut cancellations: Vec<Cancellation> = listed
        .into_iter()
        .map(|cancellation| Cancellation {
            id: text(cancellation.id.clone()),
            amount_minor: cancellation.total_amount,
            stage: match &cancellation.status {
                CancellationStatus::Succeeded => Stage::Done,
                CancellationStatus::Failed => Stage::Failed,
                // What this version cannot read is not over.
                CancellationStatus::Requested | CancellationStatus::Unrecognized(_) => {
                    Stage::UnderWay
                }
            },
        })
        .collect();
    // What is said of the account's money is about the latest that was cancelled: none follows before the one before is over.
    if let Some(latest) = cancellations
        .iter_mut()
        .rfind(|cancellation| cancellation.stage == Stage::Done)
    {
        latest.stage = sent(payment.method.as_ref());
    }
    let under_way = cancellations
        .iter()
        .filter(|cancellation| cancellation.stage == Stage::UnderWay)
        .fold(0_i64, |sum, cancellation| {
            sum.saturating_add(cancellation.amount_minor)
        });
    let (paid, reserved) = match payment.state {
        State::Paid { .. } | State::PartialCancelled { .. } | State::Cancelled { .. } => (
            // What was ordered, discounts included: PortOne is told so much, and gives the buyer's part of it back.
            // https://developers.portone.io/opi/ko/extra/promotion/refund
            payment.amount.total,
            given_back(payment).saturating_add(under_way),
        ),
        State::Ready
        | State::PayPending
        | State::VirtualAccountIssued
        | State::Failed { .. }
        | State::Unrecognized(_) => (0, 0),
    };
    // Nothing is free of tax that PortOne does not call so.
    let tax_free = payment
        .amount
        .tax_free
        .unwrap_or(0)
        .saturating_sub(payment.amount.cancelled_tax_free.unwrap_or(0));
    balance(
        money(paid)?,
        money(reserved)?,
        Some(tax_free),
        cancellations,
    )
}

/// How far what was cancelled has come: a deposit goes back by a transfer of its own, days later perhaps, and the number of the
/// account was typed by somebody.
/// <https://developers.portone.io/api/rest-v2/type-def#PaymentMethodVirtualAccountRefundStatus>
fn sent(method: Option<&Method>) -> Stage {
    let Some(Method::VirtualAccount(account)) = method else {
        return Stage::Done;
    };
    match &account.refund_status {
        None | Some(RefundStatus::Completed) => Stage::Done,
        Some(RefundStatus::Pending | RefundStatus::Unrecognized(_)) => Stage::Sending,
        Some(RefundStatus::Failed | RefundStatus::PartialRefundFailed) => Stage::NotReceived,
    }
}

fn is_already_paid(error: &portone::Error) -> bool {
    error.code() == Some(&Code::V2(ErrorType::AlreadyPaid))
}

fn payment_id(id: &PaymentId) -> Result<v2::PaymentId, GatewayError> {
    v2::PaymentId::parse(id.as_str()).map_err(|_| GatewayError::Refused)
}

fn record(payment: Payment, asked: Option<&TransactionId>) -> Result<Record, GatewayError> {
    let record = Record::try_from(payment)?;
    let asked = asked.filter(|asked| **asked == record.transaction_id);
    Ok(Record {
        asked: asked.cloned(),
        ..record
    })
}

/// What a payment of V2 tells, when nobody asked for it by its transaction's id.
impl TryFrom<Payment> for Record {
    type Error = GatewayError;

    fn try_from(payment: Payment) -> Result<Self, GatewayError> {
        // An id that cannot be stored or shown is no answer to anything.
        let transaction_id = TransactionId::parse(payment.transaction_id.as_str())
            .map_err(|_| GatewayError::Garbled)?;
        let method = payment.method.as_ref();
        let channel = payment.channel.as_ref();
        Ok(Self {
            portone: match payment.version {
                Some(Version::V1) => Some(Portone::V1),
                Some(Version::V2) => Some(Portone::V2),
                Some(Version::Unrecognized(_)) | None => None,
            },
            asked: None,
            transaction_id,
            status: status(&payment.state, method),
            reported: reported(&payment),
            test: match channel.map(|channel| &channel.channel_type) {
                Some(ChannelType::Live) => Some(false),
                Some(ChannelType::Test) => Some(true),
                Some(ChannelType::Unrecognized(_)) | None => None,
            },
            pay_method: method
                .map(|method| method_word(method).to_owned())
                .and_then(text),
            pg_provider: channel
                .and_then(|channel| channel.pg_provider.clone())
                .and_then(text),
            approval_number: method.and_then(approval_number).and_then(text),
            method_name: method.and_then(method_name).and_then(text),
            fail_reason: fail_reason(&payment.state, channel),
            virtual_account: virtual_account(&payment.state, method),
            pay_by: match method {
                Some(Method::ConvenienceStore {
                    payment_deadline, ..
                }) => payment_deadline.map(to_micros),
                _ => None,
            },
            paid_at: payment.state.paid_at().map(to_micros),
            given_back_at: payment
                .cancellations
                .iter()
                .filter_map(|cancellation| cancellation.requested_at)
                .min()
                .map(to_micros),
            payment_id: payment.id,
            store_id: payment.store_id,
            currency: currency_code(payment.currency),
            receipt_url: payment.receipt_url.and_then(text),
        })
    }
}

fn status(state: &State, method: Option<&Method>) -> Option<TransactionStatus> {
    match state {
        // Issued, and not said what to: a number to pay with at a store, perhaps. The buyer has done everything, and nobody is to
        // be asked to pay once more.
        State::VirtualAccountIssued if virtual_account(state, method).is_none() => {
            Some(TransactionStatus::PayPending)
        }
        State::Ready | State::VirtualAccountIssued => Some(TransactionStatus::Ready),
        State::PayPending => Some(TransactionStatus::PayPending),
        State::Paid { .. } => Some(TransactionStatus::Paid),
        State::Failed { .. } => Some(TransactionStatus::Failed),
        State::PartialCancelled { .. } | State::Cancelled { .. } => {
            Some(TransactionStatus::Cancelled)
        }
        State::Unrecognized(_) => None,
    }
}

/// `total` is what was ordered; with a promotion the buyer pays less, and PortOne pays the rest.
fn reported(payment: &Payment) -> Reported {
    Reported::Minor {
        amount: payment.amount.total,
        cancelled: given_back(payment),
    }
}

/// How much of what was ordered went back. What the buyer got back whole leaves nothing of the order paid, the promotion's part
/// included: PortOne does not say in which of the two its sum counts.
fn given_back(payment: &Payment) -> i64 {
    let amount = &payment.amount;
    let all_is_back = matches!(payment.state, State::Cancelled { .. })
        && amount.cancelled > 0
        && amount.paid.is_none_or(|paid| amount.cancelled >= paid);
    if all_is_back {
        amount.cancelled.max(amount.total)
    } else {
        amount.cancelled
    }
}

/// PortOne's word for a way to pay, as the browser SDK takes it.
/// <https://developers.portone.io/sdk/ko/v2-sdk/payment-request>
fn method_word(method: &Method) -> &str {
    match method {
        Method::Card(_) => "CARD",
        Method::VirtualAccount(_) => "VIRTUAL_ACCOUNT",
        Method::Transfer(_) => "TRANSFER",
        Method::Mobile { .. } => "MOBILE",
        Method::EasyPay { .. } => "EASY_PAY",
        Method::GiftCertificate { .. } => "GIFT_CERTIFICATE",
        Method::ConvenienceStore { .. } => "CONVENIENCE_STORE",
        Method::Crypto => "CRYPTO",
        Method::Unrecognized(word) => word,
    }
}

fn method_name(method: &Method) -> Option<String> {
    match method {
        Method::Card(card) => card
            .name
            .as_ref()
            .or(card.issuer.as_ref())
            .or(card.publisher.as_ref())
            .cloned(),
        Method::VirtualAccount(account) => account.bank.clone(),
        Method::Transfer(transfer) => transfer.bank.clone(),
        Method::EasyPay { provider, .. } => provider.clone(),
        Method::GiftCertificate {
            gift_certificate_type,
            ..
        } => gift_certificate_type.clone(),
        Method::ConvenienceStore { brand, .. } => brand.clone(),
        Method::Mobile { .. } | Method::Crypto | Method::Unrecognized(_) => None,
    }
}

fn approval_number(method: &Method) -> Option<String> {
    match method {
        Method::Card(card)
        | Method::EasyPay {
            easy_pay_method: Some(EasyPayMethod::Card(card)),
            ..
        } => card.approval_number.clone(),
        Method::GiftCertificate {
            approval_number, ..
        } => approval_number.clone(),
        Method::VirtualAccount(_)
        | Method::Transfer(_)
        | Method::Mobile { .. }
        | Method::EasyPay { .. }
        | Method::ConvenienceStore { .. }
        | Method::Crypto
        | Method::Unrecognized(_) => None,
    }
}

/// PortOne's words and the gateway's: either may hold the telling one. Of Naver Pay the gateway's alone, which a page shows as they
/// are.
fn fail_reason(state: &State, channel: Option<&v2::Channel>) -> Option<String> {
    let State::Failed { failure, .. } = state else {
        return None;
    };
    let Failure {
        reason,
        pg_message,
        pg_code,
    } = failure;
    let is_naver =
        channel.is_some_and(|channel| channel.pg_provider.as_deref() == Some("NAVERPAY"));
    if is_naver && pg_message.is_some() {
        return pg_message.clone().and_then(text);
    }
    let mut words: Vec<&str> = Vec::new();
    for word in [reason, pg_message, pg_code].into_iter().flatten() {
        if !words.contains(&word.as_str()) {
            words.push(word);
        }
    }
    text(words.join(" / "))
}

/// The account, once it was issued: a window that is still open has none to deposit to.
fn virtual_account(state: &State, method: Option<&Method>) -> Option<VirtualAccount> {
    let Some(Method::VirtualAccount(account)) = method else {
        return None;
    };
    if matches!(state, State::Ready | State::PayPending) {
        return None;
    }
    Some(VirtualAccount {
        bank: account.bank.clone().and_then(text).unwrap_or_default(),
        account_number: account.account_number.clone().and_then(text)?,
        holder: account.remittee_name.clone().and_then(text),
        expires_at: account.expired_at.map(to_micros),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A paid card payment as PortOne writes it, with some fields replaced; `null` takes one out.
    fn read(changes: Value) -> Record {
        let mut payment = json!({
            "status": "PAID", "id": "ORD-1", "transactionId": "tx-1", "merchantId": "merchant-1", "storeId": "store-1", "version": "V2",
            "channel": { "type": "LIVE", "key": "channel-key-1", "pgProvider": "INICIS_V2", "pgMerchantId": "MOI" },
            "method": { "type": "PaymentMethodCard", "card": { "issuer": "SHINHAN_CARD", "name": "신한카드" }, "approvalNumber": "30000001" },
            "requestedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:01:00Z", "statusChangedAt": "2026-01-01T00:01:00Z",
            "orderName": "사과", "currency": "KRW", "customer": {}, "origin": { "platformType": "PC", "ipAddress": "203.0.113.9" },
            "amount": { "total": 65_000, "taxFree": 0, "discount": 5_000, "paid": 60_000, "cancelled": 0, "cancelledTaxFree": 0 },
            "paidAt": "2026-01-01T00:01:00Z", "receiptUrl": "https://receipt.example/1", "disputes": []
        });
        let fields = payment.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().expect("an object") {
            fields.insert(name.clone(), value.clone());
        }
        let payment = Payment::from_json(&payment.to_string()).expect("a payment");
        let asked = TransactionId::parse("tx-1").expect("an id");
        record(payment, Some(&asked)).expect("a record")
    }

    #[test]
    fn a_paid_payment_becomes_a_record() {
        let record = read(json!({}));

        assert_eq!(record.asked.as_ref(), Some(&record.transaction_id));
        assert_eq!(
            (record.payment_id.as_str(), record.transaction_id.as_str()),
            ("ORD-1", "tx-1")
        );
        assert_eq!(
            (record.portone, record.store_id.as_deref(), record.test),
            (Some(Portone::V2), Some("store-1"), Some(false))
        );
        assert_eq!(record.status, Some(TransactionStatus::Paid));
        assert_eq!(
            record.reported,
            Reported::Minor {
                amount: 65_000,
                cancelled: 0
            },
            "what was ordered, not what was paid after discounts"
        );
        assert_eq!(
            [
                record.pay_method,
                record.method_name,
                record.approval_number,
                record.pg_provider,
                record.currency
            ]
            .map(Option::unwrap_or_default),
            ["CARD", "신한카드", "30000001", "INICIS_V2", "KRW"]
        );
        assert_eq!(record.paid_at, "2026-01-01T00:01:00Z".parse().ok());
        assert_eq!((record.fail_reason, record.virtual_account), (None, None));
    }

    #[test]
    fn every_status_is_read_and_an_unknown_one_decides_nothing() {
        for (word, status) in [
            ("READY", Some(TransactionStatus::Ready)),
            ("PAY_PENDING", Some(TransactionStatus::PayPending)),
            (
                "VIRTUAL_ACCOUNT_ISSUED",
                Some(TransactionStatus::PayPending),
            ),
            ("PAID", Some(TransactionStatus::Paid)),
            ("FAILED", Some(TransactionStatus::Failed)),
            ("PARTIAL_CANCELLED", Some(TransactionStatus::Cancelled)),
            ("CANCELLED", Some(TransactionStatus::Cancelled)),
            ("RESERVED", None),
        ] {
            assert_eq!(read(json!({ "status": word })).status, status, "{word}");
        }
    }

    #[test]
    fn what_portone_does_not_say_is_not_made_up() {
        let bare = read(
            json!({ "status": "READY", "channel": null, "method": null, "storeId": null, "version": null }),
        );
        assert_eq!(
            (bare.test, bare.store_id, bare.portone, bare.pay_method),
            (None, None, None, None)
        );

        for (kind, test) in [("LIVE", Some(false)), ("TEST", Some(true)), ("OTHER", None)] {
            assert_eq!(
                read(json!({ "channel": { "type": kind } })).test,
                test,
                "{kind}"
            );
        }
        for (version, portone) in [
            ("V1", Some(Portone::V1)),
            ("V2", Some(Portone::V2)),
            ("V3", None),
        ] {
            assert_eq!(read(json!({ "version": version })).portone, portone);
        }
    }

    #[test]
    fn a_failure_is_told_in_everybodys_words_once() {
        let failed = |failure: Value| read(json!({ "status": "FAILED", "failure": failure }));

        assert_eq!(
            failed(json!({ "reason": "결제 실패", "pgCode": "51", "pgMessage": "한도 초과" }))
                .fail_reason
                .as_deref(),
            Some("결제 실패 / 한도 초과 / 51")
        );
        assert_eq!(
            failed(json!({ "reason": "거절", "pgMessage": "거절" }))
                .fail_reason
                .as_deref(),
            Some("거절")
        );
        assert_eq!(failed(json!({})).fail_reason, None);
    }

    #[test]
    fn naver_pays_words_stand_alone() {
        let failed = |failure: Value| {
            let channel = json!({ "type": "LIVE", "pgProvider": "NAVERPAY" });
            read(json!({ "status": "FAILED", "failure": failure, "channel": channel })).fail_reason
        };

        let both = json!({ "reason": "결제 실패", "pgCode": "51", "pgMessage": "잔액 부족" });
        assert_eq!(failed(both).as_deref(), Some("잔액 부족"));
        let portones = json!({ "reason": "결제 실패", "pgCode": "51" });
        assert_eq!(failed(portones).as_deref(), Some("결제 실패 / 51"));
    }

    #[test]
    fn times_are_as_exact_as_they_are_stored() {
        let exact = "2026-01-01T00:01:00.123456789Z";
        let stored = "2026-01-01T00:01:00.123456Z".parse().ok();
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "SHINHAN", "accountNumber": "123-456", "expiredAt": exact });

        let record = read(json!({ "paidAt": exact, "method": account }));

        assert_eq!(record.paid_at, stored);
        assert_eq!(
            record
                .virtual_account
                .and_then(|account| account.expires_at),
            stored
        );
    }

    #[test]
    fn an_account_is_one_to_deposit_to_once_it_was_issued() {
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "SHINHAN", "accountNumber": "123-456", "remitteeName": "완료상점", "expiredAt": "2026-01-03T00:00:00Z" });
        let with = |status: &str| read(json!({ "status": status, "method": account }));

        let issued = with("VIRTUAL_ACCOUNT_ISSUED");
        assert_eq!(issued.status, Some(TransactionStatus::Ready));
        let issued = issued.virtual_account.expect("an account");
        assert_eq!(
            (
                issued.bank.as_str(),
                issued.account_number.as_str(),
                issued.holder.as_deref()
            ),
            ("SHINHAN", "123-456", Some("완료상점"))
        );
        assert_eq!(issued.expires_at, "2026-01-03T00:00:00Z".parse().ok());
        assert!(with("PAID").virtual_account.is_some());
        assert!(with("READY").virtual_account.is_none());
        assert!(with("PAY_PENDING").virtual_account.is_none());
    }

    #[test]
    fn what_the_buyer_got_back_whole_leaves_nothing_paid() {
        let cancelled = |status: &str, paid: i64, cancelled: i64| {
            let amount = json!({ "total": 65_000, "taxFree": 0, "discount": 65_000 - paid, "paid": paid, "cancelled": cancelled, "cancelledTaxFree": 0 });
            read(json!({ "status": status, "amount": amount })).reported
        };
        let of = |cancelled| Reported::Minor {
            amount: 65_000,
            cancelled,
        };

        assert_eq!(cancelled("CANCELLED", 65_000, 65_000), of(65_000));
        assert_eq!(cancelled("CANCELLED", 60_000, 60_000), of(65_000));
        assert_eq!(
            cancelled("CANCELLED", 60_000, 0),
            of(0),
            "an account that nobody paid into"
        );
        assert_eq!(cancelled("CANCELLED", 60_000, 20_000), of(20_000));
        assert_eq!(cancelled("PARTIAL_CANCELLED", 60_000, 60_000), of(60_000));
    }
}
