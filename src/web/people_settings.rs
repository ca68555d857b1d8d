//! The forms of `/settings/users`, `/settings/keys` and `/settings/account`. Passwords and keys that are made here are shown in
//! the answer itself, once, and a form that makes one counts once. And `/settings/audit`, which has no form.

use axum::Router;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::App;
use super::forms::{Form, give_back, is_first, is_form_key};
use super::named::Named;
use super::office::{let_in, see_other, set_cookies};
use super::pages::{page_route, render_with};
use crate::domain::access::{Deed, Role};
use crate::domain::one_time_code::CodeSecret;
use crate::ports::store::{StoreError, UserChange};
use crate::service::access::{self, AccessError, factor};
use crate::ui::context::{FactorShown, GivenBack, NewSecret, SignedIn};
use crate::ui::pages::office::account::ACCOUNT_PATH;
use crate::ui::pages::office::audit::AUDIT_PATH;
use crate::ui::pages::office::keys::{KEYS_PATH, KeyTyped};
use crate::ui::pages::office::users::{USERS_PATH, UserTyped};

/// The addresses of this part, for who is signed in.
pub fn routes() -> Router<App> {
    Router::new()
        .route(USERS_PATH, get(page_route).post(add_user))
        .route("/settings/users/{user_id}/role", post(change_role))
        .route("/settings/users/{user_id}/disable", post(disable))
        .route("/settings/users/{user_id}/enable", post(enable))
        .route("/settings/users/{user_id}/password", post(hand_password))
        .route("/settings/users/{user_id}/sign-out", post(sign_out))
        .route(
            "/settings/users/{user_id}/drop-second-factor",
            post(drop_second_factor),
        )
        .route(KEYS_PATH, get(page_route).post(make_key))
        .route("/settings/keys/{key_id}/revoke", post(revoke_key))
        .route(AUDIT_PATH, get(page_route))
        .route(ACCOUNT_PATH, get(page_route))
        .route("/settings/account/password", post(change_password))
        .route("/settings/account/second-factor", post(begin_second_factor))
        .route(
            "/settings/account/second-factor/confirm",
            post(confirm_second_factor),
        )
        .route(
            "/settings/account/second-factor/recovery-codes",
            post(renew_recovery_codes),
        )
        .route(
            "/settings/account/second-factor/remove",
            post(remove_second_factor),
        )
        .route("/settings/account/sign-out", post(sign_out_everywhere))
}

/// What a form without fields leaves of its request.
struct Asked {
    query: Option<String>,
    headers: HeaderMap,
}

impl Asked {
    fn read(request: &Request) -> Self {
        Self {
            query: request.uri().query().map(str::to_owned),
            headers: request.headers().clone(),
        }
    }

    async fn show<Shown: Clone + Send + Sync + 'static>(
        self,
        app: &App,
        page: &str,
        person: SignedIn,
        secret: Shown,
    ) -> Response {
        let language = self.headers.get(ACCEPT_LANGUAGE).cloned();
        let query = self.query.as_deref();
        let rendered = render_with(app, page, query, language, (person, secret)).await;
        rendered.unwrap_or_else(|| back(page, "error=unavailable"))
    }

    async fn give_back<Typed: Clone + Send + Sync + 'static>(
        self,
        app: &App,
        page: &str,
        person: SignedIn,
        form: GivenBack<Typed>,
    ) -> Response {
        let asked = (self.query.as_deref(), &self.headers);
        give_back(app, page, asked, person, form).await
    }
}

/// A person to add.
#[derive(Default, Deserialize)]
struct UserForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
    /// The form's own, by which it counts once.
    #[serde(default)]
    key: String,
}

/// `POST /settings/users`
async fn add_user(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let asked = Asked::read(&request);
    let form: UserForm = form(request).await.unwrap_or_default();
    let error = match add_once(&app, &form, &person).await {
        Ok((email, password)) => {
            let secret = NewSecret::new(email, password);
            return asked.show(&app, USERS_PATH, person, secret).await;
        }
        Err("user_before") => return back(USERS_PATH, "error=user_before"),
        Err(error) => error,
    };
    let typed = UserTyped {
        role: Role::from_word(&form.role),
        email: form.email,
    };
    asked
        .give_back(&app, USERS_PATH, person, GivenBack { typed, error })
        .await
}

/// The person's address and password, or the code of what is wrong.
async fn add_once(
    app: &App,
    form: &UserForm,
    person: &SignedIn,
) -> Result<(String, SecretString), &'static str> {
    // Looked at before the form counts as sent: what is refused here may be mended and sent again.
    let email = access::address(&form.email).map_err(|error| code(&error))?;
    let role = Role::from_word(&form.role).ok_or("role")?;
    if !is_form_key(&form.key) {
        return Err("again");
    }
    let is_first = is_first(app, person, &form.key).await;
    if !is_first.map_err(|error| store_failed(&error))? {
        return Err("user_before");
    }
    let added = access::add_user(&app.core, &email, role, &person.actor()).await;
    added
        .map(|password| (email, password))
        .map_err(|error| match error {
            // Of keys there are too many elsewhere.
            AccessError::TooMany => "too_many_users",
            error => code(&error),
        })
}

