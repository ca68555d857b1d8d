//! Puts the program together: beside the demo the only file that names concrete adapters.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use leptos::config::{LeptosOptions, get_configuration};
use portone::webhook::Verifier;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::adapters::portone::{Generations, PortoneV1, PortoneV2};
use crate::adapters::store::{Database, OpenError};
use crate::adapters::system::{SystemClock, SystemEntropy};
use crate::adapters::webhooks::HttpWebhooks;
use crate::config::{Settings, V1Settings, V2Settings};
use crate::domain::delivery::SEND_TIMEOUT;
use crate::domain::look::{Accent, Logo};
use crate::domain::target::TargetPolicy;
use crate::domain::verification::Expected;
use crate::ports::clock::Clock;
use crate::ports::deliveries::WebhookSender;
use crate::ports::gateway::Gateway;
use crate::ports::requests::RequestStore;
use crate::service::{Core, ServiceSettings, Stores, live};
use crate::telemetry::{Counted, Metrics, Shelf, lag};
use crate::ui::context::{Site, V1Sdk, V2Sdk};
use crate::web::limits::Limits;
use crate::web::live::Streams;
use crate::web::logo::LOGO_PATH;
use crate::web::office::export::Exports;
use crate::web::{App, Network, assets, router, server};
use crate::worker;

/// Time that one call to give money back gets at least. PortOne asks for a minute, because gateways take their time with it.
/// <https://developers.portone.io/api/rest-v2>
const CANCEL_TIMEOUT_MIN: Duration = Duration::from_secs(60);
/// Time that detached work gets after the server stopped taking requests. With [`Limits::drain_timeout`] before it and
/// [`CLOSE_TIMEOUT`] after it a stop takes less than the ten seconds after which most supervisors kill.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Time that the database gets to close its connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Address that browsers see.
    pub public_url: String,
    /// The use cases, for tests and the demo.
    pub core: Arc<Core>,
    stop: CancellationToken,
    server: JoinHandle<()>,
    worker: JoinHandle<()>,
    database: Arc<Database>,
}

impl Running {
    /// Returns when the server or the worker has ended by itself, which neither should.
    pub async fn broken(&mut self) {
        tokio::select! {
            _ = &mut self.server => {}
            _ = &mut self.worker => {}
        }
    }

    /// Takes no more requests, finishes what is in hand, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        for (name, task) in [("server", self.server), ("worker", self.worker)] {
            // A task that has ended before was reported when it did.
            if !task.is_finished()
                && let Err(error) = task.await
            {
                tracing::error!(
                    task = name,
                    error = &error as &dyn std::error::Error,
                    "a task ended badly"
                );
            }
        }
        self.core.tasks.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.core.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "some verifications were still running when the server stopped; they are asked for again at the next start"
            );
        }
        if tokio::time::timeout(CLOSE_TIMEOUT, self.database.close())
            .await
            .is_err()
        {
            tracing::warn!("the database was still in use when the server stopped");
        }
    }
}

/// Who begins the rounds of the background work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounds {
    /// The worker, by the clock and by hints.
    ByWorker,
    /// The caller, step by step: a test that moves the clock would race with the worker.
    ByHand,
}

/// Opens the database, migrates it, listens, and starts to work.
///
/// # Errors
/// What could not be opened, with the setting that names it.
pub async fn start(settings: Settings) -> anyhow::Result<Running> {
    start_at(settings, Arc::new(SystemClock)).await
}

/// [`start`] with another clock than the machine's: days pass in a test without waiting.
///
/// # Errors
/// As [`start`].
pub async fn start_at(settings: Settings, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
    start_within(settings, clock, Limits::default(), Rounds::ByWorker).await
}

