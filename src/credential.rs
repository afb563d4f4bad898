//! Header values in, one credential out: which header carries the key, and when two of them are one too many.
//!
//! A key is read from the headers the policy names, its *carriers*, and from nowhere else: never from the query, the path,
//! a cookie, a form or the user part of a URL. Of several values none is preferred: two lines of one carrier, or a comma,
//! are a conflict even if both sides are equal; two carriers must agree to the byte.

use crate::headers::{HeaderName, Headers, MAX_HEADER_VALUE_LEN, is_tchar};
use std::fmt;

/// A header that may hold the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// `Authorization: Bearer <key>`: the scheme in any case, then exactly one space.
    Bearer,
    /// A header whose whole value is the key, by default `X-API-Key`.
    ApiKeyHeader(HeaderName),
}

impl Carrier {
    /// The header that is read.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        const AUTHORIZATION: &HeaderName = &HeaderName::AUTHORIZATION;
        match self {
            Self::Bearer => AUTHORIZATION,
            Self::ApiKeyHeader(name) => name,
        }
    }
}

impl fmt::Display for Carrier {
    /// The carrier as it is named to callers who sent no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("Authorization: Bearer"),
            Self::ApiKeyHeader(name) => write!(f, "{name}"),
        }
    }
}

/// What becomes of a Bearer value that does not start as keys of this policy do (row A-32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BearerOther {
    /// It is a bad key: refused, and a conflict beside another carrier.
    #[default]
    Reject,
    /// It is left to others: as if the header were absent.
    Ignore,
    /// It goes to the host's own authentication of people; beside another carrier it is a conflict.
    Human,
}

/// A policy's carriers, in the order in which they are named to callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carriers {
    carriers: Box<[Carrier]>,
    bearer_other: BearerOther,
}

/// Why a list of carriers can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCarriers {
    /// A policy without a carrier, or with too many.
    #[error("a policy has 1 to 4 credential carriers, not {0}")]
    Count(usize),
    /// One header twice.
    #[error("`{0}` is a carrier twice; name it once")]
    Repeated(HeaderName),
    /// A header that other programs fill, log or forward.
    #[error("`{0}` can't be a carrier; use a header of your own, such as `x-api-key`")]
    Reserved(HeaderName),
}

/// The most carriers of one policy.
pub const MAX_CARRIERS: usize = 4;

/// Headers that no key is read from, whatever a policy says.
const RESERVED: [&str; 9] = [
    "authorization",
    "connection",
    "cookie",
    "host",
    "idempotency-key",
    "origin",
    "proxy-authorization",
    "referer",
    "user-agent",
];

/// Some of a policy's carriers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CarrierSet(u8);

impl CarrierSet {
    /// Whether every carrier of `other` is in this set: whether a key that came in `other` may be of a kind that travels
    /// in these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

/// What the caller presented, as presented. `Debug` shows no part of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'r> {
    /// One value that may be a key; only [`FormatSet::parse`](crate::key::format::FormatSet::parse) knows. With it, the
    /// carriers it came in: none if it was handed over directly.
    Key(&'r [u8], CarrierSet),
    /// A Bearer value that is no key of this policy, for the host's authentication of people.
    Human(&'r str),
    /// No carrier: 401 `missing_credential`.
    Missing,
    /// More than one value: 400 `credential_conflict`.
    Conflict,
    /// A carrier with a value that can't be a key: 401 `invalid_key`.
    Malformed,
}

impl Carriers {
    /// The carriers of a policy.
    ///
    /// # Errors
    /// None or more than [`MAX_CARRIERS`], one header twice, or a header that is not to hold keys.
    pub fn new(
        carriers: impl IntoIterator<Item = Carrier>,
        bearer_other: BearerOther,
    ) -> Result<Self, InvalidCarriers> {
        let carriers: Box<[_]> = carriers.into_iter().collect();
        if !(1..=MAX_CARRIERS).contains(&carriers.len()) {
            return Err(InvalidCarriers::Count(carriers.len()));
        }
        for (i, carrier) in carriers.iter().enumerate() {
            let name = carrier.header();
            if matches!(carrier, Carrier::ApiKeyHeader(_)) && RESERVED.contains(&name.as_str()) {
                return Err(InvalidCarriers::Reserved(name.clone()));
            }
            if carriers.iter().take(i).any(|earlier| earlier.header() == name) {
                return Err(InvalidCarriers::Repeated(name.clone()));
            }
        }
        Ok(Self { carriers, bearer_other })
    }

    /// What becomes of a Bearer value that is no key of this policy.
    #[must_use]
    pub const fn bearer_other(&self) -> BearerOther {
        self.bearer_other
    }

    /// The carriers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Carrier> {
        self.carriers.iter()
    }

    /// These carriers as a set; what is no carrier of the policy is left out.
    #[must_use]
    pub fn set_of<'c>(&self, carriers: impl IntoIterator<Item = &'c Carrier>) -> CarrierSet {
        let position = |carrier: &Carrier| self.carriers.iter().position(|own| own == carrier);
        carriers.into_iter().filter_map(position).fold(CarrierSet(0), |set, at| CarrierSet(set.0 | 1 << at))
    }

