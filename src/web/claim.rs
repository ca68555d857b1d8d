//! Reads what a redirect claims, in every generation's spelling, without believing any of it.
//!
//! <https://developers.portone.io/opi/ko/integration/start/v1/auth>,
//! <https://developers.portone.io/opi/ko/integration/start/v2/checkout>

use std::borrow::Cow;

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode;

use crate::domain::ids::{PaymentId, TransactionId};
use crate::service::completion::Claim;

/// Longest body that is read.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Longest query that is read.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;
/// Parameters that are looked at.
const PARAMETERS_MAX: usize = 64;

const PAYMENT_NAMES: [&str; 3] = ["merchant_uid", "paymentId", "payment_id"];
const TRANSACTION_NAMES: [&str; 4] = ["imp_uid", "txId", "tx_id", "transactionId"];

/// A parameter: the value stays bytes until it is known what it is for.
struct Parameter {
    name: String,
    value: Vec<u8>,
}

/// Reads a redirect's query, form or JSON body. Query and body are never mixed: a body that names a payment is the claim.
pub async fn read(parts: &Parts, body: Body) -> Claim {
    if parts.method == Method::POST {
        let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
            return Claim {
                malformed: true,
                ..Claim::default()
            };
        };
        let parameters = if is_json(&parts.headers) {
            json_parameters(&bytes)
        } else {
            Some(form_parameters(&bytes))
        };
        match parameters.map(claim) {
            Some(claim)
                if claim.malformed
                    || claim.payment_id.is_some()
                    || claim.transaction_id.is_some() =>
            {
                return claim;
            }
            Some(_) => {}
            None => {
                return Claim {
                    malformed: true,
                    ..Claim::default()
                };
            }
        }
    }
    let query = parts.uri.query().unwrap_or_default();
    if query.len() > QUERY_BYTES_MAX {
        return Claim {
            malformed: true,
            ..Claim::default()
        };
    }
    claim(form_parameters(query.as_bytes()))
}

/// Whether the body says that it is JSON.
#[must_use]
pub fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn claim(parameters: Vec<Parameter>) -> Claim {
    let payment = id(&parameters, &PAYMENT_NAMES, PaymentId::parse);
    let transaction = id(&parameters, &TRANSACTION_NAMES, TransactionId::parse);
    let rest = parameters.into_iter().filter(|p| {
        !PAYMENT_NAMES.contains(&p.name.as_str()) && !TRANSACTION_NAMES.contains(&p.name.as_str())
    });
    Claim {
        malformed: matches!(payment, Some(Err(()))) || matches!(transaction, Some(Err(()))),
        payment_id: payment.and_then(Result::ok),
        transaction_id: transaction.and_then(Result::ok),
        parameters: rest.map(|p| (p.name, legacy_text(&p.value))).collect(),
    }
}

/// The id under any of its names. PortOne appends its own after what the shop's redirect URL had, so the last one counts;
/// an empty one is an absent one.
fn id<T, E>(
    parameters: &[Parameter],
    names: &[&str],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<Result<T, ()>> {
    let last = parameters
        .iter()
        .rev()
        .find(|p| names.contains(&p.name.as_str()) && !p.value.is_empty())?;
    Some(
        std::str::from_utf8(&last.value)
            .map_err(|_| ())
            .and_then(|text| parse(text).map_err(|_| ())),
    )
}

fn form_parameters(bytes: &[u8]) -> Vec<Parameter> {
    let decode = |part: &[u8]| -> Vec<u8> {
        let spaced: Vec<u8> = part
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        percent_decode(&spaced).collect()
    };
    let pairs = bytes
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    let parameters = pairs.take(PARAMETERS_MAX).map(|pair| {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        Parameter {
            name: legacy_text(&decode(name)),
            value: decode(value),
        }
    });
    parameters.collect()
}

fn json_parameters(bytes: &[u8]) -> Option<Vec<Parameter>> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).ok()?;
    let parameters = object
        .into_iter()
        .take(PARAMETERS_MAX)
        .map(|(name, value)| {
            let value = match value {
                serde_json::Value::String(text) => text.into_bytes(),
                serde_json::Value::Null => Vec::new(),
                other => other.to_string().into_bytes(),
            };
            Parameter { name, value }
        });
    Some(parameters.collect())
}

