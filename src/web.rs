//! The HTTP side: parses requests, calls one use case, answers. Decides nothing about payments.

pub mod api;
pub(crate) mod assets;
pub mod calendar;
pub mod claim;
pub mod client;
pub mod complete;
pub mod confirm;
mod forms;
mod framed;
pub mod gallery;
pub mod language;
pub mod layers;
pub mod limits;
pub mod live;
pub mod logo;
pub mod metrics;
mod named;
pub mod office;
pub mod pages;
pub mod people_settings;
pub mod problem;
pub mod rates;
mod refusals;
pub mod router;
pub mod server;
mod shares;
pub mod webhook;
pub mod webhook_settings;
pub mod wire;

use std::sync::Arc;

use axum::extract::FromRef;
use ipnet::IpNet;
use leptos::config::LeptosOptions;
use portone::webhook::Verifier;

use self::api::once::UnderWay;
use self::limits::Limits;
use self::rates::Rates;
use crate::domain::look::Logo;
use crate::ports::requests::RequestStore;
use crate::service::Core;
use crate::telemetry::Shelf;
use crate::ui::context::Site;

/// What handlers share.
#[derive(Clone, FromRef)]
pub struct App {
    /// The use cases.
    pub core: Arc<Core>,
    /// What pages know of the site.
    pub site: Arc<Site>,
    /// Where the islands' script is; `None` when the site was built without it.
    pub scripts: Option<LeptosOptions>,
    /// What concerns the network.
    pub network: Arc<Network>,
    /// Names of requests.
    pub requests: Arc<dyn RequestStore>,
    /// Names of the requests that are being answered.
    pub under_way: Arc<UnderWay>,
    /// How often each key has called the API.
    pub rates: Arc<Rates>,
    /// What operators can count.
    pub operations: Arc<Shelf>,
    /// Whether the gallery of every state is shown.
    pub gallery: bool,
    /// The shop's logo.
    pub logo: Option<Logo>,
    /// The streams of pages that stay open.
    pub streams: live::Streams,
    /// The files of orders that are written.
    pub exports: office::export::Exports,
}

/// Whose word counts, and how much of the server anybody may take.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may post V1 webhooks; empty is anybody.
    pub webhook_sources: Vec<IpNet>,
    /// Who may read the metrics.
    pub metrics_sources: Vec<IpNet>,
    /// Verifies V2's webhooks; `None` takes none.
    pub v2_webhooks: Option<Verifier>,
    /// Whether browsers reach us over TLS: cookies are bound to the host then, and TLS is remembered.
    pub secure: bool,
    /// How much of the server anybody may take.
    pub limits: Limits,
}
