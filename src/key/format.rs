//! The exact texts that are keys, format by format, and how new ones are made.
//!
//! A format is a fixed prefix, a body of fixed length over an alphabet, and perhaps a checksum. Nothing is trimmed, folded
//! or decoded: a text is a key of the format to the last byte, or it is not. The native format is
//! `<prefix>_<environment>_<body><crc>`: 32 base62 characters (190 bits), then the CRC-32 (IEEE) of all before it in 6
//! base62 digits. Such a key has at most 55 bytes, which is what one block of SHA-256 takes.
//!
//! The checksum only keeps garbage away from the store; the digest of the whole text decides.

use super::alphabet::{self, Alphabet};
use super::secret::ApiKey;
use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind};
use zeroize::{Zeroize, Zeroizing};

mod checksum;
mod display;
mod set;

pub use checksum::Checksum;
pub use display::{DisplayRule, KeyDisplay};
pub use set::{FormatSet, MAX_FORMATS, MalformedKey, ParsedKey};

/// The longest key text of any format, in bytes.
pub const MAX_KEY_LEN: usize = 512;
/// The longest key text of the native format, in bytes.
pub const MAX_NATIVE_KEY_LEN: usize = 55;
/// The longest prefix, in bytes, with its separators.
pub const MAX_PREFIX_LEN: usize = 64;
/// No format may have fewer random bits, nor leave fewer unknown after what it displays.
pub const MIN_RANDOM_BITS: u32 = 128;

const NATIVE_BODY_LEN: usize = 32;

/// The exact form of one kind of key in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFormat {
    prefix: Box<str>,
    alphabet: Alphabet,
    body_length: usize,
    checksum: Checksum,
}

/// Why a format, or a set of them, can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A prefix is what people and secret scanners find a key by.
    #[error("a key prefix has 1 to 64 of the characters `A-Z a-z 0-9 - . _ ~ + /`, not `{0}`")]
    Prefix(String),
    /// The whole text is too long.
    #[error("keys starting with `{prefix}` would have {length} bytes; at most {max} are allowed")]
    TooLong {
        /// The format's prefix.
        prefix: Box<str>,
        /// Bytes of the whole text.
        length: usize,
        /// The bound that applies.
        max: usize,
    },
    /// A body that could be guessed.
    #[error(
        "keys starting with `{prefix}` would have {bits} random bits; at least 128 are needed, so lengthen the body"
    )]
    TooFewBits {
        /// The format's prefix.
        prefix: Box<str>,
        /// Random bits of the body.
        bits: u32,
    },
    /// The characters kept for display give too much away.
    #[error(
        "displaying the first {first} and last {last} characters leaves {bits} unknown bits; leave at least 128"
    )]
    DisplayShowsTooMuch {
        /// Characters shown from the start.
        first: u16,
        /// Characters shown from the end.
        last: u16,
        /// Bits that stay unknown.
        bits: u32,
    },
    /// One text could be a key of two formats.
    #[error("a text could be a key of both `{0}` and `{1}`; change a prefix or a length")]
    Conflict(Box<str>, Box<str>),
    /// The set is empty or has too many formats.
    #[error("a policy has 1 to 64 key formats, not {0}")]
    Count(usize),
}

impl KeyFormat {
    /// A format; `prefix` is everything before the body, separators included (`rsk_`, `rt_live_`).
    ///
    /// # Errors
    /// A prefix that can't stand in a header, more than [`MAX_KEY_LEN`] bytes, fewer than [`MIN_RANDOM_BITS`].
    pub fn new(
        prefix: &str,
        alphabet: Alphabet,
        body_length: usize,
        checksum: Checksum,
    ) -> Result<Self, FormatError> {
        let allowed =
            (1..=MAX_PREFIX_LEN).contains(&prefix.len()) && prefix.bytes().all(alphabet::is_token_byte);
        if !allowed {
            return Err(FormatError::Prefix(prefix.chars().take(MAX_PREFIX_LEN).collect()));
        }
        let format = Self { prefix: prefix.into(), alphabet, body_length, checksum };
        let (length, bits) = (format.key_length(), format.random_bits());
        if length > MAX_KEY_LEN {
            return Err(FormatError::TooLong { prefix: format.prefix, length, max: MAX_KEY_LEN });
        }
        if bits < MIN_RANDOM_BITS {
            return Err(FormatError::TooFewBits { prefix: format.prefix, bits });
        }
        Ok(format)
    }

    /// The native format, `<prefix>_<environment>_<body><crc>`.
    ///
    /// # Errors
    /// As [`new`](Self::new); here the whole text has at most [`MAX_NATIVE_KEY_LEN`] bytes, so prefix and environment
    /// have at most 15 together.
    pub fn native(prefix: &str, environment: &str) -> Result<Self, FormatError> {
        let start = format!("{prefix}_{environment}_");
        if prefix.is_empty() || environment.is_empty() {
            return Err(FormatError::Prefix(start));
        }
        let format = Self::new(&start, Alphabet::base62(), NATIVE_BODY_LEN, Checksum::Crc32)?;
        let (length, max) = (format.key_length(), MAX_NATIVE_KEY_LEN);
        if length > max {
            return Err(FormatError::TooLong { prefix: format.prefix, length, max });
        }
        Ok(format)
    }

