//! Where events may be sent to.
//!
//! Whoever may name an endpoint makes this server call it, from inside its network. So an address is looked at three times:
//! as it is written, once it is parsed (an HTTP client asks nobody about an IP address, and there are a thousand spellings of
//! one); each address that its name stands for, when it is looked up, and those very addresses are connected to; and the
//! address that answered. Redirects are not followed.
//! <https://www.iana.org/assignments/iana-ipv4-special-registry/>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry/>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use thiserror::Error;
use url::{Host, Url};

use super::order::Mode;

/// Longest address of an endpoint.
pub const URL_BYTES_MAX: usize = 2048;

/// Why nothing may be sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetRefused {
    /// It is no address.
    #[error("it is no http or https address")]
    Malformed,
    /// It has a name or a password in it: an address is shown to people, and those are for nobody.
    #[error("it has a user name or a password in it")]
    Credentials,
    /// It is not encrypted, and this server handles real money.
    #[error("it is not https")]
    Insecure,
    /// It leads into a private network or to this machine.
    #[error("it leads to an address that is not public")]
    NotPublic,
}

/// Where events may be sent to.
#[derive(Debug, Clone)]
pub struct TargetPolicy {
    /// With test money, this machine may be called, and without TLS: a shop is being developed.
    pub mode: Mode,
    /// Networks that are not public and may be called all the same, without TLS, too.
    pub private: Vec<IpNet>,
}

impl TargetPolicy {
    /// Reads an address as far as it can be judged without asking anybody what its name stands for.
    ///
    /// # Errors
    /// [`TargetRefused`] says why nothing may be sent to it.
    pub fn parse(&self, text: &str) -> Result<Url, TargetRefused> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetRefused::Malformed);
        }
        let url = Url::parse(text).map_err(|_| TargetRefused::Malformed)?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(TargetRefused::Malformed),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetRefused::Credentials);
        }
        match url.host() {
            None => return Err(TargetRefused::Malformed),
            Some(Host::Ipv4(ip)) => self.judge(encrypted, ip.into())?,
            Some(Host::Ipv6(ip)) => self.judge(encrypted, ip.into())?,
            Some(Host::Domain(name)) => self.judge_name(encrypted, name)?,
        }
        Ok(url)
    }

    /// Whether an address may be connected to.
    #[must_use]
    pub fn allows(&self, encrypted: bool, ip: IpAddr) -> bool {
        self.judge(encrypted, ip).is_ok()
    }

    fn judge(&self, encrypted: bool, ip: IpAddr) -> Result<(), TargetRefused> {
        let ip = ip.to_canonical();
        let is_listed = self.private.iter().any(|network| network.contains(&ip));
        let is_testing = self.mode == Mode::Test && ip.is_loopback();
        if is_listed || is_testing {
            return Ok(());
        }
        if !is_public(ip) {
            return Err(TargetRefused::NotPublic);
        }
        if encrypted || self.mode == Mode::Test {
            Ok(())
        } else {
            Err(TargetRefused::Insecure)
        }
    }

    /// Names that stand for this machine or a network of one's own everywhere. What any other stands for is seen when it is
    /// looked up.
    fn judge_name(&self, encrypted: bool, name: &str) -> Result<(), TargetRefused> {
        if name.ends_with('.') {
            return Err(TargetRefused::NotPublic);
        }
        let (rest, last) = name.rsplit_once('.').unwrap_or(("", name));
        if last == "localhost" {
            return self.judge(encrypted, Ipv4Addr::LOCALHOST.into());
        }
        let is_local = rest.is_empty()
            || matches!(
                last,
                "local" | "internal" | "lan" | "home" | "corp" | "arpa" | "onion"
            );
        if self.private.is_empty() && is_local {
            return Err(TargetRefused::NotPublic);
        }
        if encrypted || self.mode == Mode::Test || !self.private.is_empty() {
            Ok(())
        } else {
            Err(TargetRefused::Insecure)
        }
    }
}

/// Whether an address is anybody's on the public network. What is not surely so is not.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, d] = ip.octets();
    !matches!(
        (a, b, c, d),
        // This network; private; shared by a carrier's customers (100.64/10); this machine; link-local, with the metadata of clouds.
        (0 | 10 | 127, ..) | (100, 64..=127, ..) | (169, 254, ..)
        | (172, 16..=31, ..) | (192, 168, ..)
        // IETF's own; documentation; 6to4 relays; benchmarks.
        | (192, 0, 0 | 2, _) | (192, 88, 99, _) | (198, 18 | 19, ..) | (198, 51, 100, _) | (203, 0, 113, _)
        // Azure's own services, on a public address inside its networks only.
        | (168, 63, 129, 16)
        // Multicast, reserved, broadcast.
        | (224..=255, ..)
    )
}

/// Of all of IPv6 only 2000::/3 was given out, and of that not what carries an IPv4 address or means something special. Mapped
/// addresses were made IPv4's before.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let is_given_out = (0x2000..=0x3fff).contains(&a);
    // Teredo, ORCHID and others (2001::/23); documentation (2001:db8::/32, 3fff::/20); 6to4 (2002::/16).
    let is_special = matches!(
        (a, b),
        (0x2001, 0..0x0200 | 0x0db8) | (0x2002, _) | (0x3fff, 0..0x1000)
    );
    is_given_out && !is_special
}

#[cfg(test)]
mod tests;
