//! Web origins: what a browser says about the page that sends a request, and which pages a key may be used from.
//!
//! An origin is scheme, host and port, nothing else (RFC 6454). It is parsed, brought to the one form browsers send
//! (lower-case ASCII, default port dropped) and compared whole; there is no match by prefix, suffix or pattern except the
//! four modes of [`OriginMatch`]. Only honest browsers are bound by this: a program can send any `Origin` it likes.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

mod pattern;
mod presented;

pub use pattern::{OriginMatch, OriginPattern};
pub use presented::{MissingOrigin, PresentedOrigin, judge};

/// The longest origin that is read, in bytes: scheme, `://`, a host of 253 bytes and a port.
pub const MAX_ORIGIN_LEN: usize = 300;
const MAX_SCHEME_LEN: usize = 32;
const MAX_HOST_LEN: usize = 253;
const MAX_LABEL_LEN: usize = 63;

/// A parsed origin in its normal form. Two are equal if scheme, host and port are.
///
/// ```
/// use tenantkit::origin::Origin;
///
/// let origin = Origin::parse("https://App.Example.com:443")?;
/// assert_eq!(origin.to_string(), "https://app.example.com");
/// # Ok::<(), tenantkit::origin::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin<'a> {
    scheme: Cow<'a, str>,
    /// A domain, an IPv4 address, or an IPv6 address in brackets.
    host: Cow<'a, str>,
    /// `None` is the scheme's own port.
    port: Option<u16>,
}

/// Why a text is not an origin, or not one that may be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOrigin {
    /// Empty or longer than [`MAX_ORIGIN_LEN`].
    #[error("an origin has 1 to 300 bytes")]
    Length,
    /// The text `null`, which browsers send for pages without an origin.
    #[error("`null` is the origin of any page that hides its own; name a host")]
    Null,
    /// Not `scheme://`.
    #[error("an origin starts with a scheme, such as `https://`")]
    Scheme,
    /// Something after host and port, even a slash.
    #[error("an origin ends after host and port; leave out path, query and fragment")]
    Path,
    /// A user name or password before the host.
    #[error("an origin has no user name; leave out what is before `@`")]
    UserInfo,
    /// Not a domain in ASCII, an IPv4 or an IPv6 address.
    #[error(
        "the host is not a domain in its ASCII form or an IP address; write it as a browser's `Origin` shows it"
    )]
    Host,
    /// Not 1 to 65535, or with leading zeros.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A `*` where none may stand.
    #[error("`*` may stand only for one whole first label, as in `https://*.example.com`")]
    Wildcard,
    /// Strangers could register names below it.
    #[error("everyone can get a name below this domain; a wildcard needs a domain of your own")]
    PublicSuffix,
    /// A form that the policy's mode does not have.
    #[error("the policy's `origin_match` does not allow this form of origin")]
    NotInMode,
    /// `*` for a kind that holds secret keys.
    #[error("a secret key can't be allowed on any origin")]
    AnyForSecret,
}

impl<'a> Origin<'a> {
    /// Reads an origin as browsers write it; capitals in scheme and host and the scheme's own port are normalised,
    /// nothing else is. Borrows where there is nothing to normalise.
    ///
    /// # Errors
    /// The text is anything else, or has more.
    pub fn parse(text: &'a str) -> Result<Self, InvalidOrigin> {
        let (scheme, host, port) = split(text)?;
        let host = parse_host(host)?;
        Ok(Self { scheme, host, port })
    }

    /// The scheme in lower case, without `://`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host in its normal form; an IPv6 address has its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, unless it is the scheme's own.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the page came from the user's own machine: `localhost`, a name below it, `127.0.0.0/8`, `[::1]`. Such a
    /// host needs no proof of ownership.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether the host is `domain` or a name below it. `domain` is in lower-case ASCII.
    #[must_use]
    pub fn is_within(&self, domain: &str) -> bool {
        is_within(&self.host, domain)
    }

    /// The same origin, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Origin<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Origin { scheme: owned(self.scheme), host: owned(self.host), port: self.port }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn is_loopback(host: &str) -> bool {
    is_within(host, "localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_within(host: &str, domain: &str) -> bool {
    let above = host.strip_suffix(domain);
    above.is_some_and(|labels| labels.is_empty() || labels.ends_with('.')) && !domain.is_empty()
}

/// Scheme, host as written, and port without the scheme's own.
fn split(text: &str) -> Result<(Cow<'_, str>, &str, Option<u16>), InvalidOrigin> {
    if text.is_empty() || text.len() > MAX_ORIGIN_LEN {
        return Err(InvalidOrigin::Length);
    }
    if text.eq_ignore_ascii_case("null") {
        return Err(InvalidOrigin::Null);
    }
    let (scheme, authority) = text.split_once("://").ok_or(InvalidOrigin::Scheme)?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.len() <= MAX_SCHEME_LEN
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme {
        return Err(InvalidOrigin::Scheme);
    }
    if authority.contains(['/', '\\', '?', '#']) {
        return Err(InvalidOrigin::Path);
    }
    if authority.contains('@') {
        return Err(InvalidOrigin::UserInfo);
    }
    // The colons of an IPv6 address are inside its brackets.
    let host_end = authority.rfind(']').map_or(0, |end| end + 1);
    let colon = authority.get(host_end..).and_then(|rest| rest.find(':')).map(|at| host_end + at);
    let (host, port) =
        authority.split_at_checked(colon.unwrap_or(authority.len())).unwrap_or((authority, ""));
    let port = port.strip_prefix(':').map(parse_port).transpose()?;
    let scheme = lower_case(scheme);
    let own_port = match &*scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    Ok((scheme, host, port.filter(|_| port != own_port)))
}

fn parse_port(digits: &str) -> Result<u16, InvalidOrigin> {
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_plain).ok_or(InvalidOrigin::Port)
}

/// The host in its normal form, if it is one that a browser could send in this form.
fn parse_host(text: &str) -> Result<Cow<'_, str>, InvalidOrigin> {
    if text.contains('*') {
        return Err(InvalidOrigin::Wildcard);
    }
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| InvalidOrigin::Host)?;
        return Ok(Cow::Owned(url::Host::<&str>::Ipv6(address).to_string()));
    }
    let is_label = |label: &str| {
        (1..=MAX_LABEL_LEN).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if text.len() > MAX_HOST_LEN || !text.split('.').all(is_label) {
        return Err(InvalidOrigin::Host);
    }
    let host = lower_case(text);
    let is_normal = if ends_in_number(&host) {
        // Browsers turn decimal, octal and hexadecimal forms into this one before they send anything.
        host.parse::<Ipv4Addr>().is_ok()
    } else {
        !host.split('.').any(|label| label.starts_with("xn--")) || is_canonical_idn(&host)
    };
    is_normal.then_some(host).ok_or(InvalidOrigin::Host)
}

/// Whether browsers take the host for an IPv4 address (WHATWG URL, "ends in a number").
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// Whether every `xn--` label decodes, and encodes to itself: otherwise it could stand for another, plain host.
fn is_canonical_idn(host: &str) -> bool {
    matches!(url::Host::parse(host), Ok(url::Host::Domain(normal)) if normal == host)
}

fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests;
