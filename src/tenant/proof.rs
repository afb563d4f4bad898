//! Signed user ids: how a request shows that the user it names was vouched for by the account's own backend (row A-30).
//!
//! The proof is `<unix seconds>.<signature>`. The signature is HMAC-SHA-256, in base64url without padding, over account,
//! org, key id, user and the seconds in decimal, each after its length in 4 bytes, highest first; a missing org has
//! length 0. A proof holds for 5 minutes to either side of its time, for this key and this user only. It can be used
//! again within that time: it proves who the user is, not that a request is new.

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind};
use crate::key::id::KeyId;
use crate::seal::SealKey;
use crate::tenant::id::AccountId;
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// How far a proof's time may lie from now, in seconds, before or after.
pub const PROOF_TOLERANCE_S: i64 = 300;
/// The least length of a proof secret, in bytes.
pub const MIN_SECRET_LEN: usize = 32;
/// The greatest length of a proof secret, in bytes.
pub const MAX_SECRET_LEN: usize = 1_024;

const SIGNATURE_LEN: usize = 32;
/// The digits of any `i64`, a dot, and 43 characters of signature.
const MAX_PROOF_LEN: usize = 20 + 1 + 43;

/// Which user a request claims to act for, with which key.
#[derive(Clone, Copy, Debug)]
pub struct UserClaim<'a> {
    /// The key's account.
    pub account_id: &'a str,
    /// The org the request acts in, if the key has one.
    pub org_id: Option<&'a str>,
    /// The key.
    pub key_id: KeyId,
    /// The user.
    pub user_id: &'a str,
}

/// The secret of an account that signs user ids: 32 to 1,024 bytes, wiped when dropped.
pub struct ProofSecret(Zeroizing<Vec<u8>>);

impl UserClaim<'_> {
    /// The proof to send with the user id, signed at `now`. For the owner's backend, never for a browser.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when an id is longer than 4 GiB.
    pub fn sign(&self, secret: &ProofSecret, now: Timestamp) -> Result<String, Error> {
        let seconds = now.as_seconds().to_string();
        let mac = self.mac(secret, &seconds).ok_or_else(|| invalid("the user id cannot be signed"))?;
        Ok(format!("{seconds}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes())))
    }

    /// Whether `proof` was signed for this claim, at most 5 minutes from `now`. Anything else is no proof: another
    /// spelling of the number, padding, a changed byte. Constant time in the signature.
    #[must_use]
    pub fn is_proved_by(&self, proof: &str, secret: &ProofSecret, now: Timestamp) -> bool {
        self.check(proof, secret, now).is_some()
    }

    fn check(&self, proof: &str, secret: &ProofSecret, now: Timestamp) -> Option<()> {
        if proof.len() > MAX_PROOF_LEN {
            return None;
        }
        let (seconds, signature) = proof.split_once('.')?;
        let signed_at = read_seconds(seconds)?;
        let distance_us = now.micros_since(Timestamp::from_seconds(signed_at)).unsigned_abs();
        if distance_us > PROOF_TOLERANCE_S.unsigned_abs() * 1_000_000 {
            return None;
        }
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        if signature.len() != SIGNATURE_LEN {
            return None;
        }
        self.mac(secret, seconds)?.verify_slice(&signature).ok()
    }

    fn mac(&self, secret: &ProofSecret, seconds: &str) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&secret.0).ok()?;
        let key_id = self.key_id.to_string();
        let org_id = self.org_id.unwrap_or_default();
        for field in [self.account_id, org_id, &key_id, self.user_id, seconds] {
            mac.update(&u32::try_from(field.len()).ok()?.to_be_bytes());
            mac.update(field.as_bytes());
        }
        Some(mac)
    }
}

