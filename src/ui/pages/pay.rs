//! `/pay/{payment_id}`: what is to be paid, and the button that opens PortOne's window.

use http::StatusCode;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::Serialize;
use serde_json::value::RawValue;

use super::result::{our_error_page, result_page};
use crate::actions::{ActionError, payment_to_make};
use crate::domain::ids::PayToken;
use crate::domain::order::OrderStatus;
use crate::domain::outcome::Outcome;
use crate::i18n::{Locale, StoryText, datetime, money};
use crate::islands::PayButton;
use crate::service::completion::CompletionView;
use crate::service::orders::{PayView, PaymentWindow};
use crate::ui::components::facts::{Fact, FactKind, Facts};
use crate::ui::components::frame::{Frame, Surroundings};
use crate::ui::components::mark::StateMark;
use crate::ui::context::V1Sdk;
use crate::ui::respond::respond;
use crate::ui::say::{Arrival, Mark};

/// Longest order name that PortOne's window takes, in characters.
/// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>
const WINDOW_NAME_CHARS_MAX: usize = 40;

/// The pay page.
#[component]
pub fn PayPage() -> impl IntoView {
    let around = Surroundings::take();
    let payment_id = use_params_map()
        .with_untracked(|params| params.get("payment_id"))
        .unwrap_or_default();
    let token = use_query_map().with_untracked(|query| query.get("token"));
    view! {
        <Suspense>
            {Suspend::new(async move {
                match payment_to_make(payment_id, token.clone()).await {
                    Ok(view) => pay_page(&around, view, token),
                    Err(ActionError::NotFound | ActionError::Invalid) => not_found_page(&around),
                    Err(ActionError::Unavailable) => our_error_page(&around),
                }
            })}
        </Suspense>
    }
}

/// The very page that a wrong status link gets.
fn not_found_page(around: &Surroundings) -> AnyView {
    let view = CompletionView {
        outcome: Outcome::NotFound,
        payment: None,
        claimed_failure: false,
        retry_url: None,
        return_url: around.site.shop_url.clone(),
        checked_at: None,
    };
    result_page(around, &view, Arrival::Link)
}

fn pay_page(around: &Surroundings, view: PayView, token: Option<String>) -> AnyView {
    let locale = around.visitor.locale(view.locale.as_deref());
    // No window for an order that cannot be paid; no button where PortOne is not set up or this server carries no scripts.
    let sdk = around.site.v1.clone().filter(|_| around.scripts.is_some());
    match (view.window.clone(), sdk) {
        (Some(window), Some(sdk)) => payable_page(around, view, window, sdk, locale, token),
        (Some(_), None) => {
            respond(StatusCode::SERVICE_UNAVAILABLE);
            closed_page(
                around,
                &view,
                &locale.messages().pay.unavailable,
                Mark::Alert,
                locale,
            )
        }
        (None, _) => {
            let (text, mark) = why_not(&view, locale);
            closed_page(around, &view, text, mark, locale)
        }
    }
}

fn why_not(view: &PayView, locale: Locale) -> (&'static StoryText, Mark) {
    let words = locale.messages();
    match view.status {
        OrderStatus::Paid | OrderStatus::PartiallyRefunded => (&words.pay.paid, Mark::Check),
        OrderStatus::Refunded => (&words.pay.refunded, Mark::Return),
        OrderStatus::Held => (&words.pay.held, Mark::Alert),
        OrderStatus::Closed => (&words.closed, Mark::Cross),
        OrderStatus::Open | OrderStatus::AwaitingDeposit | OrderStatus::Expired => {
            (&words.expired, Mark::Cross)
        }
    }
}

fn payable_page(
    around: &Surroundings,
    view: PayView,
    window: PaymentWindow,
    sdk: V1Sdk,
    locale: Locale,
    token: Option<String>,
) -> AnyView {
    let words = locale.messages();
    let pay = &words.pay;
    let Some(params) = params(&window, locale) else {
        return our_error_page(around);
    };
    let status_url = around.path(&view.status_url);
    let until = view
        .expires_at
        .map(|at| view! { <p class="next">{(pay.payable_until)(&datetime(locale, at))}</p> });
    let same_page = Some(pay_path(&view, token.as_deref()));
    let number = Fact::of(
        words.payment_id,
        Some(view.payment_id.to_string()),
        FactKind::Id,
    );
    let back = view
        .return_url
        .clone()
        .map(|url| view! { <a class="button" href=url>{words.back_to_shop}</a> });
    view! {
        <Frame around=around.clone() locale title=pay.heading same_page live=true>
            <main class="slip">
                <section class="verdict order">
                    <h1>{pay.heading}</h1>
                    <p class="order-name"><bdi>{view.name.clone()}</bdi></p>
                    <p class="amount">{money(locale, view.amount)}</p>
                    <p class="next">{pay.what_happens}</p>
                    {until}
                </section>
                <noscript><p class="warning">{pay.no_script}</p></noscript>
                <div class="actions">
                    <PayButton
                        merchant_code=sdk.merchant_code
                        params
                        complete_url=window.redirect_url
                        status_url
                        label=(pay.button)(view.amount)
                        preparing=pay.preparing.to_owned()
                        opening=pay.opening.to_owned()
                        sdk_missing=pay.sdk_missing.to_owned()
                        window_failed=pay.window_failed.to_owned()
                        already_paid=pay.already_paid.to_owned()
                        see_status=pay.see_status.to_owned()
                    />
                    {back}
                </div>
                <Facts name=words.facts facts=number.into_iter().collect() />
                <script src=sdk.sdk_url nonce=use_nonce() r#async></script>
            </main>
        </Frame>
    }
    .into_any()
}

