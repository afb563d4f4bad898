//! The public name of a key: a UUIDv7, printed as `key_` and 26 lower-case Crockford base32 characters.

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::error::Error;
use std::fmt;
use std::str::FromStr;

/// Crockford's base32 in lower case: no `i`, `l`, `o` or `u`.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PREFIX: &str = "key_";
/// `key_` and 26 digits of 5 bits: 130 bits, of which the first two are always zero.
const TEXT_LEN: usize = 30;

/// Names a key in lists, logs and audit lines. It is public and opens nothing.
///
/// New ids are UUIDs of version 7 (RFC 9562, method 3): a millisecond, its 4096th part, then 62 random bits, so ids sort
/// by the time of issue. Any 16 bytes are accepted when read back; each id has exactly one text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// A new id for a key issued at `now`.
    ///
    /// # Errors
    /// The random source failed.
    pub fn generate(entropy: &dyn Entropy, now: Timestamp) -> Result<Self, Error> {
        let mut random = [0; 8];
        entropy.fill(&mut random)?;
        let micros = u128::try_from(now.as_micros()).unwrap_or(0);
        let millis = (micros / 1_000).min((1 << 48) - 1);
        let fraction = (micros % 1_000) * 4_096 / 1_000;
        let random = u128::from(u64::from_be_bytes(random) >> 2);
        let bits = millis << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random;
        Ok(Self(bits.to_be_bytes()))
    }

    /// The id made of these bytes, as stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0; TEXT_LEN];
        let (prefix, digits) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        for (i, digit) in digits.iter_mut().rev().enumerate() {
            let value = (bits >> (5 * i)) & 31;
            *digit = DIGITS.get(value as usize).copied().unwrap_or_default();
        }
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key id is `key_` and 26 characters of `0-9a-z` without `i`, `l`, `o`, `u`; the first is at most `7`"
)]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    /// Reads exactly what [`Display`](fmt::Display) writes: no capitals, no look-alike digits, nothing trimmed.
    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let digits = text.strip_prefix(PREFIX).ok_or(InvalidKeyId)?.as_bytes();
        if text.len() != TEXT_LEN || digits.first().is_none_or(|&first| first > b'7') {
            return Err(InvalidKeyId);
        }
        let mut bits = 0_u128;
        for digit in digits {
            let value = DIGITS.iter().position(|d| d == digit).ok_or(InvalidKeyId)?;
            bits = bits << 5 | value as u128;
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

impl serde::Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use proptest::prelude::*;

    struct Ones;

    impl Entropy for Ones {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
            buffer.fill(0xff);
            Ok(())
        }
    }

    #[test]
    fn a_new_id_is_a_uuid_of_version_7() {
        let id = KeyId::generate(&Ones, Timestamp::from_micros(1_645_557_742_000_500)).unwrap();
        let hex = data_encoding::HEXLOWER.encode(id.as_bytes());
        assert_eq!(hex, "017f22e279b07800bfffffffffffffff");
    }

    #[test]
    fn ids_sort_by_the_microsecond_of_issue() {
        let at = |micros| KeyId::generate(&OsEntropy, Timestamp::from_micros(micros)).unwrap();
        for pair in [0, 1, 999, 1_000, 1_001, 1_790_000_000_000_000].map(at).windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_string() < pair[1].to_string());
        }
        assert_eq!(at(-5).as_bytes()[..6], [0; 6], "an instant before the epoch does not wrap");
        assert_eq!(at(i64::MAX).as_bytes()[..6], [255; 6], "nor does one past the field");
    }

    #[test]
    fn the_smallest_and_largest_texts() {
        let zeros = "0".repeat(26);
        assert_eq!(KeyId::from_bytes([0; 16]).to_string(), format!("key_{zeros}"));
        assert_eq!(KeyId::from_bytes([255; 16]).to_string(), format!("key_7{}", "z".repeat(25)));
    }

    #[test]
    fn only_the_canonical_text_is_read() {
        let good = "key_01fwhe4yfgy0c0000000000001";
        assert_eq!(good.parse::<KeyId>().unwrap().to_string(), good);
        let bad = [
            "",
            "key_",
            "01fwhe4yfgy0c0000000000001",
            "key_01FWHE4YFGY0C0000000000001",
            "Key_01fwhe4yfgy0c0000000000001",
            "key_81fwhe4yfgy0c0000000000001",
            "key_01fwhe4yfgy0c000000000000l",
            "key_01fwhe4yfgy0c000000000000u",
            "key_01fwhe4yfgy0c000000000001",
            "key_01fwhe4yfgy0c00000000000011",
            " key_01fwhe4yfgy0c0000000000001",
            "key_01fwhe4yfgy0c0000000000001\n",
            "key-01fwhe4yfgy0c0000000000001",
            "key_01fwhe4yfgy0c00000000000é",
        ];
        for text in bad {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidKeyId), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_json_are_inverse(bytes: [u8; 16]) {
            let id = KeyId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<KeyId>(&json).unwrap(), id);
        }
    }
}
