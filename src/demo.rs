//! `wanryo demo`: everything at once, for a first look and for a shop's developers. A local PortOne, the app on a fresh
//! database, sample orders in every state, and a tiny shop to buy in. No account anywhere, no real money.
//!
//! The samples come about as real ones do: through the shop's API, PortOne's window, redirects and webhooks. Nothing here
//! writes to the database but by way of the app. Everything is gone when it stops.

mod directory;
mod http;
mod samples;
mod shop;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use ipnet::IpNet;
use portone_sandbox::Sandbox;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::cli::stop_asked;
use crate::compose::{self, Running};
use crate::config::{RETENTION_DAYS, Settings, V1Settings, V2Settings};
use crate::domain::history::Actor;
use crate::domain::order::Mode;
use crate::domain::refund::OnMismatch;
use crate::ports::entropy::draw;
use crate::service::access;
use crate::ui::gallery::PATH as GALLERY_PATH;
use directory::Directory;
use samples::Samples;

/// Who may sign in.
const STAFF_EMAIL: &str = "merchant@example.com";
/// The shop's name on every page.
const SHOP_NAME: &str = "완료상점";
/// What the sandbox knows its only merchant by.
const MERCHANT_CODE: &str = "imp00000000";
const PORTONE_API_KEY: &str = "imp_apikey";
/// Time for one call to the sandbox, which is on this machine.
const PORTONE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that the shop's last answers get when the demo stops.
const SHOP_DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the demo listens.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the app listens
    #[arg(
        long = "wanryo-addr",
        env = "WANRYO_ADDR",
        default_value = "127.0.0.1:3000",
        value_name = "IP:PORT"
    )]
    pub addr: SocketAddr,
    /// Where the sample shop listens
    #[arg(long, default_value = "127.0.0.1:3001", value_name = "IP:PORT")]
    pub shop_addr: SocketAddr,
    /// Where the local PortOne listens
    #[arg(
        long,
        env = "PORTONE_SANDBOX_ADDR",
        default_value = "127.0.0.1:3900",
        value_name = "IP:PORT"
    )]
    pub sandbox_addr: SocketAddr,
}

/// Runs the demo until it is asked to stop.
///
/// # Errors
/// What could not be started, with the flag that names it.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let demo = Demo::start(&options).await?;
    demo.introduce()?;
    stop_asked().await?;
    demo.stop().await;
    Ok(())
}

/// A demo that runs.
struct Demo {
    sandbox: Sandbox,
    app: Running,
    shop_url: String,
    shop: tokio::task::JoinHandle<std::io::Result<()>>,
    stop: CancellationToken,
    password: SecretString,
    samples: Samples,
    /// Removed last, when nobody has the database open any more.
    _directory: Directory,
}

impl Demo {
    async fn start(options: &Options) -> anyhow::Result<Self> {
        // Every port first: whoever has to choose another one should not have to wait for it.
        let listener = TcpListener::bind(options.shop_addr)
            .await
            .with_context(|| {
                format!(
                    "the sample shop cannot listen on {}; choose another address with --shop-addr",
                    options.shop_addr
                )
            })?;
        let shop_url = address_of(
            listener
                .local_addr()
                .context("the sample shop's address is unknown")?,
        );
        let secrets = Secrets {
            api: random_text(),
            webhook: webhook_secret(),
        };
        let sandbox = Sandbox::builder()
            .addr(options.sandbox_addr)
            .merchant_code(MERCHANT_CODE)
            .credentials(PORTONE_API_KEY, secrets.api.expose_secret())
            .v2_secret(secrets.api.expose_secret())
            .webhook_secrets([secrets.webhook.expose_secret()])
            .spawn()
            .await
            .with_context(|| format!("the local PortOne cannot listen on {}; choose another address with --sandbox-addr or PORTONE_SANDBOX_ADDR", options.sandbox_addr))?;
        let directory = Directory::create()?;
        let settings = settings(options, &sandbox, secrets, &directory, &shop_url)?;
        let app = compose::start(settings).await.context(
            "the app cannot start; --wanryo-addr or WANRYO_ADDR chooses another address",
        )?;
        let webhook_url = Url::parse(&format!("{}/payments/webhook", app.public_url))
            .context("the app's address is no URL")?;
        sandbox.set_webhook_url(webhook_url);

        let password = random_text();
        access::put_user(&app.core, STAFF_EMAIL, password.clone(), None)
            .await
            .context("nobody could be let into the back office")?;
        let key = access::make_api_key(&app.core, "sample shop", &Actor::Command)
            .await
            .context("the sample shop could not get a key")?;
        let api = http::Api::new(&app.public_url, key)?;

        let stop = CancellationToken::new();
        let state = shop::Shop {
            api: api.clone(),
            entropy: Arc::clone(&app.core.entropy),
            url: shop_url.clone(),
            sandbox_url: sandbox.url().to_string(),
            channel_key: Sandbox::V2_LIVE_CHANNEL_KEY.to_owned(),
        };
        let shop = tokio::spawn(shop::serve(listener, state, stop.clone()));
        let samples = samples::make(&api, &sandbox, &shop_url)
            .await
            .context("the sample orders could not be made")?;
        Ok(Self {
            sandbox,
            app,
            shop_url,
            shop,
            stop,
            password,
            samples,
            _directory: directory,
        })
    }

