//! Settings: from the environment, and the same names as long flags. Every mistake is reported at once, by name.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use secrecy::SecretString;
use thiserror::Error;
use url::Url;

use crate::domain::look::{Color, LOGO_BYTES_MAX, Logo};
use crate::domain::order::Mode;
use crate::domain::refund::OnMismatch;

/// Days for which personal data is kept unless told otherwise: five years, for which Korean law has shops keep the records of
/// payments (Enforcement Decree of the Act on the Consumer Protection in Electronic Commerce, article 6).
/// <https://www.law.go.kr/법령/전자상거래등에서의소비자보호에관한법률시행령>
pub const RETENTION_DAYS: u32 = 1825;
/// Shortest: the daily sweep looks back for 90 days.
const RETENTION_DAYS_MIN: u32 = 90;
/// Longest, a hundred years: beyond it nothing is meant.
const RETENTION_DAYS_MAX: u32 = 36_500;
/// Longest time one call to PortOne may be given.
const PORTONE_TIMEOUT_MS_MAX: u64 = 120_000;
/// Longest name of a shop: pages show it in one line.
const SHOP_NAME_CHARS_MAX: usize = 60;
/// Least number of bytes of a webhook secret; PortOne's own test secret has exactly this many.
/// <https://github.com/portone-io/server-sdk>
const WEBHOOK_SECRET_BYTES_MIN: usize = 16;

/// Who reads the metrics unless something else is said: the machine itself and private networks.
pub const METRICS_SOURCES: &str =
    "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// An object of JSON in each line, for programs.
    Json,
}

/// What every command can be told.
#[derive(Debug, Clone, Args)]
pub struct LogSettings {
    /// How the log is written: `text`, or `json`, one object in each line
    #[arg(
        long = "wanryo-log-format",
        env = "WANRYO_LOG_FORMAT",
        value_enum,
        default_value_t = LogFormat::Text,
        value_name = "text|json",
        hide_possible_values = true,
        global = true,
        help_heading = "Log"
    )]
    pub format: LogFormat,
    /// Collector that traces are sent to, by OTLP over HTTP, from a program that was built with the feature `otel`
    #[arg(
        long = "otel-exporter-otlp-endpoint",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        global = true,
        help_heading = "Log"
    )]
    pub collector: Option<Url>,
}

