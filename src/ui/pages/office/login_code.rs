//! `GET /login/code`: the second factor of a sign-in.

use leptos::prelude::*;

use super::Request;
use super::frame::Frame;
use super::text::factor::{CodeError, of};
use crate::service::access::factor::CODE_CHARS_MAX;

/// The page on which the code is given. Its form posts to `/login/code`, which comes back with `?error=` and a code.
#[component]
pub fn LoginCodePage() -> impl IntoView {
    let request = Request::read();
    let text = of(request.locale);
    let error = request
        .address
        .parameter("error")
        .and_then(CodeError::from_code);
    let next = request.address.parameter("next").map(str::to_owned);

    let message = error.map(|error| view! { <p class="office-notice" data-kind="error" id="code-error" role="alert">{(text.error)(error)}</p> });
    let described_by = error.map(|_| "code-error");
    let invalid = (error == Some(CodeError::Refused)).then_some("true");
    let hidden = next.map(|next| view! { <input type="hidden" name="next" value=next /> });
    let action = request.address.link("/login/code", &[]);
    let again = request.address.link("/login", &[]);
    let content = view! {
        <div class="office-card office-login">
            <h1 class="office-title">{text.sign_in_title}</h1>
            <p>{text.sign_in_lead}</p>
            {message}
            <form method="post" action=action>
                {hidden}
                <div class="office-field">
                    <label for="code">{text.code}</label>
                    <input
                        id="code"
                        name="code"
                        type="text"
                        autocomplete="one-time-code"
                        autocapitalize="none"
                        spellcheck="false"
                        maxlength=CODE_CHARS_MAX.to_string()
                        required=true
                        autofocus=true
                        aria-describedby=described_by
                        aria-invalid=invalid
                    />
                </div>
                <button class="button button-primary" type="submit">{text.sign_in}</button>
            </form>
            <p><a href=again>{text.again}</a></p>
        </div>
    }
    .into_any();
    Frame::new(&request).around(text.sign_in_title.to_owned(), content)
}
