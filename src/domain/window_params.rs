//! What a shop wants said to PortOne's payment window beside what its order says.
//!
//! Gateways have parameters of their own, without which their windows stay shut: what kind of goods a telephone bill is charged
//! for, a customer's number, a bank's cash receipt. No field of an order is for them; the shop says them in the SDK's own words.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::order::Portone;

/// What an order's own fields say to `IMP.request_pay`, and so nothing else may; and where a person lives, which nobody else is to
/// read.
/// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>
const OF_THE_ORDER_V1: [&str; 13] = [
    "channelKey",
    "pg",
    "pay_method",
    "merchant_uid",
    "name",
    "amount",
    "currency",
    "buyer_name",
    "buyer_email",
    "buyer_tel",
    "buyer_addr",
    "buyer_postcode",
    "m_redirect_url",
];
/// What an order's own fields say to `PortOne.requestPayment`.
/// <https://developers.portone.io/sdk/ko/v2-sdk/payment-request>
const OF_THE_ORDER_V2: [&str; 9] = [
    "storeId",
    "channelKey",
    "channelGroupId",
    "paymentId",
    "orderName",
    "totalAmount",
    "currency",
    "payMethod",
    "redirectUrl",
];
/// Who pays, in V2's words. These parameters are shown to whoever knows the order's number: of a person they may have the number
/// that the shop gave them, and nothing else.
const CUSTOMER: &str = "customer";
const CUSTOMER_ID: &str = "customerId";

/// Parameters of PortOne's payment window, in the words of its SDK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowParams(Map<String, Value>);

impl WindowParams {
    /// What a shop says, for a window of `portone`.
    ///
    /// # Errors
    /// The parameter that is not the shop's to say here, since a field of the order says it or it is about a person.
    pub fn new(params: Map<String, Value>, portone: Portone) -> Result<Self, String> {
        let of_the_order: &[&str] = match portone {
            Portone::V1 => &OF_THE_ORDER_V1,
            Portone::V2 => &OF_THE_ORDER_V2,
        };
        for (name, value) in &params {
            let is_number =
                |(key, value): (&String, &Value)| key == CUSTOMER_ID && value.is_string();
            let is_a_person = name == CUSTOMER
                && !value
                    .as_object()
                    .is_some_and(|customer| customer.iter().all(is_number));
            if of_the_order.contains(&name.as_str()) || is_a_person {
                return Err(name.clone());
            }
        }
        Ok(Self(params))
    }

    /// What was stored, which was looked at when it was taken; `None` when it is no JSON object.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The parameters as JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// The parameters as they are.
    #[must_use]
    pub const fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A window's parameters with the shop's added. Where both say the same, a language or when an account ends, the shop's word
    /// counts: it knows its gateway. Objects are put together, and what is in them is one value each: an account ends by a
    /// date or after some hours, not by both.
    pub fn add_to(&self, request: &mut Map<String, Value>) {
        for (name, said) in &self.0 {
            match (request.get_mut(name), said) {
                (Some(Value::Object(ours)), Value::Object(said)) => ours.extend(said.clone()),
                _ => {
                    request.insert(name.clone(), said.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other} is no object"),
        }
    }

    fn refused(params: Value, portone: Portone) -> Option<String> {
        WindowParams::new(object(params), portone).err()
    }

    #[test]
    fn what_an_order_says_is_said_once() {
        for (portone, names) in [
            (Portone::V1, OF_THE_ORDER_V1.as_slice()),
            (Portone::V2, OF_THE_ORDER_V2.as_slice()),
        ] {
            for name in names {
                assert_eq!(
                    refused(json!({ "popup": true, *name: "1" }), portone).as_deref(),
                    Some(*name)
                );
            }
        }
        // Each generation by its own list.
        assert_eq!(refused(json!({ "totalAmount": 1 }), Portone::V1), None);
        assert_eq!(refused(json!({ "amount": 1 }), Portone::V2), None);
    }

    #[test]
    fn of_a_person_only_the_shops_number_is_said() {
        assert_eq!(
            refused(json!({ "customer": { "customerId": "c-1" } }), Portone::V2),
            None
        );
        for customer in [
            json!({ "customerId": "c-1", "fullName": "김하늘" }),
            json!({ "email": "a@b.example" }),
            json!({ "customerId": { "fullName": "김하늘" } }),
            json!("김하늘"),
        ] {
            assert_eq!(
                refused(json!({ "customer": customer }), Portone::V2).as_deref(),
                Some("customer")
            );
        }
    }

    #[test]
    fn the_shops_word_counts_and_objects_are_put_together() {
        let said = json!({
            "locale": "KO_KR",
            "productType": "PRODUCT_TYPE_DIGITAL",
            "virtualAccount": { "accountExpiry": { "validHours": 3 }, "cashReceiptType": "ANONYMOUS" },
            "popup": { "center": true },
            "windowType": { "pc": "IFRAME" },
        });
        let params = WindowParams::new(object(said), Portone::V2).expect("parameters");
        let mut request = object(json!({
            "totalAmount": 1000,
            "locale": "EN_US",
            "virtualAccount": { "accountExpiry": { "dueDate": "2026-11-22 00:00:00" }, "bankCode": "KB" },
            "windowType": "PC",
        }));

        params.add_to(&mut request);

        let expected = json!({
            "totalAmount": 1000,
            "locale": "KO_KR",
            "productType": "PRODUCT_TYPE_DIGITAL",
            "virtualAccount": { "accountExpiry": { "validHours": 3 }, "cashReceiptType": "ANONYMOUS", "bankCode": "KB" },
            "popup": { "center": true },
            "windowType": { "pc": "IFRAME" },
        });
        assert_eq!(Value::Object(request), expected);
    }

    #[test]
    fn what_is_stored_is_read_as_it_was() {
        let params = object(json!({ "digital": true, "bypass": { "a": [1, null] } }));
        let params = WindowParams::new(params, Portone::V1).expect("parameters");

        assert_eq!(
            params.to_text(),
            r#"{"bypass":{"a":[1,null]},"digital":true}"#
        );
        assert_eq!(
            WindowParams::from_stored(&params.to_text()),
            Some(params.clone())
        );
        assert_eq!(
            Value::Object(params.as_object().clone()),
            json!({ "digital": true, "bypass": { "a": [1, null] } })
        );
        for text in ["", "[]", "null", "1"] {
            assert_eq!(WindowParams::from_stored(text), None, "{text}");
        }
    }
}
