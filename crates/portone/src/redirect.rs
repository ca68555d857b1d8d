//! What the buyer's browser brings along when PortOne sends it back to the shop.
//!
//! PortOne appends its parameters to the query of the shop's `m_redirect_url` (V1) or `redirectUrl` (V2). Some shops have a
//! page of their own there whose script posts them on, as a form or as JSON. The names differ between V1, V2 and V2's beta,
//! and V1's differ by payment gateway; [`parse_query`], [`parse_form`], [`parse_json`] read all of them.
//!
//! # Nothing in here says that anything was paid
//!
//! **The buyer can write every byte of it.** What it is good for is [`Redirect::ids`]: the payment to ask PortOne about, with
//! [`v1::Client`](crate::v1::Client) or [`v2::Client`](crate::v2::Client).
//! [`Redirect::hint`] is for the wording of a page while the answer is not there. It decides nothing, in neither direction:
//!
//! - `imp_success=true` also arrives when a virtual account was issued and nothing is paid,
//! - a payment that is paid can arrive with `imp_success=false` or with an error code,
//! - a payment that failed can be paid later, and
//! - some gateways send no flag at all.
//!
//! <https://developers.portone.io/opi/ko/integration/start/v1/auth>,
//! <https://developers.portone.io/opi/ko/integration/start/v2/checkout>,
//! <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrt>

use std::fmt;

use crate::{
    Fields,
    fields::{self, Field, Unreadable},
    v1::{ImpUid, MerchantUid},
    v2::{PaymentId, TransactionId},
};

/// Longest query or body that is read. Browsers and proxies do not carry much more.
pub const BYTES_MAX: usize = 16 * 1024;

const MERCHANT_UID: &str = "merchant_uid";
const IMP_UID: &str = "imp_uid";
const PAYMENT_ID: &str = "paymentId";
const PAYMENT_ID_BETA: &str = "payment_id";
const TX_ID: &str = "txId";
const TX_ID_BETA: &str = "tx_id";
/// What V2's API calls `txId`.
const TRANSACTION_ID: &str = "transactionId";
const PAYMENT_TOKEN: &str = "paymentToken";

/// Why a query or a body is no redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// Longer than [`BYTES_MAX`].
    #[error("the redirect is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// More parameters than a reader of redirects needs to accept. PortOne's come last, so none may be left out.
    #[error("the redirect has too many parameters")]
    TooManyParameters,
    /// The body is not one JSON object.
    #[error("the redirect is not a JSON object")]
    NotAnObject,
}

/// What a redirect says. See the [module](self): it proves nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Redirect {
    ids: Ids,
    hint: Hint,
    payment_token: Option<String>,
    parameters: Fields,
}

/// The payment that a redirect is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// There is no id: this is no redirect of PortOne's, or nothing was left of it. Empty ids are absent ones.
    Absent,
    /// There is an id that PortOne cannot have sent. Not worth a call to PortOne.
    Malformed {
        /// The parameter's name.
        parameter: &'static str,
    },
    /// V1. At least one of the two is there.
    V1 {
        /// The merchant's id.
        merchant_uid: Option<MerchantUid>,
        /// PortOne's id. Absent if the payment failed before there was an attempt, and with some gateways.
        imp_uid: Option<ImpUid>,
    },
    /// V2. At least one of the two is there.
    V2 {
        /// The merchant's id.
        payment_id: Option<PaymentId>,
        /// PortOne's id.
        transaction_id: Option<TransactionId>,
        /// How the ids were spelt.
        spelling: Spelling,
    },
}

/// How a redirect of V2 spells its ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// `paymentId`, `txId`
    Current,
    /// `payment_id`, `tx_id`, from the beta of 2023; parts of PortOne's guide still show it.
    Beta,
}

/// What a redirect says about itself. **Decides nothing**; see the [module](self).
///
/// All text comes from the gateway or from a stranger: escape it before it is shown, cut it before it is logged. `Debug`
/// leaves out the messages.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hint {
    /// How the payment window was left, if the redirect says so.
    pub window: Window,
    /// V1 `error_code`, V2 `code`.
    pub error_code: Option<String>,
    /// V1 `error_msg`, V2 `message`; mostly Korean.
    pub error_message: Option<String>,
    /// V2 `pgCode`: the gateway's own code.
    pub pg_code: Option<String>,
    /// V2 `pgMessage`: the gateway's own words.
    pub pg_message: Option<String>,
    /// V2 `transactionType`: `PAYMENT`, or another flow of the browser SDK.
    pub transaction_type: Option<String>,
    /// V1 `kcp_action`: what was done in KCP's quick pay.
    pub kcp_action: Option<String>,
}

/// How the payment window was left, according to V1's `imp_success`, `success` or `imp_status`.
///
/// It is about the window alone. `LeftNormally` comes with an unpaid virtual account as well, and `LeftOtherwise` with
/// payments that are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// The flag is `true`.
    LeftNormally,
    /// The flag is `false`.
    LeftOtherwise,
    /// There is no flag, as always in V2 and with many gateways in V1, or it is neither `true` nor `false`.
    Unsaid,
}

