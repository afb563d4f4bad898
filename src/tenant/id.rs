//! Ids of accounts, orgs and users: strings of the owner's own system, kept and compared as bytes (row A-28).
//!
//! Nothing is trimmed, folded or normalised: two ids that differ in one byte are two tenants, and an id that breaks a
//! rule is refused, never repaired. The widest rule set refuses what would deceive a reader or a log; a policy may
//! narrow it to the characters of common ids.

use std::borrow::Borrow;
use std::fmt;

/// The longest id any policy may allow, in bytes.
pub const MAX_ID_LEN: u8 = 255;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads an id as it stands; nothing is trimmed, decoded or folded.
            ///
            /// # Errors
            /// The first rule of `syntax` that the text breaks.
            pub fn parse(text: &str, syntax: &IdSyntax) -> Result<Self, IdError> {
                syntax.check(text)?;
                Ok(Self(text.into()))
            }

            /// Takes an id that a store holds already, and that was checked when it was written.
            #[allow(dead_code, reason = "each id type has the same set of constructors")]
            pub(crate) fn from_stored(text: &str) -> Self {
                Self(text.into())
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }

        /// Orders and hashes as its text does.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                *self.0 == *other
            }
        }

        /// Reads any id of the widest syntax; a policy's narrower one is checked where a request enters.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <Box<str> as serde::Deserialize>::deserialize(deserializer)?;
                IdSyntax::wide().check(&text).map_err(serde::de::Error::custom)?;
                Ok(Self(text))
            }
        }
    };
}

id_type! {
    /// The id of the account that a key belongs to. No parameter of a request ever changes it.
    AccountId
}

id_type! {
    /// The id of an org, unique within its account and environment.
    OrgId
}

id_type! {
    /// The id of a user, unique within its org: the same text in two orgs is two users (row A-29).
    UserId
}

/// Which characters an id may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    Wide,
    Narrow,
}

/// The rules an id must follow: its alphabet and its greatest length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSyntax {
    alphabet: Alphabet,
    max_len: u8,
}

/// Words that broken clients send instead of an id.
const PLACEHOLDERS: [&str; 5] = ["null", "undefined", "None", "nil", "NaN"];

impl IdSyntax {
    /// 1 to 255 bytes of UTF-8 without control, bidirectional and zero-width characters.
    #[must_use]
    pub const fn wide() -> Self {
        Self { alphabet: Alphabet::Wide, max_len: MAX_ID_LEN }
    }

    /// 1 to 255 of `A-Z a-z 0-9 . _ - @ + =`, neither `.` nor `..`, nor what broken clients send in place of an id
    /// (`null`, `undefined`, `None`, `nil`, `NaN`).
    #[must_use]
    pub const fn narrow() -> Self {
        Self { alphabet: Alphabet::Narrow, max_len: MAX_ID_LEN }
    }

    /// The same alphabet with ids of at most `max_len` bytes; 0 counts as 1.
    #[must_use]
    pub const fn with_max_len(mut self, max_len: u8) -> Self {
        self.max_len = if max_len == 0 { 1 } else { max_len };
        self
    }

    /// The greatest length of an id, in bytes.
    #[must_use]
    pub const fn max_len(&self) -> u8 {
        self.max_len
    }

    /// Whether `text` is an id.
    ///
    /// # Errors
    /// The first rule it breaks. Length comes first, so a huge text is not walked.
    pub fn check(&self, text: &str) -> Result<(), IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > usize::from(self.max_len) {
            return Err(IdError::TooLong { max_len: self.max_len });
        }
        match self.alphabet {
            Alphabet::Wide if text.chars().any(is_deceptive) => Err(IdError::Character),
            Alphabet::Narrow if !text.bytes().all(is_narrow) => Err(IdError::Character),
            Alphabet::Narrow if matches!(text, "." | "..") || PLACEHOLDERS.contains(&text) => {
                Err(IdError::Placeholder)
            }
            Alphabet::Wide | Alphabet::Narrow => Ok(()),
        }
    }
}

impl Default for IdSyntax {
    /// The narrow alphabet, as the built-in policy has it.
    fn default() -> Self {
        Self::narrow()
    }
}

/// Why a text is not an id. It never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// There is nothing in it; an empty id is not an absent one.
    #[error("an id is at least 1 byte; leave the parameter out or give it a value")]
    Empty,
    /// It has more bytes than allowed.
    #[error("an id is at most {max_len} bytes")]
    TooLong {
        /// The greatest length, in bytes.
        max_len: u8,
    },
    /// It has a character that the alphabet does not allow.
    #[error("the id has a character that is not allowed")]
    Character,
    /// It is a word that stands for no id at all, such as `null`, or a path step.
    #[error("the id is a placeholder that a client sends when it has no id")]
    Placeholder,
}

