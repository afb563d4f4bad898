//! One act as data: what it writes, what must still hold, and what it tells the audit trail.

use super::{Generation, TenantKey, TenantRecord};
use crate::audit::AuditDraft;
use crate::clock::Timestamp;
use crate::domain::VerifiedDomain;
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::key::record::KeyRecord;
use crate::tenant::id::{AccountId, OrgId};
use serde::{Deserialize, Serialize};

/// All rows of one act. A store applies it whole, if every version and guard it names still stands, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When the act happened.
    pub at: Timestamp,
    /// Keys written or removed.
    pub keys: Vec<KeyWrite>,
    /// Tenants written or removed.
    pub tenants: Vec<TenantWrite>,
    /// Domains written or removed.
    pub domains: Vec<DomainWrite>,
    /// Bounds that must hold after the change.
    pub guards: Vec<Guard>,
    /// Lines for the audit trail, each to its account's chain.
    pub audit: Vec<AuditDraft>,
    /// The caller's operation id with the answer to give when it comes again.
    pub operation: Option<OperationRecord>,
}

/// Which version a row must have for the write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// There must be no row.
    Absent,
    /// The row must have this version.
    Version(u64),
}

impl Expected {
    /// Whether a row of this version (`None`: no row) is what was expected.
    #[must_use]
    pub fn is_met_by(self, version: Option<u64>) -> bool {
        match self {
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

/// A write of one key. Its digest is unique over the whole store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyWrite {
    /// Write the record; its version becomes the expected one plus one, or 1.
    Put {
        /// The whole new record.
        record: Box<KeyRecord>,
        /// What must stand before.
        expected: Expected,
    },
    /// Remove the record and its digest.
    Delete {
        /// The account it belongs to.
        account_id: AccountId,
        /// Which key.
        id: KeyId,
        /// The version it must have.
        expected: u64,
    },
}

/// A write of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TenantWrite {
    /// Write the row; the store sets its version to the expected one plus one, or 1.
    Put {
        /// The whole new row; its `version` field is ignored.
        record: Box<TenantRecord>,
        /// What must stand before.
        expected: Expected,
    },
    /// Write the row if there is none; an existing one is left alone and is no conflict. Two first requests for one new
    /// tenant thus make one tenant (row X-09).
    Create {
        /// The row.
        record: Box<TenantRecord>,
    },
    /// Remove the row, so that its id is free again.
    Delete {
        /// Which tenant.
        key: TenantKey,
        /// The version it must have.
        expected: u64,
    },
}

/// A write of one verified or pending domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DomainWrite {
    /// Write it over whatever stands.
    Put(Box<VerifiedDomain>),
    /// Remove it, if it is there.
    Delete(Box<VerifiedDomain>),
}

/// A bound that the store checks in the same transaction, on the rows as they are after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guard {
    /// At most `max` orgs of the account in the environment that are not deleted.
    Orgs {
        /// The account.
        account_id: AccountId,
        /// The environment.
        environment: Box<str>,
        /// The cap.
        max: u64,
    },
    /// At most `max` users in the org (or of the account, without org) that are not deleted.
    Users {
        /// The account.
        account_id: AccountId,
        /// The environment.
        environment: Box<str>,
        /// The org.
        org_id: Option<OrgId>,
        /// The cap.
        max: u64,
    },
    /// At most `max` keys of the account that are neither deleted nor revoked by `Change::at`.
    Keys {
        /// The account.
        account_id: AccountId,
        /// The cap.
        max: u64,
    },
    /// No other key of the account that is neither deleted nor revoked has this name.
    UniqueName {
        /// The account.
        account_id: AccountId,
        /// The key that may have it.
        id: KeyId,
        /// The name.
        name: Box<str>,
    },
    /// The tenant's row, if there is one, is active: nothing is created below a suspended or deleted tenant.
    Active {
        /// Which tenant.
        key: TenantKey,
    },
}

/// What a store made of a [`Change`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It stands, as this generation, and no process can still act on what it ended.
    Done(Generation),
    /// The operation id was applied before: its record, whose fingerprint the caller compares. Nothing was written.
    Replayed(OperationRecord),
    /// Something it expected does not hold. Nothing was written.
    Conflict(Conflict),
}

/// Why a change was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The `index`-th key write met another version.
    Key(usize),
    /// The `index`-th tenant write met another version.
    Tenant(usize),
    /// The `index`-th guard does not hold.
    Guard(usize),
    /// A key with this digest exists under another id.
    Digest,
}

/// What is remembered of an operation id: unique per account, kept for at least 24 hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// The account it belongs to.
    pub account_id: AccountId,
    /// The caller's id, 1 to 255 bytes.
    pub id: Box<str>,
    /// SHA-256 of what was asked: the same id with another fingerprint is a conflict.
    pub fingerprint: [u8; 32],
    /// The answer, without any secret, as the engine encoded it.
    pub answer: Vec<u8>,
    /// When it may be forgotten.
    pub expires_at: Timestamp,
}

/// What a cache must drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    /// A key: its id, and the digests it had before and has now.
    Key {
        /// Which key.
        id: KeyId,
        /// All digests concerned, so that no negative answer outlives an issue.
        digests: Vec<KeyDigest>,
    },
    /// A tenant.
    Tenant(TenantKey),
    /// A domain of the account.
    Domain(AccountId),
}

/// The answer to "what changed since".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The generation up to which this is complete.
    pub upto: Generation,
    /// What changed, or `None` for "everything may have".
    pub changed: Option<Vec<Changed>>,
}

impl Changes {
    /// Everything may have changed.
    #[must_use]
    pub fn all(upto: Generation) -> Self {
        Self { upto, changed: None }
    }
}
