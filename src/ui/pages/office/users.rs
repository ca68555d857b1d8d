//! `GET /settings/users`: who may sign in, and as what.

use leptos::prelude::*;

use super::parts::{
    button, fact, fact_if_known, fault, foreign, form_fault, form_key, id, reports, time,
};
use super::text::factor;
use super::text::people::{PeopleText, Report, of};
use super::{Opened, Request, page_for};
use crate::domain::access::{Deed, Role};
use crate::ports::store::Person;
use crate::service::Core;
use crate::service::access::{EMAIL_BYTES_MAX, USERS_MAX};
use crate::ui::context::{GivenBack, NewSecret, from_request};

/// Where the page is.
pub const USERS_PATH: &str = "/settings/users";

/// A person to add, as it was typed.
#[derive(Debug, Clone)]
pub struct UserTyped {
    /// The address.
    pub email: String,
    /// The role, when it is one.
    pub role: Option<Role>,
}

/// Everybody, with what can be changed.
#[component]
pub fn UsersPage() -> impl IntoView {
    let new = from_request::<NewSecret>();
    let back = from_request::<GivenBack<UserTyped>>();
    page_for(Deed::ManageUsers, move |opened| page(opened, new, back))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        me,
    }: Opened,
    new: Option<NewSecret>,
    back: Option<GivenBack<UserTyped>>,
) -> AnyView {
    let users = match core.access.users(core.clock.now(), USERS_MAX).await {
        Ok(users) => users,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "who may sign in could not be read"
            );
            return frame.unavailable();
        }
    };
    let text = of(request.locale);
    let now = core.clock.now();
    let users = users.into_iter();
    let users: Vec<AnyView> = users
        .map(|user| one(&request, text, &user, user.id == me.id, now))
        .collect();
    if let Some(back) = &back {
        request.refuse(back.error);
    }
    let content = view! {
        <h1 class="office-title">{text.users.title}</h1>
        {reports(&request, text)}
        {new.map(|new| new_password(text, &new))}
        <p>{text.users.lead}</p>
        {users.collect_view()}
        {add_form(&request, &core, text, back)}
        <p class="office-note">{request.text().frame.times}</p>
    };
    let frame = frame.counted(&core).await;
    frame.around(text.users.title.to_owned(), content.into_any())
}

fn new_password(text: &'static PeopleText, new: &NewSecret) -> AnyView {
    view! {
        <section class="office-section" role="status">
            <h2>{text.users.new_password}</h2>
            <p>{foreign(&new.of)}</p>
            <p>{id(new.expose())}</p>
            <p class="office-hint">{text.users.new_password_hint}</p>
        </section>
    }
    .into_any()
}

fn one(
    request: &Request,
    text: &'static PeopleText,
    user: &Person,
    is_me: bool,
    now: jiff::Timestamp,
) -> AnyView {
    let words = &text.users;
    let action = |action: &str| {
        let path = format!("{USERS_PATH}/{}/{action}", user.id);
        request.address.link(&path, &[])
    };
    let you = is_me.then(|| view! { " "<span class="office-chip">{words.you}</span> });
    let switch = if user.disabled_at.is_some() {
        button(action("enable"), words.enable)
    } else {
        view! {
            <p class="office-hint">{words.disable_hint}</p>
            {button(action("disable"), words.disable)}
        }
        .into_any()
    };
    // One's own password and second factor are changed on the page of one's own account.
    let password = (!is_me).then(|| {
        view! {
            <p class="office-hint">{words.hand_password_hint}</p>
            {button(action("password"), words.hand_password)}
        }
    });
    let second = factor::of(request.locale);
    let factor = (user.has_second_factor && !is_me).then(|| {
        view! {
            <p class="office-hint">{second.drop_hint}</p>
            {button(action("drop-second-factor"), second.drop)}
        }
    });
    let has_factor = user.has_second_factor.then_some(second.state_on);
    let field = format!("role-{}", user.id);
    let until = user.password_until.filter(|until| now < *until);
    view! {
        <article class="office-section" data-user=user.role.as_str()>
            <h2>{foreign(&user.email)}{you}</h2>
            <dl class="office-facts">
                {fact(words.role, (text.role)(user.role))}
                {fact_if_known(second.state, has_factor)}
                {fact_if_known(words.disabled, user.disabled_at.map(time))}
                {fact_if_known(words.password_until, until.map(time))}
                {fact_if_known(words.seen, user.seen_at.map(time))}
                {fact(words.added, time(user.created_at))}
            </dl>
            <details class="office-careful">
                <summary>{words.change}" "<span class="office-unseen">{user.email.clone()}</span></summary>
                <form class="office-settle" method="post" action=action("role")>
                    <div class="office-field">
                        <label for=field.clone()>{words.role}</label>
                        {roles(text, field, Some(user.role), None)}
                    </div>
                    <button class="button" type="submit">{words.change_role}</button>
                </form>
                {password}
                {factor}
                <p class="office-hint">{words.sign_out_hint}</p>
                {button(action("sign-out"), words.sign_out)}
                {switch}
            </details>
        </article>
    }
    .into_any()
}