/// Reads the query of a redirect, without or with its `?`.
///
/// ```
/// use portone::redirect::{Ids, parse_query};
///
/// let redirect = parse_query(b"imp_uid=imp_448280090638&merchant_uid=ORD-1&imp_success=true")?;
/// let Ids::V1 { merchant_uid: Some(order), imp_uid } = redirect.ids() else {
///     panic!("no redirect of V1");
/// };
/// assert_eq!(order.as_str(), "ORD-1");
/// // Now ask PortOne about it. That `imp_success` is true means nothing.
/// # assert!(imp_uid.is_some());
/// # Ok::<(), portone::redirect::RedirectError>(())
/// ```
///
/// # Errors
/// [`RedirectError`], if it is too long or has too many parameters.
pub fn parse_query(query: &[u8]) -> Result<Redirect, RedirectError> {
    parse_form(query.strip_prefix(b"?").unwrap_or(query))
}

/// Reads a redirect that was posted as `application/x-www-form-urlencoded`.
///
/// # Errors
/// [`RedirectError`], if it is too long or has too many parameters.
pub fn parse_form(body: &[u8]) -> Result<Redirect, RedirectError> {
    parse(body, fields::from_form)
}

/// Reads a redirect, or the result of the browser SDK, that was posted as JSON.
///
/// # Errors
/// [`RedirectError`], if it is too long, has too many parameters, or is not one JSON object.
pub fn parse_json(body: &[u8]) -> Result<Redirect, RedirectError> {
    parse(body, fields::from_json)
}

/// Reads a redirect that was posted: as JSON if the content type is `application/json`, and as a form otherwise.
///
/// # Errors
/// As of [`parse_json`] and [`parse_form`].
pub fn parse_body(content_type: Option<&str>, body: &[u8]) -> Result<Redirect, RedirectError> {
    // Scripts name the type of a body that they do not send.
    if content_type.is_some_and(fields::is_json) && !body.trim_ascii().is_empty() {
        parse_json(body)
    } else {
        parse_form(body)
    }
}

impl Redirect {
    /// The payment that it is about.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The merchant's id of the payment, whichever generation it is of: `merchant_uid`, `paymentId`.
    pub fn payment_id(&self) -> Option<&str> {
        match &self.ids {
            Ids::Absent | Ids::Malformed { .. } => None,
            Ids::V1 { merchant_uid, .. } => merchant_uid.as_ref().map(MerchantUid::as_str),
            Ids::V2 { payment_id, .. } => payment_id.as_ref().map(PaymentId::as_str),
        }
    }

    /// PortOne's id of the attempt to pay, whichever generation it is of: `imp_uid`, `txId`.
    pub fn transaction_id(&self) -> Option<&str> {
        match &self.ids {
            Ids::Absent | Ids::Malformed { .. } => None,
            Ids::V1 { imp_uid, .. } => imp_uid.as_ref().map(ImpUid::as_str),
            Ids::V2 { transaction_id, .. } => transaction_id.as_ref().map(TransactionId::as_str),
        }
    }

    /// What it says about itself. Decides nothing; see the [module](self).
    pub fn hint(&self) -> &Hint {
        &self.hint
    }

    /// V2 `paymentToken`, with which a payment of the manual confirm process is confirmed. Only to be sent to PortOne.
    pub fn payment_token(&self) -> Option<&str> {
        self.payment_token.as_deref()
    }

    /// Every parameter but the ids and the payment token, in order: the shop's own, and those that the hint was read from.
    pub fn parameters(&self) -> &Fields {
        &self.parameters
    }
}

impl fmt::Debug for Redirect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redirect")
            .field("ids", &self.ids)
            .field("hint", &self.hint)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

// Lists what may be seen, so that a field added later is hidden until somebody decides otherwise.
impl fmt::Debug for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hint")
            .field("window", &self.window)
            .field("error_code", &self.error_code)
            .field("pg_code", &self.pg_code)
            .field("transaction_type", &self.transaction_type)
            .field("kcp_action", &self.kcp_action)
            .finish_non_exhaustive()
    }
}

/// The names that one generation has for things. The shop may use the other generation's for things of its own.
struct Vocabulary {
    merchant_ids: &'static [&'static str],
    portone_ids: &'static [&'static str],
    /// In the order in which PortOne's own mobile SDKs look at them.
    flags: &'static [&'static str],
    error_codes: &'static [&'static str],
    error_messages: &'static [&'static str],
}

static V1: Vocabulary = Vocabulary {
    merchant_ids: &[MERCHANT_UID],
    portone_ids: &[IMP_UID],
    flags: &["imp_success", "success", "imp_status"],
    error_codes: &["error_code"],
    error_messages: &["error_msg"],
};

