//! What the settings alone tell.

use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::Findings;
use crate::config::Settings;
use crate::domain::order::Mode;

/// Where PortOne posts webhooks from.
/// <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>
const PORTONE_SOURCES: [&str; 3] = ["52.78.100.19", "52.78.48.223", "52.78.5.241"];
/// PortOne's keys are far longer; what is shorter is a part of one, or a word that somebody made up.
const SECRET_CHARS_MIN: usize = 12;
/// A network with a shorter prefix than this is no proxy's, but half the world. Private networks may be as large as these.
const PROXY_PREFIX_MIN: (u8, u8) = (8, 32);
/// A call to PortOne may take as long as this when a gateway is slow.
const TIMEOUT_MS_MIN: u128 = 2_000;

pub(super) fn look(settings: &Settings, findings: &mut Findings) {
    generations(settings, findings);
    secrets(settings, findings);
    public_url(settings, findings);
    networks(settings, findings);
    if settings.portone_timeout.as_millis() < TIMEOUT_MS_MIN {
        findings.warning(
            "PORTONE_TIMEOUT_MS",
            "PortOne gets less than two seconds for an answer",
            "Set it to 10000, unless a slow gateway's payments may stay unconfirmed.",
        );
    }
    if settings.support_url.is_none() {
        findings.warning(
            "WANRYO_SUPPORT_URL",
            "buyers whose payment is held find nobody to ask",
            "Set it to your help page, a mailto: or a tel: address.",
        );
    }
}

fn generations(settings: &Settings, findings: &mut Findings) {
    match (&settings.v1, &settings.v2) {
        (None, None) => findings.error(
            "PORTONE",
            "no generation of PortOne is configured, so no order is taken",
            "Set PORTONE_V1_MERCHANT_CODE, PORTONE_V1_API_KEY and PORTONE_V1_API_SECRET, or PORTONE_V2_STORE_ID and PORTONE_V2_API_SECRET, from PortOne's console.",
        ),
        (_, Some(v2)) if v2.webhook_secrets.is_empty() => findings.error(
            "PORTONE_V2_WEBHOOK_SECRETS",
            "there is none, so every webhook of PortOne V2 is refused",
            "Copy the secret that PortOne's console shows beside the webhook's address (whsec_…).",
        ),
        _ => {}
    }
    if let Some(v1) = &settings.v1
        && !v1.merchant_code.starts_with("imp")
    {
        findings.error(
            "PORTONE_V1_MERCHANT_CODE",
            "it does not begin with imp, so PortOne's window will not open",
            "Copy the merchant code (가맹점 식별코드) from PortOne's console; it is neither the REST API key nor the store id.",
        );
    }
    if let Some(v2) = &settings.v2
        && !v2.store_id.starts_with("store-")
    {
        findings.error(
            "PORTONE_V2_STORE_ID",
            "it does not begin with store-, so PortOne's window will not open",
            "Copy the store id from PortOne's console.",
        );
    }
}

fn secrets(settings: &Settings, findings: &mut Findings) {
    let v1 = settings.v1.iter();
    let of_v1 = v1.map(|v1| ("PORTONE_V1_API_SECRET", &v1.api_secret));
    let v2 = settings.v2.iter();
    let of_v2 = v2.map(|v2| ("PORTONE_V2_API_SECRET", &v2.api_secret));
    for (variable, secret) in of_v1.chain(of_v2) {
        if let Some(wrong) = wrong_with(secret) {
            findings.error(
                variable,
                wrong,
                "Copy the whole secret from PortOne's console, without quotes and spaces.",
            );
        }
    }
}

fn wrong_with(secret: &SecretString) -> Option<&'static str> {
    let text = secret.expose_secret();
    if text.chars().count() < SECRET_CHARS_MIN {
        Some("it is too short to be PortOne's")
    } else if text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')) {
        Some("it has a space, a quote or a bracket in it, which PortOne's have not")
    } else {
        None
    }
}

