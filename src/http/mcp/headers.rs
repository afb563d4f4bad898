//! What the headers of a POST say about its message, and whether the message agrees.
//!
//! Proxies may route and meter by these headers, so a message that says something else is refused
//! (`HeaderMismatch`, -32020).

use super::message::{Message, MessageKind};
use std::borrow::Cow;

/// The first protocol version in which each request stands alone.
pub const STATELESS_SINCE: &str = "2026-07-28";

/// Whether requests stand alone or belong to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25: `initialize`, sessions, no headers about the message.
    Sessions,
    /// From 2026-07-28 on: no sessions; headers repeat method and name.
    Stateless,
}

/// The headers and the message disagree, or a header is missing, repeated or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header `{header}` is {problem}")]
#[non_exhaustive]
pub struct HeaderMismatch {
    /// The header.
    pub header: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

const VERSION: &str = "MCP-Protocol-Version";
const METHOD: &str = "Mcp-Method";
const NAME: &str = "Mcp-Name";

const MISSING: &str = "missing";
const MALFORMED: &str = "malformed";
const REPEATED: &str = "repeated";
const DIFFERENT: &str = "different from the body";

/// The era of a POST with these header lines, once its message agrees with them.
///
/// # Errors
/// A header is missing where the era demands it, repeated, malformed, or says something else than the message.
pub fn era(headers: &[(&str, &[u8])], message: &Message) -> Result<Era, HeaderMismatch> {
    let era = match declared_era(headers)? {
        Some(era) => era,
        // Without the header an older client is assumed, unless the message itself claims to be new.
        None if message
            .protocol_version
            .as_deref()
            .is_some_and(|version| era_of(version) != Some(Era::Sessions)) =>
        {
            return Err(mismatch(VERSION, MISSING));
        }
        None => Era::Sessions,
    };
    if era == Era::Stateless {
        agree(headers, message)?;
    }
    Ok(era)
}

/// The era that the version header declares; `None` without it.
///
/// # Errors
/// The header is repeated or no date.
pub fn declared_era(headers: &[(&str, &[u8])]) -> Result<Option<Era>, HeaderMismatch> {
    let Some(version) = value(headers, VERSION)? else { return Ok(None) };
    era_of(version).map(Some).ok_or(mismatch(VERSION, MALFORMED))
}

fn agree(headers: &[(&str, &[u8])], message: &Message) -> Result<(), HeaderMismatch> {
    let declared = message.protocol_version.as_deref();
    if declared.is_some() && declared != value(headers, VERSION)? {
        return Err(mismatch(VERSION, DIFFERENT));
    }
    let is_request = matches!(message.kind, MessageKind::Request(_));
    match value(headers, METHOD)? {
        Some(method) if method != message.method => return Err(mismatch(METHOD, DIFFERENT)),
        None if is_request => return Err(mismatch(METHOD, MISSING)),
        _ => {}
    }
    let name = value(headers, NAME)?.map(|raw| decode(raw).ok_or(mismatch(NAME, MALFORMED))).transpose()?;
    match (name, &message.name) {
        (None, _) if is_request && message.is_named() => Err(mismatch(NAME, MISSING)),
        (Some(header), Some(name)) if header != **name => Err(mismatch(NAME, DIFFERENT)),
        (Some(_), None) if message.is_named() => Err(mismatch(NAME, DIFFERENT)),
        _ => Ok(()),
    }
}

/// The one value of a header, in visible ASCII, spaces and tabs.
fn value<'h>(headers: &[(&str, &'h [u8])], name: &'static str) -> Result<Option<&'h str>, HeaderMismatch> {
    let mut values =
        headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(mismatch(name, REPEATED));
    }
    let is_plain = value.iter().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    let text = std::str::from_utf8(value).ok().filter(|_| is_plain);
    text.map(Some).ok_or(mismatch(name, MALFORMED))
}

/// Versions are dates and compare as such.
fn era_of(version: &str) -> Option<Era> {
    let is_date = version.len() == STATELESS_SINCE.len()
        && version.bytes().zip(STATELESS_SINCE.bytes()).all(|(b, model)| match model {
            b'-' => b == b'-',
            _ => b.is_ascii_digit(),
        });
    let era = if version < STATELESS_SINCE { Era::Sessions } else { Era::Stateless };
    is_date.then_some(era)
}

