//! What PortOne answers, and what the world finds at our own address.

use http::StatusCode;
use http::header::{DATE, LOCATION};
use jiff::{SignedDuration, Timestamp};
use portone::webhook::Signer;
use secrecy::ExposeSecret;
use serde_json::json;
use url::Url;

use super::Findings;
use crate::compose;
use crate::config::Settings;
use crate::domain::order::{Mode, Portone};
use crate::domain::sweep::Listing;
use crate::ports::clock::Clock;
use crate::ports::gateway::{Gateway, GatewayError, Page};
use crate::web::router::{HEALTH_PATH, WEBHOOK_PATH};

/// PortOne V2's webhooks are refused when they are five minutes old: a clock that is off by a part of that is on its way there.
const CLOCK_OFF_MAX: SignedDuration = SignedDuration::from_secs(60);
/// How far back payments are looked at, to see what kind of money they are.
const LATEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What PortOne's console posts as a test of V1's webhooks.
const TEST_CALL: (&str, &str) = ("imp_1234567890", "merchant_1234567890");

const CLOCK: &str = "clock";
const PUBLIC_URL: &str = "WANRYO_PUBLIC_URL";

pub(super) async fn look_at_portone(
    settings: &Settings,
    client: &reqwest::Client,
    clock: &dyn Clock,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let gateway = compose::gateway(settings)?;
    let v1 = settings.v1.as_ref().map(|v1| (Portone::V1, &v1.api_url));
    let v2 = settings.v2.as_ref().map(|v2| (Portone::V2, &v2.api_url));
    for (portone, api_url) in v1.into_iter().chain(v2) {
        if !answers(portone, api_url, client, clock, findings).await {
            continue;
        }
        let now = clock.now();
        let from = now.checked_sub(LATEST).unwrap_or(now);
        let listed = gateway.list(portone, Listing::Paid, from, now, 0).await;
        match listed {
            Ok(page) => {
                findings.good(keys(portone), "PortOne takes the keys");
                kind_of_money(settings.mode, portone, &page, findings);
            }
            Err(error) => refused(portone, error, findings),
        }
    }
    Ok(())
}

/// Whether PortOne can be reached at all, and what time it is there.
async fn answers(
    portone: Portone,
    api_url: &Url,
    client: &reqwest::Client,
    clock: &dyn Clock,
    findings: &mut Findings,
) -> bool {
    let about = match portone {
        Portone::V1 => "PORTONE_V1_API_URL",
        Portone::V2 => "PORTONE_V2_API_URL",
    };
    let answer = match client.get(api_url.clone()).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = anyhow::Error::new(error.without_url());
            findings.error(
                about,
                format!("PortOne cannot be reached: {error:#}"),
                "Leave the setting out for the real PortOne, and let this machine open https connections to it.",
            );
            return false;
        }
    };
    let there = answer.headers().get(DATE);
    let there = there.and_then(|date| date.to_str().ok()).and_then(|date| {
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(date)
            .ok()
    });
    if let Some(there) = there {
        compare_clocks(clock.now(), there, findings);
    }
    true
}

fn compare_clocks(here: Timestamp, there: Timestamp, findings: &mut Findings) {
    let off = here.duration_since(there);
    if off.abs() > CLOCK_OFF_MAX {
        let seconds = off.abs().as_secs();
        let way = if off.is_positive() {
            "ahead of"
        } else {
            "behind"
        };
        findings.error(
            CLOCK,
            format!("this machine's clock is {seconds} s {way} PortOne's"),
            "Let the machine keep time by NTP (timedatectl set-ntp true): deadlines, and the signatures of webhooks, depend on it.",
        );
    } else {
        findings.good(CLOCK, "it agrees with PortOne's");
    }
}

const fn keys(portone: Portone) -> &'static str {
    match portone {
        Portone::V1 => "PORTONE_V1_API_KEY",
        Portone::V2 => "PORTONE_V2_API_SECRET",
    }
}

fn refused(portone: Portone, error: GatewayError, findings: &mut Findings) {
    let found = match error {
        GatewayError::Unauthorized => "PortOne does not take the keys",
        GatewayError::Unavailable => "PortOne did not answer the call",
        GatewayError::Garbled => "what answers there does not answer as PortOne does",
        GatewayError::Refused | GatewayError::AlreadyPaid | GatewayError::NotConfigured => {
            "PortOne refused the call"
        }
    };
    let mend = match (portone, error) {
        (_, GatewayError::Unavailable | GatewayError::Garbled) => {
            "Check the address of the API, and what stands between here and PortOne; then try again."
        }
        (Portone::V1, _) => {
            "Copy PORTONE_V1_API_KEY and PORTONE_V1_API_SECRET (REST API key and secret) from PortOne's console once more."
        }
        (Portone::V2, _) => {
            "Copy PORTONE_V2_API_SECRET from PortOne's console once more, and PORTONE_V2_STORE_ID of the same store."
        }
    };
    findings.error(keys(portone), found, mend);
}

