//! Networks in CIDR notation, and lists of them.

use super::canonical;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The most networks in one list.
pub const MAX_NETWORKS: usize = 1_000;

/// A network in CIDR notation, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNetwork {
    /// Not an IPv4 or IPv6 address in its plain form.
    #[error(
        "`{0}` does not start with an IP address; write `192.0.2.0/24`, `2001:db8::/32` or a single address"
    )]
    Address(String),
    /// Not a number up to 32 or 128.
    #[error("the prefix length of `{0}` is not a number from 0 to 32 for IPv4, or to 128 for IPv6")]
    PrefixLength(String),
    /// Bits set after the prefix: either the address or the length is a mistake.
    #[error("`{text}` has bits set after its prefix; write `{network}` or another length")]
    HostBits {
        /// What was written.
        text: String,
        /// The network of that length.
        network: Network,
    },
    /// IPv4 written as IPv6, which addresses are never compared as.
    #[error("`{0}` is an IPv4 network written as IPv6; write it as IPv4")]
    Mapped(String),
    /// Too many networks.
    #[error("a list has at most 1000 networks, not {0}")]
    Count(usize),
}

impl Network {
    /// Whether the address, in whatever form, lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&canonical(address))
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        // Nothing longer is a network; error texts stay short.
        let echo = || text.chars().take(64).collect::<String>();
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork::Address(echo()))?;
        let length = match length {
            None => {
                if address.is_ipv4() {
                    32
                } else {
                    128
                }
            }
            Some(digits) if digits.starts_with('0') && digits != "0" => 255,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().unwrap_or(255),
            Some(_) => 255,
        };
        let net = IpNet::new(address, length).map_err(|_| InvalidNetwork::PrefixLength(echo()))?;
        if canonical(address) != address && length >= 96 {
            return Err(InvalidNetwork::Mapped(echo()));
        }
        if net.trunc() != net {
            return Err(InvalidNetwork::HostBits { text: echo(), network: Self(net.trunc()) });
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Network {
    /// CIDR notation, also for a single address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Networks, of which one is enough. An empty list has no address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkList(Box<[Network]>);

impl NetworkList {
    /// Reads a list.
    ///
    /// # Errors
    /// The first text that is no network, or more than [`MAX_NETWORKS`].
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, InvalidNetwork> {
        let networks: Result<Box<[_]>, _> = texts.into_iter().map(|text| text.as_ref().parse()).collect();
        let networks = networks?;
        if networks.len() > MAX_NETWORKS {
            return Err(InvalidNetwork::Count(networks.len()));
        }
        Ok(Self(networks))
    }

    /// Whether the address, in whatever form, lies in one of the networks.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether a request from `client` passes. An address that can't be told does not.
    #[must_use]
    pub fn allows(&self, client: Option<IpAddr>) -> bool {
        client.is_some_and(|address| self.contains(address))
    }

    /// The networks, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Network> {
        self.0.iter()
    }
}
