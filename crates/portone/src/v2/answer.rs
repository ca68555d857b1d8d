//! What V2 answers with: the thing itself with a 2xx, `{"type", "message"}` with any other status.

use super::ErrorType;
use crate::{
    Error,
    error::{Code, Rejection, clean_message},
    json::Object,
    transport::Reply,
};

/// The body of a successful call, or what went wrong.
pub(super) fn open(reply: &Reply) -> Result<&str, Error> {
    let status = reply.status;
    if (200..=299).contains(&status) {
        return Ok(&reply.body);
    }
    // Also without a body of PortOne's: a secret refused by whatever stands in front of the API is refused.
    if status == 401 {
        return Err(Error::Unauthorized);
    }
    let Some((error_type, object)) = typed(&reply.body) else {
        return Err(Error::Http {
            status,
            code: None,
            message: String::new(),
        });
    };
    let message = clean(&object, "message").unwrap_or_default();
    match (status, &error_type) {
        // Only with the type: a wrong address or a proxy answers 404 too, and that says nothing about a payment.
        (404, ErrorType::PaymentNotFound) => Err(Error::NotFound),
        // Not a no: the first call with this key is still running, and may well do what was asked for.
        (408 | 425 | 429, _) | (_, ErrorType::IdempotencyOutstandingRequest) => {
            Err(http(status, error_type, message))
        }
        // The PG's no is an answer, while any other 5xx is a failure to give one.
        (400..=499, _) | (502, ErrorType::PgProvider | ErrorType::ChannelSpecific) => {
            Err(Error::Rejected(Box::new(Rejection {
                status,
                code: Code::V2(error_type),
                message,
                pg_code: clean(&object, "pgCode"),
                pg_message: clean(&object, "pgMessage"),
            })))
        }
        _ => Err(http(status, error_type, message)),
    }
}

fn typed(body: &str) -> Option<(ErrorType, Object<'_>)> {
    let object = Object::parse("the error", body).ok()?;
    let error_type = object.strict_text("type").ok()??;
    Some((ErrorType::from(clean_message(&error_type)), object))
}

fn clean(object: &Object<'_>, key: &str) -> Option<String> {
    object.text(key).map(|text| clean_message(&text))
}

fn http(status: u16, error_type: ErrorType, message: String) -> Error {
    Error::Http {
        status,
        code: Some(Code::V2(error_type)),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> Error {
        let reply = Reply {
            status,
            body: body.to_owned(),
        };
        open(&reply).expect_err("the status is no success")
    }

    #[test]
    fn a_404_counts_only_if_portone_said_it_of_the_payment() {
        assert!(error(404, r#"{"type":"PAYMENT_NOT_FOUND","message":"없음"}"#).is_not_found());
        for (body, error_type) in [
            ("<html>404 page not found</html>", None),
            ("", None),
            (r#"{"error":"no route"}"#, None),
            (r#"{"type":["PAYMENT_NOT_FOUND"]}"#, None),
            (
                r#"{"type":"WEBHOOK_NOT_FOUND"}"#,
                Some(ErrorType::WebhookNotFound),
            ),
        ] {
            let error = error(404, body);
            assert!(!error.is_not_found(), "{body}");
            assert_eq!(error.status(), Some(404), "{body}");
            assert_eq!(error.error_type(), error_type.as_ref(), "{body}");
        }
        assert!(!error(400, r#"{"type":"PAYMENT_NOT_FOUND"}"#).is_not_found());
    }

    #[test]
    fn a_pgs_no_keeps_the_pgs_words() {
        let error = error(
            502,
            r#"{"type":"PG_PROVIDER","message":"m","pgCode":"8178","pgMessage":"잔액\n부족"}"#,
        );

        let Error::Rejected(rejection) = &error else {
            unreachable!("a rejection, not {error:?}")
        };
        assert_eq!(rejection.code, Code::V2(ErrorType::PgProvider));
        assert_eq!(rejection.pg_code.as_deref(), Some("8178"));
        assert_eq!(rejection.pg_message.as_deref(), Some("잔액 부족"));
        assert!(!error.is_retryable());
    }

    #[test]
    fn what_passes_is_no_rejection_even_with_a_type() {
        for status in [408, 425, 429, 500, 502, 503] {
            let error = error(status, r#"{"type":"NEW_TYPE"}"#);
            assert!(
                matches!(error, Error::Http { .. }) && error.is_retryable(),
                "{status}"
            );
            let expected = ErrorType::Unrecognized("NEW_TYPE".to_owned());
            assert_eq!(error.error_type(), Some(&expected), "{status}");
        }
    }

    #[test]
    fn a_running_call_with_the_same_key_can_be_asked_again() {
        let error = error(409, r#"{"type":"IDEMPOTENCY_OUTSTANDING_REQUEST"}"#);

        assert_eq!(
            error.error_type(),
            Some(&ErrorType::IdempotencyOutstandingRequest)
        );
        assert!(error.is_retryable());
        assert!(
            matches!(error, Error::Http { status: 409, .. }),
            "no rejection: the first call may do what was asked for"
        );
    }

    #[test]
    fn a_401_is_a_401_whoever_says_it() {
        for body in ["", "<html>", r#"{"type":"UNAUTHORIZED"}"#] {
            assert!(error(401, body).is_unauthorized(), "{body}");
        }
    }
}
