//! What the browser brings back to the shop: in the query of a redirect, or in the object a promise resolves to.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use url::Url;

use super::choice::Choice;
use crate::v2::ledger::Attempt;

/// Everything is escaped but what RFC 3986 calls unreserved.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Codes seen in redirects: a gateway's failure, and PortOne's own.
const GATEWAY_FAILURE: &str = "FAILURE_TYPE_PG";
const PORTONE_ERROR: &str = "PORTONE_ERROR";
const CONFIRM_FAILED: &str = "ConfirmProcessFailed";
const ALREADY_PAID: &str = "PaymentAlreadyPaid";

const LATE_ANSWER: &str = "결제 결과를 확인하는 중 오류가 발생하였습니다.";

/// Which names the parameters have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// `transactionType`, `txId`, `paymentId`.
    Current,
    /// `paymentId` alone, as in PortOne's guide.
    PaymentIdOnly,
    /// `payment_id`, `tx_id`, as in the beta of 2023.
    Beta,
}

/// Why the return says that it failed. Its presence is what says so.
#[derive(Clone, Debug)]
struct Failure {
    code: &'static str,
    message: String,
    pg_code: Option<String>,
    pg_message: Option<String>,
}

/// The parameters PortOne adds.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    names: Names,
    payment_id: String,
    transaction_id: String,
    payment_token: Option<String>,
    failure: Option<Failure>,
}

/// What stopped an approval that the buyer had asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Another attempt has the money.
    AlreadyPaid,
    /// The shop did not agree.
    Refused,
}

/// How the browser leaves the window.
#[derive(Debug)]
pub(crate) enum Leave {
    Back(Return),
    /// Not sent back; the page offers a link.
    Link(Return),
    Stay,
}

impl Leave {
    pub(crate) fn after(choice: Choice, attempt: &Attempt, stopped: Option<Stopped>) -> Self {
        let back = Return {
            names: Names::Current,
            payment_id: attempt.payment_id().into(),
            transaction_id: attempt.transaction_id().into(),
            payment_token: None,
            failure: None,
        };
        if let Some(stopped) = stopped {
            let code = match stopped {
                Stopped::AlreadyPaid => ALREADY_PAID,
                Stopped::Refused => CONFIRM_FAILED,
            };
            return Leave::Back(Return {
                failure: Some(failure(attempt, code)),
                ..back
            });
        }
        match choice {
            Choice::Pay
            | Choice::IssueVirtualAccount
            | Choice::FailWithoutCode
            | Choice::PayLag
            | Choice::PayPending
            | Choice::PayTamperedAmount
            | Choice::PayTamperedCurrency
            | Choice::PayTestChannel
            | Choice::PayOtherStore => Leave::Back(back),
            Choice::Authenticate => Leave::Back(Return {
                payment_token: attempt.payment_token.clone(),
                ..back
            }),
            Choice::Cancel
            | Choice::Decline
            | Choice::DeclineLimit
            | Choice::DeclineBalance
            | Choice::DeclineCard => Leave::Back(Return {
                failure: Some(failure(attempt, GATEWAY_FAILURE)),
                ..back
            }),
            Choice::PayWithCode => Leave::Back(Return {
                failure: Some(Failure {
                    code: PORTONE_ERROR,
                    message: LATE_ANSWER.into(),
                    pg_code: None,
                    pg_message: None,
                }),
                ..back
            }),
            Choice::PayPaymentIdOnly => Leave::Back(Return {
                names: Names::PaymentIdOnly,
                ..back
            }),
            Choice::PayBetaNames => Leave::Back(Return {
                names: Names::Beta,
                ..back
            }),
            Choice::Abandon => Leave::Link(Return {
                names: Names::PaymentIdOnly,
                ..back
            }),
            Choice::PayNoReturn => Leave::Stay,
        }
    }
}

/// The record's failure, as the browser is told of it.
fn failure(attempt: &Attempt, code: &'static str) -> Failure {
    let field = |name: &str| {
        let text = attempt.record.get("failure")?.get(name)?.as_str()?;
        Some(text.to_owned())
    };
    Failure {
        code,
        message: field("reason").unwrap_or_default(),
        pg_code: field("pgCode"),
        pg_message: field("pgMessage"),
    }
}

impl Return {
    /// Names and values in the order PortOne appends them.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let mut parameters = match self.names {
            Names::Current => vec![
                ("transactionType", "PAYMENT"),
                ("txId", self.transaction_id.as_str()),
                ("paymentId", self.payment_id.as_str()),
            ],
            Names::PaymentIdOnly => vec![("paymentId", self.payment_id.as_str())],
            Names::Beta => vec![
                ("payment_id", self.payment_id.as_str()),
                ("tx_id", self.transaction_id.as_str()),
            ],
        };
        if let Some(token) = &self.payment_token {
            parameters.push(("paymentToken", token));
        }
        if let Some(failure) = &self.failure {
            parameters.push(("code", failure.code));
            parameters.push(("message", &failure.message));
            parameters.extend(failure.pg_code.as_deref().map(|code| ("pgCode", code)));
            parameters.extend(
                failure
                    .pg_message
                    .as_deref()
                    .map(|message| ("pgMessage", message)),
            );
        }
        parameters
    }

    /// The shop's address with the parameters appended to the query it already has.
    pub(crate) fn location(&self, redirect_url: &Url) -> Url {
        let mut query = redirect_url.query().unwrap_or_default().to_owned();
        for (name, value) in self.parameters() {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            query.extend(utf8_percent_encode(value, QUERY_VALUE));
        }
        let mut location = redirect_url.clone();
        location.set_query(Some(&query));
        location
    }

    /// The object that the promise of `requestPayment` resolves to.
    /// <https://developers.portone.io/sdk/ko/v2-sdk/payment-response>
    pub(crate) fn resolved(&self) -> Value {
        let object: Map<String, Value> = self
            .parameters()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        Value::Object(object)
    }
}
