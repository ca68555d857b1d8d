//! Any completion server, by a file that says how to talk to it and how to read its answers.
//!
//! A rule never guesses: an answer that no pattern matches says nothing of the payment, and a scenario that needs it to
//! say something fails with the answer quoted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::http::{Read, client, send};
use crate::scenario::{
    Answer, Feature, Order, OrderState, OrderStatus, Outcome, Target, TargetError, Visit,
};

/// How to talk to a server. Addresses may be relative to the server's own.
///
/// `{payment_id}`, `{name}`, `{amount}` (minor unit), `{currency}` and `{portone}` (`v1` or `v2`) are filled in, in
/// addresses and bodies, as they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The redirect address that the shop's page gives to PortOne.
    redirect_url: String,
    /// Where PortOne sends webhooks; without it the server is taken to have none.
    webhook_url: Option<String>,
    /// Where PortOne asks before approval.
    confirm_url: Option<String>,
    /// What the server does not support.
    #[serde(default)]
    unsupported: Vec<Feature>,
    /// Headers of the buyer's browser.
    #[serde(default)]
    browser_headers: BTreeMap<String, String>,
    /// How an order is made.
    create: Option<Call>,
    /// Orders that exist already, used up one by one, if none can be made.
    #[serde(default)]
    existing: Vec<Existing>,
    /// How the answer to the browser is read: the first pattern that matches.
    outcome: Vec<Pattern<Outcome>>,
    /// How the order's state is asked for.
    state: Option<StateRules>,
    /// How an order is closed.
    close: Option<Call>,
}

/// A request, and what it must be answered with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    #[serde(default = "post")]
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

fn post() -> String {
    "POST".into()
}

