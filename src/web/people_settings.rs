//! The forms of `/settings/users`, `/settings/keys` and `/settings/account`. Passwords and keys that are made here are shown in
//! the answer itself, once. And `/settings/audit`, which has no form.

use axum::extract::{Extension, FromRequest, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::App;
use super::named::Named;
use super::office::{let_in, see_other, set_cookies};
use super::pages::{page_route, render_with};
use crate::domain::access::Role;
use crate::domain::one_time_code::CodeSecret;
use crate::ports::store::{StoreError, UserChange};
use crate::service::access::{self, AccessError, factor};
use crate::ui::context::{FactorShown, NewSecret, SignedIn};
use crate::ui::pages::office::account::ACCOUNT_PATH;
use crate::ui::pages::office::audit::AUDIT_PATH;
use crate::ui::pages::office::keys::KEYS_PATH;
use crate::ui::pages::office::users::USERS_PATH;

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
}

/// A person to add.
#[derive(Deserialize)]
struct UserForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
}

/// `POST /settings/users`
async fn add_user(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let asked = Asked::read(&request);
    let Some(UserForm { email, role }) = form(request).await else {
        return back(USERS_PATH, "error=email");
    };
    let Some(role) = Role::from_word(&role) else {
        return back(USERS_PATH, "error=role");
    };
    match access::add_user(&app.core, &email, role, &person.actor()).await {
        Ok(password) => {
            let email = email.trim().to_lowercase();
            let secret = NewSecret::new(email, password);
            asked.show(&app, USERS_PATH, person, secret).await
        }
        Err(error) => back(USERS_PATH, failed(&error)),
    }
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
    if id == person.id.to_string() {
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
    back(
        USERS_PATH,
        changed.map_or_else(|error| failed(&error), |()| done),
    )
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
        Err(error) => back(USERS_PATH, failed(&error)),
    }
}

/// A key to make.
#[derive(Deserialize)]
struct KeyForm {
    #[serde(default)]
    name: String,
}

/// `POST /settings/keys`
async fn make_key(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let asked = Asked::read(&request);
    let Some(KeyForm { name }) = form(request).await else {
        return back(KEYS_PATH, "error=name");
    };
    match access::make_api_key(&app.core, &name, &person.actor()).await {
        Ok(key) => {
            let secret = NewSecret::new(name.trim().to_owned(), key);
            asked.show(&app, KEYS_PATH, person, secret).await
        }
        Err(error) => back(KEYS_PATH, failed(&error)),
    }
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
            Err(error) => unavailable(&error),
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
        Err(error) => back(ACCOUNT_PATH, failed(&error)),
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
        Err(error) => back(ACCOUNT_PATH, failed(&error)),
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
        Err(AccessError::Refused) => back(ACCOUNT_PATH, "error=code"),
        Err(AccessError::Wait(_)) => back(ACCOUNT_PATH, "error=code_wait"),
        Err(error) => back(ACCOUNT_PATH, failed(&error)),
    }
}

/// `POST /settings/account/sign-out`
async fn sign_out_everywhere(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
) -> Response {
    match access::change_user(&app.core, person.id, &UserChange::SignOut, &person.actor()).await {
        Ok(()) => see_other("/login"),
        Err(error) => back(ACCOUNT_PATH, failed(&error)),
    }
}

/// A form, when it can be read.
async fn form<T: serde::de::DeserializeOwned>(request: Request) -> Option<T> {
    let read = Form::<T>::from_request(request, &()).await;
    read.ok().map(|Form(form)| form)
}

fn failed(error: &AccessError) -> &'static str {
    match error {
        AccessError::Refused => "error=refused",
        AccessError::Busy => "error=busy",
        AccessError::Wait(_) => "error=wait",
        AccessError::Email => "error=email",
        AccessError::Password => "error=password",
        AccessError::Exists => "error=exists",
        AccessError::TooMany => "error=too_many",
        AccessError::Name => "error=name",
        AccessError::NotFound => "error=not_found",
        AccessError::LastOwner => "error=last_owner",
        AccessError::Hash => {
            tracing::error!("a password could not be hashed");
            "error=unavailable"
        }
        AccessError::Store(error) => unavailable(error),
    }
}

fn unavailable(error: &StoreError) -> &'static str {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the store failed while it was changed who may come in"
    );
    "error=unavailable"
}

fn back(page: &str, result: &'static str) -> Response {
    see_other(&format!("{page}?{result}"))
}