/// `fault`: the id of the words that say what is wrong with the choice, when anything is.
fn roles(
    text: &'static PeopleText,
    field: String,
    chosen: Option<Role>,
    fault: Option<&'static str>,
) -> AnyView {
    let options = Role::ALL.iter().map(|&role| {
        let selected = chosen == Some(role);
        view! { <option value=role.as_str() selected=selected>{(text.role)(role)}</option> }
    });
    view! {
        <select id=field name="role" autofocus=fault.is_some() aria-describedby=fault aria-invalid=fault.map(|_| "true")>{options.collect_view()}</select>
    }
    .into_any()
}

fn add_form(
    request: &Request,
    core: &Core,
    text: &'static PeopleText,
    back: Option<GivenBack<UserTyped>>,
) -> AnyView {
    let action = request.address.link(USERS_PATH, &[]);
    let meanings = Role::ALL
        .iter()
        .map(|&role| fact((text.role)(role), (text.role_meaning)(role)));
    let report = back.as_ref().and_then(|back| Report::error(back.error));
    let words = |at: fn(Report) -> bool| report.filter(|one| at(*one)).map(text.report);
    let wrong_email = words(|report| matches!(report, Report::Email | Report::Exists));
    let wrong_role = words(|report| report == Report::Role);
    let wrong = words(|report| !matches!(report, Report::Email | Report::Exists | Report::Role));
    let (email, role) = back.map_or_else(
        || (String::new(), None),
        |back| (back.typed.email, back.typed.role),
    );
    view! {
        <section class="office-section">
            <h2>{text.users.add}</h2>
            {form_fault(wrong)}
            <form class="office-settle" method="post" action=action>
                <input type="hidden" name="key" value=form_key(core) />
                <div class="office-field">
                    <label for="new-email">{text.users.email}</label>
                    <input id="new-email" name="email" type="email" required=true maxlength=EMAIL_BYTES_MAX.to_string() autocomplete="off" value=email
                        autofocus=wrong_email.is_some() aria-describedby="new-email-hint new-email-fault" aria-invalid=wrong_email.map(|_| "true") />
                    <p class="office-hint" id="new-email-hint">{text.users.add_hint}</p>
                    {fault("new-email-fault", wrong_email.map(str::to_owned))}
                </div>
                <div class="office-field">
                    <label for="new-role">{text.users.role}</label>
                    {roles(text, "new-role".to_owned(), role.or(Some(Role::Staff)), wrong_role.map(|_| "new-role-fault"))}
                    {fault("new-role-fault", wrong_role.map(str::to_owned))}
                </div>
                <dl class="office-facts">{meanings.collect_view()}</dl>
                <button class="button" type="submit">{text.users.add}</button>
            </form>
        </section>
    }
    .into_any()
}