impl ProofSecret {
    /// Takes a secret that the host made.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] outside 32 to 1,024 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, Error> {
        if !(MIN_SECRET_LEN..=MAX_SECRET_LEN).contains(&secret.len()) {
            return Err(invalid("a proof secret has 32 to 1024 bytes"));
        }
        Ok(Self(Zeroizing::new(secret.to_vec())))
    }

    /// A new secret of 32 random bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`] when the random source fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, Error> {
        let mut secret = Zeroizing::new(vec![0; MIN_SECRET_LEN]);
        entropy.fill(&mut secret)?;
        Ok(Self(secret))
    }

    /// The bytes, for the backend that is to sign with them. Show them once.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// The sealed form, in which the account's record keeps it.
    ///
    /// # Errors
    /// Those of [`SealKey::seal`].
    pub fn seal(
        &self,
        key: &SealKey,
        entropy: &dyn Entropy,
        account_id: &AccountId,
    ) -> Result<Vec<u8>, Error> {
        key.seal(entropy, &row_id(account_id), &self.0)
    }

    /// Opens the sealed form.
    ///
    /// # Errors
    /// Those of [`SealKey::open`], and [`ErrorKind::StoreCorrupt`] when what was sealed is no secret.
    pub fn unseal(key: &SealKey, account_id: &AccountId, sealed: &[u8]) -> Result<Self, Error> {
        let secret = key.open(&row_id(account_id), sealed)?;
        if !(MIN_SECRET_LEN..=MAX_SECRET_LEN).contains(&secret.len()) {
            return Err(Error::new(ErrorKind::StoreCorrupt, "what is sealed as a proof secret is none"));
        }
        Ok(Self(secret))
    }
}

impl fmt::Debug for ProofSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofSecret(..)")
    }
}

/// What the sealed secret of an account is bound to; apart from every key's text.
fn row_id(account_id: &AccountId) -> Vec<u8> {
    [b"proof secret of ", account_id.as_str().as_bytes()].concat()
}

