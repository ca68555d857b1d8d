//! PortOne's API as evidence: turns what `crates/portone` parsed into [`Record`]s, and decides nothing.
//!
//! [`Record`]: crate::domain::evidence::Record

mod v1;
mod v2;

use async_trait::async_trait;
use jiff::Timestamp;
use portone::v2::ErrorType;

pub use v1::PortoneV1;
pub use v2::PortoneV2;

use crate::domain::evidence::Record;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::Portone;
use crate::domain::refund::{Answer, Balance, Cancellation, Trouble};
use crate::domain::sweep::Listing;
use crate::domain::text::stays_in_its_place;
use crate::ports::gateway::{Attempts, CancelCall, Gateway, GatewayError, Page};

/// Longest text that is kept of a gateway's, in characters.
const TEXT_CHARS_MAX: usize = 500;
/// Longest text that may be a currency code. ISO 4217 has three letters; what is longer is kept to be shown as wrong.
const CURRENCY_BYTES_MAX: usize = 8;
/// Payments in a page of a list. Both generations allow more, and what one answer may hold is limited in bytes, too.
const PAGE_PAYMENTS: u32 = 100;
/// Parts of a page that is too long for one answer all the same: a payment carries what the shop's page gave it, and of V2 what
/// the shop's server answered to its webhooks.
const PAGE_PARTS: u32 = 10;

/// A part of a list.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// From 0, in parts of this size.
    number: u32,
    /// Payments in it.
    size: u32,
}

/// Both generations of PortOne, as far as they are configured. An order is asked about at its own generation alone.
#[derive(Debug, Clone)]
pub struct Generations {
    /// V1, when it is configured.
    pub v1: Option<PortoneV1>,
    /// V2, when it is configured.
    pub v2: Option<PortoneV2>,
}

impl Generations {
    fn v1(&self) -> Result<&PortoneV1, GatewayError> {
        self.v1.as_ref().ok_or(GatewayError::NotConfigured)
    }

    fn v2(&self) -> Result<&PortoneV2, GatewayError> {
        self.v2.as_ref().ok_or(GatewayError::NotConfigured)
    }

    async fn part(
        &self,
        portone: Portone,
        listing: Listing,
        span: (Timestamp, Timestamp),
        part: Part,
    ) -> Result<Result<Page, portone::Error>, GatewayError> {
        Ok(match portone {
            Portone::V1 => self.v1()?.list(listing, span, part).await,
            Portone::V2 => self.v2()?.list(listing, span, part).await,
        })
    }
}

#[async_trait]
impl Gateway for Generations {
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        match portone {
            Portone::V1 => self.v1()?.attempts(id, asked).await,
            Portone::V2 => self.v2()?.attempts(id, asked).await,
        }
    }

    async fn prepare(
        &self,
        portone: Portone,
        id: &PaymentId,
        amount: Money,
    ) -> Result<(), GatewayError> {
        match portone {
            Portone::V1 => self.v1()?.prepare(id, amount).await,
            Portone::V2 => self.v2()?.prepare(id, amount).await,
        }
    }

    async fn list(
        &self,
        portone: Portone,
        listing: Listing,
        from: Timestamp,
        until: Timestamp,
        page: u32,
    ) -> Result<Page, GatewayError> {
        let whole = Part {
            number: page,
            size: PAGE_PAYMENTS,
        };
        let refused = |error| failure(portone, &error);
        match self.part(portone, listing, (from, until), whole).await? {
            Err(portone::Error::BodyTooLarge) => {}
            read => return read.map_err(refused),
        }
        let mut joined = Page {
            records: Vec::new(),
            more: true,
            total: None,
            unread: false,
        };
        let first = page.saturating_mul(PAGE_PARTS);
        for number in (first..).take(PAGE_PARTS as usize) {
            let part = Part {
                number,
                size: PAGE_PAYMENTS / PAGE_PARTS,
            };
            let read = self.part(portone, listing, (from, until), part).await?;
            let read = read.map_err(refused)?;
            joined.records.extend(read.records);
            joined.unread |= read.unread;
            (joined.more, joined.total) = (read.more, read.total);
            if !joined.more {
                break;
            }
        }
        Ok(joined)
    }

    async fn balance(
        &self,
        portone: Portone,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        match portone {
            Portone::V1 => self.v1()?.balance(id, transaction_id).await,
            Portone::V2 => self.v2()?.balance(id, transaction_id).await,
        }
    }

    async fn cancel(&self, portone: Portone, call: &CancelCall) -> Answer {
        let answered = match portone {
            Portone::V1 => match self.v1() {
                Ok(v1) => v1.cancel(call).await,
                Err(error) => return not_made(error),
            },
            Portone::V2 => match self.v2() {
                Ok(v2) => v2.cancel(call).await,
                Err(error) => return not_made(error),
            },
        };
        answered.unwrap_or_else(|error| cancel_failure(portone, &error))
    }
}

