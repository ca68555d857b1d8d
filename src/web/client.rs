//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The peer of the TCP connection, put into every request by [`super::server`].
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The client's address: the peer, or what trusted proxies say of it.
///
/// `X-Forwarded-For` is read from the right, as each proxy appends: the first address that is no trusted proxy is the
/// client. What stands further left was sent by the client and means nothing.
/// `Forwarded`, `X-Real-IP` and their kin are not read at all: a proxy that does not know one of them hands on what the client
/// wrote into it.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let forwarded = headers
        .get_all("x-forwarded-for")
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for hop in hops.into_iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else {
            break;
        };
        client = address.to_canonical();
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
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

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header value"));
        }
        let trusted: Vec<IpNet> = trusted
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        client_address(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn strangers_cannot_choose_their_address() {
        assert_eq!(client("203.0.113.9", &["52.78.100.19"], &[]), "203.0.113.9");
        assert_eq!(
            client("203.0.113.9", &["52.78.100.19"], &["10.0.0.0/8"]),
            "203.0.113.9"
        );
    }

    #[test]
    fn trusted_proxies_are_believed_from_the_right() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(
            client("10.0.0.1", &["198.51.100.7"], &trusted),
            "198.51.100.7"
        );
        assert_eq!(
            client("10.0.0.1", &["52.78.100.19, 198.51.100.7"], &trusted),
            "198.51.100.7"
        );
        assert_eq!(
            client(
                "10.0.0.1",
                &["52.78.100.19", "198.51.100.7, 10.9.9.9"],
                &trusted
            ),
            "198.51.100.7"
        );
        assert_eq!(
            client("::ffff:10.0.0.1", &["198.51.100.7"], &trusted),
            "198.51.100.7"
        );
        assert_eq!(client("10.0.0.1", &["junk"], &trusted), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[], &trusted), "10.0.0.1");
    }
}
