//! Client addresses: in one form, from the right hop, against a list.
//!
//! The address of a client is that of its socket. Behind proxies it stands in a header that anyone may also send, so the
//! header is read only if the peer is a proxy the operator trusts, and from the right: each proxy appends the peer it
//! saw, and the rightmost address that is not a trusted proxy is the last one that somebody trusted vouches for.

use crate::headers::{HeaderName, Headers, MAX_HEADER_VALUE_LEN};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

mod network;

pub use network::{InvalidNetwork, MAX_NETWORKS, Network, NetworkList};

/// The one form of an address for compares: IPv4 mapped into IPv6 becomes IPv4.
#[must_use]
pub const fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What a limiter counts an address by: IPv4 as it is, IPv6 by its first 64 bits, since one client has all the rest.
#[must_use]
pub fn limiter_address(address: IpAddr) -> IpAddr {
    match canonical(address) {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// The header in which the proxies of a host name the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// A list of addresses, as in `X-Forwarded-For`; a header with one address is a list of one.
    List(HeaderName),
    /// `Forwarded` (RFC 7239), whose `for=` is read.
    Forwarded,
}

/// The proxies in front of a host, and where they name the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: NetworkList,
    header: ForwardedHeader,
    is_local_socket_trusted: bool,
}

impl TrustedProxies {
    /// Proxies in these networks, which write this one header. No other header is read.
    #[must_use]
    pub const fn new(networks: NetworkList, header: ForwardedHeader) -> Self {
        Self { networks, header, is_local_socket_trusted: false }
    }

    /// A peer without an address, on a Unix socket, is a trusted proxy as well.
    #[must_use]
    pub const fn with_local_socket(mut self) -> Self {
        self.is_local_socket_trusted = true;
        self
    }

    /// The client's address, in canonical form: the rightmost address over all lines of the header that is not a trusted
    /// proxy, if the peer is one; else, or if there is none, the peer's. `peer` is `None` on a Unix socket.
    ///
    /// `None` if it can't be told, because the entry that counts is not an address. Such a request is refused wherever a
    /// list of addresses is set.
    #[must_use]
    pub fn client_address(&self, peer: Option<IpAddr>, headers: Headers<'_>) -> Option<IpAddr> {
        let peer = peer.map(canonical);
        if !peer.map_or(self.is_local_socket_trusted, |peer| self.networks.contains(peer)) {
            return peer;
        }
        let name = match &self.header {
            ForwardedHeader::List(name) => name.as_str(),
            ForwardedHeader::Forwarded => "forwarded",
        };
        let mut client = peer;
        if headers.are_too_many() {
            return None;
        }
        for line in headers.values(name) {
            let text = std::str::from_utf8(line).ok().filter(|line| line.len() <= MAX_HEADER_VALUE_LEN)?;
            match &self.header {
                ForwardedHeader::List(_) => self.follow(&mut client, text.split(',').filter_map(list_entry)),
                ForwardedHeader::Forwarded if has_open_quote(text) => client = None,
                ForwardedHeader::Forwarded => self.follow(&mut client, Elements(text)),
            }
        }
        client
    }

    /// Keeps the last entry that is not a trusted proxy.
    fn follow(&self, client: &mut Option<IpAddr>, hops: impl Iterator<Item = Option<IpAddr>>) {
        for hop in hops {
            if !hop.is_some_and(|address| self.networks.contains(address)) {
                *client = hop;
            }
        }
    }
}

/// One entry of a list; `None` for an empty one, which lists may have, `Some(None)` for one that can't be read.
fn list_entry(text: &str) -> Option<Option<IpAddr>> {
    let text = trim(text);
    (!text.is_empty()).then(|| node(text))
}

/// Optional white space, as HTTP has it.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// An address, perhaps with a port; IPv6 with a port has brackets. No zone, no other spelling of a number.
fn node(text: &str) -> Option<IpAddr> {
    if text.contains('%') {
        return None;
    }
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(canonical)
}

/// The elements of one `Forwarded` line, each as the address in its `for=`, or `None` if it has no readable one.
struct Elements<'a>(&'a str);

impl Iterator for Elements<'_> {
    type Item = Option<IpAddr>;

    fn next(&mut self) -> Option<Option<IpAddr>> {
        loop {
            let (element, rest) = split_unquoted(self.0, ',')?;
            self.0 = rest;
            if !trim(element).is_empty() {
                return Some(for_value(element));
            }
        }
    }
}

/// Follows the quoted strings of a line, character by character.
#[derive(Default)]
struct Quotes {
    is_open: bool,
    is_escaped: bool,
}

impl Quotes {
    /// Whether `c` stands outside quotes.
    fn is_outside(&mut self, c: char) -> bool {
        let was_open = self.is_open;
        self.is_open ^= c == '"' && !self.is_escaped;
        self.is_escaped = c == '\\' && was_open && !self.is_escaped;
        !was_open
    }
}

/// Whether a quoted string is not closed. A client may open one so that what a proxy appends falls into it; such a line
/// is not read at all.
fn has_open_quote(line: &str) -> bool {
    let mut quotes = Quotes::default();
    line.chars().for_each(|c| _ = quotes.is_outside(c));
    quotes.is_open
}

/// The text before the first `separator` outside quotes, and the text after it; `None` at the end.
fn split_unquoted(text: &str, separator: char) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let mut quotes = Quotes::default();
    let end = text.find(|c| quotes.is_outside(c) && c == separator);
    match end.and_then(|end| text.split_at_checked(end)) {
        Some((before, after)) => Some((before, after.strip_prefix(separator).unwrap_or_default())),
        None => Some((text, "")),
    }
}

/// The address in the one `for=` of an element.
fn for_value(element: &str) -> Option<IpAddr> {
    let mut rest = element;
    let mut found = None;
    while let Some((pair, after)) = split_unquoted(rest, ';') {
        rest = after;
        let Some((name, value)) = pair.split_once('=') else { continue };
        if trim(name).eq_ignore_ascii_case("for") && found.replace(trim(value)).is_some() {
            return None;
        }
    }
    let value = found?;
    match value.strip_prefix('"') {
        Some(quoted) => node(quoted.strip_suffix('"')?),
        // Unquoted, a colon or a bracket is not allowed.
        None => node(value).filter(|_| !value.contains([':', '['])),
    }
}

#[cfg(test)]
mod tests;
