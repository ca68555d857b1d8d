//! `{"code", "message", "response"}`, which V1 wraps around every answer.
//!
//! A call succeeded if, and only if, the status is 2xx, `code` is 0 and `response` is there: a refused cancellation, for
//! one, arrives with status 200.

use crate::{
    Error,
    error::{Code, Rejection, clean_message},
    json::{Malformed, Object},
    transport::Reply,
};

struct Envelope<'a> {
    code: i64,
    message: String,
    /// The JSON text of `response`, unless null.
    response: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    fn parse(body: &'a str) -> Result<Self, Malformed> {
        let object = Object::parse("the answer", body)?;
        Ok(Self {
            code: object.required_integer("code")?,
            message: clean_message(&object.text("message").unwrap_or_default()),
            response: object.value("response"),
        })
    }
}

/// The `response` of a successful call, or what went wrong. `None` is a success that says nothing.
pub(super) fn open(reply: &Reply) -> Result<Option<&str>, Error> {
    let envelope = Envelope::parse(&reply.body);
    match (reply.status, envelope) {
        (
            200..=299,
            Ok(Envelope {
                code: 0, response, ..
            }),
        ) => Ok(response),
        (200..=299, Ok(Envelope { code, message, .. })) => {
            Err(Error::Rejected(Box::new(Rejection {
                status: reply.status,
                code: Code::V1(code),
                message,
                pg_code: None,
                pg_message: None,
            })))
        }
        (200..=299, Err(malformed)) => Err(malformed.into()),
        // Also without the envelope: a token refused by whatever stands in front of the API is refused.
        (401, _) => Err(Error::Unauthorized),
        // Only with the envelope: a wrong address or a proxy answers 404 too, and that says nothing about a payment.
        (404, Ok(_)) => Err(Error::NotFound),
        (status, Ok(Envelope { code, message, .. })) => Err(Error::Http {
            status,
            code: Some(Code::V1(code)),
            message,
        }),
        (status, Err(_)) => Err(Error::Http {
            status,
            code: None,
            message: String::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: body.to_owned(),
        }
    }

    #[test]
    fn success_takes_2xx_and_code_0() {
        let body = r#"{"code":0,"message":null,"response":{"a":1}}"#;

        assert_eq!(open(&reply(200, body)).ok().flatten(), Some(r#"{"a":1}"#));
        assert_eq!(open(&reply(207, body)).ok().flatten(), Some(r#"{"a":1}"#));
        for status in [199, 300, 302, 400, 403, 429, 500, 503] {
            let reply = reply(status, body);
            assert!(
                matches!(open(&reply), Err(Error::Http { status: s, code: Some(Code::V1(0)), .. }) if s == status),
                "{status}"
            );
        }
    }

    #[test]
    fn a_code_other_than_0_is_a_rejection_even_with_a_response() {
        let opened = reply(
            200,
            r#"{"code":1,"message":"이미 전액취소된 주문입니다.","response":{"a":1}}"#,
        );

        let error = open(&opened).expect_err("code 1 is no success");

        assert!(matches!(&error, Error::Rejected(rejection)
                if rejection.code == Code::V1(1) && rejection.message == "이미 전액취소된 주문입니다."));
    }

    #[test]
    fn a_404_counts_only_if_portone_said_it() {
        let said = open(&reply(
            404,
            r#"{"code":-1,"message":"없음","response":null}"#,
        ))
        .err();
        let html = open(&reply(404, "<html>404 page not found</html>")).err();
        let object = open(&reply(404, r#"{"error":"no route"}"#)).err();

        assert!(said.is_some_and(|error| error.is_not_found()));
        for elsewhere in [html, object] {
            assert!(matches!(
                elsewhere,
                Some(Error::Http {
                    status: 404,
                    code: None,
                    ..
                })
            ));
        }
    }

    #[test]
    fn half_an_envelope_is_garbled() {
        for body in [
            "",
            "{}",
            "<html></html>",
            r#"{"code":0,"message":null,"response":{"#,
            r#"{"code":"0","response":{}}"#,
            r#"{"code":0.0,"response":{}}"#,
            r#"{"code":null,"response":{}}"#,
            r#"{"code":1,"code":0,"response":{}}"#,
            r#"{"response":{}}"#,
            r#"[{"code":0,"response":{}}]"#,
        ] {
            assert!(
                matches!(open(&reply(200, body)), Err(Error::Garbled(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn success_without_a_response_is_told_apart() {
        assert!(matches!(
            open(&reply(200, r#"{"code":0,"message":null,"response":null}"#)),
            Ok(None)
        ));
        assert!(matches!(open(&reply(200, r#"{"code":0}"#)), Ok(None)));
    }
}
