//! PortOne V1: transactions by `imp_uid`, attempts by `merchant_uid`.

use jiff::Timestamp;
use portone::v1::{
    self, Cancel, CancelAmount, CancelTarget, ImpUid, MerchantUid, PartAmount, Requester, Sorting,
    StatusFilter, StatusQuery,
};
use rust_decimal::Decimal;

use super::{Part, balance, currency_code, failure, readable, text};
use crate::domain::evidence::{Record, Reported};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::Portone;
use crate::domain::refund::{Answer, Balance, Cancellation, Stage};
use crate::domain::sweep::Listing;
use crate::domain::transaction::{TransactionStatus, VirtualAccount};
use crate::ports::gateway::{Attempts, CancelCall, GatewayError, Page};

/// Number of the account of who pays at a store in Japan, for there is none.
/// <https://developers.portone.io/opi/ko/integration/pg/v1/eximbay>
const NO_ACCOUNT: &str = "unknown";

/// PortOne V1.
#[derive(Debug, Clone)]
pub struct PortoneV1 {
    client: v1::Client,
    patient: v1::Client,
}

impl PortoneV1 {
    /// Asks through `client`, and gives money back through `patient`: gateways take their time with that, and an answer that
    /// was not waited for leaves a refund in doubt.
    #[must_use]
    pub fn new(client: v1::Client, patient: v1::Client) -> Self {
        Self { client, patient }
    }

    pub(super) async fn attempts(
        &self,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        let mut records = Vec::new();
        let mut complete = true;
        if let Some(asked) = asked {
            records.extend(self.transaction(asked).await?);
        }
        // An account that was issued is not enough: another attempt may have been paid since.
        let enough = |found: &Record| found.payment_id != id.as_str() || found.holds_money();
        if !records.iter().any(enough) {
            let under_number = self.transactions_of(id).await?;
            complete = under_number.complete;
            for record in under_number.records {
                if records
                    .iter()
                    .all(|known| known.transaction_id != record.transaction_id)
                {
                    records.push(record);
                }
            }
        }
        Ok(Attempts { records, complete })
    }

    async fn transaction(&self, id: &TransactionId) -> Result<Option<Record>, GatewayError> {
        let imp_uid = ImpUid::parse(id.as_str()).map_err(|_| GatewayError::Refused)?;
        match self.client.payment(&imp_uid).await {
            Ok(payment) => record(payment, Some(id.clone())).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(failure(Portone::V1, &error)),
        }
    }

    /// Whoever knows an order's number can open windows under it without end, and an attempt that came to nothing may be told in
    /// a way that cannot be read or is too long for one answer. Of more than PortOne's client reads, or of what it cannot read, those
    /// that hold or held money are asked for alone.
    async fn transactions_of(&self, id: &PaymentId) -> Result<Attempts, GatewayError> {
        let uid = merchant_uid(id)?;
        let (payments, complete) = match self.client.payments_of(&uid).await {
            Err(
                portone::Error::TooManyPages
                | portone::Error::Garbled(_)
                | portone::Error::BodyTooLarge,
            ) => {
                let paid = self.listed(&uid, StatusFilter::Paid).await?;
                let cancelled = self.listed(&uid, StatusFilter::Cancelled).await?;
                ([paid, cancelled].concat(), false)
            }
            Err(error) if error.is_not_found() => (Vec::new(), true),
            found => (found.map_err(|error| failure(Portone::V1, &error))?, true),
        };
        let records = payments.into_iter().map(|payment| record(payment, None));
        Ok(Attempts {
            records: records.collect::<Result<_, _>>()?,
            complete,
        })
    }

    async fn listed(
        &self,
        uid: &MerchantUid,
        status: StatusFilter,
    ) -> Result<Vec<v1::Payment>, GatewayError> {
        let found = self.client.payments_of_with_status(uid, status).await;
        found.map_err(|error| failure(Portone::V1, &error))
    }

    pub(super) async fn prepare(&self, id: &PaymentId, amount: Money) -> Result<(), GatewayError> {
        let uid = merchant_uid(id)?;
        let (major, currency) = (amount.to_major(), amount.currency.code());
        let refused = match self.client.prepare(&uid, major, Some(currency)).await {
            Ok(_) => return Ok(()),
            Err(error) => failure(Portone::V1, &error),
        };
        if refused != GatewayError::Refused {
            return Err(refused);
        }
        // Registered before, perhaps by an order that was lost with its database: bring it in line.
        match self.client.prepared(&uid).await {
            Ok(Some(there))
                if there.amount == major && there.currency.as_deref() == Some(currency) =>
            {
                Ok(())
            }
            Ok(Some(_)) => self
                .client
                .update_prepared(&uid, major, Some(currency))
                .await
                .map(drop)
                .map_err(|error| failure(Portone::V1, &error)),
            Ok(None) => Err(refused),
            Err(error) => Err(failure(Portone::V1, &error)),
        }
    }