fn get() -> String {
    "GET".into()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Existing {
    payment_id: String,
    /// In won.
    amount: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRules {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    status: Vec<Pattern<OrderStatus>>,
    /// JSON pointer to how often the order was fulfilled: a number, or a list that is counted.
    effects: Option<String>,
    /// JSON pointer to the amount given back, in minor units.
    refunded: Option<String>,
}

/// All that is said must match; a pattern that says nothing matches everything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern<W> {
    /// The word it stands for.
    is: W,
    /// HTTP status.
    http: Option<u16>,
    /// A header's name, and a text in its value.
    header: Option<[String; 2]>,
    /// A text in the body.
    contains: Option<String>,
    /// A regular expression that the body matches somewhere.
    matches: Option<String>,
    /// JSON pointer (RFC 6901) into the body.
    pointer: Option<String>,
    /// What stands at `pointer`, as text; without it something that is not null must stand there.
    equals: Option<String>,
}

/// Why a rules file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// It is no TOML, or not of this shape.
    #[error("the rules are not written correctly")]
    Syntax(#[source] toml::de::Error),
    /// A regular expression.
    #[error("the regular expression {0:?} is not written correctly")]
    Expression(String, #[source] regex::Error),
    /// A method, header or address that is none, or something that is missing.
    #[error("the rules cannot be used: {0}")]
    Unusable(String),
}

impl Rules {
    /// Reads rules.
    ///
    /// # Errors
    /// [`RulesError::Syntax`], with the line.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        toml::from_str(text).map_err(RulesError::Syntax)
    }

    /// Replaces the redirect address.
    pub fn set_redirect_url(&mut self, url: &Url) {
        self.redirect_url = url.to_string();
    }

    /// Replaces the webhook address.
    pub fn set_webhook_url(&mut self, url: &Url) {
        self.webhook_url = Some(url.to_string());
    }
}

/// A server, as [`Rules`] describe it.
#[derive(Debug)]
pub struct RulesTarget {
    base: Url,
    rules: Rules,
    client: reqwest::Client,
    outcomes: Vec<Reader<Outcome>>,
    statuses: Vec<Reader<OrderStatus>>,
    webhook_url: Option<Url>,
    confirm_url: Option<Url>,
    browser_headers: HeaderMap,
    existing_used: AtomicUsize,
    patience: Duration,
}

impl RulesTarget {
    /// The server at `base`. `patience` is how long to wait for what it does by itself.
    ///
    /// # Errors
    /// [`RulesError`] for the first rule that cannot be used.
    pub fn new(base: &Url, rules: Rules, patience: Duration) -> Result<Self, RulesError> {
        if rules.create.is_none() && rules.existing.is_empty() {
            return Err(unusable(
                "they say neither how to create an order nor which exist",
            ));
        }
        let readers = |patterns: &[Pattern<Outcome>]| -> Result<Vec<_>, RulesError> {
            patterns.iter().map(Reader::new).collect()
        };
        let outcomes = readers(&rules.outcome)?;
        let statuses = match &rules.state {
            None => Vec::new(),
            Some(state) => state
                .status
                .iter()
                .map(Reader::new)
                .collect::<Result<_, _>>()?,
        };
        let calls = rules.create.iter().chain(&rules.close);
        for call in calls {
            method(&call.method)?;
            headers(&call.headers)?;
        }
        if let Some(state) = &rules.state {
            method(&state.method)?;
            headers(&state.headers)?;
        }
        let at = |text: &String| {
            base.join(text)
                .map_err(|error| unusable(format!("{text:?} is no address: {error}")))
        };
        at(&rules.redirect_url)?;
        Ok(Self {
            webhook_url: rules.webhook_url.as_ref().map(at).transpose()?,
            confirm_url: rules.confirm_url.as_ref().map(at).transpose()?,
            browser_headers: headers(&rules.browser_headers)?,
            client: client().map_err(|error| unusable(error.to_string()))?,
            base: base.clone(),
            rules,
            outcomes,
            statuses,
            existing_used: AtomicUsize::new(0),
            patience,
        })
    }

    async fn call(&self, call: &Call, order: &Order, doing: &str) -> Result<(), TargetError> {
        let answer = self
            .request(&call.method, &call.url, &call.headers, order)
            .map(|request| match &call.body {
                None => request,
                Some(body) => request.body(fill(body, order)),
            })?;
        let answer = send(answer, doing).await?;
        match answer.status {
            200..400 => Ok(()),
            status => Err(TargetError::Failed(format!(
                "{doing} and was answered HTTP {status}: {}",
                Answer::new(status, None, &answer.body).excerpt
            ))),
        }
    }

    fn request(
        &self,
        method_name: &str,
        url: &str,
        fields: &BTreeMap<String, String>,
        order: &Order,
    ) -> Result<reqwest::RequestBuilder, TargetError> {
        let unusable = |error: RulesError| TargetError::Failed(error.to_string());
        let url = self.base.join(&fill(url, order)).map_err(|error| {
            TargetError::Failed(format!("{url:?} in the rules is no address: {error}"))
        })?;
        Ok(self
            .client
            .request(method(method_name).map_err(unusable)?, url)
            .headers(headers(fields).map_err(unusable)?))
    }
}

#[async_trait]
impl Target for RulesTarget {
    fn supports(&self, feature: Feature) -> bool {
        let described = match feature {
            Feature::Webhooks => self.webhook_url.is_some(),
            Feature::State => self.rules.state.is_some(),
            Feature::Close => self.rules.close.is_some(),
            Feature::Confirm => self.confirm_url.is_some(),
            Feature::V1
            | Feature::V2
            | Feature::PostReturn
            | Feature::VirtualAccounts
            | Feature::Reconciliation
            | Feature::Refunds => true,
        };
        described && !self.rules.unsupported.contains(&feature)
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.rules.outcome.iter().map(|rule| rule.is).collect()
    }

    fn statuses(&self) -> Vec<OrderStatus> {
        let rules = self.rules.state.iter().flat_map(|state| &state.status);
        rules.map(|rule| rule.is).collect()
    }

    async fn create_order(&self, order: &Order) -> Result<Order, TargetError> {
        if let Some(create) = &self.rules.create {
            self.call(create, order, "made an order").await?;
            return Ok(order.clone());
        }
        let next = self.existing_used.fetch_add(1, Ordering::Relaxed);
        match self.rules.existing.get(next) {
            None => Err(TargetError::Failed(format!(
                "the rules name {} existing orders, and all are used up",
                self.rules.existing.len()
            ))),
            Some(existing) => Ok(Order {
                payment_id: existing.payment_id.clone(),
                amount: existing.amount,
                ..order.clone()
            }),
        }
    }

    fn redirect_url(&self, order: &Order) -> Url {
        // `new` has joined it once; what is filled in cannot make it no address.
        self.base
            .join(&fill(&self.rules.redirect_url, order))
            .unwrap_or_else(|_| self.base.clone())
    }

    fn webhook_url(&self) -> Url {
        // Without webhooks nobody is sent there.
        self.webhook_url
            .clone()
            .unwrap_or_else(|| self.base.clone())
    }

    fn confirm_url(&self) -> Option<Url> {
        self.confirm_url
            .clone()
            .filter(|_| self.supports(Feature::Confirm))
    }

    async fn complete(&self, visit: &Visit) -> Result<Answer, TargetError> {
        let request = visit
            .request(&self.client)
            .headers(self.browser_headers.clone());
        let answer = send(request, "came back from the payment window").await?;
        let outcome = read(&self.outcomes, &answer);
        Ok(Answer::new(answer.status, outcome, &answer.body))
    }

    async fn state(&self, order: &Order) -> Result<OrderState, TargetError> {
        let Some(rules) = &self.rules.state else {
            return Err(TargetError::Unsupported(Feature::State));
        };
        let request = self.request(&rules.method, &rules.url, &rules.headers, order)?;
        let answer = send(request, "asked for an order").await?;
        let status = read(&self.statuses, &answer).ok_or_else(|| {
            TargetError::Failed(format!(
                "asked for an order and was answered HTTP {}, which no pattern of the rules matches: {}",
                answer.status,
                Answer::new(answer.status, None, &answer.body).excerpt
            ))
        })?;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let at = |pointer: &Option<String>| pointer.as_deref().and_then(|at| body.pointer(at));
        let effects = at(&rules.effects).and_then(|value| match value {
            Value::Array(list) => u32::try_from(list.len()).ok(),
            value => u32::try_from(value.as_u64()?).ok(),
        });
        Ok(OrderState::new(status)
            .effects(effects)
            .refunded(at(&rules.refunded).and_then(Value::as_i64)))
    }

    async fn close(&self, order: &Order) -> Result<(), TargetError> {
        match &self.rules.close {
            None => Err(TargetError::Unsupported(Feature::Close)),
            Some(close) => self.call(close, order, "closed an order").await,
        }
    }

    async fn pass_time(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

fn unusable(text: impl Into<String>) -> RulesError {
    RulesError::Unusable(text.into())
}

fn method(text: &str) -> Result<Method, RulesError> {
    Method::from_bytes(text.as_bytes()).map_err(|_| unusable(format!("{text:?} is no method")))
}

fn headers(fields: &BTreeMap<String, String>) -> Result<HeaderMap, RulesError> {
    let parse = |(name, value): (&String, &String)| {
        let bad = || unusable(format!("{name:?} is no header, or has no usable value"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let value = HeaderValue::from_str(value).map_err(|_| bad())?;
        Ok((name, value))
    };
    fields.iter().map(parse).collect()
}

fn fill(template: &str, order: &Order) -> String {
    let portone = match order.generation {
        crate::scenario::Generation::V1 => "v1",
        crate::scenario::Generation::V2 => "v2",
    };
    template
        .replace("{payment_id}", &order.payment_id)
        .replace("{name}", &order.name)
        .replace("{amount}", &order.amount.to_string())
        .replace("{currency}", &order.currency)
        .replace("{portone}", portone)
}

/// A pattern whose expression is compiled.
#[derive(Debug)]
struct Reader<W> {
    pattern: Pattern<W>,
    expression: Option<Regex>,
}

impl<W: Clone> Reader<W> {
    fn new(pattern: &Pattern<W>) -> Result<Self, RulesError> {
        if pattern.equals.is_some() && pattern.pointer.is_none() {
            return Err(unusable("equals needs a pointer"));
        }
        let expression = pattern
            .matches
            .as_ref()
            .map(|text| {
                Regex::new(text).map_err(|error| RulesError::Expression(text.clone(), error))
            })
            .transpose()?;
        Ok(Self {
            pattern: pattern.clone(),
            expression,
        })
    }

    fn fits(&self, answer: &Read, body: &Value) -> bool {
        let pattern = &self.pattern;
        pattern.http.is_none_or(|status| status == answer.status)
            && pattern.header.as_ref().is_none_or(|[name, text]| {
                let mut values = answer.headers.get_all(name).iter();
                values.any(|value| String::from_utf8_lossy(value.as_bytes()).contains(text))
            })
            && pattern
                .contains
                .as_ref()
                .is_none_or(|text| answer.body.contains(text))
            && self
                .expression
                .as_ref()
                .is_none_or(|expression| expression.is_match(&answer.body))
            && pattern.pointer.as_ref().is_none_or(|pointer| {
                let found = body.pointer(pointer).filter(|value| !value.is_null());
                match (found, &pattern.equals) {
                    (None, _) => false,
                    (Some(_), None) => true,
                    (Some(Value::String(text)), Some(right)) => text == right,
                    (Some(value), Some(right)) => {
                        serde_json::from_str(right).is_ok_and(|right: Value| right == *value)
                    }
                }
            })
    }
}

fn read<W: Clone>(readers: &[Reader<W>], answer: &Read) -> Option<W> {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let found = readers.iter().find(|reader| reader.fits(answer, &body))?;
    Some(found.pattern.is.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        redirect_url = "/done?order={payment_id}"
        existing = [{ payment_id = "A-1", amount = 1000 }]
        [[outcome]]
        is = "paid"
        http = 303
        header = ["location", "/thanks"]
        [[outcome]]
        is = "failed"
        matches = "(?i)declined|실패"
        [[outcome]]
        is = "pending"
        pointer = "/payment/state"
        equals = "waiting"
        [[outcome]]
        is = "held"
        contains = "call us"
    "#;

    fn target(rules: &str) -> Result<RulesTarget, RulesError> {
        let base = "http://shop.test:8080/".parse().unwrap();
        RulesTarget::new(&base, Rules::parse(rules)?, Duration::ZERO)
    }

    fn answer(status: u16, location: &str, body: &str) -> Read {
        let mut headers = HeaderMap::new();
        headers.insert("location", location.parse().unwrap());
        Read {
            status,
            headers,
            body: body.into(),
        }
    }

    #[test]
    fn the_first_pattern_that_matches_is_the_outcome() {
        let target = target(RULES).unwrap();
        for (answer, outcome) in [
            (answer(303, "/thanks/7", ""), Some(Outcome::Paid)),
            (answer(302, "/thanks/7", ""), None),
            (answer(303, "/cart", "결제 실패"), Some(Outcome::Failed)),
            (
                answer(200, "", r#"{"payment":{"state":"waiting"}}"#),
                Some(Outcome::Pending),
            ),
            (answer(200, "", r#"{"payment":{"state":null}}"#), None),
            (
                answer(200, "", "Please call us, it was declined"),
                Some(Outcome::Failed),
            ),
            (answer(200, "", "Please call us"), Some(Outcome::Held)),
        ] {
            assert_eq!(read(&target.outcomes, &answer), outcome, "{}", answer.body);
        }
    }

    #[tokio::test]
    async fn existing_orders_are_used_up_one_by_one() {
        let target = target(RULES).unwrap();
        let wanted = Order {
            payment_id: "chk-1".into(),
            name: "x".into(),
            amount: 65_000,
            currency: "KRW".into(),
            generation: crate::scenario::Generation::V1,
            channel_key: None,
        };

        let order = target.create_order(&wanted).await.unwrap();

        assert_eq!((order.payment_id.as_str(), order.amount), ("A-1", 1000));
        assert_eq!(
            target.redirect_url(&order).as_str(),
            "http://shop.test:8080/done?order=A-1"
        );
        let none_left = target.create_order(&wanted).await.unwrap_err();
        assert!(none_left.to_string().contains("used up"), "{none_left}");
    }

    #[test]
    fn what_is_not_described_is_not_supported() {
        let target = target(RULES).unwrap();

        for feature in [
            Feature::Webhooks,
            Feature::State,
            Feature::Close,
            Feature::Confirm,
        ] {
            assert!(!target.supports(feature), "{feature}");
        }
        assert!(target.supports(Feature::PostReturn));
    }

    #[test]
    fn rules_that_cannot_be_used_are_refused() {
        let with = |more: &str| target(&format!("{more}\n{RULES}")).unwrap_err();

        assert!(matches!(with("colour = 1"), RulesError::Syntax(_)));
        assert!(matches!(
            target(&RULES.replace("(?i)declined", "(declined")).unwrap_err(),
            RulesError::Expression(..)
        ));
        assert!(matches!(
            target(&RULES.replace("existing", "#")).unwrap_err(),
            RulesError::Unusable(_)
        ));
        assert!(matches!(
            with("webhook_url = \"http://[\""),
            RulesError::Unusable(_)
        ));
        assert!(matches!(
            with("browser_headers = { \"a b\" = \"x\" }"),
            RulesError::Unusable(_)
        ));
    }
}
