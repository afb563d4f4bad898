//! What is stored and looked up instead of a key: SHA-256 of the whole presented text, or HMAC-SHA-256 of it under a
//! pepper.
//!
//! Keys carry at least 128 random bits, so a fast hash is enough: a dump of digests opens nothing. A pepper, a secret kept
//! outside the store, also guards imported keys that are weaker. Its version is stored with each digest, so that peppers
//! can be replaced one after another while keys are in use.

use crate::error::{Error, ErrorKind};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::hash::{Hash, Hasher};
use zeroize::Zeroizing;

/// The shortest pepper, in bytes.
pub const MIN_PEPPER_LEN: usize = 32;
/// The most peppers that may be in use at the same time.
pub const MAX_PEPPERS: usize = 3;

/// The digest of a whole key text: 32 bytes.
///
/// It is no secret, and presenting it as a key opens nothing; `Debug` still prints only its first 4 bytes. Every compare
/// reads all bytes, so its time tells nothing about where two digests differ.
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// SHA-256 of `presented`, byte for byte.
    #[inline]
    #[must_use]
    pub fn sha256(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// A digest as stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store and to look up.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads a digest made elsewhere. The encoding is named, not guessed; nothing is trimmed.
    ///
    /// # Errors
    /// The text is not exactly 32 bytes in that encoding.
    pub fn decode(encoding: DigestEncoding, text: &str) -> Result<Self, InvalidDigest> {
        use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
        // The one `=` that 32 bytes have is taken off here: a decoder of padded text would also take several padded
        // pieces in a row.
        let unpadded = text.strip_suffix('=').filter(|rest| rest.len() == 43).unwrap_or(text).as_bytes();
        let bytes = match encoding {
            DigestEncoding::Hex => {
                HEXLOWER.decode(text.as_bytes()).or_else(|_| HEXUPPER.decode(text.as_bytes()))
            }
            DigestEncoding::Base64 => BASE64_NOPAD.decode(unpadded),
            DigestEncoding::Base64Url => BASE64URL_NOPAD.decode(unpadded),
        };
        bytes.ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(InvalidDigest(encoding))
    }
}

/// The one compare there is: an XOR fold over all 32 bytes.
impl PartialEq for KeyDigest {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl Eq for KeyDigest {}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "KeyDigest({a:02x}{b:02x}{c:02x}{d:02x}...)")
    }
}

/// Stored as 64 lower-case hexadecimal digits.
impl serde::Serialize for KeyDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&data_encoding::HEXLOWER.encode_display(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for KeyDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::decode(DigestEncoding::Hex, &text).map_err(serde::de::Error::custom)
    }
}

/// How the text of an imported digest is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DigestEncoding {
    /// 64 hexadecimal digits, all lower or all upper case.
    Hex,
    /// RFC 4648 base64: 44 characters with padding, 43 without.
    Base64,
    /// RFC 4648 base64url: 43 characters without padding, 44 with.
    #[serde(rename = "base64url")]
    Base64Url,
}

impl fmt::Display for DigestEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hex => "64 hexadecimal digits of one case",
            Self::Base64 => "43 base64 characters (`A-Z a-z 0-9 + /`), or 44 with `=`",
            Self::Base64Url => "43 base64url characters (`A-Z a-z 0-9 - _`), or 44 with `=`",
        })
    }
}

/// The text is no digest in the encoding that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is {0}")]
pub struct InvalidDigest(pub DigestEncoding);

/// A secret of at least 32 bytes that goes into every digest, kept outside the store.
pub struct Pepper {
    version: u16,
    /// The state of HMAC after its key: as good as the pepper itself, and half the work per digest.
    keyed: Hmac<Sha256>,
}

impl Pepper {
    /// A pepper and the version that is stored with digests made under it. The secret is wiped.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]: fewer than [`MIN_PEPPER_LEN`] bytes.
    #[allow(clippy::needless_pass_by_value, reason = "the caller's copy is to be wiped")]
    pub fn new(version: u16, secret: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        let too_short = || {
            let text = format!(
                "pepper version `{version}` has fewer than {MIN_PEPPER_LEN} bytes; make a longer one"
            );
            Error::new(ErrorKind::InvalidArgument, text)
        };
        if secret.len() < MIN_PEPPER_LEN {
            return Err(too_short());
        }
        // HMAC takes a key of any length, so its own error never comes.
        let keyed = Hmac::new_from_slice(&secret).map_err(|_| too_short())?;
        Ok(Self { version, keyed })
    }

