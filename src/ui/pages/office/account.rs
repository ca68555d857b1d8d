//! `GET /settings/account`: what everybody changes for themselves.

use leptos::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::parts::{button, fact, foreign, id, reports};
use super::text::factor::{self, FactorText};
use super::text::people::{PeopleText, Report, of};
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::one_time_code::CodeSecret;
use crate::ports::store::SecondFactor;
use crate::service::access::factor::CODE_CHARS_MAX;
use crate::service::access::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::ui::components::qr::Qr;
use crate::ui::context::{FactorShown, from_request, site};

/// Where the page is.
pub const ACCOUNT_PATH: &str = "/settings/account";

/// One's own account.
#[component]
pub fn AccountPage() -> impl IntoView {
    let shown = from_request::<FactorShown>();
    let issuer = site()
        .shop_name
        .clone()
        .unwrap_or_else(|| "wanryo".to_owned());
    page_for(Deed::OwnAccount, move |opened| page(opened, shown, issuer))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        me,
    }: Opened,
    shown: Option<FactorShown>,
    issuer: String,
) -> AnyView {
    let user = match core.access.find_user(&me.email).await {
        Ok(user) => user,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a person's account could not be read"
            );
            return frame.unavailable();
        }
    };
    let second = user.and_then(|user| user.second_factor);
    let text = of(request.locale);
    let words = &text.account;
    let sign_out = request
        .address
        .link(&format!("{ACCOUNT_PATH}/sign-out"), &[]);
    let content = view! {
        <h1 class="office-title">{words.title}</h1>
        {reports(&request, text)}
        <dl class="office-facts">
            {fact(text.users.email, foreign(&me.email))}
            {fact(text.users.role, (text.role)(me.role))}
        </dl>
        {factor_section(&request, &me.email, &issuer, second.as_ref(), shown)}
        {password_form(&request, text)}
        <section class="office-section">
            <h2>{words.sessions}</h2>
            <p class="office-hint">{words.sign_out_hint}</p>
            {button(sign_out, words.sign_out)}
        </section>
    };
    let frame = frame.counted(&core).await;
    frame.around(words.title.to_owned(), content.into_any())
}

fn factor_section(
    request: &Request,
    email: &str,
    issuer: &str,
    second: Option<&SecondFactor>,
    shown: Option<FactorShown>,
) -> AnyView {
    let text = factor::of(request.locale);
    let content = match shown {
        Some(FactorShown::SetUp { secret, is_wrong }) => set_up(
            request,
            text,
            &secret.address(issuer, email),
            &secret,
            is_wrong,
        ),
        Some(FactorShown::Recovery(codes)) => recovery(text, &codes),
        None => match second {
            Some(second) => is_on(request, text, second),
            None => {
                let path = format!("{ACCOUNT_PATH}/second-factor");
                view! {
                    <p>{text.off}</p>
                    {button(request.address.link(&path, &[]), text.begin)}
                }
                .into_any()
            }
        },
    };
    view! { <section class="office-section"><h2>{text.title}</h2>{content}</section> }.into_any()
}

fn set_up(
    request: &Request,
    text: &'static FactorText,
    address: &str,
    secret: &CodeSecret,
    is_wrong: bool,
) -> AnyView {
    let action = format!("{ACCOUNT_PATH}/second-factor/confirm");
    let action = request.address.link(&action, &[]);
    let wrong = is_wrong.then(|| {
        view! { <p class="office-notice" role="alert" data-kind="error">{text.wrong}</p> }
    });
    view! {
        {wrong}
        <p>{text.scan}</p>
        <div class="office-qr"><Qr text=address.to_owned() name=text.qr /></div>
        <p>{text.type_it}</p>
        <p>{id(&secret.to_base32())}</p>
        <form class="office-settle" method="post" action=action>
            <input type="hidden" name="secret" value=secret.to_base32() />
            <div class="office-field">
                <label for="factor-code">{text.code}</label>
                <input id="factor-code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" required=true maxlength=CODE_CHARS_MAX.to_string() aria-describedby="factor-code-hint" aria-invalid=is_wrong.then_some("true") />
                <p class="office-hint" id="factor-code-hint">{text.code_hint}</p>
            </div>
            <button class="button button-primary" type="submit">{text.confirm}</button>
        </form>
    }
    .into_any()
}

