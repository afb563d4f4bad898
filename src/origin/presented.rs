//! The `Origin` header of one request, judged.

use super::{Origin, OriginPattern};
use crate::code::Code;
use crate::headers::Headers;

/// What a request says about its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresentedOrigin<'r> {
    /// No `Origin` header: most likely no browser.
    Absent,
    /// `null`: a page that hides its origin. It counts as missing, but it is a browser.
    Null,
    /// Two headers, or a value that is no origin.
    Unusable,
    /// One origin.
    Origin(Origin<'r>),
}

/// What becomes of a request without an origin, or with `null` (row A-16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum MissingOrigin {
    /// It is refused.
    #[default]
    Reject,
    /// It is let through: the key is then as good as public.
    Allow,
}

impl<'r> PresentedOrigin<'r> {
    /// Reads the request's headers.
    #[must_use]
    pub fn from_headers(headers: Headers<'r>) -> Self {
        let mut values = headers.values("origin");
        let value = values.next();
        if values.next().is_some() {
            return Self::Unusable;
        }
        Self::from_value(value)
    }

    /// Reads the one value that a host found.
    #[must_use]
    pub fn from_value(value: Option<&'r [u8]>) -> Self {
        let Some(value) = value else { return Self::Absent };
        let origin = std::str::from_utf8(value).ok().and_then(|text| Origin::parse(text).ok());
        match origin {
            Some(origin) => Self::Origin(origin),
            None if value == b"null" => Self::Null,
            None => Self::Unusable,
        }
    }

    /// Whether a browser sent the request: it has an `Origin`, whatever is in it.
    #[must_use]
    pub const fn is_from_browser(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// Judges the origin of a request with a publishable key. An empty list allows no origin.
///
/// # Errors
/// [`Code::OriginRequired`] or [`Code::OriginNotAllowed`].
pub fn judge(
    presented: &PresentedOrigin<'_>,
    allowed: &[OriginPattern],
    missing: MissingOrigin,
) -> Result<(), Code> {
    match presented {
        PresentedOrigin::Absent | PresentedOrigin::Null => match missing {
            MissingOrigin::Allow => Ok(()),
            MissingOrigin::Reject => Err(Code::OriginRequired),
        },
        PresentedOrigin::Origin(origin) if allowed.iter().any(|pattern| pattern.matches(origin)) => Ok(()),
        PresentedOrigin::Origin(_) | PresentedOrigin::Unusable => Err(Code::OriginNotAllowed),
    }
}
