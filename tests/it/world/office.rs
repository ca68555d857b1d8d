//! The forms of a person who is signed in.

use axum::body::Body;
use http::{HeaderValue, Request};
use url::form_urlencoded;
use wanryo::domain::attention::AttentionKind;

use super::{GIVEN_BACK, PRICE, Payment, Place};

/// What a person writes down who settles something, or leaves a note.
pub(crate) const WORD: &str = "전화로 확인함";

/// What a page has drawn for the form about this order: the same whenever the form is sent.
pub(crate) fn form_key(id: &str) -> String {
    let digits: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0>32}")
}

impl Place {
    /// A form that a person who is signed in sends.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut request = self.staff("POST", path);
        *request.body_mut() = Body::from(form);
        request.headers_mut().insert(
            "content-type",
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        request
    }

    /// A person gives some of the money back, by the same form whenever it is sent.
    pub(crate) fn office_refund(&self, payment: &Payment) -> Request<Body> {
        let Payment { id, transaction_id } = payment;
        let fields = [
            ("transaction_id", transaction_id.as_str()),
            ("amount", &GIVEN_BACK.to_string()),
            ("left", &PRICE.to_string()),
            ("reason", "단순 변심"),
            ("key", &form_key(id)),
        ];
        self.form(&format!("/orders/{id}/refund"), &fields)
    }

    /// A person leaves a note on the order, by the same form whenever it is sent.
    pub(crate) fn note(&self, id: &str) -> Request<Body> {
        let fields = [("note", WORD), ("key", &form_key(id))];
        self.form(&format!("/orders/{id}/note"), &fields)
    }

    /// A person says that a payment was taken care of.
    pub(crate) fn settle(&self, kind: AttentionKind, payment: &Payment) -> Request<Body> {
        let fields = [
            ("kind", kind.as_str()),
            ("transaction_id", &payment.transaction_id),
            ("note", WORD),
        ];
        self.form("/attention/settle", &fields)
    }
}
