//! `/pay/{payment_id}`: what is to be paid, and the button that opens PortOne's window.

mod v1;
mod v2;

use http::StatusCode;
use jiff::Timestamp;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::Serialize;
use serde_json::Value;

use super::result::{our_error_page, result_page};
use crate::actions::{ActionError, payment_to_make};
use crate::domain::ids::PayToken;
use crate::domain::order::{OrderStatus, Portone};
use crate::domain::outcome::Outcome;
use crate::domain::window_params::WindowParams;
use crate::i18n::{KOREA, Locale, StoryText, datetime, money};
use crate::islands::PayButton;
use crate::islands::pay_button::Sdk;
use crate::service::completion::Arrival;
use crate::service::completion::CompletionView;
use crate::service::orders::{PayView, PaymentWindow, UnderWay};
use crate::ui::components::facts::{Fact, FactKind, Facts};
use crate::ui::components::frame::{Frame, Surroundings};
use crate::ui::components::mark::StateMark;
use crate::ui::context::Site;
use crate::ui::policy;
use crate::ui::respond::respond;
use crate::ui::say::Mark;

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

/// How PortOne's window is opened.
struct Opening {
    /// Address of the SDK's script.
    sdk_url: String,
    /// Which SDK that is.
    sdk: Sdk,
    /// The SDK's argument as JSON.
    params: String,
}

/// Why the window cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// This server has no settings for the order's PortOne, or no scripts to press a button with.
    OfServer,
    /// The order names no channel, which V2 will not choose by itself.
    OfOrder,
}

impl Lack {
    /// The server's lack is a fault to be mended and noticed; the order's is told on a page that is all there.
    const fn http_status(self) -> StatusCode {
        match self {
            Self::OfServer => StatusCode::SERVICE_UNAVAILABLE,
            Self::OfOrder => StatusCode::OK,
        }
    }
}

/// What the SDK is asked: `ours`, and what else the shop wants said.
fn request(ours: &impl Serialize, params: Option<&WindowParams>) -> Option<String> {
    let Ok(Value::Object(mut request)) = serde_json::to_value(ours) else {
        return None;
    };
    if let Some(params) = params {
        params.add_to(&mut request);
    }
    serde_json::to_string(&request).ok()
}

fn opening(
    site: &Site,
    view: &PayView,
    window: &PaymentWindow,
    locale: Locale,
) -> Result<Opening, Lack> {
    match window.portone {
        Portone::V1 => {
            let v1 = site.v1.as_ref().ok_or(Lack::OfServer)?;
            Ok(Opening {
                sdk_url: v1.sdk_url.clone(),
                sdk: Sdk::V1 {
                    merchant_code: v1.merchant_code.clone(),
                },
                params: v1::params(view, window, locale).ok_or(Lack::OfServer)?,
            })
        }
        Portone::V2 => {
            let v2 = site.v2.as_ref().ok_or(Lack::OfServer)?;
            let channel_key = window.channel_key.as_deref().ok_or(Lack::OfOrder)?;
            let params = v2::params(view, window, &v2.store_id, channel_key, locale);
            Ok(Opening {
                sdk_url: v2.sdk_url.clone(),
                sdk: Sdk::V2,
                params: params.ok_or(Lack::OfServer)?,
            })
        }
    }
}

pub(in crate::ui) fn pay_page(
    around: &Surroundings,
    view: PayView,
    token: Option<String>,
) -> AnyView {
    let locale = around.visitor.locale(view.locale.as_deref());
    // No window for an order that cannot be paid.
    let Some(window) = view.window.clone() else {
        let (text, mark) = why_not(&view, locale);
        return closed_page(around, &view, text, mark, locale);
    };
    let lack = match (
        opening(&around.site, &view, &window, locale),
        &around.scripts,
    ) {
        (Ok(opening), Some(_)) => {
            return payable_page(around, view, window, opening, locale, token);
        }
        (Ok(_), None) => Lack::OfServer,
        (Err(lack), _) => lack,
    };
    respond(lack.http_status());
    let text = &locale.messages().pay.unavailable;
    closed_page(around, &view, text, Mark::Alert, locale)
}