/// Settings as they come, not yet checked. `wanryo --help` is generated from these lines.
#[derive(Debug, Clone, Args)]
pub struct RawSettings {
    /// Where to listen; port 0 picks a free one and logs it
    #[arg(
        long = "wanryo-addr",
        env = "WANRYO_ADDR",
        default_value = "127.0.0.1:3000",
        value_name = "IP:PORT",
        help_heading = "Site"
    )]
    pub addr: String,
    /// Address that browsers and PortOne see; `http://` + the listening address when absent
    #[arg(
        long = "wanryo-public-url",
        env = "WANRYO_PUBLIC_URL",
        value_name = "URL",
        help_heading = "Site"
    )]
    pub public_url: Option<String>,
    /// `sqlite://PATH` or `postgres://…`; migrations run at start
    #[arg(
        long = "database-url",
        env = "DATABASE_URL",
        default_value = "sqlite://wanryo.db",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Site"
    )]
    pub database_url: String,
    /// `live` refuses payments made through a test channel; `test` accepts them and says so on every page
    #[arg(
        long = "wanryo-mode",
        env = "WANRYO_MODE",
        default_value = "live",
        value_name = "live|test",
        help_heading = "Site"
    )]
    pub mode: String,
    /// Networks (CIDR, comma-separated) of proxies whose X-Forwarded-For, -Proto and -Host are believed
    #[arg(
        long = "wanryo-trusted-proxies",
        env = "WANRYO_TRUSTED_PROXIES",
        value_name = "CIDR,…",
        help_heading = "Site"
    )]
    pub trusted_proxies: Option<String>,
    /// Networks (CIDR, comma-separated) that may post V1 webhooks; any when absent (the body is never trusted)
    #[arg(
        long = "wanryo-webhook-sources",
        env = "WANRYO_WEBHOOK_SOURCES",
        value_name = "CIDR,…",
        help_heading = "Site"
    )]
    pub webhook_sources: Option<String>,
    /// Networks (CIDR, comma-separated) that are not public and that events may be sent to all the same, without TLS, too; none when absent, but this machine with `--wanryo-mode=test`
    #[arg(
        long = "wanryo-event-targets-private",
        env = "WANRYO_EVENT_TARGETS_PRIVATE",
        value_name = "CIDR,…",
        help_heading = "Site"
    )]
    pub event_targets_private: Option<String>,
    /// Networks (CIDR, comma-separated) that may read /metrics; by default the machine itself and private networks
    #[arg(
        long = "wanryo-metrics-sources",
        env = "WANRYO_METRICS_SOURCES",
        default_value = METRICS_SOURCES,
        value_name = "CIDR,…",
        help_heading = "Site"
    )]
    pub metrics_sources: String,
    /// What becomes of a payment that is bound to its order and fails a check: `hold` (a person looks) or `refund` (what was paid wrongly, or with test money, is given back)
    #[arg(
        long = "wanryo-on-mismatch",
        env = "WANRYO_ON_MISMATCH",
        default_value = "hold",
        value_name = "hold|refund",
        help_heading = "Site"
    )]
    pub on_mismatch: String,
    /// For how many days after an order's last change its personal data is kept (90 to 36500); then it is erased
    #[arg(
        long = "wanryo-retention-days",
        env = "WANRYO_RETENTION_DAYS",
        default_value_t = RETENTION_DAYS.to_string(),
        value_name = "DAYS",
        help_heading = "Site"
    )]
    pub retention_days: String,
    /// Where buyers get help
    #[arg(
        long = "wanryo-support-url",
        env = "WANRYO_SUPPORT_URL",
        value_name = "URL",
        help_heading = "Shop"
    )]
    pub support_url: Option<String>,
    /// The shop's name, shown to buyers
    #[arg(
        long = "wanryo-shop-name",
        env = "WANRYO_SHOP_NAME",
        value_name = "NAME",
        help_heading = "Shop"
    )]
    pub shop_name: Option<String>,
    /// The shop's front page
    #[arg(
        long = "wanryo-shop-url",
        env = "WANRYO_SHOP_URL",
        value_name = "URL",
        help_heading = "Shop"
    )]
    pub shop_url: Option<String>,
    /// The shop's colour, `#rrggbb`: buttons and links take it, made as dark or light as reading needs
    #[arg(
        long = "wanryo-shop-color",
        env = "WANRYO_SHOP_COLOR",
        value_name = "#RRGGBB",
        help_heading = "Shop"
    )]
    pub shop_color: Option<String>,
    /// File of the shop's logo, read at start: PNG, SVG, WebP or JPEG, at most 128 KiB, shown in a square beside the name
    #[arg(
        long = "wanryo-shop-logo",
        env = "WANRYO_SHOP_LOGO",
        value_name = "PATH",
        help_heading = "Shop"
    )]
    pub shop_logo: Option<String>,
    /// PortOne V1: address of the API
    #[arg(
        long = "portone-v1-api-url",
        env = "PORTONE_V1_API_URL",
        default_value = "https://api.iamport.kr",
        value_name = "URL",
        help_heading = "PortOne V1"
    )]
    pub v1_api_url: String,
    /// PortOne V1: address of the browser SDK
    #[arg(
        long = "portone-v1-sdk-url",
        env = "PORTONE_V1_SDK_URL",
        default_value = "https://cdn.iamport.kr/v1/iamport.js",
        value_name = "URL",
        help_heading = "PortOne V1"
    )]
    pub v1_sdk_url: String,
    /// PortOne V1: merchant code
    #[arg(
        long = "portone-v1-merchant-code",
        env = "PORTONE_V1_MERCHANT_CODE",
        value_name = "imp…",
        help_heading = "PortOne V1"
    )]
    pub v1_merchant_code: Option<String>,
    /// PortOne V1: REST API key
    #[arg(
        long = "portone-v1-api-key",
        env = "PORTONE_V1_API_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "PortOne V1"
    )]
    pub v1_api_key: Option<SecretString>,
    /// PortOne V1: REST API secret
    #[arg(
        long = "portone-v1-api-secret",
        env = "PORTONE_V1_API_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        help_heading = "PortOne V1"
    )]
    pub v1_api_secret: Option<SecretString>,
    /// PortOne V2: address of the API
    #[arg(
        long = "portone-v2-api-url",
        env = "PORTONE_V2_API_URL",
        default_value = "https://api.portone.io",
        value_name = "URL",
        help_heading = "PortOne V2"
    )]
    pub v2_api_url: String,
    /// PortOne V2: address of the browser SDK
    #[arg(
        long = "portone-v2-sdk-url",
        env = "PORTONE_V2_SDK_URL",
        default_value = "https://cdn.portone.io/v2/browser-sdk.js",
        value_name = "URL",
        help_heading = "PortOne V2"
    )]
    pub v2_sdk_url: String,
    /// PortOne V2: store id; a payment made in another store is not accepted
    #[arg(
        long = "portone-v2-store-id",
        env = "PORTONE_V2_STORE_ID",
        value_name = "store-…",
        help_heading = "PortOne V2"
    )]
    pub v2_store_id: Option<String>,
    /// PortOne V2: API secret
    #[arg(
        long = "portone-v2-api-secret",
        env = "PORTONE_V2_API_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        help_heading = "PortOne V2"
    )]
    pub v2_api_secret: Option<SecretString>,
    /// PortOne V2: webhook secrets, comma-separated; more than one while a secret is being rotated; without one V2 webhooks are refused
    #[arg(
        long = "portone-v2-webhook-secrets",
        env = "PORTONE_V2_WEBHOOK_SECRETS",
        hide_env_values = true,
        value_name = "whsec_…,…",
        help_heading = "PortOne V2"
    )]
    pub v2_webhook_secrets: Option<SecretString>,
    /// Time for one call to PortOne, in milliseconds; one that gives money back has 60 s at least; the completion page itself answers within 3 s whatever happens
    #[arg(
        long = "portone-timeout-ms",
        env = "PORTONE_TIMEOUT_MS",
        default_value = "10000",
        value_name = "MS",
        help_heading = "PortOne"
    )]
    pub timeout_ms: String,
}