fn closed_page(
    around: &Surroundings,
    view: &PayView,
    text: &'static StoryText,
    mark: Mark,
    locale: Locale,
) -> AnyView {
    let words = locale.messages();
    let status_url = around.path(&view.status_url);
    let same_page = Some(pay_path(view, None));
    let facts = facts(view, locale);
    let back = view
        .return_url
        .clone()
        .map(|url| view! { <a class="button" href=url>{words.back_to_shop}</a> });
    view! {
        <Frame around=around.clone() locale title=text.heading same_page>
            <main class="slip">
                <section class="verdict">
                    <StateMark mark />
                    <h1 tabindex="-1" autofocus>{text.heading}</h1>
                    <p class="next">{text.next}</p>
                </section>
                <div class="actions">
                    <a class="button button-primary" href=status_url>{words.pay.see_status}</a>
                    {back}
                </div>
                <Facts name=words.facts facts />
            </main>
        </Frame>
    }
    .into_any()
}

fn facts(view: &PayView, locale: Locale) -> Vec<Fact> {
    let words = locale.messages();
    let facts = [
        Fact::of(words.order_name, Some(view.name.clone()), FactKind::Foreign),
        Fact::of(
            words.amount_due,
            Some(money(locale, view.amount)),
            FactKind::Figures,
        ),
        Fact::of(
            words.payment_id,
            Some(view.payment_id.to_string()),
            FactKind::Id,
        ),
    ];
    facts.into_iter().flatten().collect()
}

/// The page's own address, with the token of who holds one: another language must not cost the buyer what was filled in.
fn pay_path(view: &PayView, token: Option<&str>) -> String {
    let segment = percent_encoding::utf8_percent_encode(
        view.payment_id.as_str(),
        percent_encoding::NON_ALPHANUMERIC,
    );
    match token.and_then(|token| PayToken::parse(token).ok()) {
        Some(token) => format!("/pay/{segment}?token={}", token.as_str()),
        None => format!("/pay/{segment}"),
    }
}

/// `IMP.request_pay`'s first argument. What is not there is left out: the SDK checks types.
#[derive(Serialize)]
struct RequestPay<'a> {
    #[serde(rename = "channelKey", skip_serializing_if = "Option::is_none")]
    channel_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_method: Option<&'a str>,
    merchant_uid: &'a str,
    name: String,
    /// A number, not a text.
    amount: &'a RawValue,
    currency: &'a str,
    language: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_tel: Option<&'a str>,
    m_redirect_url: &'a str,
}

fn params(window: &PaymentWindow, locale: Locale) -> Option<String> {
    let amount = RawValue::from_string(window.amount.clone()).ok()?;
    let request = RequestPay {
        channel_key: window.channel_key.as_deref(),
        pay_method: window.pay_method.as_deref(),
        merchant_uid: &window.merchant_uid,
        name: window.name.chars().take(WINDOW_NAME_CHARS_MAX).collect(),
        amount: &amount,
        currency: &window.currency,
        language: locale.tag(),
        buyer_name: window.buyer_name.as_deref(),
        buyer_email: window.buyer_email.as_deref(),
        buyer_tel: window.buyer_tel.as_deref(),
        m_redirect_url: &window.redirect_url,
    };
    serde_json::to_string(&request).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_windows_parameters_have_the_types_that_the_sdk_checks() {
        let window = PaymentWindow {
            merchant_uid: "ORDER-1".to_owned(),
            name: "사".repeat(WINDOW_NAME_CHARS_MAX + 1),
            amount: "14.2".to_owned(),
            currency: "USD".to_owned(),
            pay_method: Some("card".to_owned()),
            channel_key: None,
            buyer_name: None,
            buyer_email: Some("buyer@example.com".to_owned()),
            buyer_tel: None,
            redirect_url: "https://pay.example/payments/complete".to_owned(),
        };

        let text = params(&window, Locale::En).expect("parameters");

        assert!(text.contains("\"amount\":14.2,"), "{text}");
        assert!(
            !text.contains("channelKey") && !text.contains("buyer_tel") && !text.contains("null"),
            "{text}"
        );
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            value["name"].as_str().map(|name| name.chars().count()),
            Some(WINDOW_NAME_CHARS_MAX)
        );
        assert_eq!(
            value["m_redirect_url"],
            "https://pay.example/payments/complete"
        );
    }
}
