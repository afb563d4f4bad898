//! Sealing of the few values that must be readable again: texts of keys that may be shown twice, and proof secrets.
//!
//! ChaCha20-Poly1305 in its form with long nonces, so that a random nonce for each value never repeats. The row's id is
//! authenticated with the value: moved to another row, a sealed value does not open. The key lives outside the store.
//!
//! A sealed value is `1` (the version), the key's number in 4 bytes, highest first, 24 bytes of nonce, and the
//! ciphertext with its 16-byte tag.

use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use std::fmt;
use zeroize::Zeroizing;

/// The greatest length of a value that is sealed, in bytes.
pub const MAX_SEALED_LEN: usize = 4_096;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const NONCE_LEN: usize = 24;
const DOMAIN_TAG: &[u8] = b"tenantkit sealed value";

/// A key for sealing: 32 secret bytes under a number that sealed values name it by.
///
/// After a change of keys, give the old ones with [`SealKey::also_opens`] until nothing is sealed under them.
pub struct SealKey {
    current: OneKey,
    older: Vec<OneKey>,
}

struct OneKey {
    id: u32,
    secret: Zeroizing<[u8; 32]>,
}

impl SealKey {
    /// A key under the number `id`, which must never be given to other bytes.
    #[must_use]
    pub fn new(id: u32, secret: [u8; 32]) -> Self {
        Self { current: OneKey { id, secret: Zeroizing::new(secret) }, older: Vec::new() }
    }

    /// Also opens what was sealed under an older key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the number is taken: two keys under one number open half of the values each.
    pub fn also_opens(mut self, id: u32, secret: [u8; 32]) -> Result<Self, Error> {
        let older = OneKey { id, secret: Zeroizing::new(secret) };
        if self.find(id).is_some() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "two seal keys have one number; give each its own",
            ));
        }
        self.older.push(older);
        Ok(self)
    }

    /// The number of the key that seals.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.current.id
    }

    /// The number of the key a value was sealed under, if it has the form of a sealed value.
    #[must_use]
    pub fn id_of(sealed: &[u8]) -> Option<u32> {
        Parts::read(sealed).map(|parts| parts.key_id)
    }

    /// Seals `plaintext` for the row `row_id`. The result differs each time.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`] when the random source fails, [`ErrorKind::InvalidArgument`] above [`MAX_SEALED_LEN`].
    pub fn seal(&self, entropy: &dyn Entropy, row_id: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        if plaintext.len() > MAX_SEALED_LEN {
            return Err(Error::new(ErrorKind::InvalidArgument, "the value is too long to be sealed"));
        }
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        let associated = associated(self.current.id, row_id);
        let payload = Payload { msg: plaintext, aad: &associated };
        let ciphertext = (self.current.cipher().encrypt(&XNonce::from(nonce), payload))
            .map_err(|_| Error::new(ErrorKind::InvalidArgument, "the value cannot be sealed"))?;
        let mut sealed = Vec::with_capacity(1 + KEY_ID_LEN + NONCE_LEN + ciphertext.len());
        sealed.push(VERSION);
        sealed.extend(self.current.id.to_be_bytes());
        sealed.extend(nonce);
        sealed.extend(ciphertext);
        Ok(sealed)
    }

    /// Opens what was sealed for the row `row_id`. The plaintext is wiped when it is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::StoreCorrupt`] when the value was changed, cut, or sealed for another row;
    /// [`ErrorKind::InvalidArgument`] when it names a key that was not given.
    pub fn open(&self, row_id: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let corrupt = || Error::new(ErrorKind::StoreCorrupt, "a sealed value cannot be opened");
        let parts = Parts::read(sealed).ok_or_else(corrupt)?;
        let Some(key) = self.find(parts.key_id) else {
            let detail = format!("it names seal key {}; configure that key too", parts.key_id);
            let message = "a value is sealed under a key that is not configured";
            return Err(Error::new(ErrorKind::InvalidArgument, message).with_detail(detail));
        };
        let associated = associated(parts.key_id, row_id);
        let payload = Payload { msg: parts.ciphertext, aad: &associated };
        key.cipher().decrypt(&XNonce::from(parts.nonce), payload).map(Zeroizing::new).map_err(|_| corrupt())
    }

    fn find(&self, id: u32) -> Option<&OneKey> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id)
    }
}

impl OneKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.secret))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let older: Vec<u32> = self.older.iter().map(|key| key.id).collect();
        f.debug_struct("SealKey").field("id", &self.current.id).field("older", &older).finish_non_exhaustive()
    }
}