/// Whether the money of the latest payments is of the kind that the server is for.
fn kind_of_money(mode: Mode, portone: Portone, page: &Page, findings: &mut Findings) {
    let kinds: Vec<bool> = page
        .records
        .iter()
        .filter_map(|record| record.test)
        .collect();
    let is_wrong = match mode {
        Mode::Live => !kinds.is_empty() && kinds.iter().all(|test| *test),
        Mode::Test => kinds.iter().any(|test| !test),
    };
    let (found, mend) = match mode {
        Mode::Live => (
            "the mode is live, and all of the latest payments were made through test channels, which a live server holds",
            "Set it to test while you try things out, or use the live channels.",
        ),
        Mode::Test => (
            "the mode is test, and among the latest payments is live money: this server would take test money for it",
            "Set it to live.",
        ),
    };
    if is_wrong {
        let portone = portone.as_str();
        findings.warning("WANRYO_MODE", format!("{found} ({portone})"), mend);
    }
}

pub(super) async fn look_at_ourselves(
    settings: &Settings,
    client: &reqwest::Client,
    clock: &dyn Clock,
    findings: &mut Findings,
) {
    let public_url = settings
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", settings.addr));
    let health = client
        .get(format!("{public_url}{HEALTH_PATH}"))
        .send()
        .await;
    let answer = match health {
        Ok(answer) => answer,
        Err(error) => {
            let error = anyhow::Error::new(error.without_url());
            findings.error(
                PUBLIC_URL,
                format!("nothing answers at {public_url}: {error:#}"),
                "Start the server, and let its proxy and firewall pass what comes to this address; then run wanryo doctor again.",
            );
            return;
        }
    };
    let status = answer.status();
    let is_ours = status == StatusCode::OK && answer.text().await.is_ok_and(|text| text == "ok\n");
    if !is_ours {
        findings.error(
            PUBLIC_URL,
            format!("what answers at {public_url} is not this server ({status} at {HEALTH_PATH})"),
            "Set it to the address that leads to this server, or let the proxy there pass every path on.",
        );
        return;
    }
    findings.good(PUBLIC_URL, "this server answers there");
    let address = format!("{public_url}{WEBHOOK_PATH}");
    if settings.v1.is_some() {
        let (imp_uid, merchant_uid) = TEST_CALL;
        let body = json!({ "imp_uid": imp_uid, "merchant_uid": merchant_uid, "status": "paid" });
        post(client.post(&address).json(&body), Portone::V1, findings).await;
    }
    let secrets = settings.v2.iter().flat_map(|v2| &v2.webhook_secrets);
    for secret in secrets {
        // About no payment: the server verifies it, acknowledges it and keeps nothing.
        let body =
            json!({ "type": "Wanryo.Doctor", "timestamp": clock.now(), "data": {} }).to_string();
        let signer = match Signer::new([secret.expose_secret()]) {
            Ok(signer) => signer,
            Err(error) => {
                let found = format!("nothing can be signed with one of them: {error}");
                let mend = "Copy the secret from PortOne's console once more.";
                findings.error("PORTONE_V2_WEBHOOK_SECRETS", found, mend);
                continue;
            }
        };
        let headers = signer.sign("wanryo-doctor", clock.now().as_second(), body.as_bytes());
        let mut request = client
            .post(&address)
            .header("content-type", "application/json");
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        post(request.body(body), Portone::V2, findings).await;
    }
}

/// Posts a webhook as PortOne would, and reads the answer.
async fn post(request: reqwest::RequestBuilder, portone: Portone, findings: &mut Findings) {
    let about = "webhook";
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = anyhow::Error::new(error.without_url());
            let mend = "Let the proxy pass POST requests to /payments/webhook on.";
            findings.error(about, format!("its test call broke: {error:#}"), mend);
            return;
        }
    };
    let status = answer.status();
    let is_moved = answer.headers().contains_key(LOCATION);
    let generation = match portone {
        Portone::V1 => "V1",
        Portone::V2 => "V2",
    };
    match (status, portone) {
        (StatusCode::OK, _) => {
            findings.good(about, format!("a test call of {generation} was taken"));
        }
        (StatusCode::FORBIDDEN, Portone::V1) => findings.warning(
            "WANRYO_WEBHOOK_SOURCES",
            "the test call was refused, as this machine is not among the networks",
            "That is as it should be when PortOne's networks are; it cannot be tried from here.",
        ),
        (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, Portone::V2) => findings
            .error(
                "PORTONE_V2_WEBHOOK_SECRETS",
                "the running server does not take a webhook that is signed with one of them",
                "Start the server anew with the same settings as wanryo doctor; if a proxy changes bodies or headers, stop it from that.",
            ),
        _ if is_moved => findings.error(
            about,
            format!("the test call of {generation} was sent elsewhere ({status}), and PortOne does not follow"),
            "Set WANRYO_PUBLIC_URL, and the webhook's address in PortOne's console, to the address that it was sent to.",
        ),
        _ => findings.error(
            about,
            format!("the test call of {generation} was answered with {status}"),
            "Look into the server's log and the proxy's; PortOne needs a 200.",
        ),
    }
}