/// [`start_at`] with other limits than the product's, so that a test need not wait for them, and with these rounds.
///
/// # Errors
/// As [`start`].
pub async fn start_within(
    settings: Settings,
    clock: Arc<dyn Clock>,
    limits: Limits,
    rounds: Rounds,
) -> anyhow::Result<Running> {
    let database = opened(Database::open_server(&settings.database_url).await)?;
    let listener = TcpListener::bind(settings.addr)
        .await
        .with_context(|| format!("WANRYO_ADDR: cannot listen on {}", settings.addr))?;
    let addr = listener
        .local_addr()
        .context("the listening address is unknown")?;
    let public_url = settings
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{addr}"));
    let operations = operations(&database);
    let metrics = Arc::clone(operations.metrics());
    let mut ports = Ports::new(&settings, &database, clock)?;
    ports.gateway = Arc::new(Counted::new(ports.gateway, Arc::clone(&metrics)));
    let core = core(&settings, &public_url, ports).observed_by(Arc::clone(&metrics) as _);
    let core = Arc::new(core);
    let stop = CancellationToken::new();
    let app = app(
        &settings,
        &public_url,
        Arc::clone(&core),
        operations,
        Arc::clone(&database) as _,
        Streams::until(stop.clone()),
        limits,
    )?;
    let network = Arc::clone(&app.network);

    let server = tokio::spawn(server::serve(
        listener,
        router::router(app),
        network,
        stop.clone(),
    ));
    let worker = match rounds {
        Rounds::ByWorker => tokio::spawn(worker::run(
            Arc::clone(&core),
            Arc::clone(&database) as _,
            stop.clone(),
        )),
        Rounds::ByHand => tokio::spawn(stop.clone().cancelled_owned()),
    };
    let (watching, unwatched) = (lag::watch(Arc::clone(&metrics)), stop.clone());
    tokio::spawn(async move { unwatched.run_until_cancelled(watching).await });
    let (relaying, signals, stopped) = (Arc::clone(&core), Arc::clone(&database), stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = live::relay(&relaying, signals.as_ref()) => {}
            () = stopped.cancelled() => {}
        }
    });
    tracing::info!(%addr, public_url, mode = settings.mode.as_str(), "listening on http://{addr}");
    Ok(Running {
        addr,
        public_url,
        core,
        stop,
        server,
        worker,
        database,
    })
}

/// The use cases without a server, for the short commands.
///
/// # Errors
/// What could not be opened.
pub async fn offline(settings: &Settings) -> anyhow::Result<(Core, Arc<Database>)> {
    let database = opened(Database::open(&settings.database_url).await)?;
    let public_url = settings
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", settings.addr));
    let ports = Ports::new(settings, &database, Arc::new(SystemClock))?;
    Ok((core(settings, &public_url, ports), database))
}

fn opened(database: Result<Database, OpenError>) -> anyhow::Result<Arc<Database>> {
    let database = database.context("DATABASE_URL: the database cannot be opened")?;
    Ok(Arc::new(database))
}

/// What the use cases reach the world through. Whoever proves something about the program puts something of its own around
/// one of them.
pub struct Ports {
    /// What is remembered.
    pub stores: Stores,
    /// PortOne.
    pub gateway: Arc<dyn Gateway>,
    /// The way to the shop's server.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// The real ones: the database, and PortOne as the settings name it.
    ///
    /// # Errors
    /// Settings that no client of PortOne can be made of.
    pub fn new(
        settings: &Settings,
        database: &Arc<Database>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let gateway = gateway(settings)?;
        let stores = Stores {
            orders: Arc::clone(database) as _,
            refunds: Arc::clone(database) as _,
            inbox: Arc::clone(database) as _,
            attention: Arc::clone(database) as _,
            sweep: Arc::clone(database) as _,
            access: Arc::clone(database) as _,
            audit: Arc::clone(database) as _,
            deliveries: Arc::clone(database) as _,
            overview: Arc::clone(database) as _,
            notes: Arc::clone(database) as _,
            retention: Arc::clone(database) as _,
        };
        let targets = TargetPolicy {
            mode: settings.mode,
            private: settings.event_targets_private.clone(),
        };
        Ok(Self {
            stores,
            gateway: Arc::new(gateway),
            webhooks: Arc::new(HttpWebhooks::new(targets, SEND_TIMEOUT.unsigned_abs())?),
            clock,
        })
    }
}

/// PortOne as the settings name it.
///
/// # Errors
/// Settings that no client of PortOne can be made of.
pub fn gateway(settings: &Settings) -> anyhow::Result<Generations> {
    let timeout = settings.portone_timeout;
    let v1 = settings.v1.as_ref().map(|v1| portone_v1(v1, timeout));
    let v2 = settings.v2.as_ref().map(|v2| portone_v2(v2, timeout));
    Ok(Generations {
        v1: v1.transpose()?,
        v2: v2.transpose()?,
    })
}

/// The use cases, behind these ports.
#[must_use]
pub fn core(settings: &Settings, public_url: &str, ports: Ports) -> Core {
    let service_settings = ServiceSettings {
        expected: Expected {
            mode: settings.mode,
            v2_store_id: settings.v2.as_ref().map(|v2| v2.store_id.clone()),
        },
        on_mismatch: settings.on_mismatch,
        retention_days: settings.retention_days,
        public_url: public_url.to_owned(),
        shop_url: settings.shop_url.clone(),
    };
    Core::new(
        ports.stores,
        ports.gateway,
        ports.webhooks,
        ports.clock,
        Arc::new(SystemEntropy),
        service_settings,
    )
}