/// A call that was not made for want of something here.
fn not_made(error: GatewayError) -> Answer {
    Answer::NotMade(Trouble {
        code: error.as_str().to_owned(),
        message: None,
    })
}

/// What an error of a cancel says. Only PortOne's own no is a no; whatever may have reached it is unknown.
fn cancel_failure(portone: Portone, error: &portone::Error) -> Answer {
    let why = Trouble {
        code: failure(portone, error).as_str().to_owned(),
        message: None,
    };
    match error {
        portone::Error::Rejected(rejection) => Answer::Refused(Trouble {
            code: text(rejection.code.to_string()).unwrap_or(why.code),
            message: [
                Some(&rejection.message),
                rejection.pg_message.as_ref(),
                rejection.pg_code.as_ref(),
            ]
            .into_iter()
            .flatten()
            .filter(|words| !words.is_empty())
            .cloned()
            .reduce(|said, more| format!("{said} / {more}"))
            .and_then(text),
        }),
        portone::Error::NotFound | portone::Error::InvalidConfiguration(_) => Answer::Refused(why),
        portone::Error::Unauthorized | portone::Error::Connect(_) => Answer::NotMade(why),
        portone::Error::FateUnknown(_) => Answer::Unknown(why),
        // V1's client says [`portone::Error::FateUnknown`] once the call was on its way; before that it was asking for a token.
        portone::Error::Http { .. }
        | portone::Error::Timeout
        | portone::Error::Interrupted(_)
        | portone::Error::Garbled(_)
        | portone::Error::BodyTooLarge
        | portone::Error::TooManyPages
            if portone == Portone::V1 =>
        {
            Answer::NotMade(why)
        }
        // 408 and 425 are said of calls that were passed on, too; and a request that still runs has the same key as ours.
        portone::Error::Http {
            status: 400..=407 | 409..=424 | 426..=499,
            ..
        } if error.error_type() != Some(&ErrorType::IdempotencyOutstandingRequest) => {
            Answer::NotMade(why)
        }
        portone::Error::Http { .. }
        | portone::Error::Timeout
        | portone::Error::Interrupted(_)
        | portone::Error::Garbled(_)
        | portone::Error::BodyTooLarge
        | portone::Error::TooManyPages => Answer::Unknown(why),
    }
}

/// Makes a balance of what was paid and what PortOne lists.
fn balance(
    paid: Money,
    reserved: Money,
    tax_free_minor: Option<i64>,
    cancellations: Vec<Cancellation>,
) -> Result<Balance, GatewayError> {
    let left = paid.minor.saturating_sub(reserved.minor).max(0);
    Ok(Balance {
        cancellable: Money::new(left, paid.currency).map_err(|_| GatewayError::Garbled)?,
        tax_free_minor: tax_free_minor.map(|free| free.clamp(0, left)),
        reserved_minor: reserved.minor,
        cancellations,
    })
}

/// What can be read of a page, and whether something on it cannot. A payment that cannot, such as one with an id that nothing here
/// could store, is passed over: it must not hide the others.
fn readable(
    portone: Portone,
    records: impl Iterator<Item = Result<Record, GatewayError>>,
) -> (Vec<Record>, bool) {
    let mut unread = false;
    let mut skip = |error: &GatewayError| {
        unread = true;
        tracing::warn!(
            portone = portone.as_str(),
            error = error.as_str(),
            "a payment in a list of PortOne's cannot be read and is passed over"
        );
    };
    let records = records
        .filter_map(|record| record.inspect_err(&mut skip).ok())
        .collect();
    (records, unread)
}

