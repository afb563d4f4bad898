//! A plaintext key, on its way from the generator to its one showing.

use std::fmt;
use zeroize::Zeroizing;

/// The text of a key. It is shown once, in the answer that issues it, and is wiped from memory when dropped.
///
/// It can't be printed, copied, compared or serialized: [`reveal`](Self::reveal) is the only way to its text. The buffer
/// has its final size from the start, since a growing one leaves copies behind.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Takes over the text of a key; the buffer is wiped on drop. Nothing is checked: only what
    /// [`FormatSet::parse`](super::format::FormatSet::parse) accepts is a key.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The key itself. Whoever calls this answers for where it goes: one answer to the owner, no log, no error.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails to compile when the type implements the trait: the call becomes ambiguous.
    macro_rules! assert_not_impl {
        ($type:ty: $($trait:path),+) => {$({
            trait AmbiguousIf<A> {
                fn check() {}
            }
            impl<T: ?Sized> AmbiguousIf<()> for T {}
            impl<T: ?Sized + $trait> AmbiguousIf<u8> for T {}
            <$type as AmbiguousIf<_>>::check();
        })+};
    }

    #[test]
    fn inv_43_a_key_has_no_way_out_but_reveal() {
        assert_not_impl!(ApiKey: Clone, fmt::Display, PartialEq, serde::Serialize, AsRef<str>, std::ops::Deref);
        let key = ApiKey::new("rsk_0123".to_owned());
        assert_eq!(format!("{key:?} {:?}", Some(&key)), "ApiKey(redacted) Some(ApiKey(redacted))");
        assert_eq!(key.reveal(), "rsk_0123");
    }
}
