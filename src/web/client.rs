//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The peer of the TCP connection, put into every request by [`super::server`].
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The client's address: the peer, or what trusted proxies say of it.
///
/// `X-Forwarded-For` is read from the right, as each proxy appends: the first address that is no trusted proxy is the
/// client. What stands further left was sent by the client and means nothing.
/// `Forwarded`, `X-Real-IP` and their kin are not read at all: a proxy that does not know one of them hands on what the client
/// wrote into it. [`forwarded_host`] and [`forwarded_https`] are all else that is.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    // Hop by hop, not line by line: a byte that is no text is in what the client sent, and a proxy appends to its line.
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        let Some(address) = str::from_utf8(hop).ok().and_then(|hop| address(hop.trim())) else {
            break;
        };
        client = address.to_canonical();
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
}

/// The host that the browser asked for, when a trusted proxy asks for another one: the last that `X-Forwarded-Host` names.
#[must_use]
pub fn forwarded_host(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<HeaderValue> {
    let host = last_forwarded("x-forwarded-host", peer, headers, trusted)?;
    let authority: Authority = host.parse().ok()?;
    // A name of a user before the host would be read as part of it by some, and not by others.
    let is_host = !authority.as_str().contains('@');
    is_host
        .then(|| HeaderValue::from_str(authority.as_str()).ok())
        .flatten()
}

/// Whether a trusted proxy says that the browser came by HTTPS: the last that `X-Forwarded-Proto` names.
#[must_use]
pub fn forwarded_https(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    last_forwarded("x-forwarded-proto", peer, headers, trusted)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

/// What the proxy that we talk to wrote: it appends, or replaces what came.
fn last_forwarded<'h>(
    name: &str,
    peer: IpAddr,
    headers: &'h HeaderMap,
    trusted: &[IpNet],
) -> Option<&'h str> {
    if !is_trusted(peer, trusted) {
        return None;
    }
    let line = headers.get_all(name).into_iter().next_back()?;
    let last = line.as_bytes().rsplit(|byte| *byte == b',').next()?;
    str::from_utf8(last).ok().map(str::trim)
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let with_port = hop.parse::<SocketAddr>().map(|found| found.ip());
    with_port.or_else(|_| bare.unwrap_or(hop).parse()).ok()
}

