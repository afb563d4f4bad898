//! The audit trail as a chain: each account has one, each entry names the hash of the one before it.
//!
//! The hash shows an edit, a deletion inside the chain and a change of order. A cut tail leaves a shorter chain that is
//! whole in itself, so it shows only against a head that is kept elsewhere: a signed [`Checkpoint`] or an exported
//! [`ChainHead`]. Someone who can write the store can also make a whole new chain; the signature of a checkpoint is
//! what they cannot make, as its key is kept outside the store.
//!
//! Entries hold neither secrets nor digests of keys; who writes one sees to it.

mod checkpoint;

pub use checkpoint::{Checkpoint, CheckpointKey, MAX_ENTRIES_UNSIGNED, MAX_UNSIGNED_MICROS};

use crate::clock::Timestamp;
use crate::tenant::id::AccountId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Sets these hashes apart from all others, and this encoding from later ones.
const ENTRY_TAG: &[u8] = b"tenantkit audit entry 1";

/// A line for the audit trail before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditDraft {
    /// The account whose chain it goes to.
    pub account_id: AccountId,
    /// When.
    pub at: Timestamp,
    /// Who: the management call's actor, or the id of the key that was refused.
    pub actor: Box<str>,
    /// What was done, such as `key.revoke`.
    pub act: Box<str>,
    /// To what: a key id, a tenant, a domain.
    pub object: Box<str>,
    /// The org and user concerned, if any.
    pub tenant: Box<str>,
    /// How it ended: `ok`, or the code of the refusal.
    pub outcome: Box<str>,
    /// The caller's operation id, if there was one.
    pub operation_id: Box<str>,
    /// Further facts as a JSON object: never a secret, never a digest.
    pub details: Box<str>,
}

/// One entry of an account's chain.
///
/// The fields are open, so that any store can keep and return them; [`ChainVerifier`] shows whether they were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the chain; the first is 1.
    pub number: u64,
    /// The hash of the entry before it; all zero in the first.
    pub previous: ChainHash,
    /// What happened.
    #[serde(flatten)]
    pub draft: AuditDraft,
    /// SHA-256 over all of the above.
    pub hash: ChainHash,
}

/// How far a chain goes: the number and the hash of its last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {
    /// The number of the last entry, and so the count of all.
    pub number: u64,
    /// Its hash.
    pub hash: ChainHash,
}

/// The hash of an entry; 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChainHash([u8; 32]);

impl AuditEntry {
    /// The entry that follows `head`, the first of the chain without one.
    #[must_use]
    pub fn append(head: Option<&ChainHead>, draft: &AuditDraft) -> Self {
        let (last, previous) = head.map_or((0, ChainHash::default()), |head| (head.number, head.hash));
        let mut entry = Self {
            number: last.saturating_add(1),
            previous,
            draft: draft.clone(),
            hash: ChainHash::default(),
        };
        entry.hash = entry.compute_hash();
        entry
    }

    /// The head of a chain that ends here.
    #[must_use]
    pub fn head(&self) -> ChainHead {
        ChainHead { number: self.number, hash: self.hash }
    }

    fn compute_hash(&self) -> ChainHash {
        // Every field is named, so a new one cannot be left out of the hash.
        let AuditDraft { account_id, at, actor, act, object, tenant, outcome, operation_id, details } =
            &self.draft;
        let mut hasher = LengthPrefixed::new(ENTRY_TAG);
        hasher.field(account_id.as_str().as_bytes());
        hasher.field(&self.number.to_be_bytes());
        hasher.field(&self.previous.0);
        hasher.field(&at.as_micros().to_be_bytes());
        for text in [actor, act, object, tenant, outcome, operation_id, details] {
            hasher.field(text.as_bytes());
        }
        ChainHash(hasher.finish())
    }
}

/// Checks a chain entry by entry, in pages of any size.
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    account_id: AccountId,
    head: Option<ChainHead>,
    /// Heads known from elsewhere that have not been reached yet, by number.
    expected: Vec<ChainHead>,
}