    /// Everything before the body.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The characters of the body.
    #[must_use]
    pub const fn alphabet(&self) -> &Alphabet {
        &self.alphabet
    }

    /// Characters of the body, without a checksum.
    #[must_use]
    pub const fn body_length(&self) -> usize {
        self.body_length
    }

    /// What follows the body.
    #[must_use]
    pub const fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Bytes of every key of this format.
    #[must_use]
    pub fn key_length(&self) -> usize {
        self.body_length.saturating_add(self.prefix.len() + self.checksum.length())
    }

    /// Random bits of a generated key, rounded down.
    #[must_use]
    pub fn random_bits(&self) -> u32 {
        self.alphabet.bits(self.body_length)
    }

    /// A new key.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`]: the random source failed, or gives only bytes that fit no character.
    pub fn generate(&self, entropy: &dyn Entropy) -> Result<ApiKey, Error> {
        let mut text = Zeroizing::new(String::with_capacity(self.key_length()));
        text.push_str(&self.prefix);
        self.push_body(&mut text, entropy)?;
        self.checksum.append_to(&mut text);
        Ok(ApiKey::new(std::mem::take(&mut *text)))
    }

    /// Draws the body by rejection, so that every character is equally likely whatever the alphabet's size.
    fn push_body(&self, text: &mut String, entropy: &dyn Entropy) -> Result<(), Error> {
        let chars = self.alphabet.chars();
        // The largest multiple of the alphabet's size that bytes can be cut down to; the rest is thrown away.
        let bound = 256 - 256 % chars.len();
        let end = self.prefix.len() + self.body_length;
        // At least half of all bytes are used, so running out of rounds means a source that is stuck.
        let rounds = 8 + self.body_length / 8;
        let mut random = Zeroizing::new([0_u8; 64]);
        for _ in 0..rounds {
            entropy.fill(&mut *random)?;
            let usable = random.iter().map(|&byte| usize::from(byte)).filter(|&byte| byte < bound);
            let drawn = usable.filter_map(|byte| chars.get(byte % chars.len()));
            text.extend(drawn.take(end - text.len()).map(|&c| char::from(c)));
            if text.len() == end {
                return Ok(());
            }
        }
        text.zeroize();
        Err(Error::new(ErrorKind::Entropy, "the random source repeats itself; no key was made"))
    }

    /// Whether `presented` is, to the last byte, a text of this format.
    #[must_use]
    pub fn is_match(&self, presented: impl AsRef<[u8]>) -> bool {
        let presented = presented.as_ref();
        presented.len() == self.key_length()
            && presented.starts_with(self.prefix.as_bytes())
            && self.check(presented).is_ok()
    }

    /// Alphabet and checksum of a text whose length and prefix were found to fit.
    #[inline]
    fn check(&self, presented: &[u8]) -> Result<(), MalformedKey> {
        let (checked, crc) = presented
            .split_at_checked(presented.len().wrapping_sub(self.checksum.length()))
            .ok_or(MalformedKey::Length)?;
        let body = checked.get(self.prefix.len()..).ok_or(MalformedKey::Length)?;
        if !self.alphabet.contains_all(body) {
            return Err(MalformedKey::Alphabet);
        }
        if !self.checksum.fits(checked, crc) {
            return Err(MalformedKey::Checksum);
        }
        Ok(())
    }

    /// A regular expression that finds keys of this format in files, for secret scanners. It demands word boundaries
    /// where the characters there are letters or digits; the checksum is left to the parser.
    #[must_use]
    pub fn scan_rule(&self) -> String {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let mut pattern = String::new();
        if self.prefix.bytes().next().is_some_and(is_word) {
            pattern.push_str(r"\b");
        }
        self.prefix.bytes().for_each(|byte| alphabet::push_escaped(&mut pattern, byte));
        pattern += &format!("{}{{{}}}", self.alphabet.char_class(), self.body_length);
        if self.checksum == Checksum::Crc32 {
            pattern += &format!("[0-9A-Za-z]{{{}}}", self.checksum.length());
        }
        if self.checksum == Checksum::Crc32 || self.alphabet.chars().iter().all(|&c| is_word(c)) {
            pattern.push_str(r"\b");
        }
        pattern
    }

    /// Whether the byte at `position` of some key of this format may be `byte`.
    fn allows(&self, position: usize, byte: u8) -> bool {
        match self.prefix.as_bytes().get(position) {
            Some(&literal) => literal == byte,
            None if position < self.prefix.len() + self.body_length => self.alphabet.contains(byte),
            None => byte.is_ascii_alphanumeric(),
        }
    }
}

/// Whether some text may be a key of both formats. It errs on the safe side: two formats whose checksums alone keep them
/// apart conflict all the same.
#[must_use]
pub fn conflict(a: &KeyFormat, b: &KeyFormat) -> bool {
    let shared = |position| (0..=127).any(|byte| a.allows(position, byte) && b.allows(position, byte));
    a.key_length() == b.key_length() && (0..a.key_length()).all(shared)
}

#[cfg(test)]
mod tests;