fn why_not(view: &PayView, locale: Locale) -> (&'static StoryText, Mark) {
    let words = locale.messages();
    match view.under_way {
        Some(UnderWay::Deposit) => return (&words.pay.awaits_deposit, Mark::Clock),
        Some(UnderWay::Number) => return (&words.pay.number_issued, Mark::Clock),
        Some(UnderWay::Review) => return (&words.pay.in_review, Mark::Clock),
        None => {}
    }
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
    opening: Opening,
    locale: Locale,
    token: Option<String>,
) -> AnyView {
    let words = locale.messages();
    let pay = &words.pay;
    let Opening {
        sdk_url,
        sdk,
        params,
    } = opening;
    policy::let_in(&sdk_url);
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
                        sdk
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
                <script src=sdk_url nonce=use_nonce() r#async></script>
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
    let segment = view.payment_id.to_segment();
    match token.and_then(|token| PayToken::parse(token).ok()) {
        Some(token) => format!("/pay/{segment}?token={}", token.as_str()),
        None => format!("/pay/{segment}"),
    }
}

/// As both SDKs take a deadline. Times without an offset are Korea's at PortOne.
fn korea_time(at: Timestamp) -> String {
    let time = KOREA.to_datetime(at);
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod fixtures {
    use crate::domain::ids::PaymentId;
    use crate::domain::money::{Currency, Money};
    use crate::domain::order::{OrderStatus, Portone};
    use crate::service::orders::{PayView, PaymentWindow};

    pub(super) fn view(minor: i64, currency: &str) -> PayView {
        PayView {
            payment_id: PaymentId::parse("ORDER-1").expect("an id"),
            name: "완료 티셔츠".to_owned(),
            amount: Money {
                minor,
                currency: Currency::parse(currency).expect("a currency"),
            },
            status: OrderStatus::Open,
            expired: false,
            expires_at: None,
            locale: None,
            status_url: "https://pay.example/o/0123".to_owned(),
            return_url: None,
            under_way: None,
            window: None,
        }
    }

    pub(super) fn window(portone: Portone) -> PaymentWindow {
        PaymentWindow {
            portone,
            pay_method: None,
            channel_key: None,
            buyer_name: None,
            buyer_email: None,
            buyer_tel: None,
            redirect_url: "https://pay.example/payments/complete".to_owned(),
            params: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Mode;
    use crate::ui::context::{V1Sdk, V2Sdk};

    fn site() -> Site {
        Site {
            shop_name: None,
            shop_url: None,
            accent: None,
            logo_url: None,
            support_url: None,
            public_url: "https://pay.example".to_owned(),
            mode: Mode::Live,
            v1: Some(V1Sdk {
                sdk_url: "https://v1.example/iamport.js".to_owned(),
                merchant_code: "imp00000000".to_owned(),
            }),
            v2: Some(V2Sdk {
                sdk_url: "https://v2.example/browser-sdk.js".to_owned(),
                store_id: "store-1".to_owned(),
            }),
        }
    }

    /// Address of the script by which an order of a generation is paid.
    fn script(site: &Site, portone: Portone, channel_key: Option<&str>) -> Result<String, Lack> {
        let window = PaymentWindow {
            channel_key: channel_key.map(str::to_owned),
            ..fixtures::window(portone)
        };
        opening(site, &fixtures::view(64_900, "KRW"), &window, Locale::Ko)
            .map(|opening| opening.sdk_url)
    }

    #[test]
    fn each_generation_is_opened_by_its_own_sdk() {
        assert_eq!(
            script(&site(), Portone::V1, None).as_deref(),
            Ok("https://v1.example/iamport.js")
        );
        assert_eq!(
            script(&site(), Portone::V2, Some("channel-key-1")).as_deref(),
            Ok("https://v2.example/browser-sdk.js")
        );
    }

    #[test]
    fn what_is_not_set_up_is_not_opened() {
        let only_v1 = Site { v2: None, ..site() };
        let only_v2 = Site { v1: None, ..site() };

        for (site, portone, channel_key) in [
            (&only_v1, Portone::V2, Some("channel-key-1")),
            (&only_v1, Portone::V2, None),
            (&only_v2, Portone::V1, Some("channel-key-1")),
        ] {
            assert_eq!(script(site, portone, channel_key), Err(Lack::OfServer));
        }
        assert_eq!(
            script(&site(), Portone::V2, None),
            Err(Lack::OfOrder),
            "V2 opens no window without a channel"
        );
    }
}