/// Gateways that speak EUC-KR may let their bytes through; what is not UTF-8 is shown as far as it can be read.
fn legacy_text(bytes: &[u8]) -> String {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn read_get(query: &str) -> Claim {
        let (parts, ()) = Request::get(format!("/payments/complete?{query}"))
            .body(())
            .expect("a request")
            .into_parts();
        read(&parts, Body::empty()).await
    }

    async fn read_post(query: &str, content_type: &str, body: &'static [u8]) -> Claim {
        let request = Request::post(format!("/payments/complete{query}"))
            .header(CONTENT_TYPE, content_type)
            .body(());
        let (parts, ()) = request.expect("a request").into_parts();
        read(&parts, Body::from(body)).await
    }

    fn ids(claim: &Claim) -> (Option<&str>, Option<&str>, bool) {
        (
            claim.payment_id.as_ref().map(PaymentId::as_str),
            claim.transaction_id.as_ref().map(TransactionId::as_str),
            claim.malformed,
        )
    }

    #[tokio::test]
    async fn every_generation_is_read() {
        for query in [
            "imp_uid=imp_1&merchant_uid=ORD-1&imp_success=true",
            "merchant_uid=ORD-1&imp_uid=imp_1",
            "order_id=7&imp_uid=imp_1&merchant_uid=ORD-1",
            "transactionType=PAYMENT&txId=imp_1&paymentId=ORD-1",
            "payment_id=ORD-1&tx_id=imp_1",
            "merchant_uid=ORD-1&imp_uid=imp_1&merchant_uid=ORD-1",
            "imp_uid=shop&imp_uid=imp_1&merchant_uid=ORD-1",
        ] {
            assert_eq!(
                ids(&read_get(query).await),
                (Some("ORD-1"), Some("imp_1"), false),
                "{query}"
            );
        }
    }

    #[tokio::test]
    async fn bodies_are_read_and_never_mixed_with_the_query() {
        let form = read_post(
            "?imp_uid=imp_9&merchant_uid=OTHER",
            "application/x-www-form-urlencoded",
            b"merchant_uid=ORD-1",
        )
        .await;
        let json = read_post(
            "",
            "application/json; charset=utf-8",
            br#"{"imp_uid":"imp_1","merchant_uid":"ORD-1","success":true,"paid_amount":100}"#,
        )
        .await;
        let query_only = read_post(
            "?merchant_uid=ORD-1",
            "application/x-www-form-urlencoded",
            b"",
        )
        .await;

        assert_eq!(ids(&form), (Some("ORD-1"), None, false));
        assert_eq!(ids(&json), (Some("ORD-1"), Some("imp_1"), false));
        assert_eq!(ids(&query_only), (Some("ORD-1"), None, false));
    }

    #[tokio::test]
    async fn hostile_ids_are_malformed_and_hostile_text_is_kept_as_text() {
        for query in [
            "imp_uid=../users/getToken&merchant_uid=ORD-1",
            "imp_uid=imp_1&merchant_uid=a%2Fb",
            "merchant_uid=%C1%D6%B9%AE",
            "merchant_uid=%00",
        ] {
            assert!(read_get(query).await.malformed, "{query}");
        }
        let euc_kr = read_get("merchant_uid=ORD-1&error_msg=%C3%EB%BC%D2").await;
        assert!(!euc_kr.malformed);
        assert_eq!(euc_kr.parameters.len(), 1);

        assert!(read_post("", "application/json", b"[1]").await.malformed);
        assert!(
            read_post("", "application/json", b"{\"merchant_uid\":")
                .await
                .malformed
        );
        assert!(
            read_post(
                "",
                "application/x-www-form-urlencoded",
                &[b'a'; BODY_BYTES_MAX + 1]
            )
            .await
            .malformed
        );
    }

    #[tokio::test]
    async fn nothing_usable_is_nothing() {
        for query in [
            "",
            "imp_uid=&merchant_uid=",
            "foo=bar",
            "&&&",
            "imp_success=true",
        ] {
            assert_eq!(ids(&read_get(query).await), (None, None, false), "{query}");
        }
        assert_eq!(
            ids(&read_get("merchant_uid=%EC%A3%BC%EB%AC%B8+1").await),
            (Some("주문 1"), None, false)
        );
    }
}