impl ChainVerifier {
    /// Begins with the first entry of an account's chain.
    #[must_use]
    pub fn new(account_id: AccountId) -> Self {
        Self::after(account_id, None)
    }

    /// Begins with the entry after `head`, which the caller trusts.
    #[must_use]
    pub fn after(account_id: AccountId, head: Option<ChainHead>) -> Self {
        Self { account_id, head, expected: Vec::new() }
    }

    /// Also demands that the chain passes through this head, known from outside the store. Call it before
    /// [`push`](Self::push); a head of number 0 stands for the empty chain.
    #[must_use]
    pub fn expect(mut self, head: ChainHead) -> Self {
        self.expected.push(head);
        self
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// Where the chain is broken, and why. The verifier is of no use afterwards.
    pub fn push(&mut self, entry: &AuditEntry) -> Result<(), Broken> {
        let (last, previous) = self.head.map_or((0, ChainHash::default()), |head| (head.number, head.hash));
        let at = last.saturating_add(1);
        let broken = |why| Err(Broken { at, why });
        if entry.number != at {
            return broken(BrokenWhy::Number { found: entry.number });
        }
        if entry.draft.account_id != self.account_id {
            return broken(BrokenWhy::Account);
        }
        if entry.previous != previous {
            return broken(BrokenWhy::Previous);
        }
        if entry.hash != entry.compute_hash() {
            return broken(BrokenWhy::Hash);
        }
        if self.expected.iter().any(|head| head.number == at && head.hash != entry.hash) {
            return broken(BrokenWhy::OtherHead);
        }
        self.head = Some(entry.head());
        Ok(())
    }

    /// Ends the check.
    ///
    /// # Errors
    /// [`BrokenWhy::Truncated`] when the chain ends before a head that is known from elsewhere.
    pub fn finish(self) -> Result<Verified, Broken> {
        let count = self.head.map_or(0, |head| head.number);
        match self.expected.iter().map(|head| head.number).max() {
            Some(known) if known > count => {
                Err(Broken { at: count.saturating_add(1), why: BrokenWhy::Truncated { known } })
            }
            _ => Ok(Verified { head: self.head }),
        }
    }
}

/// Checks a whole chain, and that it passes through `expected` if a head is known.
///
/// # Errors
/// Where the chain is broken, and why.
pub fn verify<'a>(
    account_id: &AccountId,
    entries: impl IntoIterator<Item = &'a AuditEntry>,
    expected: Option<ChainHead>,
) -> Result<Verified, Broken> {
    let mut verifier = ChainVerifier::new(account_id.clone());
    verifier.expected.extend(expected);
    for entry in entries {
        verifier.push(entry)?;
    }
    verifier.finish()
}

/// A chain that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verified {
    /// Its head; `None` for the empty chain.
    pub head: Option<ChainHead>,
}

/// Where a chain is broken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit chain is broken at entry {at}: {why}")]
pub struct Broken {
    /// The number of the first entry that is not as it should be.
    pub at: u64,
    /// What is wrong with it.
    pub why: BrokenWhy,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenWhy {
    /// Entries are missing, doubled or out of order.
    #[error("entry {found} stands in its place")]
    Number {
        /// The number that was found instead.
        found: u64,
    },
    /// The entry belongs to another account.
    #[error("it is of another account")]
    Account,
    /// It does not follow the entry before it.
    #[error("it does not follow the entry before it")]
    Previous,
    /// It was edited.
    #[error("its content does not give its hash")]
    Hash,
    /// A head that is known from elsewhere has another hash for this number.
    #[error("a head known from elsewhere has another hash here")]
    OtherHead,
    /// The tail was cut.
    #[error("the chain ends here, but a known head has number {known}")]
    Truncated {
        /// The number of the known head.
        known: u64,
    },
}

impl ChainHash {
    /// A hash from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ChainHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a chain hash is 64 lower-case hex digits"))
    }
}

/// Hashes fields each after its length in 8 bytes, highest first, so that no two lists of fields look alike.
struct LengthPrefixed(Sha256);

impl LengthPrefixed {
    fn new(tag: &[u8]) -> Self {
        let mut this = Self(Sha256::new());
        this.field(tag);
        this
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests;
