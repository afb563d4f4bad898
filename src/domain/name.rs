//! Domain names in the one form they are stored and compared in.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The greatest length of a name in DNS, in bytes.
const MAX_NAME_LEN: usize = 253;
const MAX_LABEL_LEN: usize = 63;

/// A domain name of at least two labels: lower-case ASCII, international names in their `xn--` form, no final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct DomainName(Box<str>);

impl DomainName {
    /// Reads a name as people write it. Case and international letters are brought into the stored form; addresses,
    /// wildcards, ports, final dots and single labels are refused.
    ///
    /// # Errors
    /// Why the text names no domain that can be verified.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        // A name in Unicode can be longer than its DNS form, but not by more than this.
        if text.len() > 4 * MAX_NAME_LEN {
            return Err(DomainError::TooLong);
        }
        // The host parser decodes these before it looks at the name.
        if text.contains(['%', '*', '/', ':', '@']) {
            return Err(DomainError::Form);
        }
        let url::Host::Domain(name) = url::Host::parse(text).map_err(|_| DomainError::Form)? else {
            return Err(DomainError::Address);
        };
        if name.len() > MAX_NAME_LEN {
            return Err(DomainError::TooLong);
        }
        if !name.split('.').all(is_label) {
            return Err(DomainError::Form);
        }
        if !name.contains('.') || is_local_host(&name) {
            return Err(DomainError::Local);
        }
        Ok(Self(name.into()))
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `host`, in the same form, is this name or lies below it.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        host.strip_suffix(self.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// Whether `host` is the machine itself: `localhost`, a name below it, or a loopback address, with or without the
/// brackets of IPv6. Such hosts count as verified.
#[must_use]
pub fn is_local_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

/// Why a text names no domain that can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// It is not a host name.
    #[error(
        "a domain is a host name such as `example.com`, without scheme, port, path, wildcard or final dot"
    )]
    Form,
    /// It is longer than a name in DNS can be.
    #[error("a domain has at most {MAX_NAME_LEN} bytes")]
    TooLong,
    /// It is an address.
    #[error("an address cannot be verified; give a host name")]
    Address,
    /// It has one label only, or is the local machine, which counts as verified anyway.
    #[error("a domain has at least two labels; local hosts need no verification")]
    Local,
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<Box<str>> for DomainName {
    type Error = DomainError;

    fn try_from(text: Box<str>) -> Result<Self, DomainError> {
        Self::parse(&text)
    }
}

impl From<DomainName> for Box<str> {
    fn from(name: DomainName) -> Self {
        name.0
    }
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_LEN).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_into_one_form_or_refused() {
        use DomainError::{Address, Form, Local, TooLong};
        let label = "a".repeat(63);
        let longest = [&*label, &*label, &*label, &"b".repeat(61)].join(".");
        let cases: [(&str, Result<&str, DomainError>); 28] = [
            ("example.com", Ok("example.com")),
            ("Example.COM", Ok("example.com")),
            ("a.b-c.example", Ok("a.b-c.example")),
            ("münchen.example", Ok("xn--mnchen-3ya.example")),
            ("xn--mnchen-3ya.example", Ok("xn--mnchen-3ya.example")),
            (&longest, Ok(&longest)),
            (&format!("{longest}x"), Err(TooLong)),
            (&format!("{label}a.example"), Err(Form)),
            (&"x".repeat(4_000), Err(TooLong)),
            ("", Err(Form)),
            ("example", Err(Local)),
            ("localhost", Err(Local)),
            ("app.localhost", Err(Local)),
            ("example.com.", Err(Form)),
            (".example.com", Err(Form)),
            ("a..b", Err(Form)),
            ("*.example.com", Err(Form)),
            ("exa%6dple.com", Err(Form)),
            ("https://example.com", Err(Form)),
            ("example.com:443", Err(Form)),
            ("example.com/", Err(Form)),
            ("user@example.com", Err(Form)),
            ("under_score.example", Err(Form)),
            ("-a.example", Err(Form)),
            ("a b.example", Err(Form)),
            ("192.0.2.1", Err(Address)),
            ("2130706433", Err(Address)),
            ("xn--a.example", Err(Form)),
        ];
        for (text, expected) in cases {
            let found = DomainName::parse(text);
            assert_eq!(found.as_ref().map(DomainName::as_str), expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn a_domain_covers_itself_and_what_lies_below_it() {
        let domain = DomainName::parse("example.com").unwrap();
        for (host, covered) in [
            ("example.com", true),
            ("app.example.com", true),
            ("a.b.example.com", true),
            ("evilexample.com", false),
            ("example.com.evil.net", false),
            ("com", false),
            ("example.org", false),
            ("", false),
            ("Example.com", false),
        ] {
            assert_eq!(domain.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn only_the_machine_itself_is_local() {
        for (host, local) in [
            ("localhost", true),
            ("app.localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("::1", true),
            ("localhost.example.com", false),
            ("notlocalhost", false),
            ("128.0.0.1", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("[::2]", false),
            ("127.0.0.1.example.com", false),
            ("", false),
        ] {
            assert_eq!(is_local_host(host), local, "{host}");
        }
    }
}
