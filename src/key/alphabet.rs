//! The characters a key's body is made of, checked without a branch per byte.

use std::fmt;

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789abcdef";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Characters that need no quoting in a Bearer header (RFC 6750 `b64token`, without its trailing `=`).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// A set of characters, in a fixed order and without repeats.
///
/// ```
/// use tenantkit::key::alphabet::Alphabet;
///
/// let alphabet = Alphabet::custom("23456789abcdefghjkmnpqrstuvwxyz")?;
/// assert!(alphabet.contains(b'z') && !alphabet.contains(b'0'));
/// # Ok::<(), tenantkit::key::alphabet::InvalidAlphabet>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Alphabet {
    chars: Box<[u8]>,
    /// 0 for a member, 1 for any other byte, so that a whole body is checked by one OR over its bytes.
    outside: [u8; 256],
    /// The same set as runs of consecutive bytes if three are enough: these are compared 16 bytes at a time.
    runs: Option<[Run; 3]>,
}

/// The bytes from `start` to `start + span`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    start: u8,
    span: u8,
}

impl Run {
    #[inline]
    const fn contains(self, byte: u8) -> bool {
        byte.wrapping_sub(self.start) <= self.span
    }
}

/// Why a set of characters is no alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAlphabet {
    /// Fewer than two characters.
    #[error("an alphabet needs at least two characters")]
    TooSmall,
    /// A character would have to be quoted in a header, or is not ASCII.
    #[error("`{0}` can't be in an alphabet; use letters, digits and `-._~+/`")]
    Character(char),
    /// A repeated character would be drawn twice as often.
    #[error("`{0}` is in the alphabet twice; give each character once")]
    Repeated(char),
}

impl Alphabet {
    /// `0-9A-Za-z`, in this order.
    #[must_use]
    pub fn base62() -> Self {
        Self::from_members(BASE62)
    }

    /// `0-9a-f`. Capitals are other characters and are refused (row A-09).
    #[must_use]
    pub fn hex() -> Self {
        Self::from_members(HEX)
    }

    /// `0-9a-z`.
    #[must_use]
    pub fn base36() -> Self {
        Self::from_members(BASE36)
    }

    /// The alphabet a policy calls `base62`, `hex` or `base36`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "base62" => Some(Self::base62()),
            "hex" => Some(Self::hex()),
            "base36" => Some(Self::base36()),
            _ => None,
        }
    }

    /// An alphabet of one's own: two or more different ASCII letters, digits and `-._~+/`.
    ///
    /// # Errors
    /// Too few characters, one that is not allowed, or one that comes twice.
    pub fn custom(chars: &str) -> Result<Self, InvalidAlphabet> {
        let mut seen = [false; 128];
        for c in chars.chars() {
            let byte =
                u8::try_from(c).ok().filter(|&b| is_token_byte(b)).ok_or(InvalidAlphabet::Character(c))?;
            if let Some(seen) = seen.get_mut(usize::from(byte))
                && std::mem::replace(seen, true)
            {
                return Err(InvalidAlphabet::Repeated(c));
            }
        }
        if chars.len() < 2 {
            return Err(InvalidAlphabet::TooSmall);
        }
        Ok(Self::from_members(chars.as_bytes()))
    }

    fn from_members(chars: &[u8]) -> Self {
        let mut outside = [1; 256];
        for &c in chars {
            if let Some(flag) = outside.get_mut(usize::from(c)) {
                *flag = 0;
            }
        }
        let mut alphabet = Self { chars: chars.into(), outside, runs: None };
        alphabet.runs = match *alphabet.runs().collect::<Vec<_>>() {
            [a] => Some([a, a, a]),
            [a, b] => Some([a, b, b]),
            [a, b, c] => Some([a, b, c]),
            _ => None,
        };
        alphabet
    }

    /// The set as runs of consecutive bytes, in ascending order.
    fn runs(&self) -> impl Iterator<Item = Run> {
        let mut sorted = self.chars.to_vec();
        sorted.sort_unstable();
        let run =
            |run: &[u8]| run.first().zip(run.last()).map(|(&start, last)| Run { start, span: last - start });
        sorted.chunk_by(|a, b| a + 1 == *b).filter_map(run).collect::<Vec<_>>().into_iter()
    }

    /// The characters in order; their positions are the digits' values.
    #[must_use]
    pub fn chars(&self) -> &[u8] {
        &self.chars
    }

    /// Whether `byte` is one of the characters.
    #[must_use]
    pub fn contains(&self, byte: u8) -> bool {
        self.contains_all(&[byte])
    }

    /// Whether every byte is one of the characters; does not stop at the first that is not.
    #[inline]
    #[must_use]
    pub fn contains_all(&self, bytes: &[u8]) -> bool {
        let (blocks, rest) = bytes.as_chunks::<16>();
        if let (Some([a, b, c]), Some(last)) = (self.runs, bytes.last_chunk::<16>()) {
            let outside = |&byte: &u8| !(a.contains(byte) | b.contains(byte) | c.contains(byte));
            let any_outside =
                |block: &[u8; 16]| block.iter().map(outside).fold(false, std::ops::BitOr::bitor);
            // The last block overlaps the one before it, so that no byte is left to be checked alone.
            let in_blocks = blocks.iter().fold(false, |bad, block| bad | any_outside(block));
            return !(in_blocks | (!rest.is_empty() && any_outside(last)));
        }
        let flag = |&byte: &u8| self.outside.get(usize::from(byte)).copied().unwrap_or(1);
        bytes.iter().map(flag).fold(0, std::ops::BitOr::bitor) == 0
    }

    /// Bits of entropy in `length` characters drawn evenly, rounded down.
    #[must_use]
    pub fn bits(&self, length: usize) -> u32 {
        (self.bits_per_char() * length as f64) as u32
    }

    pub(super) fn bits_per_char(&self) -> f64 {
        (self.chars.len() as f64).log2()
    }

    /// The set as a regular expression, such as `[0-9a-f]`.
    pub(super) fn char_class(&self) -> String {
        let mut class = String::from("[");
        for Run { start, span } in self.runs() {
            push_escaped(&mut class, start);
            if span > 1 {
                class.push('-');
            }
            if span > 0 {
                push_escaped(&mut class, start + span);
            }
        }
        class + "]"
    }
}