/// Settings that can be started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub addr: SocketAddr,
    /// Address that browsers see, without a slash at the end; made from the listening address when absent.
    pub public_url: Option<String>,
    /// Where things are remembered.
    pub database_url: String,
    /// Live or test money.
    pub mode: Mode,
    /// Proxies whose word on the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may post V1 webhooks; empty is anybody.
    pub webhook_sources: Vec<IpNet>,
    /// Networks that are not public and that events may be sent to all the same.
    pub event_targets_private: Vec<IpNet>,
    /// Who may read the metrics; empty is nobody.
    pub metrics_sources: Vec<IpNet>,
    /// What becomes of a payment that is bound to its order and fails a check.
    pub on_mismatch: OnMismatch,
    /// For how many days after an order's last change its personal data is kept.
    pub retention_days: u32,
    /// Help for buyers.
    pub support_url: Option<String>,
    /// The shop's name.
    pub shop_name: Option<String>,
    /// The shop's front page.
    pub shop_url: Option<String>,
    /// The shop's colour.
    pub shop_color: Option<Color>,
    /// The shop's logo.
    pub shop_logo: Option<Logo>,
    /// PortOne V1.
    pub v1: Option<V1Settings>,
    /// PortOne V2.
    pub v2: Option<V2Settings>,
    /// Time for one call to PortOne.
    pub portone_timeout: Duration,
    /// Whether the gallery of every state is shown. Nothing from outside sets it: the demo does.
    pub gallery: bool,
}

/// PortOne V1.
#[derive(Debug, Clone)]
pub struct V1Settings {
    /// Address of the API.
    pub api_url: Url,
    /// Address of the browser SDK.
    pub sdk_url: Url,
    /// Merchant code.
    pub merchant_code: String,
    /// REST API key.
    pub api_key: SecretString,
    /// REST API secret.
    pub api_secret: SecretString,
}

/// PortOne V2.
#[derive(Debug, Clone)]
pub struct V2Settings {
    /// Address of the API.
    pub api_url: Url,
    /// Address of the browser SDK.
    pub sdk_url: Url,
    /// Our store: a payment made in another one is not ours.
    pub store_id: String,
    /// API secret.
    pub api_secret: SecretString,
    /// Secrets that webhooks are signed with; without one no webhook of V2 is taken.
    pub webhook_secrets: Vec<SecretString>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Error)]
