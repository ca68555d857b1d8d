//! PortOne's own description of the V2 API, cut down to the operations the sandbox has.
//!
//! Stricter than JSON Schema would be: a union is read by its discriminator, and a field that the description does not
//! know is an error, so that nothing is answered that PortOne would not answer.
//! <https://developers.portone.io/api/rest-v2>, `v2_schema.json` is made from its OpenAPI document.

use serde_json::Value;

pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn load() -> Self {
        Schema(serde_json::from_str(include_str!("v2_schema.json")).unwrap())
    }

    /// Checks an answer to an operation such as `GET /payments/{paymentId}`.
    pub(crate) fn check_answer(&self, operation: &str, status: u16, body: &Value) {
        let name = &self.0["operations"][operation][status.to_string()];
        assert!(
            name.is_string(),
            "{operation} never answers {status}: {body}"
        );
        let name = name.as_str().unwrap();
        let checked = self.check(name, body, name);
        assert_eq!(checked, Ok(()), "{operation} {status}: {body}");
        // An error's type belongs to one HTTP status.
        if status >= 400 {
            let kind = body["type"].as_str().unwrap();
            let schema = self.0["schemas"][name]["mapping"][kind].as_str().unwrap();
            assert_eq!(self.0["statuses"][schema], status, "{kind}");
        }
    }

    fn check(&self, name: &str, value: &Value, at: &str) -> Result<(), String> {
        let schema = &self.0["schemas"][name];
        if schema.is_null() {
            return Err(format!("{at}: no schema {name}"));
        }
        self.check_by(schema, value, at)
    }

    fn check_by(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(name) = schema["$ref"].as_str() {
            return self.check(name, value, at);
        }
        if let Some(property) = schema["discriminator"].as_str() {
            let kind = value[property].as_str().unwrap_or_default();
            let name = schema["mapping"][kind]
                .as_str()
                .ok_or_else(|| format!("{at}: {property} is {kind:?}"))?;
            return self.check(name, value, at);
        }
        if let Some(allowed) = schema["enum"].as_array() {
            return match allowed.contains(value) {
                true => Ok(()),
                false => Err(format!("{at}: {value} is none of the enum")),
            };
        }
        match schema["type"].as_str() {
            Some("object") => self.check_object(schema, value, at),
            Some("array") => {
                let items = value
                    .as_array()
                    .ok_or_else(|| format!("{at}: {value} is no array"))?;
                items.iter().enumerate().try_for_each(|(index, item)| {
                    self.check_by(&schema["items"], item, &format!("{at}[{index}]"))
                })
            }
            Some("string") => {
                let text = value
                    .as_str()
                    .ok_or_else(|| format!("{at}: {value} is no text"))?;
                let is_time = schema["format"] == "date-time";
                match is_time && text.parse::<jiff::Timestamp>().is_err() {
                    true => Err(format!("{at}: {text} is no RFC 3339 time")),
                    false => Ok(()),
                }
            }
            Some("integer") if value.is_i64() => Ok(()),
            Some("boolean") if value.is_boolean() => Ok(()),
            other => Err(format!("{at}: {value} is no {other:?}")),
        }
    }

    fn check_object(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let object = value
            .as_object()
            .ok_or_else(|| format!("{at}: {value} is no object"))?;
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                return Err(format!("{at}: {name} is missing"));
            }
        }
        for (name, field) in object {
            let described = &schema["properties"][name];
            if described.is_null() {
                return Err(format!("{at}: {name} is not described"));
            }
            self.check_by(described, field, &format!("{at}.{name}"))?;
        }
        Ok(())
    }
}

#[test]
fn a_missing_a_strange_and_a_wrong_field_are_errors() {
    let schema = Schema::load();
    let summary = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        schema.check("ConfirmedPaymentSummary", &value, "it")
    };

    assert_eq!(
        summary(r#"{"pgTxId": "1", "paidAt": "2026-01-01T00:00:00Z"}"#),
        Ok(())
    );
    for (wrong, part) in [
        (r#"{"pgTxId": "1"}"#, "paidAt"),
        (
            r#"{"pgTxId": 1, "paidAt": "2026-01-01T00:00:00Z"}"#,
            "no text",
        ),
        (r#"{"pgTxId": "1", "paidAt": "today"}"#, "no RFC 3339"),
        (
            r#"{"pgTxId": "1", "paidAt": "2026-01-01T00:00:00Z", "more": 1}"#,
            "not described",
        ),
    ] {
        assert!(summary(wrong).unwrap_err().contains(part), "{wrong}");
    }
}