fn recovery(text: &'static FactorText, codes: &[SecretString]) -> AnyView {
    let codes = codes
        .iter()
        .map(|code| view! { <li>{id(code.expose_secret())}</li> });
    view! {
        <div role="status">
            <h3>{text.recovery}</h3>
            <p class="office-hint">{text.recovery_hint}</p>
            <ul class="office-links">{codes.collect_view()}</ul>
        </div>
    }
    .into_any()
}

fn is_on(request: &Request, text: &'static FactorText, second: &SecondFactor) -> AnyView {
    view! {
        <p>{text.on}" "{(text.left)(second.recovery_left)}</p>
        {with_code(request, text, "recovery-codes", text.renew, text.renew_hint)}
        {with_code(request, text, "remove", text.remove, text.remove_hint)}
    }
    .into_any()
}

/// What is done to the second factor by who has a code of it.
fn with_code(
    request: &Request,
    text: &'static FactorText,
    what: &'static str,
    name: &'static str,
    hint: &'static str,
) -> AnyView {
    let action = format!("{ACCOUNT_PATH}/second-factor/{what}");
    let action = request.address.link(&action, &[]);
    let (field, hint_id) = (format!("code-{what}"), format!("code-{what}-hint"));
    view! {
        <details class="office-careful">
            <summary>{name}</summary>
            <form class="office-settle" method="post" action=action>
                <div class="office-field">
                    <label for=field.clone()>{text.code}</label>
                    <input id=field name="code" type="text" autocomplete="one-time-code" required=true maxlength=CODE_CHARS_MAX.to_string() aria-describedby=hint_id.clone() />
                    <p class="office-hint" id=hint_id>{hint}</p>
                </div>
                <button class="button" type="submit">{name}</button>
            </form>
        </details>
    }
    .into_any()
}

fn password_form(request: &Request, text: &'static PeopleText) -> AnyView {
    let words = &text.account;
    let action = request
        .address
        .link(&format!("{ACCOUNT_PATH}/password"), &[]);
    let error = request.address.parameter("error").and_then(Report::error);
    let is_wrong = |reports: &[Report]| {
        error
            .is_some_and(|error| reports.contains(&error))
            .then_some("true")
    };
    let (longest, shortest) = (
        PASSWORD_BYTES_MAX.to_string(),
        PASSWORD_CHARS_MIN.to_string(),
    );
    view! {
        <section class="office-section">
            <h2>{words.password}</h2>
            <form class="office-settle" method="post" action=action>
                <div class="office-field">
                    <label for="present">{words.present}</label>
                    <input id="present" name="present" type="password" autocomplete="current-password" required=true maxlength=longest.clone() aria-invalid=is_wrong(&[Report::Refused, Report::Wait]) />
                </div>
                <div class="office-field">
                    <label for="new">{words.new}</label>
                    <input id="new" name="new" type="password" autocomplete="new-password" required=true minlength=shortest maxlength=longest.clone() aria-describedby="new-hint" aria-invalid=is_wrong(&[Report::Password, Report::Same]) />
                    <p class="office-hint" id="new-hint">{words.new_hint}</p>
                </div>
                <div class="office-field">
                    <label for="again">{words.again}</label>
                    <input id="again" name="again" type="password" autocomplete="new-password" required=true maxlength=longest aria-invalid=is_wrong(&[Report::Differ]) />
                </div>
                <button class="button button-primary" type="submit">{words.change}</button>
            </form>
        </section>
    }
    .into_any()
}