#[error("{}", lines(.0))]
pub struct ConfigError(Vec<Mistake>);

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The variable's name.
    pub variable: &'static str,
    /// What would be right.
    pub right: String,
}

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes
        .iter()
        .map(|mistake| format!("{}: {}", mistake.variable, mistake.right))
        .collect();
    lines.join("\n")
}

impl ConfigError {
    /// The mistakes, in the order of the settings.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn note(&mut self, variable: &'static str, right: impl Into<String>) {
        self.0.push(Mistake {
            variable,
            right: right.into(),
        });
    }

    fn keep<T>(&mut self, variable: &'static str, right: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.note(variable, right);
        }
        value
    }
}

impl RawSettings {
    /// Checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] with every mistake, each with its variable's name and what would be right; never a secret's value.
    pub fn check(self) -> Result<Settings, ConfigError> {
        let mut wrong = Mistakes::default();
        let addr = wrong.keep(
            "WANRYO_ADDR",
            "must be an IP address and a port, such as 127.0.0.1:3000 or [::]:8080",
            self.addr.parse().ok(),
        );
        let public_url = self.public_url.and_then(|text| {
            wrong.keep(
                "WANRYO_PUBLIC_URL",
                "must be an http(s) address without a path, such as https://pay.example.com",
                origin(&text),
            )
        });
        let database = ["sqlite://", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| {
                self.database_url
                    .strip_prefix(scheme)
                    .is_some_and(|rest| !rest.is_empty())
            });
        if !database {
            wrong.note(
                "DATABASE_URL",
                "must be sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME",
            );
        }
        let mode = wrong.keep(
            "WANRYO_MODE",
            "must be live or test",
            Mode::from_word(&self.mode),
        );
        let trusted_proxies = networks(
            &mut wrong,
            "WANRYO_TRUSTED_PROXIES",
            self.trusted_proxies.as_deref(),
        );
        let webhook_sources = networks(
            &mut wrong,
            "WANRYO_WEBHOOK_SOURCES",
            self.webhook_sources.as_deref(),
        );
        let event_targets_private = networks(
            &mut wrong,
            "WANRYO_EVENT_TARGETS_PRIVATE",
            self.event_targets_private.as_deref(),
        );
        let metrics_sources = networks(
            &mut wrong,
            "WANRYO_METRICS_SOURCES",
            Some(&self.metrics_sources),
        );
        let on_mismatch = wrong.keep(
            "WANRYO_ON_MISMATCH",
            "must be hold or refund",
            OnMismatch::from_word(&self.on_mismatch),
        );
        let retention_days = wrong.keep(
            "WANRYO_RETENTION_DAYS",
            "must be a number of days from 90 to 36500",
            self.retention_days
                .parse()
                .ok()
                .filter(|days| (RETENTION_DAYS_MIN..=RETENTION_DAYS_MAX).contains(days)),
        );
        let support_url = link(
            &mut wrong,
            "WANRYO_SUPPORT_URL",
            self.support_url,
            &["http", "https", "mailto", "tel"],
        );
        let shop_url = link(
            &mut wrong,
            "WANRYO_SHOP_URL",
            self.shop_url,
            &["http", "https"],
        );
        let shop_name = self
            .shop_name
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        if shop_name.as_ref().is_some_and(|name| {
            name.chars().count() > SHOP_NAME_CHARS_MAX || name.chars().any(char::is_control)
        }) {
            wrong.note(
                "WANRYO_SHOP_NAME",
                format!(
                    "must be at most {SHOP_NAME_CHARS_MAX} characters without control characters"
                ),
            );
        }
        let shop_color = filled(self.shop_color).and_then(|text| {
            wrong.keep(
                "WANRYO_SHOP_COLOR",
                "must be a colour such as #1f3a68",
                Color::parse(&text),
            )
        });
        let shop_logo = filled(self.shop_logo).and_then(|path| logo(&mut wrong, &path));
        if shop_logo.is_some() && shop_name.is_none() {
            wrong.note(
                "WANRYO_SHOP_LOGO",
                "needs WANRYO_SHOP_NAME, for those who do not see it",
            );
        }
        let timeout = self
            .timeout_ms
            .parse::<u64>()
            .ok()
            .filter(|ms| (100..=PORTONE_TIMEOUT_MS_MAX).contains(ms));
        let timeout = wrong.keep(
            "PORTONE_TIMEOUT_MS",
            "must be a number of milliseconds from 100 to 120000",
            timeout,
        );

        let v1_keys = (
            filled(self.v1_merchant_code),
            secret(self.v1_api_key),
            secret(self.v1_api_secret),
        );
        let api_url = wrong.keep(
            "PORTONE_V1_API_URL",
            "must be an http(s) address",
            web_url(&self.v1_api_url),
        );
        let sdk_url = wrong.keep(
            "PORTONE_V1_SDK_URL",
            "must be an http(s) address",
            web_url(&self.v1_sdk_url),
        );
        let v1 = match v1_keys {
            (None, None, None) => None,
            (code, key, value) => {
                let right = "is missing; PortOne V1 needs PORTONE_V1_MERCHANT_CODE, PORTONE_V1_API_KEY and PORTONE_V1_API_SECRET together";
                let code = wrong.keep("PORTONE_V1_MERCHANT_CODE", right, code);
                let key = wrong.keep("PORTONE_V1_API_KEY", right, key);
                let value = wrong.keep("PORTONE_V1_API_SECRET", right, value);
                match (api_url, sdk_url, code, key, value) {
                    (
                        Some(api_url),
                        Some(sdk_url),
                        Some(merchant_code),
                        Some(api_key),
                        Some(api_secret),
                    ) => Some(V1Settings {
                        api_url,
                        sdk_url,
                        merchant_code,
                        api_key,
                        api_secret,
                    }),
                    _ => None,
                }
            }
        };
        let v2 = v2(
            &mut wrong,
            &self.v2_api_url,
            &self.v2_sdk_url,
            filled(self.v2_store_id),
            secret(self.v2_api_secret),
            self.v2_webhook_secrets.as_ref(),
        );

        match (addr, mode, on_mismatch, retention_days, timeout) {
            (Some(addr), Some(mode), Some(on_mismatch), Some(retention_days), Some(timeout))
                if wrong.0.is_empty() =>
            {
                Ok(Settings {
                    addr,
                    public_url,
                    database_url: self.database_url,
                    mode,
                    trusted_proxies,
                    webhook_sources,
                    event_targets_private,
                    metrics_sources,
                    on_mismatch,
                    retention_days,
                    support_url,
                    shop_name,
                    shop_url,
                    shop_color,
                    shop_logo,
                    v1,
                    v2,
                    portone_timeout: Duration::from_millis(timeout),
                    gallery: false,
                })
            }
            _ => Err(ConfigError(wrong.0)),
        }
    }
}