    /// Says where to look.
    fn introduce(&self) -> anyhow::Result<()> {
        use std::io::Write;
        let Self {
            sandbox,
            app,
            shop_url,
            password,
            samples,
            ..
        } = self;
        let app_url = &app.public_url;
        let password = password.expose_secret();
        let text = format!(
            "
  wanryo demo: a shop, its back office, and a PortOne of its own. No real money moves.

  Shop          {shop_url}/
  Pay page      {pay}
  Result pages  paid     {paid}
                deposit  {account}
                held     {held}
  Every state   {app_url}{GALLERY_PATH}
  Back office   {app_url}/orders
                email    {STAFF_EMAIL}
                password {password}
  Sandbox       {sandbox}_sandbox/

  Ctrl-C stops everything and removes the sample orders.
",
            pay = samples.pay_url,
            paid = samples.paid_url,
            account = samples.account_url,
            held = samples.held_url,
            sandbox = sandbox.url(),
        );
        writeln!(std::io::stdout().lock(), "{text}").context("standard output cannot be written")
    }

    async fn stop(self) {
        let Self {
            sandbox,
            app,
            shop,
            stop,
            _directory: directory,
            ..
        } = self;
        stop.cancel();
        let drained = tokio::time::timeout(SHOP_DRAIN_TIMEOUT, shop).await;
        if let Ok(Ok(Err(error))) = drained {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the sample shop ended badly"
            );
        }
        app.stop().await;
        drop(sandbox);
        drop(directory);
    }
}

/// What the app and the sandbox know each other by.
struct Secrets {
    api: SecretString,
    webhook: SecretString,
}

fn settings(
    options: &Options,
    sandbox: &Sandbox,
    secrets: Secrets,
    directory: &Directory,
    shop_url: &str,
) -> anyhow::Result<Settings> {
    let at = |path: &str| {
        let url = sandbox.url().join(path);
        url.context("the sandbox's address is no URL")
    };
    // "Every address" is one to listen on, not one to open.
    let public_url = (options.addr.ip().is_unspecified() && options.addr.port() != 0)
        .then(|| address_of(options.addr));
    Ok(Settings {
        addr: options.addr,
        public_url,
        database_url: format!("sqlite://{}", directory.path().join("wanryo.db").display()),
        mode: Mode::Live,
        trusted_proxies: Vec::new(),
        webhook_sources: Vec::new(),
        // Whoever tries it out has a receiver on the same machine.
        event_targets_private: vec![IpAddr::from(Ipv4Addr::LOCALHOST).into()],
        metrics_sources: vec![IpNet::from(IpAddr::from(Ipv4Addr::LOCALHOST))],
        on_mismatch: OnMismatch::Hold,
        retention_days: RETENTION_DAYS,
        support_url: Some(format!("{shop_url}/help")),
        shop_name: Some(SHOP_NAME.to_owned()),
        shop_url: Some(format!("{shop_url}/")),
        shop_color: None,
        shop_logo: None,
        v1: Some(V1Settings {
            api_url: sandbox.url().clone(),
            sdk_url: at("v1/iamport.js")?,
            merchant_code: MERCHANT_CODE.to_owned(),
            api_key: SecretString::from(PORTONE_API_KEY),
            api_secret: secrets.api.clone(),
        }),
        v2: Some(V2Settings {
            api_url: sandbox.v2_url(),
            sdk_url: at("v2/browser-sdk.js")?,
            store_id: Sandbox::V2_STORE_ID.to_owned(),
            api_secret: secrets.api,
            webhook_secrets: vec![secrets.webhook],
        }),
        portone_timeout: PORTONE_TIMEOUT,
        gallery: true,
    })
}

fn address_of(mut addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        addr.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{addr}")
}

/// Letters and digits that nobody can guess, easy enough to type.
fn random_text() -> SecretString {
    let bytes: [u8; 8] = draw(&crate::adapters::system::SystemEntropy);
    SecretString::from(
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}

/// In the form of Standard Webhooks, <https://github.com/standard-webhooks/standard-webhooks>.
fn webhook_secret() -> SecretString {
    let bytes: [u8; 24] = draw(&crate::adapters::system::SystemEntropy);
    SecretString::from(format!("whsec_{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests;