/// Another role for a person.
#[derive(Deserialize)]
struct RoleForm {
    #[serde(default)]
    role: String,
}

/// `POST /settings/users/{user_id}/role`
async fn change_role(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
    Form(form): Form<RoleForm>,
) -> Response {
    match Role::from_word(&form.role) {
        Some(role) => {
            let to = UserChange::Role(role);
            change(&app, &person, &id, to, "done=role").await
        }
        None => back(USERS_PATH, "error=role"),
    }
}

/// `POST /settings/users/{user_id}/disable`
async fn disable(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    change(&app, &person, &id, UserChange::Disable, "done=disabled").await
}

/// `POST /settings/users/{user_id}/enable`
async fn enable(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    change(&app, &person, &id, UserChange::Enable, "done=enabled").await
}

/// `POST /settings/users/{user_id}/sign-out`
async fn sign_out(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    change(&app, &person, &id, UserChange::SignOut, "done=signed_out").await
}

/// `POST /settings/users/{user_id}/drop-second-factor`
async fn drop_second_factor(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    // One's own is dropped with a code, on the page of one's own account.
    if id.parse() == Ok(person.id) {
        return back(ACCOUNT_PATH, "error=refused");
    }
    change(
        &app,
        &person,
        &id,
        UserChange::DropSecondFactor,
        "done=factor_dropped",
    )
    .await
}

async fn change(
    app: &App,
    person: &SignedIn,
    id: &str,
    change: UserChange,
    done: &'static str,
) -> Response {
    let Ok(id) = id.parse() else {
        return back(USERS_PATH, "error=not_found");
    };
    let changed = access::change_user(&app.core, id, &change, &person.actor()).await;
    // Who gave up the right to see the list is told on a page that is left to them.
    let gave_up =
        id == person.id && matches!(change, UserChange::Role(role) if !role.may(Deed::ManageUsers));
    match changed {
        Ok(()) if gave_up => back(ACCOUNT_PATH, done),
        Ok(()) => back(USERS_PATH, done),
        Err(error) => back(USERS_PATH, &failed(&error)),
    }
}

/// `POST /settings/users/{user_id}/password`
async fn hand_password(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
    request: Request,
) -> Response {
    let Ok(id) = id.parse() else {
        return back(USERS_PATH, "error=not_found");
    };
    // One's own session would end with it, and nobody would see the password.
    if person.id == id {
        return see_other(ACCOUNT_PATH);
    }
    match access::hand_password(&app.core, id, &person.actor()).await {
        Ok((email, password)) => {
            let secret = NewSecret::new(email, password);
            Asked::read(&request)
                .show(&app, USERS_PATH, person, secret)
                .await
        }
        Err(error) => back(USERS_PATH, &failed(&error)),
    }
}

/// A key to make.
#[derive(Default, Deserialize)]
struct KeyForm {
    #[serde(default)]
    name: String,
    /// The form's own, by which it counts once.
    #[serde(default)]
    key: String,
}

/// `POST /settings/keys`
async fn make_key(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let asked = Asked::read(&request);
    let form: KeyForm = form(request).await.unwrap_or_default();
    let error = match make_once(&app, &form, &person).await {
        Ok(key) => {
            let secret = NewSecret::new(form.name.trim().to_owned(), key);
            return asked.show(&app, KEYS_PATH, person, secret).await;
        }
        Err("key_before") => return back(KEYS_PATH, "error=key_before"),
        Err(error) => error,
    };
    let typed = KeyTyped { name: form.name };
    asked
        .give_back(&app, KEYS_PATH, person, GivenBack { typed, error })
        .await
}

/// The key, or the code of what is wrong.
async fn make_once(
    app: &App,
    form: &KeyForm,
    person: &SignedIn,
) -> Result<SecretString, &'static str> {
    let name = access::key_name(&form.name).map_err(|error| code(&error))?;
    if !is_form_key(&form.key) {
        return Err("again");
    }
    let is_first = is_first(app, person, &form.key).await;
    if !is_first.map_err(|error| store_failed(&error))? {
        return Err("key_before");
    }
    let made = access::make_api_key(&app.core, name, &person.actor()).await;
    made.map_err(|error| code(&error))
}

/// `POST /settings/keys/{key_id}/revoke`
async fn revoke_key(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    let (by, now) = (person.actor(), app.core.clock.now());
    let deleted = app.core.access.delete_api_key(&id, &by, now).await;
    back(
        KEYS_PATH,
        match deleted {
            Ok(true) => "done=revoked",
            Ok(false) => "error=not_found",
            Err(error) => {
                store_failed(&error);
                "error=unavailable"
            }
        },
    )
}

/// Another password of one's own.
#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    present: SecretString,
    #[serde(default)]
    new: SecretString,
    #[serde(default)]
    again: SecretString,
}