fn v2(
    wrong: &mut Mistakes,
    api_url: &str,
    sdk_url: &str,
    store_id: Option<String>,
    api_secret: Option<SecretString>,
    webhook_secrets: Option<&SecretString>,
) -> Option<V2Settings> {
    const RIGHT: &str =
        "is missing; PortOne V2 needs PORTONE_V2_STORE_ID and PORTONE_V2_API_SECRET together";
    let api_url = wrong.keep(
        "PORTONE_V2_API_URL",
        "must be an http(s) address",
        web_url(api_url),
    );
    let sdk_url = wrong.keep(
        "PORTONE_V2_SDK_URL",
        "must be an http(s) address",
        web_url(sdk_url),
    );
    let configured = store_id.is_some() || api_secret.is_some();
    let keys = configured.then(|| {
        (
            wrong.keep("PORTONE_V2_STORE_ID", RIGHT, store_id),
            wrong.keep("PORTONE_V2_API_SECRET", RIGHT, api_secret),
        )
    });
    let webhook_secrets = v2_webhook_secrets(wrong, webhook_secrets);
    match (api_url, sdk_url, keys) {
        (Some(api_url), Some(sdk_url), Some((Some(store_id), Some(api_secret)))) => {
            Some(V2Settings {
                api_url,
                sdk_url,
                store_id,
                api_secret,
                webhook_secrets,
            })
        }
        _ => None,
    }
}