    /// The version stored with digests made under this pepper.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// HMAC-SHA-256 of `presented` under this pepper.
    #[must_use]
    pub fn digest(&self, presented: &[u8]) -> KeyDigest {
        let mut mac = self.keyed.clone();
        mac.update(presented);
        KeyDigest(mac.finalize().into_bytes().into())
    }
}

impl Drop for Pepper {
    fn drop(&mut self) {
        // The crate's own wiping would be paid by every plain digest as well.
        if let Ok(blank) = Hmac::new_from_slice(&[]) {
            self.keyed = blank;
            std::hint::black_box(&self.keyed);
        }
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper(version {}, redacted)", self.version)
    }
}

/// How a stored digest was made; kept in the row beside it. The row, never the key, names the scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DigestScheme {
    /// Plain SHA-256.
    #[default]
    Sha256,
    /// HMAC-SHA-256 under the pepper of this version.
    HmacSha256(u16),
}

/// Makes the digests of an authority: new ones under one scheme, and candidates under all that stored keys may have.
#[derive(Debug)]
pub struct Digester {
    /// The scheme of new digests first.
    schemes: Box<[Scheme]>,
}

#[derive(Debug)]
enum Scheme {
    Sha256,
    Hmac(Pepper),
}

impl Digester {
    /// Plain SHA-256, and nothing else.
    #[must_use]
    pub fn sha256() -> Self {
        Self { schemes: Box::new([Scheme::Sha256]) }
    }