/// The one spelling of a number: digits, no sign but a minus, no leading zero.
fn read_seconds(text: &str) -> Option<i64> {
    let seconds: i64 = text.parse().ok()?;
    (seconds.to_string() == text).then_some(seconds)
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use crate::tenant::id::IdSyntax;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn secret() -> ProofSecret {
        ProofSecret::new(b"an account's secret of 32 bytes!").unwrap()
    }

    fn claim() -> UserClaim<'static> {
        UserClaim {
            account_id: "acme",
            org_id: Some("org_1"),
            key_id: KeyId::from_bytes([7; 16]),
            user_id: "u1",
        }
    }

    #[test]
    fn a_proof_has_the_documented_form() {
        // Made by another program from the description above.
        let golden = "1800000000.07Ha4GoiSxv8HSXhvsS5J_Np1yP0z6gm5jSnWdCdnkA";
        assert_eq!(claim().sign(&secret(), NOW).unwrap(), golden);
        assert!(claim().is_proved_by(golden, &secret(), NOW));
        let golden_without_org = "1800000000.goK9ZI3XEmDJX-yxhCkieYrO9XzEMYoScU-Pmc_b7i4";
        let without_org = UserClaim { org_id: None, ..claim() };
        assert_eq!(without_org.sign(&secret(), NOW).unwrap(), golden_without_org);
    }

    #[test]
    fn a_proof_holds_five_minutes_to_either_side() {
        let proof = claim().sign(&secret(), NOW).unwrap();
        for (micros, holds) in [
            (0, true),
            (300_000_000, true),
            (300_000_001, false),
            (-300_000_000, true),
            (-300_000_001, false),
            (86_400_000_000, false),
        ] {
            assert_eq!(
                claim().is_proved_by(&proof, &secret(), NOW.plus_micros(micros)),
                holds,
                "{micros} us"
            );
        }
        // Before the epoch the number has a sign, and extremes do not overflow.
        let early = Timestamp::from_seconds(-5);
        assert!(claim().is_proved_by(&claim().sign(&secret(), early).unwrap(), &secret(), early));
        for seconds in [i64::MIN, i64::MAX] {
            let signature = proof.split_once('.').unwrap().1;
            assert!(!claim().is_proved_by(&format!("{seconds}.{signature}"), &secret(), NOW));
        }
    }

    #[test]
    fn x_12_a_proof_is_for_one_account_org_key_user_and_secret() {
        let proof = claim().sign(&secret(), NOW).unwrap();
        for other in [
            UserClaim { account_id: "acm", ..claim() },
            UserClaim { org_id: Some("org_2"), ..claim() },
            UserClaim { org_id: None, ..claim() },
            UserClaim { key_id: KeyId::from_bytes([8; 16]), ..claim() },
            UserClaim { user_id: "u2", ..claim() },
            // The same bytes, cut elsewhere.
            UserClaim { account_id: "acmeo", org_id: Some("rg_1"), ..claim() },
        ] {
            assert!(!other.is_proved_by(&proof, &secret(), NOW), "{other:?}");
        }
        let other = ProofSecret::new(b"another account's secret, also 32").unwrap();
        assert!(!claim().is_proved_by(&proof, &other, NOW));
    }

    #[test]
    fn only_the_one_spelling_of_a_proof_is_a_proof() {
        let proof = claim().sign(&secret(), NOW).unwrap();
        let (seconds, signature) = proof.split_once('.').unwrap();
        for bad in [
            String::new(),
            ".".into(),
            seconds.into(),
            format!("{seconds}."),
            format!(".{signature}"),
            format!("+{seconds}.{signature}"),
            format!("0{seconds}.{signature}"),
            format!(" {seconds}.{signature}"),
            format!("{seconds}.{signature}="),
            format!("{seconds}.{signature}A"),
            format!("{seconds}.{}", &signature[..42]),
            format!("{seconds}.{signature}."),
            format!("{seconds}:{signature}"),
            format!("{seconds}.{}", "A".repeat(43)),
            "9".repeat(100_000),
        ] {
            assert!(!claim().is_proved_by(&bad, &secret(), NOW), "{bad:.80}");
        }
        // Another spelling of the number is no proof even with a signature of its own.
        for spelling in ["01800000000", "+1800000000", "1.8e9"] {
            let mac = claim().mac(&secret(), spelling).unwrap().finalize().into_bytes();
            let signed = format!("{spelling}.{}", BASE64URL_NOPAD.encode(&mac));
            assert!(!claim().is_proved_by(&signed, &secret(), NOW), "{signed}");
        }
        for at in 0..proof.len() {
            for replacement in ["A", "B", "_", "-", "0", "1", ".", "é"] {
                if proof[at..=at] != *replacement {
                    let changed = format!("{}{replacement}{}", &proof[..at], &proof[at + 1..]);
                    assert!(!claim().is_proved_by(&changed, &secret(), NOW), "{changed}");
                }
            }
        }
    }

    #[test]
    fn a_secret_is_bounded_hidden_and_sealed_for_its_account() {
        assert!(ProofSecret::new(&[0; 31]).is_err());
        assert!(ProofSecret::new(&[0; 1_025]).is_err());
        assert_eq!(format!("{:?}", secret()), "ProofSecret(..)");
        let account = |id| AccountId::parse(id, &IdSyntax::wide()).unwrap();
        let (seal_key, made) = (SealKey::new(1, [9; 32]), ProofSecret::generate(&OsEntropy).unwrap());
        let sealed = made.seal(&seal_key, &OsEntropy, &account("acme")).unwrap();
        assert_eq!(
            ProofSecret::unseal(&seal_key, &account("acme"), &sealed).unwrap().reveal(),
            made.reveal()
        );
        assert!(ProofSecret::unseal(&seal_key, &account("acm"), &sealed).is_err());
        let short = seal_key.seal(&OsEntropy, &row_id(&account("acme")), &[0; 31]).unwrap();
        let error = ProofSecret::unseal(&seal_key, &account("acme"), &short).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreCorrupt);
        assert_ne!(ProofSecret::generate(&OsEntropy).unwrap().reveal(), made.reveal());
    }
}