/// An empty secret would let anybody sign.
fn v2_webhook_secrets(wrong: &mut Mistakes, secrets: Option<&SecretString>) -> Vec<SecretString> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use secrecy::ExposeSecret;

    let Some(secrets) = secrets else {
        return Vec::new();
    };
    let long_enough = |text: &str| {
        STANDARD
            .decode(text.strip_prefix("whsec_").unwrap_or(text))
            .is_ok_and(|key| key.len() >= WEBHOOK_SECRET_BYTES_MIN)
    };
    let secrets = secrets.expose_secret().split(',').map(str::trim);
    if !secrets.clone().all(long_enough) {
        wrong.note("PORTONE_V2_WEBHOOK_SECRETS", "must be whsec_ and base64 of at least 16 bytes, each; several are separated by commas, none may be empty");
        return Vec::new();
    }
    secrets.map(SecretString::from).collect()
}

/// A variable that is set to nothing is not set.
fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn secret(value: Option<SecretString>) -> Option<SecretString> {
    use secrecy::ExposeSecret;
    value.filter(|value| !value.expose_secret().trim().is_empty())
}

fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

fn origin(text: &str) -> Option<String> {
    let url = web_url(text)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    bare.then(|| url.origin().ascii_serialization())
}

fn link(
    wrong: &mut Mistakes,
    variable: &'static str,
    text: Option<String>,
    schemes: &[&str],
) -> Option<String> {
    let text = filled(text)?;
    let parsed = Url::parse(&text)
        .ok()
        .filter(|url| schemes.contains(&url.scheme()));
    wrong
        .keep(
            variable,
            &format!(
                "must be an address that begins with one of {}",
                schemes.join(", ")
            ),
            parsed,
        )
        .map(|_| text)
}

/// Reads the file, and no more of it than a logo may have.
fn logo(wrong: &mut Mistakes, path: &str) -> Option<Logo> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let limit = u64::try_from(LOGO_BYTES_MAX).unwrap_or(u64::MAX);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)
    });
    let logo = read.ok().and_then(|_| Logo::read(&bytes));
    wrong.keep(
        "WANRYO_SHOP_LOGO",
        "must be a file that can be read, a PNG, SVG, WebP or JPEG of at most 128 KiB",
        logo,
    )
}

