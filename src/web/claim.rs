//! Reads what a redirect claims, in every generation's spelling, without believing any of it.
//!
//! <https://developers.portone.io/opi/ko/integration/start/v1/auth>,
//! <https://developers.portone.io/opi/ko/integration/start/v2/checkout>

use axum::body::Body;
use http::Method;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use portone::redirect::{self, Ids, Redirect, RedirectError};

use super::limits::{has_too_many_parameters, is_json, is_too_deep};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::service::completion::Claim;

/// Longest body that is read; as long as the longest query.
pub const BODY_BYTES_MAX: usize = redirect::BYTES_MAX;

/// Reads a redirect's query, form or JSON body. Query and body are never mixed: a body that names a payment is the claim.
pub async fn read(parts: &Parts, body: Body) -> Claim {
    if parts.method == Method::POST {
        let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
            return malformed();
        };
        let is_too_much = if is_json(&parts.headers) {
            is_too_deep(&bytes)
        } else {
            has_too_many_parameters(&bytes)
        };
        if is_too_much {
            return malformed();
        }
        let content_type = parts.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let posted = claim(redirect::parse_body(content_type, &bytes));
        if posted.malformed || posted.payment_id.is_some() || posted.transaction_id.is_some() {
            return posted;
        }
    }
    let query = parts.uri.query().unwrap_or_default();
    if has_too_many_parameters(query.as_bytes()) {
        return malformed();
    }
    claim(redirect::parse_query(query.as_bytes()))
}

fn malformed() -> Claim {
    Claim {
        malformed: true,
        ..Claim::default()
    }
}

fn claim(redirect: Result<Redirect, RedirectError>) -> Claim {
    let Ok(redirect) = redirect else {
        return malformed();
    };
    let payment = redirect.payment_id().map(PaymentId::parse).transpose();
    let transaction = redirect
        .transaction_id()
        .map(TransactionId::parse)
        .transpose();
    let parameters = redirect.parameters().iter();
    Claim {
        malformed: matches!(redirect.ids(), Ids::Malformed { .. })
            || payment.is_err()
            || transaction.is_err(),
        payment_id: payment.ok().flatten(),
        transaction_id: transaction.ok().flatten(),
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
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
        let typed_only = read_post("?merchant_uid=ORD-1", "application/json", b"").await;
        let query_only = read_post(
            "?merchant_uid=ORD-1",
            "application/x-www-form-urlencoded",
            b"",
        )
        .await;

        assert_eq!(ids(&form), (Some("ORD-1"), None, false));
        assert_eq!(ids(&json), (Some("ORD-1"), Some("imp_1"), false));
        assert_eq!(ids(&query_only), (Some("ORD-1"), None, false));
        assert_eq!(ids(&typed_only), (Some("ORD-1"), None, false));
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