/// Appends a literal character, escaped where it means something in a regular expression. `/` is escaped as well, for
/// scanners that take patterns between slashes.
pub(super) fn push_escaped(pattern: &mut String, byte: u8) {
    if matches!(byte, b'-' | b'.' | b'+' | b'/') {
        pattern.push('\\');
    }
    pattern.push(char::from(byte));
}

impl fmt::Debug for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alphabet").field(&String::from_utf8_lossy(&self.chars)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_alphabets_are_sets_of_the_right_size() {
        for (name, size) in [("base62", 62), ("hex", 16), ("base36", 36)] {
            let alphabet = Alphabet::named(name).unwrap();
            let text = String::from_utf8(alphabet.chars().to_vec()).unwrap();
            assert_eq!(Alphabet::custom(&text), Ok(alphabet));
            assert_eq!(text.len(), size);
        }
        assert_eq!(Alphabet::named("Base62"), None);
    }

    #[test]
    fn membership_is_exact_for_every_byte() {
        // One, two, three and more runs of consecutive bytes.
        for chars in ["mnop", "0123456789abcdef", std::str::from_utf8(BASE62).unwrap(), "-/09AZaz~"] {
            let alphabet = Alphabet::custom(chars).unwrap();
            let (first, last) = (chars.as_bytes()[0], chars.as_bytes()[chars.len() - 1]);
            for byte in 0..=255 {
                let member = chars.as_bytes().contains(&byte);
                assert_eq!(alphabet.contains(byte), member, "{byte} in {chars}");
                for at in 0..43 {
                    let mut body = [[first; 20].as_slice(), &[last; 23]].concat();
                    body[at] = byte;
                    assert_eq!(alphabet.contains_all(&body), member, "{byte} at {at} in {chars}");
                }
            }
            assert!(alphabet.contains_all(b""));
        }
    }

    #[test]
    fn bad_sets_are_refused() {
        let cases = [
            ("", InvalidAlphabet::TooSmall),
            ("a", InvalidAlphabet::TooSmall),
            ("aba", InvalidAlphabet::Repeated('a')),
            ("ab c", InvalidAlphabet::Character(' ')),
            ("ab,", InvalidAlphabet::Character(',')),
            ("ab=", InvalidAlphabet::Character('=')),
            ("ab\u{e9}", InvalidAlphabet::Character('\u{e9}')),
        ];
        for (chars, error) in cases {
            assert_eq!(Alphabet::custom(chars), Err(error), "{chars:?}");
        }
    }

    #[test]
    fn bits_are_rounded_down() {
        assert_eq!(Alphabet::hex().bits(64), 256);
        assert_eq!(Alphabet::base36().bits(32), 165);
        assert_eq!(Alphabet::base62().bits(32), 190);
        assert_eq!(Alphabet::base62().bits(43), 256);
    }

    #[test]
    fn char_classes_are_short_and_escaped() {
        let class = |chars: &str| Alphabet::custom(chars).unwrap().char_class();
        assert_eq!(Alphabet::base62().char_class(), "[0-9A-Za-z]");
        assert_eq!(class("fedcba-_9"), r"[\-9_a-f]");
        assert_eq!(class("ab./+~"), r"[\+\.\/ab~]");
    }
}