struct Parts<'a> {
    key_id: u32,
    nonce: [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(sealed: &'a [u8]) -> Option<Self> {
        let (&version, rest) = sealed.split_first()?;
        let (key_id, rest) = rest.split_first_chunk::<KEY_ID_LEN>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        (version == VERSION).then(|| Self { key_id: u32::from_be_bytes(*key_id), nonce: *nonce, ciphertext })
    }
}

/// What is authenticated besides the value: the format, the key's number and the row.
fn associated(key_id: u32, row_id: &[u8]) -> Vec<u8> {
    [DOMAIN_TAG, &[VERSION], &key_id.to_be_bytes(), row_id].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    const TEXT: &[u8] = b"mcpstack_pk_0123456789";

    fn sealed() -> (SealKey, Vec<u8>) {
        let key = SealKey::new(7, [1; 32]);
        let sealed = key.seal(&OsEntropy, b"key_1", TEXT).unwrap();
        (key, sealed)
    }

    #[test]
    fn what_was_sealed_for_a_row_opens_for_that_row_only() {
        let (key, sealed) = sealed();
        assert_eq!(**key.open(b"key_1", &sealed).unwrap(), *TEXT);
        for row in [&b"key_2"[..], b"key_", b"key_11", b""] {
            let error = key.open(row, &sealed).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{row:?}");
        }
    }

    #[test]
    fn any_changed_byte_and_any_cut_is_refused() {
        let (key, sealed) = sealed();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(key.open(b"key_1", &changed).is_err(), "bit {bit} of byte {at}");
            }
            assert!(key.open(b"key_1", &sealed[..at]).is_err(), "cut to {at} bytes");
            assert!(key.open(b"key_1", &sealed[at + 1..]).is_err(), "first {at} bytes gone");
        }
        assert!(key.open(b"key_1", &[&sealed[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_value_opens_under_the_key_it_names_and_no_other() {
        let (_, sealed) = sealed();
        assert_eq!(SealKey::id_of(&sealed), Some(7));
        let other_bytes = SealKey::new(7, [2; 32]);
        assert_eq!(other_bytes.open(b"key_1", &sealed).unwrap_err().kind(), ErrorKind::StoreCorrupt);
        let newer = SealKey::new(8, [1; 32]);
        let error = newer.open(b"key_1", &sealed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("seal key 7"), "{error}");
        let both = SealKey::new(8, [3; 32]).also_opens(7, [1; 32]).unwrap();
        assert_eq!(**both.open(b"key_1", &sealed).unwrap(), *TEXT);
        assert_eq!(SealKey::id_of(&both.seal(&OsEntropy, b"key_1", TEXT).unwrap()), Some(8));
        assert!(both.also_opens(8, [4; 32]).is_err());
        // The number is authenticated: renaming a value to another key of the same bytes does not open it.
        let mut renamed = sealed;
        renamed[4] = 9;
        assert!(SealKey::new(9, [1; 32]).open(b"key_1", &renamed).is_err());
    }

    #[test]
    fn equal_values_are_sealed_differently_and_lengths_are_bounded() {
        let (key, first) = sealed();
        assert_ne!(first, key.seal(&OsEntropy, b"key_1", TEXT).unwrap());
        assert!(key.open(b"r", &key.seal(&OsEntropy, b"r", b"").unwrap()).unwrap().is_empty());
        assert!(key.seal(&OsEntropy, b"r", &[0; MAX_SEALED_LEN]).is_ok());
        assert!(key.seal(&OsEntropy, b"r", &[0; MAX_SEALED_LEN + 1]).is_err());
    }

    #[test]
    fn inv_43_nothing_sealed_shows() {
        let key = SealKey::new(7, *b"a secret of exactly thirty-two b");
        let sealed = key.seal(&OsEntropy, b"key_1", TEXT).unwrap();
        let shown = format!("{key:?} {:?}", key.open(b"key_2", &sealed));
        assert!(!shown.contains("secret of") && !shown.contains("mcpstack"), "{shown}");
        assert!(!sealed.windows(8).any(|part| TEXT.starts_with(part)));
    }

    #[test]
    fn values_sealed_by_every_release_stay_readable() {
        let sealed = data_encoding::HEXLOWER.decode(b"0100000007000102030405060708090a0b0c0d0e0f101112131415161715b3abf6e9f0b4e3bc36011724034483c183aaf9c0722f15b1d62d41027e2ab1de62e5edf612").unwrap();
        assert_eq!(**SealKey::new(7, [1; 32]).open(b"key_1", &sealed).unwrap(), *TEXT);
    }
}
