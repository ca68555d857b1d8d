//! What a Rust test drives V2 with.

use serde_json::{Map, Value, json};
use url::Url;

use super::config::{
    DEFAULT_API_SECRET, DEFAULT_STORE_ID, DEFAULT_WEBHOOK_SECRET, LIVE_CHANNEL_KEY,
    TEST_CHANNEL_KEY, parse_secrets,
};
use super::{WebhookVersion, control, record};
use crate::control::Refusal;
use crate::sandbox::{Builder, Error, Sandbox};

fn object(value: Value) -> Result<Map<String, Value>, Error> {
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::Refused("an object is expected".into()))
        }
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::Refused(refusal.message())
}

impl Builder {
    /// V2: the store, `store-…`; [`Sandbox::V2_STORE_ID`] if nothing is said.
    #[must_use]
    pub fn store_id(mut self, store_id: impl Into<String>) -> Self {
        self.settings.config.v2.store_id = store_id.into();
        self
    }

    /// V2: the API secret; [`Sandbox::V2_API_SECRET`] if nothing is said.
    #[must_use]
    pub fn v2_secret(mut self, secret: impl Into<String>) -> Self {
        self.settings.config.v2.api_secret = secret.into();
        self
    }

    /// V2: the one or two secrets (`whsec_…`) that webhooks are signed with, [`Sandbox::V2_WEBHOOK_SECRET`] if nothing
    /// is said. None at all sends them unsigned. If they are more, or one is not standard base64, the sandbox does not
    /// start.
    #[must_use]
    pub fn webhook_secrets<S: Into<String>>(
        mut self,
        secrets: impl IntoIterator<Item = S>,
    ) -> Self {
        self.webhook_secrets = Some(secrets.into_iter().map(Into::into).collect());
        self
    }

    /// V2: how webhooks are written; [`WebhookVersion::V20240425`] if nothing is said.
    #[must_use]
    pub fn webhook_version(mut self, version: WebhookVersion) -> Self {
        self.settings.config.v2.webhook_version = version;
        self
    }

    /// Takes the secrets over into the settings.
    pub(crate) fn parse_webhook_secrets(&mut self) -> Result<(), Error> {
        if let Some(secrets) = self.webhook_secrets.take() {
            self.settings.config.v2.webhook_secrets =
                parse_secrets(&secrets).map_err(|error| Error::Refused(error.to_string()))?;
        }
        Ok(())
    }
}

/// V2, <https://developers.portone.io/api/rest-v2>. A payment is named by its `paymentId`, which stands for the attempt
/// that the API shows, or by the `transactionId` of one attempt.
impl Sandbox {
    /// The store of a sandbox that was given none.
    pub const V2_STORE_ID: &'static str = DEFAULT_STORE_ID;
    /// The API secret of a sandbox that was given none.
    pub const V2_API_SECRET: &'static str = DEFAULT_API_SECRET;
    /// The webhook secret of a sandbox that was given none.
    pub const V2_WEBHOOK_SECRET: &'static str = DEFAULT_WEBHOOK_SECRET;
    /// A channel key of live payments, as every key is that does not say `test`.
    pub const V2_LIVE_CHANNEL_KEY: &'static str = LIVE_CHANNEL_KEY;
    /// A channel key of test payments, as every key is that says `test`.
    pub const V2_TEST_CHANNEL_KEY: &'static str = TEST_CHANNEL_KEY;

    /// The address of the V2 API to give to a client: `http://127.0.0.1:PORT/v2`.
    #[must_use]
    pub fn v2_url(&self) -> Url {
        let mut url = self.app.base.clone();
        url.set_path("/v2");
        url
    }

    /// Makes an attempt from any subset of a V2 payment's fields, like `POST /_sandbox/v2/payments`, and returns its
    /// `paymentId`. `id` and `amount` (minor units) are needed, `status` is `PAID` if absent. Must be called within a
    /// tokio runtime if `"webhook": true` is among the fields.
    ///
    /// # Errors
    /// [`Error::Refused`] if the fields make no sense.
    pub fn create_v2_payment(&self, fields: Value) -> Result<String, Error> {
        let record = control::create(&self.app, object(fields)?).map_err(refused)?;
        Ok(record::text(&record, "id").to_owned())
    }