/// What operators can count, with what this database knows.
#[must_use]
pub fn operations(database: &Arc<Database>) -> Arc<Shelf> {
    let metrics = Arc::new(Metrics::default());
    Arc::new(Shelf::new(metrics, Arc::clone(database) as _))
}

/// What the router's handlers share, around these use cases.
///
/// # Errors
/// Webhook secrets that nothing can be verified with.
pub fn app(
    settings: &Settings,
    public_url: &str,
    core: Arc<Core>,
    operations: Arc<Shelf>,
    requests: Arc<dyn RequestStore>,
    streams: Streams,
    limits: Limits,
) -> anyhow::Result<App> {
    // Leptos drives its async pages with tokio; a second app in one process finds it set already.
    let _already_set = any_spawner::Executor::init_tokio();
    Ok(App {
        core,
        site: Arc::new(site(settings, public_url)),
        scripts: scripts(),
        network: Arc::new(network(settings, public_url, limits)?),
        requests,
        under_way: Arc::default(),
        rates: Arc::default(),
        operations,
        gallery: settings.gallery,
        logo: settings.shop_logo.clone(),
        streams,
        exports: Exports::default(),
    })
}

fn portone_v1(v1: &V1Settings, timeout: Duration) -> anyhow::Result<PortoneV1> {
    let client = |timeout| {
        portone::v1::Client::builder(v1.api_url.clone(), v1.api_key.clone(), v1.api_secret.clone())
            .timeout(timeout)
            .build()
            .context("PORTONE_V1_API_URL, PORTONE_V1_API_KEY, PORTONE_V1_API_SECRET: no client can be made of them")
    };
    let patient = client(timeout.max(CANCEL_TIMEOUT_MIN))?;
    Ok(PortoneV1::new(client(timeout)?, patient))
}

fn portone_v2(v2: &V2Settings, timeout: Duration) -> anyhow::Result<PortoneV2> {
    let client = |timeout| {
        portone::v2::Client::builder(v2.api_url.clone(), v2.api_secret.clone())
            .store_id(v2.store_id.clone())
            .timeout(timeout)
            .build()
            .context("PORTONE_V2_API_URL, PORTONE_V2_STORE_ID, PORTONE_V2_API_SECRET: no client can be made of them")
    };
    let patient = client(timeout.max(CANCEL_TIMEOUT_MIN))?;
    Ok(PortoneV2::new(client(timeout)?, patient))
}

fn site(settings: &Settings, public_url: &str) -> Site {
    Site {
        shop_name: settings.shop_name.clone(),
        shop_url: settings.shop_url.clone(),
        accent: settings.shop_color.map(Accent::of),
        logo_url: settings.shop_logo.as_ref().map(logo_url),
        support_url: settings.support_url.clone(),
        public_url: public_url.to_owned(),
        mode: settings.mode,
        v1: settings.v1.as_ref().map(|v1| V1Sdk {
            sdk_url: v1.sdk_url.to_string(),
            merchant_code: v1.merchant_code.clone(),
        }),
        v2: settings.v2.as_ref().map(|v2| V2Sdk {
            sdk_url: v2.sdk_url.to_string(),
            store_id: v2.store_id.clone(),
        }),
    }
}

/// Browsers keep the logo; another one has another address.
fn logo_url(logo: &Logo) -> String {
    let digest = Sha256::digest(&logo.bytes);
    let version: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{LOGO_PATH}?v={version}")
}

fn network(settings: &Settings, public_url: &str, limits: Limits) -> anyhow::Result<Network> {
    let secrets = settings.v2.as_ref().map(|v2| &v2.webhook_secrets);
    let v2_webhooks = secrets
        .filter(|secrets| !secrets.is_empty())
        .map(|secrets| Verifier::new(secrets.iter().cloned()))
        .transpose()
        .context("PORTONE_V2_WEBHOOK_SECRETS: nothing can be verified with them")?;
    Ok(Network {
        trusted_proxies: settings.trusted_proxies.clone(),
        webhook_sources: settings.webhook_sources.clone(),
        metrics_sources: settings.metrics_sources.clone(),
        v2_webhooks,
        secure: public_url.starts_with("https://"),
        limits,
    })
}

/// Where the islands' script is: in the folder that cargo-leptos builds into while it watches, else in the binary, else
/// nowhere.
fn scripts() -> Option<LeptosOptions> {
    if assets::BUILT_BY_CARGO_LEPTOS {
        return get_configuration(None)
            .ok()
            .map(|found| found.leptos_options);
    }
    assets::PKG_OUTPUT_NAME.map(|name| LeptosOptions::builder().output_name(name).build())
}
