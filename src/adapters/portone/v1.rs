//! PortOne V1: transactions by `imp_uid`, attempts by `merchant_uid`.

use portone::v1::{self, ImpUid, MerchantUid};

use super::{currency_code, failure, text};
use crate::domain::evidence::{Record, Reported};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::Portone;
use crate::domain::transaction::{TransactionStatus, VirtualAccount};
use crate::ports::gateway::{Attempts, GatewayError};

/// PortOne V1.
#[derive(Debug, Clone)]
pub struct PortoneV1 {
    client: v1::Client,
}

impl PortoneV1 {
    /// Asks through this client.
    #[must_use]
    pub fn new(client: v1::Client) -> Self {
        Self { client }
    }

    pub(super) async fn attempts(
        &self,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        let mut records = Vec::new();
        if let Some(asked) = asked {
            records.extend(self.transaction(asked).await?);
        }
        let enough = |found: &Record| found.payment_id != id.as_str() || found.tells_of_money();
        if !records.iter().any(enough) {
            for record in self.transactions_of(id).await? {
                if records
                    .iter()
                    .all(|known| known.transaction_id != record.transaction_id)
                {
                    records.push(record);
                }
            }
        }
        Ok(Attempts {
            records,
            complete: true,
        })
    }

    async fn transaction(&self, id: &TransactionId) -> Result<Option<Record>, GatewayError> {
        let imp_uid = ImpUid::parse(id.as_str()).map_err(|_| GatewayError::Refused)?;
        match self.client.payment(&imp_uid).await {
            Ok(payment) => record(payment, Some(id.clone())).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(failure(Portone::V1, &error)),
        }
    }

    async fn transactions_of(&self, id: &PaymentId) -> Result<Vec<Record>, GatewayError> {
        match self.client.payments_of(&merchant_uid(id)?).await {
            Ok(payments) => payments
                .into_iter()
                .map(|payment| record(payment, None))
                .collect(),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(failure(Portone::V1, &error)),
        }
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
}

fn merchant_uid(id: &PaymentId) -> Result<MerchantUid, GatewayError> {
    MerchantUid::parse(id.as_str()).map_err(|_| GatewayError::Refused)
}

fn record(payment: v1::Payment, asked: Option<TransactionId>) -> Result<Record, GatewayError> {
    // An id that cannot be stored or shown is no answer to anything.
    let transaction_id =
        TransactionId::parse(payment.imp_uid.as_str()).map_err(|_| GatewayError::Garbled)?;
    let virtual_account = virtual_account(&payment);
    Ok(Record {
        portone: Some(Portone::V1),
        store_id: None,
        asked,
        transaction_id,
        payment_id: payment.merchant_uid,
        status: match payment.status {
            v1::Status::Ready => Some(TransactionStatus::Ready),
            v1::Status::Paid => Some(TransactionStatus::Paid),
            v1::Status::Failed => Some(TransactionStatus::Failed),
            v1::Status::Cancelled => Some(TransactionStatus::Cancelled),
            v1::Status::Unrecognized(_) => None,
        },
        reported: Reported::Major {
            amount: payment.amount,
            cancelled: payment.cancel_amount,
        },
        currency: payment.currency.and_then(currency_code),
        test: payment.sandbox,
        method_name: payment.card_name.or(payment.bank_name).and_then(text),
        pay_method: payment.pay_method.and_then(text),
        pg_provider: payment.pg_provider.and_then(text),
        approval_number: payment.apply_num.and_then(text),
        fail_reason: payment.fail_reason.and_then(text),
        receipt_url: payment.receipt_url.and_then(text),
        virtual_account,
        paid_at: payment.paid_at,
    })
}

fn virtual_account(payment: &v1::Payment) -> Option<VirtualAccount> {
    let account_number = payment.vbank_num.clone().and_then(text)?;
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