fn is_narrow(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@' | b'+' | b'=')
}

/// Characters that end a line, change the direction of what follows, or cannot be seen at all.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Line and paragraph separators break a log line as a newline does.
            '\u{2028}' | '\u{2029}'
            // The Unicode property Bidi_Control.
            | '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Zero-width spaces, joiners and invisible operators; the byte order mark is one of them.
            | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}'
            // Tag characters spell invisible ASCII.
            | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_judge_ids_by_rule_a_28() {
        use IdError::{Character as C, Empty, Placeholder as P, TooLong};
        let long = |n: usize| "a".repeat(n);
        let (max, over, huge) = (long(255), long(256), long(65_536));
        let too_long = Err(TooLong { max_len: 255 });
        type Verdict = Result<(), IdError>;
        let cases: [(&str, Verdict, Verdict); 40] = [
            ("", Err(Empty), Err(Empty)),
            (&max, Ok(()), Ok(())),
            (&over, too_long, too_long),
            (&huge, too_long, too_long),
            ("org_1", Ok(()), Ok(())),
            ("a.b-c@d+e=f", Ok(()), Ok(())),
            (".", Err(P), Ok(())),
            ("..", Err(P), Ok(())),
            ("...", Ok(()), Ok(())),
            ("a/../b", Err(C), Ok(())),
            ("a\\b", Err(C), Ok(())),
            ("/a", Err(C), Ok(())),
            ("a//b/", Err(C), Ok(())),
            ("%2e%2e%2f", Err(C), Ok(())),
            ("a:b", Err(C), Ok(())),
            ("a|b", Err(C), Ok(())),
            ("a*?[b]", Err(C), Ok(())),
            ("{a}", Err(C), Ok(())),
            ("a'--", Err(C), Ok(())),
            (" a", Err(C), Ok(())),
            ("a ", Err(C), Ok(())),
            ("null", Err(P), Ok(())),
            ("undefined", Err(P), Ok(())),
            ("None", Err(P), Ok(())),
            ("nil", Err(P), Ok(())),
            ("NaN", Err(P), Ok(())),
            ("Null", Ok(()), Ok(())),
            ("é", Err(C), Ok(())),
            ("e\u{301}", Err(C), Ok(())),
            ("🙂", Err(C), Ok(())),
            ("a\0b", Err(C), Err(C)),
            ("a\nforged", Err(C), Err(C)),
            ("\u{1b}[31m", Err(C), Err(C)),
            ("a\u{7f}", Err(C), Err(C)),
            ("a\u{85}b", Err(C), Err(C)),
            ("a\u{2028}b", Err(C), Err(C)),
            ("a\u{202e}b", Err(C), Err(C)),
            ("a\u{200f}b", Err(C), Err(C)),
            ("a\u{200b}b", Err(C), Err(C)),
            ("a\u{feff}", Err(C), Err(C)),
        ];
        for (text, narrow, wide) in cases {
            assert_eq!(IdSyntax::narrow().check(text), narrow, "narrow, {text:?}");
            assert_eq!(IdSyntax::wide().check(text), wide, "wide, {text:?}");
        }
    }

    #[test]
    fn the_greatest_length_counts_bytes_and_is_never_zero() {
        let syntax = IdSyntax::wide().with_max_len(4);
        assert_eq!(syntax.check("éé"), Ok(()));
        assert_eq!(syntax.check("ééa"), Err(IdError::TooLong { max_len: 4 }));
        assert_eq!(IdSyntax::wide().with_max_len(0).check("a"), Ok(()));
    }

    #[test]
    fn ids_that_look_alike_stay_two() {
        let wide = IdSyntax::wide();
        for (a, b) in [("A", "a"), ("é", "e\u{301}"), ("a", "а"), ("org1", "org10"), ("a", "a ")] {
            let (left, right) = (OrgId::parse(a, &wide).unwrap(), OrgId::parse(b, &wide).unwrap());
            assert_ne!(left, right, "{a:?} and {b:?}");
        }
    }

    #[test]
    fn ids_travel_as_text_and_are_checked_on_the_way_in() {
        let id = UserId::parse("u1", &IdSyntax::narrow()).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"u1\"");
        assert_eq!(serde_json::from_str::<UserId>("\"u1\"").unwrap(), id);
        for bad in ["\"\"", "\"a\\u0000\"", "1", "null", "[\"u1\"]"] {
            assert!(serde_json::from_str::<UserId>(bad).is_err(), "{bad}");
        }
    }
}