    /// Digests under `current`; keys stored under one of `older` are still found.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]: more than [`MAX_PEPPERS`] in all, or two of one version.
    pub fn peppered(current: Pepper, older: Vec<Pepper>) -> Result<Self, Error> {
        let peppers: Vec<_> = std::iter::once(current).chain(older).collect();
        if peppers.len() > MAX_PEPPERS {
            let text =
                format!("{} peppers are configured; at most {MAX_PEPPERS} may be in use", peppers.len());
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        let mut versions: Vec<_> = peppers.iter().map(Pepper::version).collect();
        versions.sort_unstable();
        if let Some([version, ..]) = versions.windows(2).find(|pair| pair.first() == pair.last()) {
            let text =
                format!("pepper version `{version}` is configured twice; give each pepper its own version");
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        Ok(Self { schemes: peppers.into_iter().map(Scheme::Hmac).collect() })
    }

    /// The same, and keys whose digests were stored without a pepper are still found.
    #[must_use]
    pub fn with_unpeppered(self) -> Self {
        if self.supports(DigestScheme::Sha256) {
            return self;
        }
        let schemes = self.schemes.into_iter().chain([Scheme::Sha256]).collect();
        Self { schemes }
    }

    /// The scheme of new digests.
    #[must_use]
    pub fn current(&self) -> DigestScheme {
        self.schemes.first().map_or(DigestScheme::Sha256, Scheme::name)
    }

    /// Whether digests of `scheme` can be made here. A start is refused when the store holds one that can't.
    #[must_use]
    pub fn supports(&self, scheme: DigestScheme) -> bool {
        self.schemes.iter().any(|s| s.name() == scheme)
    }

    /// The digest to store for a new key.
    #[must_use]
    pub fn digest(&self, presented: &[u8]) -> (DigestScheme, KeyDigest) {
        self.candidates(presented).next().unwrap_or_else(|| Scheme::Sha256.digest(presented))
    }

    /// The digests to look a presented key up by, one per scheme in use, the current one first. Each is made when it is
    /// asked for: most keys are found by the first.
    #[inline]
    pub fn candidates(&self, presented: &[u8]) -> impl Iterator<Item = (DigestScheme, KeyDigest)> {
        self.schemes.iter().map(move |scheme| scheme.digest(presented))
    }
}

impl Scheme {
    fn name(&self) -> DigestScheme {
        match self {
            Self::Sha256 => DigestScheme::Sha256,
            Self::Hmac(pepper) => DigestScheme::HmacSha256(pepper.version),
        }
    }

    fn digest(&self, presented: &[u8]) -> (DigestScheme, KeyDigest) {
        let digest = match self {
            Self::Sha256 => KeyDigest::sha256(presented),
            Self::Hmac(pepper) => pepper.digest(presented),
        };
        (self.name(), digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pepper(version: u16, byte: u8) -> Pepper {
        Pepper::new(version, Zeroizing::new(vec![byte; 32])).unwrap()
    }

    fn hex(digest: &KeyDigest) -> String {
        data_encoding::HEXLOWER.encode(digest.as_bytes())
    }

    #[test]
    fn rs_16_the_digest_is_sha_256_of_the_whole_text() {
        let digest = KeyDigest::sha256(b"abc");
        assert_eq!(hex(&digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(format!("{digest:?}"), "KeyDigest(ba7816bf...)");
        assert_ne!(digest, KeyDigest::sha256(b"Abc"), "case counts");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"{}\"", hex(&digest)));
        assert_eq!(serde_json::from_str::<KeyDigest>(&json).unwrap(), digest);
        assert!(serde_json::from_str::<KeyDigest>(&json.replace("ba", "b")).is_err());
    }

    #[test]
    fn a_pepper_is_the_key_of_hmac_sha_256() {
        // RFC 4231, test case 6: a key of 131 bytes.
        let pepper = Pepper::new(7, Zeroizing::new(vec![0xaa; 131])).unwrap();
        let digest = pepper.digest(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&digest), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        assert_eq!(format!("{pepper:?}"), "Pepper(version 7, redacted)");
        assert!(Pepper::new(1, Zeroizing::new(vec![1; 31])).is_err());
    }

    #[test]
    fn candidates_start_with_the_current_scheme_and_name_each() {
        let digester = Digester::peppered(pepper(3, 3), vec![pepper(2, 2)]).unwrap().with_unpeppered();
        let candidates: Vec<_> = digester.candidates(b"key").collect();
        let expected = [
            (DigestScheme::HmacSha256(3), pepper(3, 3).digest(b"key")),
            (DigestScheme::HmacSha256(2), pepper(2, 2).digest(b"key")),
            (DigestScheme::Sha256, KeyDigest::sha256(b"key")),
        ];
        assert_eq!(candidates, expected);
        assert_eq!((digester.current(), digester.digest(b"key")), (expected[0].0, expected[0]));
        assert!(
            digester.supports(DigestScheme::HmacSha256(2)) && !digester.supports(DigestScheme::HmacSha256(1))
        );
        assert!(Digester::sha256().with_unpeppered().candidates(b"key").eq([expected[2]]));
    }

    #[test]
    fn at_most_three_peppers_of_different_versions() {
        let peppered =
            |older: &[u16]| Digester::peppered(pepper(9, 0), older.iter().map(|&v| pepper(v, 1)).collect());
        assert!(peppered(&[8, 7]).is_ok());
        assert!(peppered(&[8, 7, 6]).is_err());
        assert!(peppered(&[8, 8]).is_err());
        assert!(peppered(&[9]).is_err());
    }

    #[test]
    fn imported_digests_are_read_strictly_in_the_encoding_named() {
        use DigestEncoding::{Base64, Base64Url, Hex};
        let digest = KeyDigest::from_bytes([0xfb; 32]);
        let standard = "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s";
        let url = "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s";
        let good = [
            (Hex, "fb".repeat(32)),
            (Hex, "FB".repeat(32)),
            (Base64, standard.to_owned()),
            (Base64, format!("{standard}=")),
            (Base64Url, url.to_owned()),
            (Base64Url, format!("{url}=")),
        ];
        for (encoding, text) in good {
            assert_eq!(KeyDigest::decode(encoding, &text), Ok(digest), "{text}");
        }
        let bad = [
            (Hex, "fb".repeat(31)),
            (Hex, "fb".repeat(33)),
            (Hex, "fB".repeat(32)),
            (Hex, format!("{}\n", "fb".repeat(32))),
            (Hex, format!("0x{}", "fb".repeat(31))),
            (Hex, standard.to_owned()),
            (Base64, "fb".repeat(32)),
            (Base64, url.to_owned()),
            (Base64, format!("{standard}==")),
            (Base64, format!("+/s={}", &standard[..40])),
            (
                Base64,
                "Ag==iV0sag==Ag==ig==ag==iV0sag==Ag==ig==ag==Ag==ig==iV0sag==ig==iV0sag==Yg==ig12sag="
                    .to_owned(),
            ),
            (Base64, standard[..42].to_owned()),
            // The last character carries two bits that must be zero.
            (Base64, format!("{}t", &standard[..42])),
            (Base64Url, standard.to_owned()),
            (Base64Url, format!(" {url}")),
            (Base64Url, String::new()),
        ];
        for (encoding, text) in bad {
            assert_eq!(KeyDigest::decode(encoding, &text), Err(InvalidDigest(encoding)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn inv_01_digests_are_equal_only_if_every_byte_is(bytes: [u8; 32], at in 0_usize..32, flip in 1_u8..) {
            let mut other = bytes;
            prop_assert_eq!(KeyDigest::from_bytes(bytes), KeyDigest::from_bytes(other));
            other[at] ^= flip;
            prop_assert_ne!(KeyDigest::from_bytes(bytes), KeyDigest::from_bytes(other));
        }
    }
}