fn public_url(settings: &Settings, findings: &mut Findings) {
    let Some(public) = settings.public_url.as_deref().and_then(parsed) else {
        findings.warning(
            "WANRYO_PUBLIC_URL",
            "it is not set, so pay pages and webhooks have the address that the server listens on",
            "Set it to the https address that buyers and PortOne reach the server by.",
        );
        return;
    };
    let apis = settings.v1.iter().map(|v1| &v1.api_url);
    let apis = apis.chain(settings.v2.iter().map(|v2| &v2.api_url));
    let is_real = apis.into_iter().any(|api| !is_near(api));
    match (public.scheme(), is_near(&public)) {
        (_, true) if is_real => findings.error(
            "WANRYO_PUBLIC_URL",
            "it names this machine or a private network, where neither buyers nor PortOne can come",
            "Set it to the https address that buyers and PortOne reach the server by.",
        ),
        ("http", false) => findings.error(
            "WANRYO_PUBLIC_URL",
            "it begins with http://: anybody between a buyer and the server can read and change the pages",
            "Put a proxy with TLS in front, and begin the address with https://.",
        ),
        ("https", _) => {
            let sdks = settings.v1.iter().map(|v1| ("PORTONE_V1_SDK_URL", &v1.sdk_url));
            let sdks = sdks.chain(settings.v2.iter().map(|v2| ("PORTONE_V2_SDK_URL", &v2.sdk_url)));
            for (variable, _) in sdks.filter(|(_, url)| url.scheme() == "http") {
                findings.error(
                    variable,
                    "it begins with http://, and browsers load no such script into an https page",
                    "Leave it out, or begin it with https://.",
                );
            }
            if settings.trusted_proxies.is_empty() {
                findings.warning(
                    "WANRYO_TRUSTED_PROXIES",
                    "the address is https, so a proxy stands in front, and none is trusted: all buyers look like one client",
                    "Set it to the proxy's own address, such as 127.0.0.1.",
                );
            }
        }
        _ => {}
    }
    if settings.mode == Mode::Live && settings.v1.iter().any(|v1| is_near(&v1.api_url)) {
        findings.warning(
            "WANRYO_MODE",
            "it is live, and PORTONE_V1_API_URL names no PortOne but something on this machine or network",
            "Leave PORTONE_V1_API_URL out for the real PortOne, or set the mode to test.",
        );
    }
}

fn networks(settings: &Settings, findings: &mut Findings) {
    if settings.trusted_proxies.iter().any(is_half_the_world) {
        findings.error(
            "WANRYO_TRUSTED_PROXIES",
            "it has a network that is no proxy's, so anybody may say to come from anywhere",
            "List the proxies' own addresses alone, such as 127.0.0.1 or 10.0.0.0/24.",
        );
    }
    if settings.metrics_sources.iter().any(is_half_the_world) {
        findings.warning(
            "WANRYO_METRICS_SOURCES",
            "anybody may read how much the shop sells",
            "List the networks of your monitoring alone.",
        );
    }
    let sources = &settings.webhook_sources;
    let missing: Vec<&str> = PORTONE_SOURCES
        .into_iter()
        .filter(|source| {
            let source: Option<IpAddr> = source.parse().ok();
            !source.is_some_and(|source| sources.iter().any(|network| network.contains(&source)))
        })
        .collect();
    if !sources.is_empty() && !missing.is_empty() {
        let of_portone = settings.v1.iter().any(|v1| !is_near(&v1.api_url));
        let found = format!(
            "PortOne posts from {} as well, which it does not have",
            missing.join(" and ")
        );
        let mend = "Add them, or leave the setting out: webhooks are never believed anyway.";
        // A sandbox posts from where it runs.
        if of_portone || missing.len() == PORTONE_SOURCES.len() {
            findings.error("WANRYO_WEBHOOK_SOURCES", found, mend);
        } else {
            findings.warning("WANRYO_WEBHOOK_SOURCES", found, mend);
        }
    }
}

fn is_half_the_world(network: &IpNet) -> bool {
    let (v4, v6) = PROXY_PREFIX_MIN;
    match network {
        IpNet::V4(network) => network.prefix_len() < v4,
        // All private networks of IPv6 together are fc00::/7.
        IpNet::V6(network) => network.prefix_len() < v6 && !network.network().is_unique_local(),
    }
}

fn parsed(text: &str) -> Option<Url> {
    Url::parse(text).ok()
}

/// Whether an address names this machine or a private network.
pub(super) fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unspecified(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_what_nobody_else_reaches() {
        let near = |text: &str| is_near(&Url::parse(text).expect(text));
        for text in [
            "http://127.0.0.1:3000",
            "http://localhost",
            "http://shop.localhost",
            "http://10.1.2.3",
            "http://192.168.0.2",
            "http://[::1]:3000",
            "http://[fd00::1]",
        ] {
            assert!(near(text), "{text}");
        }
        for text in [
            "https://pay.example.com",
            "https://203.0.113.7",
            "https://localhost.example.com",
            "https://[2001:db8::1]",
        ] {
            assert!(!near(text), "{text}");
        }
    }

    #[test]
    fn a_proxys_network_is_small() {
        let large = |text: &str| is_half_the_world(&text.parse().expect(text));
        for text in ["0.0.0.0/0", "128.0.0.0/1", "::/0", "2000::/3"] {
            assert!(large(text), "{text}");
        }
        for text in ["10.0.0.0/8", "127.0.0.1/32", "fc00::/7", "2001:db8::/32"] {
            assert!(!large(text), "{text}");
        }
    }
}