    /// Finds the credential of a request. `is_ours` tells whether a text starts as keys of this policy do
    /// ([`FormatSet::is_ours`](crate::key::format::FormatSet::is_ours)).
    ///
    /// More than 64 headers, or a carrier of more than 8 KiB, are malformed: no answer rests on a part of what was sent.
    #[must_use]
    pub fn extract<'r>(&self, headers: Headers<'r>, is_ours: impl Fn(&[u8]) -> bool) -> Credential<'r> {
        if headers.are_too_many() {
            return Credential::Malformed;
        }
        let mut found = Credential::Missing;
        for (at, carrier) in self.carriers.iter().enumerate() {
            let mut values = headers.values(carrier.header().as_str());
            let Some(value) = values.next() else { continue };
            if values.next().is_some() {
                return Credential::Conflict;
            }
            let credential = match carrier {
                Carrier::Bearer => self.bearer(value, &is_ours),
                Carrier::ApiKeyHeader(_) => whole_value(value),
            };
            found = found.join(credential.came_in(CarrierSet(1 << at)));
        }
        found
    }

    fn bearer<'r>(&self, value: &'r [u8], is_ours: impl Fn(&[u8]) -> bool) -> Credential<'r> {
        let token = match after_bearer(value) {
            Credential::Key(token, _) => token,
            refused => return refused,
        };
        if self.bearer_other == BearerOther::Reject || is_ours(token) {
            return Credential::Key(token, CarrierSet::default());
        }
        match (self.bearer_other, std::str::from_utf8(token)) {
            (BearerOther::Human, Ok(token)) => Credential::Human(token),
            (BearerOther::Human, Err(_)) => Credential::Malformed,
            _ => Credential::Missing,
        }
    }
}

impl<'r> Credential<'r> {
    /// A key that was handed over directly, not in a header. Unlike an empty header, an empty text is a bad key.
    #[must_use]
    pub fn presented(key: &'r [u8]) -> Self {
        match key.len() {
            1..=MAX_HEADER_VALUE_LEN => Self::Key(key, CarrierSet::default()),
            _ => Self::Malformed,
        }
    }

    fn came_in(self, carrier: CarrierSet) -> Self {
        match self {
            Self::Key(text, _) => Self::Key(text, carrier),
            other => other,
        }
    }

    /// This credential beside that of another carrier.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Missing, one) | (one, Self::Missing) => one,
            (Self::Key(a, set), Self::Key(b, other)) if a == b => Self::Key(a, CarrierSet(set.0 | other.0)),
            _ => Self::Conflict,
        }
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(..) => "Key(redacted)",
            Self::Human(_) => "Human(redacted)",
            Self::Missing => "Missing",
            Self::Conflict => "Conflict",
            Self::Malformed => "Malformed",
        })
    }
}

/// The value of a header that holds the key alone.
fn whole_value(value: &[u8]) -> Credential<'_> {
    if value.is_empty() {
        return Credential::Missing;
    }
    if value.len() > MAX_HEADER_VALUE_LEN {
        return Credential::Malformed;
    }
    if value.contains(&b',') {
        return Credential::Conflict;
    }
    if value.iter().all(u8::is_ascii_graphic) {
        Credential::Key(value, CarrierSet::default())
    } else {
        Credential::Malformed
    }
}

/// The value after `Bearer` and one space. Another scheme, or none, is as if the header were absent; but a comma means
/// that two header lines were joined on the way, whatever the first one was.
fn after_bearer(value: &[u8]) -> Credential<'_> {
    const SCHEME: &[u8] = b"bearer";
    if value.len() > MAX_HEADER_VALUE_LEN {
        return Credential::Malformed;
    }
    if value.contains(&b',') {
        return Credential::Conflict;
    }
    let end = value.iter().position(|&byte| !is_tchar(byte)).unwrap_or(value.len());
    match value.split_at_checked(end) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => match rest {
            [] => Credential::Missing,
            [b' ', token @ ..] => whole_value(token),
            // `Bearer:` or `Bearer=` is no scheme, but white space or worse in place of the space is a bad key.
            [byte, ..] if byte.is_ascii_graphic() => Credential::Missing,
            _ => Credential::Malformed,
        },
        _ => Credential::Missing,
    }
}

#[cfg(test)]
mod tests;