    /// V1's lists show test channels' payments without being asked to.
    /// <https://developers.portone.io/api/rest-v1/payment>
    pub(super) async fn list(
        &self,
        listing: Listing,
        (from, until): (Timestamp, Timestamp),
        part: Part,
    ) -> Result<Page, portone::Error> {
        let query = StatusQuery {
            status: Some(match listing {
                Listing::Paid => StatusFilter::Paid,
                Listing::Cancelled => StatusFilter::Cancelled,
            }),
            // PortOne counts from 1.
            page: part.number.saturating_add(1),
            limit: part.size,
            from: Some(from),
            to: Some(until),
            sorting: Sorting::EarliestStarted,
        };
        let Some(found) = self.client.payments_with_status(&query).await? else {
            return Ok(Page {
                records: Vec::new(),
                more: false,
                total: None,
                unread: false,
            });
        };
        let (records, unread) = readable(
            Portone::V1,
            found.list.into_iter().map(|payment| {
                let payment = payment.map_err(|error| failure(Portone::V1, &error))?;
                record(payment, None)
            }),
        );
        Ok(Page {
            records,
            more: found.next.is_some(),
            total: Some(found.total),
            unread,
        })
    }

    pub(super) async fn balance(
        &self,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        let imp_uid = ImpUid::parse(transaction_id.as_str()).map_err(|_| GatewayError::Refused)?;
        let payment = self
            .client
            .payment(&imp_uid)
            .await
            .map_err(|error| failure(Portone::V1, &error))?;
        if payment.merchant_uid != id.as_str() {
            return Err(GatewayError::Garbled);
        }
        balance_of(&payment)
    }

    /// Without a webhook, which V1 sends of a cancel only when told to: the order is asked about right afterwards.
    pub(super) async fn cancel(&self, call: &CancelCall) -> Result<Answer, portone::Error> {
        let unspeakable = |what: &str| portone::Error::InvalidConfiguration(what.to_owned());
        let imp_uid = ImpUid::parse(call.transaction_id.as_str())
            .map_err(|_| unspeakable("the transaction's id is none of V1"))?;
        let amount = PartAmount::new(call.amount.money().to_major())
            .map_err(|_| unspeakable("the amount is nothing"))?;
        let mut cancel = Cancel::new(
            CancelTarget::ImpUid(imp_uid),
            CancelAmount::Part(amount),
            call.guard.to_major(),
        );
        // It is the shop's to give back, whoever asked the shop.
        cancel.requester = Some(Requester::Admin);
        cancel.tax_free = call.tax_free.map(Money::to_major);
        cancel.reason = Some(call.reason.clone());
        cancel.refund_account = call.account.clone().map(|account| v1::RefundAccount {
            bank: account.bank,
            account: account.number,
            holder: account.holder,
            tel: account.tel,
        });
        let payment = self.patient.cancel(&cancel).await?;
        // The newest entry is the one that this call has made, unless the gateway is late and it has made none yet.
        let listed = listed(&payment);
        let own = payment
            .cancel_history
            .iter()
            .max_by_key(|entry| entry.cancelled_at)
            .filter(|entry| listed == payment.cancel_amount && entry.amount == amount.get());
        Ok(Answer::Taken {
            cancellation_id: own
                .and_then(|entry| entry.cancellation_id.clone())
                .and_then(text),
        })
    }
}

/// A cancel counts once `cancel_history` has it; what the sum has beyond that is under way.
/// <https://developers.portone.io/opi/ko/integration/pg/v1/paypal>
fn balance_of(payment: &v1::Payment) -> Result<Balance, GatewayError> {
    let code = payment.currency.as_deref().ok_or(GatewayError::Garbled)?;
    let currency = Currency::parse(code).map_err(|_| GatewayError::Garbled)?;
    let money =
        |major: Decimal| Money::from_major(major, currency).map_err(|_| GatewayError::Garbled);
    let (paid, reserved) = match payment.status {
        v1::Status::Paid | v1::Status::Cancelled => {
            (money(payment.amount)?, money(payment.cancel_amount)?)
        }
        v1::Status::Ready | v1::Status::Failed | v1::Status::Unrecognized(_) => {
            (money(Decimal::ZERO)?, money(Decimal::ZERO)?)
        }
    };
    let mut entries: Vec<&v1::CancelHistory> = payment.cancel_history.iter().collect();
    entries.sort_by_key(|entry| entry.cancelled_at);
    let mut cancellations = Vec::new();
    let mut listed: i64 = 0;
    for entry in entries {
        let amount_minor = money(entry.amount)?.minor;
        listed = listed.saturating_add(amount_minor);
        cancellations.push(Cancellation {
            id: entry.cancellation_id.clone().and_then(text),
            amount_minor,
            stage: Stage::Done,
        });
    }
    let missing = reserved.minor.saturating_sub(listed);
    // Gateways that confirm later: `cancelled`, and nothing given back yet.
    let unnamed = payment.status == v1::Status::Cancelled && reserved.minor == 0;
    if missing > 0 || unnamed {
        cancellations.push(Cancellation {
            id: None,
            amount_minor: missing,
            stage: Stage::UnderWay,
        });
    }
    // V1 tells nothing of taxes.
    balance(paid, reserved, None, cancellations)
}