/// `POST /settings/account/password`
async fn change_password(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Form(form): Form<PasswordForm>,
) -> Response {
    let PasswordForm {
        present,
        new,
        again,
    } = form;
    if new.expose_secret() != again.expose_secret() {
        return back(ACCOUNT_PATH, "error=differ");
    }
    if new.expose_secret() == present.expose_secret() {
        return back(ACCOUNT_PATH, "error=same");
    }
    match access::change_password(&app.core, &person.email, present, new).await {
        Ok(came_in) => {
            let page = format!("{ACCOUNT_PATH}?done=password");
            let_in(&app.network, &page, &came_in)
        }
        Err(error) => back(ACCOUNT_PATH, &failed(&error)),
    }
}

/// `POST /settings/account/second-factor`
async fn begin_second_factor(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let secret = factor::draw_secret(&app.core);
    let shown = FactorShown::SetUp {
        secret,
        is_wrong: false,
    };
    let asked = Asked::read(&request);
    asked.show(&app, ACCOUNT_PATH, person, shown).await
}

/// A code of the secret that the page before has shown.
#[derive(Deserialize)]
struct FactorForm {
    #[serde(default)]
    secret: String,
    #[serde(default)]
    code: String,
}

/// `POST /settings/account/second-factor/confirm`
async fn confirm_second_factor(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let asked = Asked::read(&request);
    let form = form::<FactorForm>(request).await;
    let secret = form
        .as_ref()
        .and_then(|form| CodeSecret::from_base32(&form.secret));
    let (Some(form), Some(secret)) = (form, secret) else {
        return back(ACCOUNT_PATH, "error=unavailable");
    };
    match factor::turn_on(&app.core, &person.email, secret.clone(), &form.code).await {
        Ok((came_in, codes)) => {
            let shown = FactorShown::Recovery(codes);
            let mut response = asked.show(&app, ACCOUNT_PATH, person, shown).await;
            set_cookies(&app.network, &mut response, &came_in);
            response
        }
        Err(AccessError::Refused) => {
            let shown = FactorShown::SetUp {
                secret,
                is_wrong: true,
            };
            asked.show(&app, ACCOUNT_PATH, person, shown).await
        }
        Err(AccessError::Exists) => back(ACCOUNT_PATH, "error=factor_exists"),
        Err(error) => back(ACCOUNT_PATH, &failed(&error)),
    }
}

/// `POST /settings/account/second-factor/recovery-codes`
async fn renew_recovery_codes(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let asked = Asked::read(&request);
    let Some(form) = form::<FactorForm>(request).await else {
        return back(ACCOUNT_PATH, "error=unavailable");
    };
    match factor::renew_recovery(&app.core, &person.email, &form.code).await {
        Ok(codes) => {
            let shown = FactorShown::Recovery(codes);
            asked.show(&app, ACCOUNT_PATH, person, shown).await
        }
        Err(error) => back(ACCOUNT_PATH, &code_failed(&error)),
    }
}

/// `POST /settings/account/second-factor/remove`
async fn remove_second_factor(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Form(form): Form<FactorForm>,
) -> Response {
    match factor::turn_off(&app.core, &person.email, &form.code).await {
        Ok(came_in) => {
            let page = format!("{ACCOUNT_PATH}?done=factor_removed");
            let_in(&app.network, &page, &came_in)
        }
        Err(error) => back(ACCOUNT_PATH, &code_failed(&error)),
    }
}

/// What is wrong where a code of the second factor was asked for.
fn code_failed(error: &AccessError) -> String {
    match error {
        AccessError::Refused => "error=code".to_owned(),
        AccessError::Wait(_) => "error=code_wait".to_owned(),
        error => failed(error),
    }
}

/// `POST /settings/account/sign-out`
async fn sign_out_everywhere(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
) -> Response {
    match access::change_user(&app.core, person.id, &UserChange::SignOut, &person.actor()).await {
        Ok(()) => see_other("/login"),
        Err(error) => back(ACCOUNT_PATH, &failed(&error)),
    }
}

/// A form, when it can be read.
async fn form<T: serde::de::DeserializeOwned>(request: Request) -> Option<T> {
    let read = Form::<T>::from_request(request, &()).await;
    read.ok().map(|Form(form)| form)
}

fn failed(error: &AccessError) -> String {
    format!("error={}", code(error))
}

/// The code of what is wrong.
fn code(error: &AccessError) -> &'static str {
    match error {
        AccessError::Refused => "refused",
        AccessError::Busy => "busy",
        AccessError::Wait(_) => "wait",
        AccessError::Email => "email",
        AccessError::Password => "password",
        AccessError::Exists => "exists",
        AccessError::TooMany => "too_many",
        AccessError::Name => "name",
        AccessError::NotFound => "not_found",
        AccessError::LastOwner => "last_owner",
        AccessError::Hash => {
            tracing::error!("a password could not be hashed");
            "unavailable"
        }
        AccessError::Store(error) => store_failed(error),
    }
}

fn store_failed(error: &StoreError) -> &'static str {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the store failed while it was changed who may come in"
    );
    "unavailable"
}

fn back(page: &str, result: &str) -> Response {
    see_other(&format!("{page}?{result}"))
}