    /// Changes any fields of an attempt, like `PATCH /_sandbox/v2/payments/{id}`.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such payment, or the fields make no sense.
    pub fn patch_v2_payment(&self, id: &str, fields: Value) -> Result<(), Error> {
        control::patch(&self.app, id, object(fields)?)
            .map(drop)
            .map_err(refused)
    }

    /// An attempt as the API would show it, lag aside; none if there is no such payment.
    #[must_use]
    pub fn v2_payment(&self, id: &str) -> Option<Value> {
        let state = self.app.state();
        let attempt = state.v2.ledger.find_any(id)?;
        Some(Value::Object(attempt.record.clone()))
    }

    /// Money arrives on a virtual account. Sends webhooks, so it must be called within a tokio runtime, as the next four
    /// must be.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such payment, or it waits for no deposit.
    pub fn deposit_v2(&self, id: &str) -> Result<(), Error> {
        control::deposit(&self.app, id).map(drop).map_err(refused)
    }

    /// A late approval of a payment that is ready, pending or failed.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such payment, or it is not in one of these states.
    pub fn approve_v2(&self, id: &str) -> Result<(), Error> {
        control::approve(&self.app, id).map(drop).map_err(refused)
    }

    /// Fails a payment that is ready, pending or waits for a deposit. `fields` may hold `reason`, `pgCode`, `pgMessage`.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such payment, or it is not in one of these states.
    pub fn fail_v2(&self, id: &str, fields: Value) -> Result<(), Error> {
        control::fail(&self.app, id, object(fields)?)
            .map(drop)
            .map_err(refused)
    }

    /// Cancels in the console. `fields` may hold `amount` (all that is left, if absent), `taxFreeAmount`, `vatAmount`,
    /// `reason`. Returns the cancellation's id.
    ///
    /// # Errors
    /// [`Error::Refused`], with PortOne's error type, if PortOne would refuse.
    pub fn cancel_v2(&self, id: &str, fields: Value) -> Result<String, Error> {
        let (_, cancellation_id) =
            control::cancel_in_console(&self.app, id, object(fields)?).map_err(refused)?;
        Ok(cancellation_id)
    }

    /// Opens a dispute (`{"reason": …}`), or ends one (`{"resolved": true}`).
    ///
    /// # Errors
    /// [`Error::Refused`] if the payment is not paid, or has no open dispute to end.
    pub fn dispute_v2(&self, id: &str, fields: Value) -> Result<(), Error> {
        control::change_dispute(&self.app, id, object(fields)?)
            .map(drop)
            .map_err(refused)
    }

    /// The gateway decides on a cancellation that was asked for while `cancel` is `asynchronous`.
    ///
    /// # Errors
    /// [`Error::Refused`] if no such cancellation is under way.
    pub fn settle_v2_cancellation(
        &self,
        id: &str,
        cancellation_id: &str,
        succeeded: bool,
    ) -> Result<(), Error> {
        control::settle_cancellation(&self.app, id, cancellation_id, succeeded)
            .map(drop)
            .map_err(refused)
    }

    /// Sends one webhook by hand, honest or not, like `POST /_sandbox/v2/webhook`, and waits for what comes of it.
    ///
    /// # Errors
    /// [`Error::Refused`] if the fields make no sense, or there is nowhere to send it to.
    pub async fn send_v2_webhook(&self, fields: Value) -> Result<Value, Error> {
        let receipts = control::send_webhook(&self.app, object(fields)?)
            .await
            .map_err(refused)?;
        Ok(json!(receipts))
    }

    /// Changes settings of V2, like `PATCH /_sandbox/v2/config`: all of them, or none if one makes no sense.
    ///
    /// # Errors
    /// [`Error::Refused`] if one makes no sense.
    pub fn configure_v2(&self, settings: Value) -> Result<(), Error> {
        control::change_config(&self.app, object(settings)?).map_err(refused)
    }

    /// Makes V2 forget its access and refresh tokens. The API secret stays good.
    pub fn revoke_v2_tokens(&self) {
        self.app.state().v2.revoke_tokens();
    }
}
