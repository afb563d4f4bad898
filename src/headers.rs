//! The headers of a request, as the host received them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The most header lines that are read.
pub const MAX_HEADERS: usize = 64;
/// The longest value of a header that is read, in bytes.
pub const MAX_HEADER_VALUE_LEN: usize = 8 * 1024;
/// The longest header name, in bytes.
pub const MAX_HEADER_NAME_LEN: usize = 64;

/// One header line: its name in any case and its value, without line break, as sent.
pub type HeaderLine<'r> = (&'r str, &'r [u8]);

/// All header lines of a request, in the order of arrival.
///
/// Hosts pass every line: of two lines with one name, taking the first is how a proxy and a server come to disagree.
/// `Debug` shows names only.
#[derive(Clone, Copy, Default)]
pub struct Headers<'r>(&'r [HeaderLine<'r>]);

impl<'r> Headers<'r> {
    /// The lines, which may be more than [`MAX_HEADERS`]: those who read them refuse that.
    #[must_use]
    pub const fn new(lines: &'r [HeaderLine<'r>]) -> Self {
        Self(lines)
    }

    /// Whether there are more lines than are read.
    #[must_use]
    pub const fn are_too_many(self) -> bool {
        self.0.len() > MAX_HEADERS
    }

    /// The values of all lines with this name, in any case. `X_Org_Id` is another name than `X-Org-Id`.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        let is_named = move |line: &&HeaderLine<'r>| line.0.eq_ignore_ascii_case(name);
        self.0.iter().filter(is_named).map(|line| line.1)
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The name of a header, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderName(Cow<'static, str>);

/// The text is no header name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a header name has 1 to 64 of the characters ``A-Z a-z 0-9 ! # $ % & ' * + - . ^ _ ` | ~``")]
pub struct InvalidHeaderName;

impl HeaderName {
    /// `Authorization`.
    pub const AUTHORIZATION: Self = Self(Cow::Borrowed("authorization"));
    /// `X-API-Key`.
    pub const X_API_KEY: Self = Self(Cow::Borrowed("x-api-key"));
    /// `X-Forwarded-For`.
    pub const X_FORWARDED_FOR: Self = Self(Cow::Borrowed("x-forwarded-for"));

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `byte` may stand in a header name or an authentication scheme (RFC 9110, `tchar`).
pub(crate) const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

impl FromStr for HeaderName {
    type Err = InvalidHeaderName;

    fn from_str(text: &str) -> Result<Self, InvalidHeaderName> {
        if !(1..=MAX_HEADER_NAME_LEN).contains(&text.len()) || !text.bytes().all(is_tchar) {
            return Err(InvalidHeaderName);
        }
        Ok(Self(Cow::Owned(text.to_ascii_lowercase())))
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl serde::Serialize for HeaderName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for HeaderName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_underscores_are_not_hyphens() {
        let lines: &[HeaderLine<'_>] = &[
            ("X-API-Key", b"one"),
            ("x-api-key", b"two"),
            ("X_API_Key", b"three"),
            ("X-API-Keys", b"four"),
            ("X-API-Key ", b"five"),
        ];
        let headers = Headers::new(lines);
        let values: Vec<_> = headers.values(HeaderName::X_API_KEY.as_str()).collect();
        assert_eq!(values, [b"one", b"two"]);
    }

    #[test]
    fn values_are_not_printed() {
        let headers = Headers::new(&[("Authorization", b"Bearer rsk_1")]);
        assert_eq!(format!("{headers:?}"), r#"{"Authorization"}"#);
    }

    #[test]
    fn names_are_tokens() {
        assert_eq!("X-Org-Id".parse::<HeaderName>().unwrap().as_str(), "x-org-id");
        for bad in ["", "x org", "x:y", "x\n", "x\u{e9}", &"x".repeat(65)] {
            assert_eq!(bad.parse::<HeaderName>(), Err(InvalidHeaderName), "{bad:?}");
        }
    }
}
