//! `GET /settings/account`: what everybody changes for themselves.

use leptos::prelude::*;

use super::Request;
use super::frame::Frame;
use super::parts::{button, fact, foreign, reports};
use super::text::people::{PeopleText, Report, of};
use crate::service::access::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};

/// Where the page is.
pub const ACCOUNT_PATH: &str = "/settings/account";

/// One's own account.
#[component]
pub fn AccountPage() -> impl IntoView {
    let request = Request::read();
    let frame = Frame::new(&request);
    view! { <Suspense>{Suspend::new(async move { page(request, frame).await })}</Suspense> }
}

async fn page(request: Request, frame: Frame) -> AnyView {
    let Some(me) = request.person.clone() else {
        return frame.signed_out();
    };
    let Some(core) = request.core.clone() else {
        return frame.unavailable();
    };
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
