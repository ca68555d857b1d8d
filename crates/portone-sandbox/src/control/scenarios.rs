//! `/_sandbox/scenarios`: what can happen to a payment, acted out one at a time against the server that has this sandbox as its
//! PortOne.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use url::Url;

use super::{Refusal, parse};
use crate::check::{PATIENCE, Rules, Server, ServerKind};
use crate::sandbox::Sandbox;
use crate::scenario::{self, Options, Scenario, ScenarioResult, Target};
use crate::state::App;

/// How long the server may be waited for, in seconds.
const PATIENCE_SECONDS_MAX: u64 = 600;

pub(crate) async fn scenarios() -> Json<Vec<Scenario>> {
    Json(scenario::all())
}

/// Against whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Against {
    target: String,
    /// The server is wanryo.
    api_key: Option<String>,
    /// The server is another one: the text of a file as `check --rules` takes it.
    rules: Option<String>,
    redirect_url: Option<String>,
    webhook_url: Option<String>,
    #[serde(default = "patience_seconds")]
    patience_seconds: u64,
}

fn patience_seconds() -> u64 {
    PATIENCE.as_secs()
}

fn url(name: &str, text: &str) -> Result<Url, Refusal> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| Refusal::bad_request(format!("{name} must be an http or https address")))
}

impl Against {
    fn target(self) -> Result<Box<dyn Target>, Refusal> {
        if self.patience_seconds > PATIENCE_SECONDS_MAX {
            return Err(Refusal::bad_request(format!(
                "patience_seconds is {PATIENCE_SECONDS_MAX} at the most"
            )));
        }
        let base = url("target", &self.target)?;
        let named = |name, text: Option<&String>| text.map(|text| url(name, text)).transpose();
        let redirect_url = named("redirect_url", self.redirect_url.as_ref())?;
        let webhook_url = named("webhook_url", self.webhook_url.as_ref())?;
        let kind = match (self.api_key, self.rules) {
            (Some(api_key), None) => ServerKind::Wanryo { api_key },
            (None, Some(text)) => {
                let rules = Rules::parse(&text)
                    .map_err(|error| Refusal::bad_request(format!("rules: {error}")))?;
                ServerKind::Other(Box::new(rules))
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(Refusal::bad_request(
                    "api_key is expected for wanryo, or rules for any other server",
                ));
            }
        };
        let server = Server {
            base,
            kind,
            redirect_url,
            webhook_url,
            patience: Duration::from_secs(self.patience_seconds),
        };
        server
            .target()
            .map_err(|error| Refusal::bad_request(format!("target: {error}")))
    }
}

/// Answers when the scenario is over. Settings are afterwards as they were before, also when whoever asked has left.
pub(crate) async fn run_scenario(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ScenarioResult>, Refusal> {
    let named = scenario::all()
        .into_iter()
        .find(|scenario| scenario.name == name || name.parse() == Ok(scenario.number));
    let scenario = named.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "no such scenario"))?;
    let target = parse::<Against>(&headers, &body)?.target()?;
    let turn = Arc::clone(&app.scenario_turn).try_lock_owned();
    let turn = turn.map_err(|_taken| Refusal::conflict("another scenario is under way"))?;
    let played = tokio::spawn(async move {
        let before = app.state().config.clone();
        let sandbox = Sandbox::of(&app);
        let report =
            scenario::run(&sandbox, target.as_ref(), &[scenario], Options::default()).await;
        app.state().config = before;
        drop(turn);
        report.results.into_iter().next()
    });
    let result = played.await.ok().flatten();
    result.map(Json).ok_or_else(|| {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the scenario came to no end",
        )
    })
}
