//! Second implementations, for comparison only: from the grammar, without a look at the first ones, and without speed.

use tenantkit::credential::{BearerOther, Credential};
use tenantkit::headers::HeaderLine;
use tenantkit::key::digest::DigestEncoding;
use tenantkit::key::format::{Checksum, KeyFormat};

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether `text` is a key of `format`.
pub fn is_key(format: &KeyFormat, text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let mut chars = text.chars();
    if format.prefix().chars().any(|expected| chars.next() != Some(expected)) {
        return false;
    }
    let alphabet: Vec<char> = format.alphabet().chars().iter().map(|&byte| char::from(byte)).collect();
    for _ in 0..format.body_length() {
        if !chars.next().is_some_and(|c| alphabet.contains(&c)) {
            return false;
        }
    }
    let rest = chars.as_str();
    let before = &text.as_bytes()[..text.len() - rest.len()];
    match format.checksum() {
        Checksum::Crc32 => rest.as_bytes() == checksum(before),
        _ => rest.is_empty(),
    }
}

/// The six digits after `text`: CRC-32 (IEEE), bit by bit, in base62.
pub fn checksum(text: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for &byte in text {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = u64::from(!crc);
    let mut digits = Vec::new();
    while digits.len() < 6 {
        digits.insert(0, BASE62.as_bytes()[(rest % 62) as usize]);
        rest /= 62;
    }
    digits
}

/// A [`Credential`] that owns its text.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Key(Vec<u8>),
    Human(Vec<u8>),
    Missing,
    Conflict,
    Malformed,
}

impl From<&Credential<'_>> for Outcome {
    fn from(credential: &Credential<'_>) -> Self {
        match credential {
            Credential::Key(text, _) => Self::Key(text.to_vec()),
            Credential::Human(token) => Self::Human(token.as_bytes().to_vec()),
            Credential::Missing => Self::Missing,
            Credential::Conflict => Self::Conflict,
            Credential::Malformed => Self::Malformed,
        }
    }
}

/// The whole value of a header is a key: visible ASCII.
pub fn key_header(value: &[u8]) -> Outcome {
    match value {
        [] => Outcome::Missing,
        _ if value.len() > 8 * 1024 => Outcome::Malformed,
        _ if value.contains(&b',') => Outcome::Conflict,
        _ if value.iter().any(|byte| !(0x21..=0x7e).contains(byte)) => Outcome::Malformed,
        _ => Outcome::Key(value.to_vec()),
    }
}

/// `Bearer` in any case, one space, a key; anything that does not begin with that scheme is no credential.
pub fn authorization(value: &[u8]) -> Outcome {
    if value.len() > 8 * 1024 {
        return Outcome::Malformed;
    }
    if value.contains(&b',') {
        return Outcome::Conflict;
    }
    if value.len() < 6 || !value[..6].iter().map(u8::to_ascii_lowercase).eq(*b"bearer") {
        return Outcome::Missing;
    }
    match value.get(6) {
        None => Outcome::Missing,
        Some(b' ') => key_header(&value[7..]),
        // Another visible character: a longer word, or none of the scheme's.
        Some(0x21..=0x7e) => Outcome::Missing,
        Some(_) => Outcome::Malformed,
    }
}

/// All lines of a request with the carriers `Authorization: Bearer` and `X-API-Key`.
pub fn extract(lines: &[HeaderLine<'_>], mode: BearerOther, is_ours: impl Fn(&[u8]) -> bool) -> Outcome {
    if lines.len() > 64 {
        return Outcome::Malformed;
    }
    let values = |name: &str| -> Vec<&[u8]> {
        lines.iter().filter(|line| line.0.to_ascii_lowercase() == name).map(|line| line.1).collect()
    };
    let (authorizations, keys) = (values("authorization"), values("x-api-key"));
    if authorizations.len() > 1 || keys.len() > 1 {
        return Outcome::Conflict;
    }
    let mut bearer = authorizations.first().map_or(Outcome::Missing, |value| authorization(value));
    if let Outcome::Key(token) = &bearer
        && !is_ours(token)
    {
        bearer = match mode {
            BearerOther::Ignore => Outcome::Missing,
            BearerOther::Human => Outcome::Human(token.clone()),
            _ => bearer,
        };
    }
    let key = keys.first().map_or(Outcome::Missing, |value| key_header(value));
    if bearer == Outcome::Missing {
        key
    } else if key == Outcome::Missing || bearer == key && matches!(key, Outcome::Key(_)) {
        bearer
    } else {
        Outcome::Conflict
    }
}

/// The values of a query parameter, decoded once; `None` for one that can't be.
pub fn query_values(query: &str, name: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    for pair in query.split('&') {
        let mut parts = pair.splitn(2, '=');
        let key = parts.next().unwrap_or_default();
        if percent_decoded(key).as_deref() == Some(name) {
            values.push(percent_decoded(parts.next().unwrap_or_default()));
        }
    }
    values
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.as_bytes().get(..2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// A digest in lower-case hexadecimal, or in base64 or base64url without padding.
pub fn encoded(digest: &[u8; 32], encoding: DigestEncoding) -> String {
    let symbols: Vec<char> = match encoding {
        DigestEncoding::Hex => return digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        DigestEncoding::Base64 => ('A'..='Z').chain('a'..='z').chain('0'..='9').chain("+/".chars()).collect(),
        _ => ('A'..='Z').chain('a'..='z').chain('0'..='9').chain("-_".chars()).collect(),
    };
    let bits: Vec<u8> = digest.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let value =
        |six: &[u8]| (0..6).fold(0, |value, at| value << 1 | usize::from(six.get(at).copied().unwrap_or(0)));
    bits.chunks(6).map(|six| symbols[value(six)]).collect()
}