/// Whether an address is a proxy's whose forwarding headers are believed.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_host_and_scheme_are_the_last_that_a_trusted_proxy_names() {
        let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
        let (proxy, anybody): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "198.51.100.7".parse().unwrap());
        let host = |peer, values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-host", value.parse().unwrap());
            }
            forwarded_host(peer, &headers, &trusted)
        };
        let known = |name: &'static str| Some(HeaderValue::from_static(name));

        assert_eq!(host(proxy, &["pay.example"]), known("pay.example"));
        assert_eq!(
            host(proxy, &["pay.example:8443"]),
            known("pay.example:8443")
        );
        assert_eq!(
            host(proxy, &["forged.example, pay.example"]),
            known("pay.example")
        );
        assert_eq!(
            host(proxy, &["forged.example", "pay.example"]),
            known("pay.example")
        );
        assert_eq!(host(anybody, &["pay.example"]), None);
        for none in [
            "",
            " ",
            "pay.example,",
            "user@pay.example",
            "pay.example/x",
            "a b",
        ] {
            assert_eq!(host(proxy, &[none]), None, "{none:?}");
        }

        let https = |peer, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-proto", value.parse().unwrap());
            forwarded_https(peer, &headers, &trusted)
        };
        assert!(https(proxy, "https"));
        assert!(https(proxy, "http, HTTPS"));
        assert!(!https(proxy, "https, http"));
        assert!(!https(proxy, ""));
        assert!(!https(anybody, "https"));
    }

    /// What the shape is, its headers, and who the client is then.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

    /// Forty-two ways to say who one is; the client that a trusted proxy's word makes of each. An untrusted peer is itself.
    #[test]
    fn only_trusted_proxies_are_believed_and_only_from_the_right() {
        let (me, proxy, far) = ("198.51.100.7", "10.0.0.1", "10.9.9.9");
        let long = vec!["192.0.2.1"; 500].join(", ");
        let table: [Case<'_>; 42] = [
            ("nothing", &[], proxy),
            ("one", &[("x-forwarded-for", me)], me),
            (
                "forged before",
                &[("x-forwarded-for", "52.78.100.19, 198.51.100.7")],
                me,
            ),
            (
                "no space",
                &[("x-forwarded-for", "52.78.100.19,198.51.100.7")],
                me,
            ),
            (
                "many spaces",
                &[("x-forwarded-for", "52.78.100.19 ,   198.51.100.7  ")],
                me,
            ),
            (
                "tabs",
                &[("x-forwarded-for", "52.78.100.19,\t198.51.100.7")],
                me,
            ),
            (
                "through two proxies",
                &[("x-forwarded-for", "198.51.100.7, 10.9.9.9")],
                me,
            ),
            (
                "forged, through two",
                &[("x-forwarded-for", "52.78.100.19, 198.51.100.7, 10.9.9.9")],
                me,
            ),
            (
                "two headers",
                &[("x-forwarded-for", "52.78.100.19"), ("x-forwarded-for", me)],
                me,
            ),
            (
                "two headers, two proxies",
                &[
                    ("x-forwarded-for", "52.78.100.19"),
                    ("x-forwarded-for", "198.51.100.7, 10.9.9.9"),
                ],
                me,
            ),
            (
                "three headers",
                &[
                    ("x-forwarded-for", "1.2.3.4"),
                    ("x-forwarded-for", "52.78.100.19"),
                    ("x-forwarded-for", me),
                ],
                me,
            ),
            (
                "proxies alone",
                &[("x-forwarded-for", "10.9.9.9, 10.8.8.8")],
                far,
            ),
            ("itself", &[("x-forwarded-for", proxy)], proxy),
            (
                "with a port",
                &[("x-forwarded-for", "198.51.100.7:4711")],
                me,
            ),
            (
                "forged, with a port",
                &[("x-forwarded-for", "52.78.100.19, 198.51.100.7:4711")],
                me,
            ),
            (
                "proxy with a port",
                &[("x-forwarded-for", "198.51.100.7, 10.9.9.9:80")],
                me,
            ),
            ("v6", &[("x-forwarded-for", "2001:db8::7")], "2001:db8::7"),
            (
                "v6 in brackets",
                &[("x-forwarded-for", "[2001:db8::7]")],
                "2001:db8::7",
            ),
            (
                "v6 with a port",
                &[("x-forwarded-for", "[2001:db8::7]:4711")],
                "2001:db8::7",
            ),
            (
                "v6 in capitals",
                &[("x-forwarded-for", "2001:DB8::7")],
                "2001:db8::7",
            ),
            (
                "v4 in v6",
                &[("x-forwarded-for", "::ffff:198.51.100.7")],
                me,
            ),
            (
                "a proxy as v4 in v6",
                &[("x-forwarded-for", "198.51.100.7, ::ffff:10.9.9.9")],
                me,
            ),
            ("empty", &[("x-forwarded-for", "")], proxy),
            (
                "empty, then one",
                &[("x-forwarded-for", ""), ("x-forwarded-for", me)],
                me,
            ),
            (
                "one, then empty",
                &[("x-forwarded-for", me), ("x-forwarded-for", "")],
                proxy,
            ),
            ("a comma", &[("x-forwarded-for", ",")], proxy),
            (
                "comma at the end",
                &[("x-forwarded-for", "198.51.100.7,")],
                proxy,
            ),
            (
                "comma at the start",
                &[("x-forwarded-for", ",198.51.100.7")],
                me,
            ),
            ("junk", &[("x-forwarded-for", "unknown")], proxy),
            (
                "junk before",
                &[("x-forwarded-for", "unknown, 198.51.100.7")],
                me,
            ),
            (
                "junk after",
                &[("x-forwarded-for", "198.51.100.7, _hidden")],
                proxy,
            ),
            ("a name", &[("x-forwarded-for", "portone.io")], proxy),
            ("octal", &[("x-forwarded-for", "0306.063.0144.07")], proxy),
            ("a number", &[("x-forwarded-for", "3325256711")], proxy),
            (
                "a network",
                &[("x-forwarded-for", "198.51.100.0/24")],
                proxy,
            ),
            ("no text", &[("x-forwarded-for", "\u{80}")], proxy),
            (
                "no text before",
                &[("x-forwarded-for", "\u{80}, 198.51.100.7")],
                me,
            ),
            (
                "forged, and a line with no text before",
                &[
                    ("x-forwarded-for", "52.78.100.19"),
                    ("x-forwarded-for", "\u{80},198.51.100.7"),
                ],
                me,
            ),
            ("Forwarded", &[("forwarded", "for=198.51.100.7")], proxy),
            ("X-Real-IP", &[("x-real-ip", me)], proxy),
            (
                "X-Real-IP against it",
                &[("x-real-ip", "52.78.100.19"), ("x-forwarded-for", me)],
                me,
            ),
            (
                "five hundred",
                &[("x-forwarded-for", &long), ("x-forwarded-for", me)],
                me,
            ),
        ];
        for (name, given, client) in table {
            let mut headers = HeaderMap::new();
            for (header, value) in given {
                let header = http::HeaderName::try_from(*header).expect("a name");
                headers.append(
                    header,
                    HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
                );
            }
            let trusted = ["10.0.0.0/8".parse().expect("a network")];
            let found = |peer: &str| {
                let peer = peer.parse().expect("an address");
                client_address(peer, &headers, &trusted).to_string()
            };
            assert_eq!(found(proxy), client, "{name}");
            assert_eq!(found("::ffff:10.0.0.1"), client, "{name}");
            for stranger in ["203.0.113.9", "2001:db8::9", "11.0.0.1"] {
                assert_eq!(found(stranger), stranger, "{name}");
            }
        }
    }
}