fn failure(portone: Portone, error: &portone::Error) -> GatewayError {
    if error.is_unauthorized() {
        let settings = match portone {
            Portone::V1 => "PORTONE_V1_API_KEY and PORTONE_V1_API_SECRET",
            Portone::V2 => "PORTONE_V2_API_SECRET",
        };
        tracing::error!(
            error = error as &dyn std::error::Error,
            "PortOne refused the API keys; check {settings}"
        );
        return GatewayError::Unauthorized;
    }
    tracing::debug!(
        error = error as &dyn std::error::Error,
        "a call to PortOne failed"
    );
    match error {
        portone::Error::Rejected { .. } | portone::Error::NotFound => GatewayError::Refused,
        portone::Error::Garbled(_)
        | portone::Error::BodyTooLarge
        | portone::Error::TooManyPages => GatewayError::Garbled,
        // 408, 425 and a request that still runs at PortOne are no refusals, whatever their status looks like.
        portone::Error::Http {
            status: 400..=428, ..
        } if !error.is_retryable() => GatewayError::Refused,
        portone::Error::Http { .. }
        | portone::Error::Timeout
        | portone::Error::Connect(_)
        | portone::Error::Interrupted(_)
        | portone::Error::FateUnknown(_)
        | portone::Error::Unauthorized
        | portone::Error::InvalidConfiguration(_) => GatewayError::Unavailable,
    }
}

/// What is no code at all is no currency: it must not become one by being cleaned.
fn currency_code(code: String) -> Option<String> {
    Some(code).filter(|code| {
        code.len() <= CURRENCY_BYTES_MAX && code.bytes().all(|b| b.is_ascii_graphic())
    })
}

/// A time as exact as this server keeps times. With more of PortOne's digits every answer would differ from what is stored.
fn to_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// A gateway's text without control characters, which PostgreSQL would refuse in part and no page wants, and without what could
/// reorder or hide the page's own words, cut to a sane length.
fn text(text: String) -> Option<String> {
    let clean: String = text
        .chars()
        .filter(|c| stays_in_its_place(*c))
        .take(TEXT_CHARS_MAX)
        .collect();
    Some(clean).filter(|clean| !clean.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portone::{Code, Error, Rejection};

    use super::*;

    fn http(status: u16, code: Option<Code>) -> Error {
        Error::Http {
            status,
            code,
            message: String::new(),
        }
    }

    fn word(portone: Portone, error: &Error) -> &'static str {
        match cancel_failure(portone, error) {
            Answer::Taken { .. } => "taken",
            Answer::Refused(_) => "refused",
            Answer::NotMade(_) => "not made",
            Answer::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn only_a_no_is_a_no_and_only_what_was_not_sent_was_not_made() {
        let rejected = Error::Rejected(Box::new(Rejection {
            status: 409,
            code: Code::V2(ErrorType::CancellableAmountConsistencyBroken),
            message: "m".to_owned(),
            pg_code: None,
            pg_message: None,
        }));
        let connect = Error::Connect(Arc::new(std::io::Error::other("refused")));
        let running = http(
            409,
            Some(Code::V2(ErrorType::IdempotencyOutstandingRequest)),
        );
        for (error, v1, v2) in [
            (rejected, "refused", "refused"),
            (Error::NotFound, "refused", "refused"),
            (Error::Unauthorized, "not made", "not made"),
            (connect, "not made", "not made"),
            (http(403, None), "not made", "not made"),
            (http(429, None), "not made", "not made"),
            // Of V1 these are about the token: the call itself says that its fate is unknown.
            (Error::Timeout, "not made", "unknown"),
            (http(408, None), "not made", "unknown"),
            (http(500, None), "not made", "unknown"),
            (running, "not made", "unknown"),
            (Error::Garbled("x".to_owned()), "not made", "unknown"),
            (Error::BodyTooLarge, "not made", "unknown"),
            (
                Error::FateUnknown(Box::new(Error::Timeout)),
                "unknown",
                "unknown",
            ),
            (
                Error::FateUnknown(Box::new(http(502, None))),
                "unknown",
                "unknown",
            ),
        ] {
            assert_eq!(word(Portone::V1, &error), v1, "{error:?}");
            assert_eq!(word(Portone::V2, &error), v2, "{error:?}");
        }
    }

    #[test]
    fn a_no_keeps_portones_code_and_everybodys_words() {
        let error = Error::Rejected(Box::new(Rejection {
            status: 502,
            code: Code::V2(ErrorType::PgProvider),
            message: "실패".to_owned(),
            pg_code: Some("8178".to_owned()),
            pg_message: Some("정산\n부족".to_owned()),
        }));

        assert_eq!(
            cancel_failure(Portone::V2, &error),
            Answer::Refused(Trouble {
                code: "PG_PROVIDER".to_owned(),
                message: Some("실패 / 정산부족 / 8178".to_owned()),
            })
        );
    }
}
