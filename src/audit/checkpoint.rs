//! Checkpoints: heads of a chain, signed with a key that the store does not have.

use crate::audit::{ChainHash, ChainHead};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::tenant::id::AccountId;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// A checkpoint is due after so many entries.
pub const MAX_ENTRIES_UNSIGNED: u64 = 1_000;
/// A checkpoint is due when an unsigned entry may be this old: 10 minutes, in microseconds.
pub const MAX_UNSIGNED_MICROS: i64 = 600_000_000;

const CHECKPOINT_TAG: &[u8] = b"tenantkit audit checkpoint 1";
const MIN_KEY_LEN: usize = 32;

/// The head an account's chain had at some time, signed with HMAC-SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The account whose chain it is.
    pub account_id: AccountId,
    /// How far the chain went.
    pub head: ChainHead,
    /// When it was signed.
    pub at: Timestamp,
    /// Which key signed it.
    pub key_id: u32,
    /// The signature over all of the above.
    pub signature: ChainHash,
}

/// A key for checkpoints: at least 32 secret bytes, kept outside the store.
pub struct CheckpointKey {
    id: u32,
    secret: Zeroizing<Vec<u8>>,
}

impl CheckpointKey {
    /// Takes a key under the number that checkpoints name it by.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for fewer than 32 bytes.
    pub fn new(id: u32, secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < MIN_KEY_LEN {
            return Err(Error::new(ErrorKind::InvalidArgument, "a checkpoint key has at least 32 bytes"));
        }
        Ok(Self { id, secret: Zeroizing::new(secret.to_vec()) })
    }

    /// The number that checkpoints name the key by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    fn mac(&self, account_id: &AccountId, head: &ChainHead, at: Timestamp) -> Result<Hmac<Sha256>, Error> {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.secret)
            .map_err(|_| Error::new(ErrorKind::InvalidArgument, "the checkpoint key has no usable length"))?;
        let fields: [&[u8]; 6] = [
            CHECKPOINT_TAG,
            account_id.as_str().as_bytes(),
            &head.number.to_be_bytes(),
            head.hash.as_bytes(),
            &at.as_micros().to_be_bytes(),
            &self.id.to_be_bytes(),
        ];
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        Ok(mac)
    }
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// Signs `head`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the key cannot be used.
    pub fn sign(
        key: &CheckpointKey,
        account_id: AccountId,
        head: ChainHead,
        at: Timestamp,
    ) -> Result<Self, Error> {
        let signature: [u8; 32] = key.mac(&account_id, &head, at)?.finalize().into_bytes().into();
        Ok(Self { account_id, head, at, key_id: key.id, signature: ChainHash::from_bytes(signature) })
    }

    /// Whether `key` signed this checkpoint as it stands. Constant time in the signature.
    #[must_use]
    pub fn is_signed_by(&self, key: &CheckpointKey) -> bool {
        self.key_id == key.id
            && key
                .mac(&self.account_id, &self.head, self.at)
                .is_ok_and(|mac| mac.verify_slice(self.signature.as_bytes()).is_ok())
    }

    /// Whether a new checkpoint is due at `now` for a chain that has reached `head` since `last` was signed.
    #[must_use]
    pub fn is_due(last: Option<&Self>, head: &ChainHead, now: Timestamp) -> bool {
        let Some(last) = last else { return head.number > 0 };
        let unsigned = head.number.saturating_sub(last.head.number);
        // A clock that stands before the last checkpoint says nothing about the age, so it counts as old.
        let age = now.micros_since(last.at);
        unsigned >= MAX_ENTRIES_UNSIGNED || (unsigned > 0 && !(0..MAX_UNSIGNED_MICROS).contains(&age))
    }
}