fn networks(wrong: &mut Mistakes, variable: &'static str, text: Option<&str>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for part in text
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let network = part
            .parse::<IpNet>()
            .ok()
            .or_else(|| part.parse::<std::net::IpAddr>().ok().map(IpNet::from));
        networks.extend(wrong.keep(
            variable,
            "must be networks such as 10.0.0.0/8, separated by commas",
            network,
        ));
    }
    networks
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn settings(arguments: &[&str]) -> Result<Settings, ConfigError> {
        let command = RawSettings::augment_args(Command::new("wanryo"));
        // Flags win over the environment, and a test must not see the environment of whoever runs it.
        let command = command.mut_args(|argument| argument.env(None::<&str>));
        let matches =
            command.get_matches_from(std::iter::once("wanryo").chain(arguments.iter().copied()));
        RawSettings::from_arg_matches(&matches)
            .expect("flags parse")
            .check()
    }

    fn variables(arguments: &[&str]) -> Vec<&'static str> {
        settings(arguments)
            .expect_err("the settings are wrong")
            .mistakes()
            .iter()
            .map(|mistake| mistake.variable)
            .collect()
    }

    #[test]
    fn defaults_start_without_portone() {
        let settings = settings(&[]).expect("defaults are right");

        assert_eq!(settings.addr.to_string(), "127.0.0.1:3000");
        assert_eq!(settings.mode, Mode::Live);
        assert!(settings.v1.is_none() && settings.v2.is_none());
    }

    #[test]
    fn each_generation_is_configured_by_itself() {
        use secrecy::ExposeSecret;
        let v1 = [
            "--portone-v1-merchant-code=imp1",
            "--portone-v1-api-key=key",
            "--portone-v1-api-secret=secret",
        ];
        let v2 = [
            "--portone-v2-store-id=store-1",
            "--portone-v2-api-secret=secret",
            "--portone-v2-webhook-secrets=whsec_pzQGE83cSIRKM4/WH5QY+g==, MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ];
        let with = |flags: &[&str]| settings(flags).expect("the settings are right");

        assert!(with(&v1).v1.is_some() && with(&v1).v2.is_none());
        assert!(with(&v2).v1.is_none());
        assert!(with(&[v1, v2].concat()).v1.is_some());
        let v2 = with(&[v1, v2].concat()).v2.expect("V2 is configured");
        assert_eq!(
            (v2.store_id.as_str(), v2.api_url.as_str()),
            ("store-1", "https://api.portone.io/")
        );
        let secrets: Vec<&str> = v2
            .webhook_secrets
            .iter()
            .map(ExposeSecret::expose_secret)
            .collect();
        assert_eq!(
            secrets,
            [
                "whsec_pzQGE83cSIRKM4/WH5QY+g==",
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
            ]
        );
    }

    #[test]
    fn half_of_a_generation_is_a_mistake() {
        assert_eq!(
            variables(&["--portone-v2-api-secret=secret"]),
            ["PORTONE_V2_STORE_ID"]
        );
        assert_eq!(
            variables(&["--portone-v2-store-id=store-1", "--portone-v2-api-secret= "]),
            ["PORTONE_V2_API_SECRET"]
        );
    }

    #[test]
    fn every_mistake_is_reported_at_once_and_by_name() {
        let wrong = variables(&[
            "--wanryo-addr=localhost",
            "--wanryo-public-url=pay.example.com",
            "--database-url=mysql://x",
            "--wanryo-mode=prod",
            "--wanryo-trusted-proxies=10.0.0.0/8,proxy",
            "--wanryo-webhook-sources=52.78.100.19/99",
            "--wanryo-event-targets-private=localhost",
            "--wanryo-on-mismatch=keep",
            "--wanryo-retention-days=89",
            "--wanryo-support-url=javascript:alert(1)",
            "--wanryo-shop-url=shop",
            "--wanryo-shop-color=navy",
            "--wanryo-shop-logo=/no/such/file.png",
            "--portone-timeout-ms=0",
            "--portone-v1-api-url=x",
            "--portone-v1-api-key=key",
            "--portone-v2-store-id=store-1",
        ]);

        assert_eq!(
            wrong,
            [
                "WANRYO_ADDR",
                "WANRYO_PUBLIC_URL",
                "DATABASE_URL",
                "WANRYO_MODE",
                "WANRYO_TRUSTED_PROXIES",
                "WANRYO_WEBHOOK_SOURCES",
                "WANRYO_EVENT_TARGETS_PRIVATE",
                "WANRYO_ON_MISMATCH",
                "WANRYO_RETENTION_DAYS",
                "WANRYO_SUPPORT_URL",
                "WANRYO_SHOP_URL",
                "WANRYO_SHOP_COLOR",
                "WANRYO_SHOP_LOGO",
                "PORTONE_TIMEOUT_MS",
                "PORTONE_V1_API_URL",
                "PORTONE_V1_MERCHANT_CODE",
                "PORTONE_V1_API_SECRET",
                "PORTONE_V2_API_SECRET",
            ]
        );
    }

    #[test]
    fn short_and_empty_webhook_secrets_stop_the_start() {
        for secrets in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_pzQGE83cSIRKM4/WH5QY+g==,",
            "not base64!",
        ] {
            assert_eq!(
                variables(&[&format!("--portone-v2-webhook-secrets={secrets}")]),
                ["PORTONE_V2_WEBHOOK_SECRETS"],
                "{secrets:?}"
            );
        }
        assert!(settings(&["--portone-v2-webhook-secrets=whsec_pzQGE83cSIRKM4/WH5QY+g=="]).is_ok());
    }

    #[test]
    fn mistakes_never_repeat_a_secret() {
        let error = settings(&[
            "--portone-v1-api-secret=very-secret",
            "--portone-v2-webhook-secrets=whsec_hush",
            "--database-url=postgres://",
        ])
        .expect_err("wrong");

        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("very-secret") && !text.contains("hush"),
            "{text}"
        );
    }

    #[test]
    fn a_public_url_loses_its_slash() {
        assert_eq!(
            settings(&["--wanryo-public-url=https://pay.example.com/"])
                .expect("right")
                .public_url
                .as_deref(),
            Some("https://pay.example.com")
        );
    }
}
