//! All formats of a policy: what was presented is a key of exactly one of them, or of none.

use super::{FormatError, KeyFormat, MAX_KEY_LEN};
use std::fmt;

/// The most formats one policy may have: its kinds times its environments.
pub const MAX_FORMATS: usize = 64;

/// The formats of a policy. No text can be a key of two of them.
#[derive(Clone, Debug)]
pub struct FormatSet {
    entries: Box<[Entry]>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Bytes of the whole key.
    length: usize,
    /// The first eight bytes of the prefix, zero where it is shorter, and the mask of those it has.
    head: u64,
    head_mask: u64,
    kind: u16,
    environment: u16,
    format: KeyFormat,
}

/// A text of one of the policy's formats. Whether it is a key, only the store knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ParsedKey<'a> {
    text: &'a [u8],
    kind: u16,
    environment: u16,
}

/// Why a text is a key of no format; the nearest format's reason. For audit only: callers see `invalid_key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedKey {
    /// No format has keys of this length.
    #[error("no key has this length")]
    Length,
    /// A byte is not ASCII.
    #[error("keys are ASCII text")]
    NotAscii,
    /// No format of this length has this prefix.
    #[error("no key of this length has this prefix")]
    Prefix,
    /// A character of the body is not in the alphabet.
    #[error("the body has a character that keys of this prefix don't have")]
    Alphabet,
    /// The checksum does not fit.
    #[error("the checksum does not fit")]
    Checksum,
}

impl FormatSet {
    /// The formats, each with the policy's index of its kind and of its environment.
    ///
    /// # Errors
    /// None or more than [`MAX_FORMATS`], or two that [`conflict`](super::conflict).
    pub fn new(formats: impl IntoIterator<Item = (KeyFormat, u16, u16)>) -> Result<Self, FormatError> {
        let entries: Box<[_]> = formats.into_iter().map(|(f, kind, env)| Entry::new(f, kind, env)).collect();
        if !(1..=MAX_FORMATS).contains(&entries.len()) {
            return Err(FormatError::Count(entries.len()));
        }
        let mut rest = &*entries;
        while let Some((a, others)) = rest.split_first() {
            if let Some(b) = others.iter().find(|b| super::conflict(&a.format, &b.format)) {
                return Err(FormatError::Conflict(a.format.prefix.clone(), b.format.prefix.clone()));
            }
            rest = others;
        }
        Ok(Self { entries })
    }

    /// Finds the format of `presented`, byte for byte. Allocates nothing and reads no more than [`MAX_KEY_LEN`] bytes.
    ///
    /// # Errors
    /// It is no key of this policy.
    #[inline]
    pub fn parse<'a>(&self, presented: &'a [u8]) -> Result<ParsedKey<'a>, MalformedKey> {
        // Every key is longer than eight bytes: no alphabet packs 128 bits into so few.
        let Some(head) = presented.first_chunk().filter(|_| presented.len() <= MAX_KEY_LEN) else {
            return Err(MalformedKey::Length);
        };
        let head = u64::from_le_bytes(*head);
        let mut reason = MalformedKey::Length;
        for entry in &self.entries {
            if entry.length != presented.len() {
                continue;
            }
            match entry.check(head, presented) {
                Ok(()) => {
                    return Ok(ParsedKey {
                        text: presented,
                        kind: entry.kind,
                        environment: entry.environment,
                    });
                }
                Err(nearer) => reason = reason.max(nearer),
            }
        }
        Err(refine(reason, presented))
    }

    /// Whether `presented` starts as keys of this policy do. What does not is another system's token.
    #[must_use]
    pub fn is_ours(&self, presented: &[u8]) -> bool {
        self.entries.iter().any(|entry| presented.starts_with(entry.format.prefix.as_bytes()))
    }

    /// The formats with the indices of their kinds and environments.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&KeyFormat, u16, u16)> {
        self.entries.iter().map(|entry| (&entry.format, entry.kind, entry.environment))
    }

    /// The format of this kind and environment.
    #[must_use]
    pub fn format(&self, kind: u16, environment: u16) -> Option<&KeyFormat> {
        self.iter().find_map(|(f, k, e)| (k == kind && e == environment).then_some(f))
    }
}

impl Entry {
    fn new(format: KeyFormat, kind: u16, environment: u16) -> Self {
        let (mut head, mut head_mask) = ([0; 8], [0; 8]);
        for ((head, mask), &byte) in head.iter_mut().zip(&mut head_mask).zip(format.prefix.as_bytes()) {
            (*head, *mask) = (byte, 0xff);
        }
        let (head, head_mask) = (u64::from_le_bytes(head), u64::from_le_bytes(head_mask));
        Self { length: format.key_length(), head, head_mask, kind, environment, format }
    }

    #[inline]
    fn check(&self, head: u64, presented: &[u8]) -> Result<(), MalformedKey> {
        let prefix = self.format.prefix.as_bytes();
        let tail_fits = prefix.len() <= 8 || presented.starts_with(prefix);
        if (head ^ self.head) & self.head_mask != 0 || !tail_fits {
            return Err(MalformedKey::Prefix);
        }
        self.format.check(presented)
    }
}

/// Tells bytes that no key can have from characters that this one can't have.
#[cold]
fn refine(reason: MalformedKey, presented: &[u8]) -> MalformedKey {
    match reason {
        MalformedKey::Prefix | MalformedKey::Alphabet if !presented.is_ascii() => MalformedKey::NotAscii,
        _ => reason,
    }
}

impl<'a> ParsedKey<'a> {
    /// The whole key, as presented: what the digest is made of.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The policy's index of the key's kind.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.kind
    }

    /// The policy's index of the key's environment.
    #[must_use]
    pub const fn environment(&self) -> u16 {
        self.environment
    }
}

impl fmt::Debug for ParsedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedKey")
            .field("text", &"redacted")
            .field("kind", &self.kind)
            .field("environment", &self.environment)
            .finish()
    }
}
