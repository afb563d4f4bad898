//! What is kept of a key so that its owner can tell it from others in a list.

use super::{FormatError, KeyFormat, MIN_RANDOM_BITS};
use crate::key::secret::ApiKey;
use std::fmt;

/// How many characters of a key stay readable, counted on the whole text (row A-08). All others appear nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisplayRule {
    /// Characters from the start, the prefix included.
    pub first: u16,
    /// Characters from the end, a checksum included.
    pub last: u16,
}

impl DisplayRule {
    /// Random bits that stay unknown to one who sees what is displayed, rounded down. Each shown digit of a checksum
    /// tells as much about the body as one of its own characters would.
    #[must_use]
    pub fn unknown_bits(self, format: &KeyFormat) -> u32 {
        let (first, last) = (usize::from(self.first), usize::from(self.last));
        let tail = format.checksum.length();
        let shown_checksum = last.min(tail) + (first + tail).saturating_sub(format.key_length()).min(tail);
        let shown_front = first.saturating_sub(format.prefix.len());
        let shown_body = shown_front.saturating_add(last.saturating_sub(tail)).min(format.body_length);
        let hidden = format.alphabet.bits_per_char() * (format.body_length - shown_body) as f64;
        (hidden - shown_checksum as f64 * 62_f64.log2()).max(0.0) as u32
    }

    /// Refuses to show so much that the rest could be guessed.
    ///
    /// # Errors
    /// Fewer than [`MIN_RANDOM_BITS`] would stay unknown.
    pub fn check(self, format: &KeyFormat) -> Result<(), FormatError> {
        let bits = self.unknown_bits(format);
        if bits < MIN_RANDOM_BITS {
            return Err(FormatError::DisplayShowsTooMuch { first: self.first, last: self.last, bits });
        }
        Ok(())
    }

    /// The characters of `key` to keep; nothing when the two ends would meet.
    #[must_use]
    pub fn apply(self, key: &ApiKey) -> KeyDisplay {
        let text = key.reveal();
        let (first, last) = (usize::from(self.first), usize::from(self.last));
        let Some(last_start) = text.len().checked_sub(last).filter(|&start| start > first) else {
            return KeyDisplay::default();
        };
        let part = |range: Option<&str>| range.unwrap_or_default().into();
        KeyDisplay { first: part(text.get(..first)), last: part(text.get(last_start..)) }
    }
}

/// The characters of a key that may be shown, such as `rsk_1a2b3c4d` or `rt_live_...9f3a`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDisplay {
    first: Box<str>,
    last: Box<str>,
}

impl KeyDisplay {
    /// The display characters of a key whose text is not at hand, as imported.
    #[must_use]
    pub fn new(first: &str, last: &str) -> Self {
        Self { first: first.into(), last: last.into() }
    }

    /// The characters kept from the start.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The characters kept from the end.
    #[must_use]
    pub fn last(&self) -> &str {
        &self.last
    }
}

impl fmt::Display for KeyDisplay {
    /// The masked key: what is kept, with `...` for the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}...{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Alphabet, Checksum};
    use super::*;

    fn runstack() -> KeyFormat {
        KeyFormat::new("rsk_", Alphabet::hex(), 64, Checksum::None).unwrap()
    }

    #[test]
    fn the_first_characters_include_the_prefix() {
        let key = ApiKey::new("rsk_1a2b3c4d5e6f".to_owned());
        let check = |first, last, masked: &str| {
            assert_eq!(DisplayRule { first, last }.apply(&key).to_string(), masked);
        };
        check(12, 0, "rsk_1a2b3c4d...");
        check(4, 4, "rsk_...5e6f");
        check(0, 0, "...");
        check(12, 3, "rsk_1a2b3c4d...e6f");
        check(12, 4, "...");
        check(u16::MAX, 0, "...");
    }

    #[test]
    fn shown_characters_are_subtracted_from_the_random_bits() {
        let native = KeyFormat::native("acme", "live").unwrap();
        let cases = [
            (runstack(), 12, 0, 224),
            (runstack(), 4, 0, 256),
            (runstack(), 4, 4, 240),
            (runstack(), 68, 0, 0),
            (runstack(), 40, 40, 0),
            (native.clone(), 10, 0, 190),
            (native.clone(), 10, 4, 166),
            (native.clone(), 0, 7, 148),
            (native.clone(), 12, 0, 178),
            (native, 48, 0, 0),
        ];
        for (format, first, last, bits) in cases {
            let rule = DisplayRule { first, last };
            assert_eq!(rule.unknown_bits(&format), bits, "{rule:?} of {}", format.prefix());
            assert_eq!(rule.check(&format).is_ok(), bits >= 128, "{rule:?} of {}", format.prefix());
        }
    }
}