static V2: Vocabulary = Vocabulary {
    merchant_ids: &[PAYMENT_ID, PAYMENT_ID_BETA],
    portone_ids: &[TX_ID, TX_ID_BETA, TRANSACTION_ID],
    flags: &[],
    error_codes: &["code"],
    error_messages: &["message"],
};

/// For redirects without any id.
static EITHER: Vocabulary = Vocabulary {
    merchant_ids: &[MERCHANT_UID, PAYMENT_ID, PAYMENT_ID_BETA],
    portone_ids: &[IMP_UID, TX_ID, TX_ID_BETA, TRANSACTION_ID],
    flags: V1.flags,
    error_codes: &["error_code", "code"],
    error_messages: &["error_msg", "message"],
};

fn parse(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<Vec<Field>, Unreadable>,
) -> Result<Redirect, RedirectError> {
    if bytes.len() > BYTES_MAX {
        return Err(RedirectError::TooLong);
    }
    let fields = read(bytes).map_err(|unreadable| match unreadable {
        Unreadable::NotAnObject => RedirectError::NotAnObject,
        Unreadable::TooMany => RedirectError::TooManyParameters,
    })?;
    let vocabulary = vocabulary(&fields);
    let is_apart = |name: &str| {
        name == PAYMENT_TOKEN
            || vocabulary.merchant_ids.contains(&name)
            || vocabulary.portone_ids.contains(&name)
    };
    Ok(Redirect {
        ids: ids(&fields, vocabulary),
        hint: hint(&fields, vocabulary),
        payment_token: text(&fields, &[PAYMENT_TOKEN]),
        parameters: fields
            .iter()
            .filter(|field| !is_apart(&field.name))
            .collect(),
    })
}

/// Whose redirect it is: the last id tells, the merchant's before PortOne's, because PortOne appends its own after the shop's.
fn vocabulary(fields: &[Field]) -> &'static Vocabulary {
    let id = last(fields, EITHER.merchant_ids).or_else(|| last(fields, EITHER.portone_ids));
    match id {
        None => &EITHER,
        Some((MERCHANT_UID | IMP_UID, _)) => &V1,
        Some(_) => &V2,
    }
}

fn ids(fields: &[Field], vocabulary: &Vocabulary) -> Ids {
    let merchant = last(fields, vocabulary.merchant_ids);
    let portone = last(fields, vocabulary.portone_ids);
    let Some((deciding_name, _)) = merchant.or(portone) else {
        return Ids::Absent;
    };
    let read = match deciding_name {
        MERCHANT_UID | IMP_UID => v1_ids(merchant, portone),
        PAYMENT_ID_BETA | TX_ID_BETA => v2_ids(merchant, portone, Spelling::Beta),
        _ => v2_ids(merchant, portone, Spelling::Current),
    };
    read.unwrap_or_else(|parameter| Ids::Malformed { parameter })
}

fn v1_ids(merchant: Option<Named<'_>>, portone: Option<Named<'_>>) -> Result<Ids, &'static str> {
    Ok(Ids::V1 {
        merchant_uid: id(merchant, MerchantUid::parse)?,
        imp_uid: id(portone, ImpUid::parse)?,
    })
}

fn v2_ids(
    merchant: Option<Named<'_>>,
    portone: Option<Named<'_>>,
    spelling: Spelling,
) -> Result<Ids, &'static str> {
    Ok(Ids::V2 {
        payment_id: id(merchant, PaymentId::parse)?,
        transaction_id: id(portone, TransactionId::parse)?,
        spelling,
    })
}

fn id<T, E>(
    named: Option<Named<'_>>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, &'static str> {
    let Some((name, field)) = named else {
        return Ok(None);
    };
    let text = field.exact_text().map_err(|_| name)?;
    parse(text).map(Some).map_err(|_| name)
}

fn hint(fields: &[Field], vocabulary: &Vocabulary) -> Hint {
    let window = match text(fields, vocabulary.flags).as_deref() {
        Some("true") => Window::LeftNormally,
        Some("false") => Window::LeftOtherwise,
        _ => Window::Unsaid,
    };
    Hint {
        window,
        error_code: text(fields, vocabulary.error_codes),
        error_message: text(fields, vocabulary.error_messages),
        pg_code: text(fields, &["pgCode"]),
        pg_message: text(fields, &["pgMessage"]),
        transaction_type: text(fields, &["transactionType"]),
        kcp_action: text(fields, &["kcp_action"]),
    }
}

/// A field under the name it was found by.
type Named<'a> = (&'static str, &'a Field);

/// The last field that has one of the names and is not empty.
fn last<'a>(fields: &'a [Field], names: &[&'static str]) -> Option<Named<'a>> {
    fields
        .iter()
        .rev()
        .filter(|field| !field.is_empty())
        .find_map(|field| {
            let name = names.iter().find(|name| **name == field.name)?;
            Some((*name, field))
        })
}

/// The text under the first of the names that is there.
fn text(fields: &[Field], names: &[&'static str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| last(fields, &[*name]))
        .map(|(_, field)| field.lossy_text())
}
