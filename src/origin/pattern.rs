//! The origins a key may be used from, as its owner enters them.

use super::{InvalidOrigin, Origin, parse_host, split};
use std::fmt;
use std::net::Ipv4Addr;

/// How much an entered origin may stand for (row A-16). Each mode also has the forms of the ones before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OriginMatch {
    /// `https://app.example.com`: this scheme, host and port.
    #[default]
    Exact,
    /// `https://*.example.com`: any one label below the domain, same scheme and port.
    Subdomain,
    /// `app.example.com`: this host with any scheme and port.
    Host,
    /// `*`: any origin.
    Any,
}

/// An allowed origin of a key, or a set of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginPattern(Form);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Form {
    Exact(Origin<'static>),
    /// The host is the domain below which one label is free.
    Subdomain(Origin<'static>),
    Host(Box<str>),
    Any,
}

impl OriginPattern {
    /// Reads what an owner entered, for a policy with this mode.
    ///
    /// # Errors
    /// No origin, a form that the mode does not have, or a wildcard over a domain below which anyone can get a name.
    pub fn enter(text: &str, mode: OriginMatch) -> Result<Self, InvalidOrigin> {
        let pattern = Self::from_stored(text)?;
        let needed = match &pattern.0 {
            Form::Exact(_) => OriginMatch::Exact,
            Form::Subdomain(_) => OriginMatch::Subdomain,
            Form::Host(_) => OriginMatch::Host,
            Form::Any => OriginMatch::Any,
        };
        match &pattern.0 {
            // What was meant to be exact is named by what is wrong with it.
            Form::Subdomain(_) | Form::Any if mode < needed => Err(InvalidOrigin::Wildcard),
            Form::Host(_) if mode == OriginMatch::Exact => Err(InvalidOrigin::Scheme),
            _ if mode < needed => Err(InvalidOrigin::NotInMode),
            Form::Subdomain(origin) if is_public_suffix(origin.host()) => Err(InvalidOrigin::PublicSuffix),
            _ => Ok(pattern),
        }
    }

    /// Refuses `*` for a kind that holds secret keys.
    ///
    /// # Errors
    /// [`InvalidOrigin::AnyForSecret`].
    pub fn for_secret_kind(self) -> Result<Self, InvalidOrigin> {
        if self.0 == Form::Any { Err(InvalidOrigin::AnyForSecret) } else { Ok(self) }
    }

    /// Reads a pattern that was accepted when it was entered: any form that [`Display`](fmt::Display) writes.
    ///
    /// # Errors
    /// The text is none of the four forms.
    pub fn from_stored(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "*" {
            return Ok(Self(Form::Any));
        }
        if !text.contains("://") {
            // A bare host has no other part that could be wrong.
            let host = match split(text) {
                Err(InvalidOrigin::Scheme) => parse_host(text)?,
                Err(error) => return Err(error),
                Ok(_) => return Err(InvalidOrigin::Scheme),
            };
            return Ok(Self(Form::Host(host.into())));
        }
        let (scheme, host, port) = split(text)?;
        let form = match host.strip_prefix("*.") {
            None => Form::Exact(Origin { scheme, host: parse_host(host)?, port }.into_owned()),
            Some(domain) if domain.parse::<Ipv4Addr>().is_ok() => return Err(InvalidOrigin::Wildcard),
            Some(domain) if domain.starts_with('[') => return Err(InvalidOrigin::Wildcard),
            Some(domain) => Form::Subdomain(Origin { scheme, host: parse_host(domain)?, port }.into_owned()),
        };
        Ok(Self(form))
    }

    /// Whether `origin` is allowed by this pattern.
    #[must_use]
    pub fn matches(&self, origin: &Origin<'_>) -> bool {
        match &self.0 {
            Form::Exact(allowed) => origin == allowed,
            Form::Subdomain(allowed) => {
                let label =
                    origin.host().strip_suffix(allowed.host()).and_then(|rest| rest.strip_suffix('.'));
                label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
                    && (origin.scheme(), origin.port()) == (allowed.scheme(), allowed.port())
            }
            Form::Host(host) => origin.host() == &**host,
            Form::Any => true,
        }
    }

    /// The host it stands for, or the domain below which one label is free; `None` for `*`. Proof of a domain is asked
    /// for this one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match &self.0 {
            Form::Exact(origin) | Form::Subdomain(origin) => Some(origin.host()),
            Form::Host(host) => Some(host),
            Form::Any => None,
        }
    }

    /// Whether it stands for every origin.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == Form::Any
    }

    /// Whether all it stands for is on the user's own machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host().is_some_and(super::is_loopback)
    }

    /// Whether all it stands for is `domain` or below it. `domain` is in lower-case ASCII.
    #[must_use]
    pub fn is_within(&self, domain: &str) -> bool {
        self.host().is_some_and(|host| super::is_within(host, domain))
    }
}

impl fmt::Display for OriginPattern {
    /// The normal form, as stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Exact(origin) => write!(f, "{origin}"),
            Form::Subdomain(origin) => {
                write!(f, "{}://*.{}", origin.scheme(), origin.host())?;
                origin.port().map_or(Ok(()), |port| write!(f, ":{port}"))
            }
            Form::Host(host) => f.write_str(host),
            Form::Any => f.write_str("*"),
        }
    }
}

/// Whether strangers can get names below `domain`: a single label, a public suffix (`co.uk`), or the domain of a host of
/// many (`github.io`). Names below `localhost` stay on the user's machine.
fn is_public_suffix(domain: &str) -> bool {
    if domain == "localhost" {
        return false;
    }
    let suffix = psl::suffix(domain.as_bytes());
    !domain.contains('.') || suffix.is_some_and(|suffix| suffix.is_known() && suffix == domain)
}
