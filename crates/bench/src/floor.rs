//! The least that a completion page could do: ask PortOne about the payment, and answer with two kilobytes.
//!
//! Nothing is checked, stored or remembered, and the access token was fetched before. What wanryo costs is told as a multiple
//! of this, because multiples stay the same from one machine to another and from one busy hour to the next.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use axum::{Router, serve};
use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

/// What is printed before the address.
pub(crate) const READY: &str = "listening on ";
/// How much is answered.
const PAGE_BYTES: usize = 2_048;

/// The floor's own process.
#[derive(Debug, Args)]
pub(crate) struct Floor {
    /// The sandbox
    sandbox: Url,
}

struct Shared {
    client: reqwest::Client,
    sandbox: Url,
    token: String,
}

/// Serves until it is killed.
pub(crate) async fn run(floor: Floor) -> anyhow::Result<()> {
    let client = proofs::processes::shop::client()?;
    let answer: Value = client
        .post(floor.sandbox.join("users/getToken")?)
        .json(&json!({ "imp_key": "imp_apikey", "imp_secret": "sandbox-secret" }))
        .send()
        .await?
        .json()
        .await?;
    let token = answer["response"]["access_token"]
        .as_str()
        .context("the sandbox gives a token")?
        .to_owned();
    let shared = Arc::new(Shared {
        client,
        sandbox: floor.sandbox,
        token,
    });
    let router = Router::new().route("/", get(page)).with_state(shared);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut error = std::io::stderr();
    writeln!(error, "{READY}http://{}", listener.local_addr()?)?;
    serve(listener, router).await?;
    Ok(())
}

async fn page(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Html<String>, StatusCode> {
    ask(&shared, &query)
        .await
        .map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn ask(shared: &Shared, query: &[(String, String)]) -> anyhow::Result<Html<String>> {
    let (_, imp_uid) = query
        .iter()
        .find(|(name, _)| name == "imp_uid")
        .context("which payment")?;
    let answer: Value = shared
        .client
        .get(shared.sandbox.join(&format!("payments/{imp_uid}"))?)
        .header("authorization", &shared.token)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let status = answer["response"]["status"].as_str().context("a status")?;
    let mut page = format!("<!doctype html><title>{status}</title><p>{status}");
    page.push_str(&" ".repeat(PAGE_BYTES.saturating_sub(page.len())));
    Ok(Html(page))
}
