//! `GET /settings/keys`: the keys of the shop's servers.

use leptos::prelude::*;

use super::parts::{
    button, empty, fact, fact_if_known, fault, foreign, form_fault, form_key, id, reports, time,
};
use super::text::people::{PeopleText, Report, of};
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::ports::store::KeptKey;
use crate::service::Core;
use crate::service::access::{KEY_NAME_CHARS_MAX, KEYS_MAX};
use crate::ui::context::{GivenBack, NewSecret, from_request};

/// Where the page is.
pub const KEYS_PATH: &str = "/settings/keys";

/// A key to make, as it was typed.
#[derive(Debug, Clone)]
pub struct KeyTyped {
    /// Its name.
    pub name: String,
}

/// The keys, without the keys.
#[component]
pub fn KeysPage() -> impl IntoView {
    let new = from_request::<NewSecret>();
    let back = from_request::<GivenBack<KeyTyped>>();
    page_for(Deed::ManageKeys, move |opened| page(opened, new, back))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
    new: Option<NewSecret>,
    back: Option<GivenBack<KeyTyped>>,
) -> AnyView {
    let keys = match core.access.api_keys(KEYS_MAX).await {
        Ok(keys) => keys,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the shop's keys could not be read"
            );
            return frame.unavailable();
        }
    };
    let text = of(request.locale);
    let keys: Vec<AnyView> = keys
        .into_iter()
        .map(|key| one(&request, text, &key))
        .collect();
    let keys = if keys.is_empty() {
        empty(&text.keys.none)
    } else {
        keys.collect_view().into_any()
    };
    if let Some(back) = &back {
        request.refuse(back.error);
    }
    let content = view! {
        <h1 class="office-title">{text.keys.title}</h1>
        {reports(&request, text)}
        {new.map(|new| new_key(text, &new))}
        <p>{text.keys.lead}</p>
        {keys}
        {make_form(&request, &core, text, back)}
        <p class="office-note">{request.text().frame.times}</p>
    };
    let frame = frame.counted(&core).await;
    frame.around(text.keys.title.to_owned(), content.into_any())
}

fn new_key(text: &'static PeopleText, new: &NewSecret) -> AnyView {
    view! {
        <section class="office-section" role="status">
            <h2>{text.keys.new_key}</h2>
            <p>{foreign(&new.of)}</p>
            <p>{id(new.expose())}</p>
            <p class="office-hint">{text.keys.new_key_hint}</p>
        </section>
    }
    .into_any()
}

fn one(request: &Request, text: &'static PeopleText, key: &KeptKey) -> AnyView {
    let words = &text.keys;
    let path = format!("{KEYS_PATH}/{}/revoke", key.id);
    let revoke = request.address.link(&path, &[]);
    let used = match key.last_used_at {
        Some(at) => time(at),
        None => words.never_used.into_any(),
    };
    view! {
        <article class="office-section" data-key=key.id.clone()>
            <h2>{foreign(&key.name)}</h2>
            <dl class="office-facts">
                {fact_if_known(words.begins, key.hint.as_deref().map(|hint| id(&format!("{hint}…"))))}
                {fact(words.made, time(key.created_at))}
                {fact(words.used, used)}
            </dl>
            <details class="office-careful">
                <summary>{words.revoke}" "<span class="office-unseen">{key.name.clone()}</span></summary>
                <p class="office-hint">{words.revoke_hint}</p>
                {button(revoke, words.revoke_confirm)}
            </details>
        </article>
    }
    .into_any()
}

fn make_form(
    request: &Request,
    core: &Core,
    text: &'static PeopleText,
    back: Option<GivenBack<KeyTyped>>,
) -> AnyView {
    let action = request.address.link(KEYS_PATH, &[]);
    let report = back.as_ref().and_then(|back| Report::error(back.error));
    let words = |at: fn(Report) -> bool| report.filter(|one| at(*one)).map(text.report);
    let wrong_name = words(|report| matches!(report, Report::Name | Report::TooMany));
    let wrong = words(|report| !matches!(report, Report::Name | Report::TooMany));
    let name = back.map(|back| back.typed.name);
    view! {
        <section class="office-section">
            <h2>{text.keys.make}</h2>
            {form_fault(wrong)}
            <form class="office-settle" method="post" action=action>
                <input type="hidden" name="key" value=form_key(core) />
                <div class="office-field">
                    <label for="key-name">{text.keys.name}</label>
                    <input id="key-name" name="name" type="text" required=true maxlength=KEY_NAME_CHARS_MAX.to_string() autocomplete="off" value=name
                        autofocus=wrong_name.is_some() aria-describedby="key-name-hint key-name-fault" aria-invalid=wrong_name.map(|_| "true") />
                    <p class="office-hint" id="key-name-hint">{text.keys.name_hint}</p>
                    {fault("key-name-fault", wrong_name.map(str::to_owned))}
                </div>
                <button class="button" type="submit">{text.keys.make}</button>
            </form>
        </section>
    }
    .into_any()
}
