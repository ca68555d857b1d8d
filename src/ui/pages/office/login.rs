//! `GET /login`.

use leptos::prelude::*;

use super::Request;
use super::frame::Frame;
use super::text::LoginError;
use crate::service::access::{EMAIL_BYTES_MAX, PASSWORD_BYTES_MAX};
use crate::ui::context::{TryAgain, from_request};

/// The page on which staff sign in. Its form posts to `/login`, which comes back with `?error=` and a code when nobody was
/// let in; the address typed is not carried back, because it would stand in the address bar.
#[component]
pub fn LoginPage() -> impl IntoView {
    let request = Request::read();
    let text = request.text();
    let error = match from_request::<TryAgain>() {
        Some(TryAgain::Busy) => Some(LoginError::Busy),
        Some(TryAgain::After { seconds }) => Some(LoginError::Wait { seconds }),
        None => request
            .address
            .parameter("error")
            .and_then(LoginError::from_code),
    };
    let next = request.address.parameter("next").map(str::to_owned);

    let message = error.map(|error| view! { <p class="office-notice" data-kind="error" id="login-error" role="alert">{(text.login.error)(error)}</p> });
    let described_by = error.map(|_| "login-error");
    let invalid = (error == Some(LoginError::Refused)).then_some("true");
    let hidden = next.map(|next| view! { <input type="hidden" name="next" value=next /> });
    let action = request.address.link("/login", &[]);
    let content = view! {
        <div class="office-card office-login">
            <h1 class="office-title">{text.login.title}</h1>
            <p>{text.login.lead}</p>
            {message}
            <form method="post" action=action>
                {hidden}
                <div class="office-field">
                    <label for="email">{text.login.email}</label>
                    <input
                        id="email"
                        name="email"
                        type="email"
                        inputmode="email"
                        autocomplete="username"
                        autocapitalize="none"
                        spellcheck="false"
                        maxlength=EMAIL_BYTES_MAX.to_string()
                        required=true
                        autofocus=true
                        aria-describedby=described_by
                        aria-invalid=invalid
                    />
                </div>
                <div class="office-field">
                    <label for="password">{text.login.password}</label>
                    <input
                        id="password"
                        name="password"
                        type="password"
                        autocomplete="current-password"
                        maxlength=PASSWORD_BYTES_MAX.to_string()
                        required=true
                        aria-describedby=described_by
                        aria-invalid=invalid
                    />
                </div>
                <button class="button button-primary" type="submit">{text.login.submit}</button>
            </form>
        </div>
    }
    .into_any();
    Frame::new(&request).around(text.login.title.to_owned(), content)
}