fn merchant_uid(id: &PaymentId) -> Result<MerchantUid, GatewayError> {
    MerchantUid::parse(id.as_str()).map_err(|_| GatewayError::Refused)
}

fn record(payment: v1::Payment, asked: Option<TransactionId>) -> Result<Record, GatewayError> {
    let record = Record::try_from(payment)?;
    Ok(Record { asked, ..record })
}

/// What a payment of V1 tells, when nobody asked for it by its id.
impl TryFrom<v1::Payment> for Record {
    type Error = GatewayError;

    fn try_from(payment: v1::Payment) -> Result<Self, GatewayError> {
        // An id that cannot be stored or shown is no answer to anything.
        let transaction_id =
            TransactionId::parse(payment.imp_uid.as_str()).map_err(|_| GatewayError::Garbled)?;
        let virtual_account = virtual_account(&payment);
        let amount = match deposited(&payment) {
            None => payment.amount,
            // An account that takes any sum is issued without one.
            // https://developers.portone.io/opi/ko/integration/pg/v1/settle
            Some(deposits) if payment.amount.is_zero() => deposits,
            Some(deposits) => payment.amount.min(deposits),
        };
        let cancelled = cancelled(&payment);
        Ok(Self {
            portone: Some(Portone::V1),
            store_id: None,
            asked: None,
            transaction_id,
            payment_id: payment.merchant_uid,
            status: match payment.status {
                // The buyer has all there is to pay with, and nobody is to be asked to pay once more.
                v1::Status::Ready if payment.vbank_num.as_deref() == Some(NO_ACCOUNT) => {
                    Some(TransactionStatus::PayPending)
                }
                v1::Status::Ready => Some(TransactionStatus::Ready),
                v1::Status::Paid => Some(TransactionStatus::Paid),
                v1::Status::Failed => Some(TransactionStatus::Failed),
                v1::Status::Cancelled => Some(TransactionStatus::Cancelled),
                v1::Status::Unrecognized(_) => None,
            },
            reported: Reported::Major { amount, cancelled },
            currency: payment.currency.and_then(currency_code),
            test: payment.sandbox,
            method_name: payment.card_name.or(payment.bank_name).and_then(text),
            pay_method: payment.pay_method.and_then(text),
            pg_provider: payment.pg_provider.and_then(text),
            approval_number: payment.apply_num.and_then(text),
            fail_reason: payment.fail_reason.and_then(text),
            receipt_url: payment.receipt_url.and_then(text),
            pay_by: payment
                .vbank_date
                .filter(|_| payment.vbank_num.as_deref() == Some(NO_ACCOUNT)),
            virtual_account,
            paid_at: payment.paid_at,
            given_back_at: payment
                .cancel_history
                .iter()
                .filter_map(|entry| entry.cancelled_at)
                .min(),
        })
    }
}

/// What came, as far as PortOne tells: into an account that takes any sum it may be less than what was ordered, which is what
/// `amount` says. What came on top of it is not of this order.
fn deposited(payment: &v1::Payment) -> Option<Decimal> {
    let deposits = payment.deposit_history.iter().map(|deposit| deposit.amount);
    deposits.reduce(Decimal::saturating_add)
}

/// What went back. Of a gateway that carries a cancel out later, what `cancel_history` has: the sum says what was asked for, and
/// the gateway may still refuse.
fn cancelled(payment: &v1::Payment) -> Decimal {
    if is_cancelled_later(payment) {
        payment.cancel_amount.min(listed(payment))
    } else {
        payment.cancel_amount
    }
}

/// What `cancel_history` has.
fn listed(payment: &v1::Payment) -> Decimal {
    let entries = payment.cancel_history.iter().map(|entry| entry.amount);
    entries.fold(Decimal::ZERO, Decimal::saturating_add)
}

/// Whether a cancel is done only once `cancel_history` has it: PortOne names these, and says not to go by the answer to a cancel.
/// <https://developers.portone.io/opi/ko/integration/pg/v1/spb>,
/// <https://developers.portone.io/opi/ko/integration/pg/v1/smartro-v2>,
/// <https://developers.portone.io/opi/ko/integration/pg/v1/kicc-v2>
fn is_cancelled_later(payment: &v1::Payment) -> bool {
    let gateway = payment.pg_provider.as_deref();
    let method = payment.pay_method.as_deref();
    match gateway {
        Some("paypal_v2") => true,
        Some("smartro_v2") => payment.vbank_num.is_some() || method == Some("vbank"),
        Some(_) | None => method == Some("wechat"),
    }
}

fn virtual_account(payment: &v1::Payment) -> Option<VirtualAccount> {
    let number = payment.vbank_num.clone();
    let account_number = number
        .filter(|number| number != NO_ACCOUNT)
        .and_then(text)?;
    let bank = payment
        .vbank_name
        .clone()
        .and_then(text)
        .or_else(|| payment.vbank_code.clone().and_then(text))
        .unwrap_or_default();
    let holder = payment.vbank_holder.clone().and_then(text);
    Some(VirtualAccount {
        bank,
        account_number,
        holder,
        expires_at: payment.vbank_date,
    })
}