/// A name as the header carries it: itself, or its UTF-8 in `=?base64?…?=`. The markers are lower-case, the alphabet is
/// the standard one with padding.
fn decode(raw: &str) -> Option<Cow<'_, str>> {
    let Some(wrapped) = raw.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(Cow::Borrowed(raw));
    };
    let bytes = data_encoding::BASE64.decode(wrapped.as_bytes()).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn mismatch(header: &'static str, problem: &'static str) -> HeaderMismatch {
    HeaderMismatch { header, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}"#;

    fn check(headers: &[(&str, &str)], body: &str) -> Result<Era, HeaderMismatch> {
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        era(&headers, &Message::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn the_version_decides_the_era() {
        let cases = [
            ("2026-07-28", Ok(Era::Stateless)),
            ("2027-01-01", Ok(Era::Stateless)),
            ("2026-07-27", Ok(Era::Sessions)),
            ("2025-11-25", Ok(Era::Sessions)),
            ("2025-3-26", Err(mismatch(VERSION, MALFORMED))),
            ("2026-07-28 ", Err(mismatch(VERSION, MALFORMED))),
            ("DRAFT-2026", Err(mismatch(VERSION, MALFORMED))),
            ("", Err(mismatch(VERSION, MALFORMED))),
            ("2026-07-2é", Err(mismatch(VERSION, MALFORMED))),
        ];
        for (version, expected) in cases {
            let headers =
                [("mcp-protocol-version", version), ("Mcp-Method", "tools/call"), ("Mcp-Name", "search")];
            assert_eq!(check(&headers, CALL), expected, "{version}");
        }
        assert_eq!(check(&[], CALL), Ok(Era::Sessions));
    }

    #[test]
    fn a_new_message_without_the_header_is_not_taken_for_an_old_one() {
        let body = |version: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}}}}}"#
            )
        };
        assert_eq!(check(&[], &body("2026-07-28")), Err(mismatch(VERSION, MISSING)));
        assert_eq!(check(&[], &body("soon")), Err(mismatch(VERSION, MISSING)));
        assert_eq!(check(&[], &body("2025-11-25")), Ok(Era::Sessions));
        let headers = [(VERSION, "2026-07-28"), (METHOD, "ping")];
        assert_eq!(check(&headers, &body("2026-07-28")), Ok(Era::Stateless));
        assert_eq!(check(&headers, &body("2026-08-01")), Err(mismatch(VERSION, DIFFERENT)));
    }

    #[test]
    fn stateless_requests_repeat_method_and_name() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<Era, HeaderMismatch>);
        let cases: [Case<'_>; 9] = [
            (&[(METHOD, "tools/call"), (NAME, "search")], Ok(Era::Stateless)),
            (&[("MCP-METHOD", "tools/call"), ("mcp-name", "=?base64?c2VhcmNo?=")], Ok(Era::Stateless)),
            (&[(NAME, "search")], Err(mismatch(METHOD, MISSING))),
            (&[(METHOD, "tools/list"), (NAME, "search")], Err(mismatch(METHOD, DIFFERENT))),
            (&[(METHOD, "Tools/Call"), (NAME, "search")], Err(mismatch(METHOD, DIFFERENT))),
            (&[(METHOD, "tools/call")], Err(mismatch(NAME, MISSING))),
            (&[(METHOD, "tools/call"), (NAME, "Search")], Err(mismatch(NAME, DIFFERENT))),
            (&[(METHOD, "tools/call"), (NAME, "search"), (NAME, "search")], Err(mismatch(NAME, REPEATED))),
            (&[(METHOD, "tools/call"), (NAME, "sear\u{e9}ch")], Err(mismatch(NAME, MALFORMED))),
        ];
        for (headers, expected) in cases {
            let mut all = vec![(VERSION, "2026-07-28")];
            all.extend_from_slice(headers);
            assert_eq!(check(&all, CALL), expected, "{headers:?}");
        }
        assert_eq!(
            check(&[(METHOD, "other")], CALL),
            Ok(Era::Sessions),
            "older versions do not know these headers"
        );
    }

    #[test]
    fn names_outside_ascii_are_wrapped() {
        let cases = [
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界")),
            ("=?base64?IHBhZGRlZCA=?=", Some(" padded ")),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?=")),
            ("=?BASE64?c2VhcmNo?=", Some("=?BASE64?c2VhcmNo?=")),
            ("=?base64?c2VhcmN?=", None),
            ("=?base64?c2V-cmNo?=", None),
            ("=?base64?/w==?=", None),
            ("plain", Some("plain")),
        ];
        for (raw, expected) in cases {
            assert_eq!(decode(raw).as_deref(), expected, "{raw}");
        }
    }
}
