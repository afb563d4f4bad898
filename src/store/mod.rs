//! Where records and counts live. Two traits: [`RecordStore`] for keys, tenants, domains and the audit trail, and
//! [`UsageStore`] for limits. A store has no rule of its own: it loads, compares versions and writes; every decision is
//! made by pure functions of the crate.
//!
//! All stores pass one public conformance suite (feature `conformance`).

mod change;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
pub mod memory;
mod query;
pub mod rows;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod tenant;
mod usage;

pub use change::{
    Applied, Change, Changed, Changes, Conflict, DomainWrite, Expected, Guard, KeyWrite, OperationRecord,
    TenantWrite,
};
pub use error::{StoreError, StoreErrorKind};
pub use query::{KeyFilter, KeyPage, KeyQuery, StandingFilter, StoredKey, TenantPage, TenantQuery, Touch};
pub use tenant::{TenantCount, TenantKey, TenantLevel, TenantRecord, TenantRef, TenantState};
pub use usage::{Capabilities, UsageEvent, UsageRow, UsageStore};

pub use crate::audit::AuditDraft;
use crate::audit::{AuditEntry, ChainHead};
use crate::clock::Timestamp;
use crate::domain::VerifiedDomain;
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::tenant::id::AccountId;

/// The number of the last change of a record: every [`RecordStore::apply`] takes the next one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Generation(pub u64);

/// What a process may answer from its cache at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Entries read at this generation or brought up to it may be used. Every change whose `apply` has returned, in any
    /// process, is included.
    At(Generation),
    /// Nothing cached may be used, and nothing read now may be cached: a change is on its way, or the store can't tell.
    ReadStore,
}

/// Keys, tenants, verified domains and the audit trail.
///
/// # Contract
/// Reads see every change whose `apply` returned before they began, in any process (they read the primary, one
/// statement in its own snapshot). Methods may be called from any thread at once. No method calls back into the engine.
///
/// # Atomicity
/// [`apply`](Self::apply) is all or nothing: rows, guards, audit lines, operation id and generation stand or fall
/// together, also through a crash.
///
/// # Freshness
/// When `apply` has returned `Done`, [`freshness`](Self::freshness) in every process of the store answers either a
/// generation at least as high, or [`Freshness::ReadStore`]. That is the whole of "revoked means revoked".
///
/// # Time
/// The store judges no expiry and runs no clean-up that a decision relies on.
///
/// # Errors
/// A failure is a [`StoreError`], never an absent row. A row that cannot be read is `Corrupt`: it is reported, not
/// skipped, and hides no other row. [`StoreErrorKind::OutcomeUnknown`] says that a write may have happened.
///
/// # Writing your own
/// Implement the four calls of a row store instead (module `rows`); the core builds both traits on them.
pub trait RecordStore: Send + Sync {
    /// The key whose digest this is, whatever its standing.
    ///
    /// # Errors
    /// As the trait says.
    fn key_by_digest(&self, digest: &KeyDigest) -> Result<Option<StoredKey>, StoreError>;

    /// The key with this id in this account.
    ///
    /// # Errors
    /// As the trait says.
    fn key_by_id(&self, account: &AccountId, id: &KeyId) -> Result<Option<StoredKey>, StoreError>;

    /// The account a key id belongs to, for operators who hold only the id.
    ///
    /// # Errors
    /// As the trait says.
    fn account_of(&self, id: &KeyId) -> Result<Option<AccountId>, StoreError>;

    /// One page of keys in the order of their ids (which is the order of issue), at most `query.limit` of those that
    /// [`KeyFilter::matches`].
    ///
    /// # Errors
    /// As the trait says.
    fn keys(&self, query: &KeyQuery) -> Result<KeyPage, StoreError>;

    /// The tenant's row.
    ///
    /// # Errors
    /// As the trait says.
    fn tenant(&self, key: &TenantKey) -> Result<Option<TenantRecord>, StoreError>;

    /// One page of tenants in byte order of (environment, org, user).
    ///
    /// # Errors
    /// As the trait says.
    fn tenants(&self, query: &TenantQuery) -> Result<TenantPage, StoreError>;

    /// How many tenants that are not deleted there are: the same count that [`Guard::Orgs`] and [`Guard::Users`] check.
    ///
    /// # Errors
    /// As the trait says.
    fn tenant_count(
        &self,
        account: &AccountId,
        environment: &str,
        what: TenantCount<'_>,
    ) -> Result<u64, StoreError>;

    /// All verified or pending domains of an account.
    ///
    /// # Errors
    /// As the trait says.
    fn domains(&self, account: &AccountId) -> Result<Vec<VerifiedDomain>, StoreError>;

    /// What a cache may answer now. On the hot path: it makes no system call where the store can help it.
    ///
    /// # Errors
    /// As the trait says; the engine then reads the store.
    fn freshness(&self) -> Result<Freshness, StoreError>;

    /// What changed after `since`, up to a generation that is named. [`Changes::all`] when the store no longer knows.
    ///
    /// # Errors
    /// As the trait says; the engine then empties its cache.
    fn changes_since(&self, since: Generation) -> Result<Changes, StoreError>;

    /// Applies one act, or nothing of it, and returns when no process can still act on what it ended.
    ///
    /// # Errors
    /// As the trait says. After `OutcomeUnknown` the caller repeats the change with the same operation id.
    fn apply(&self, change: &Change) -> Result<Applied, StoreError>;

    /// The record of an operation id in an account, if it has not expired at `now`.
    ///
    /// # Errors
    /// As the trait says.
    fn operation(
        &self,
        account: &AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<OperationRecord>, StoreError>;

    /// Moves last-used times forward (never back) and adds exercised permissions. Not a change: no generation, no audit.
    /// Unknown ids are passed over.
    ///
    /// # Errors
    /// As the trait says; the engine keeps the touches and tries again later.
    fn touch(&self, touches: &[Touch]) -> Result<(), StoreError>;

    /// Appends audit lines that belong to no change (refusals of proved keys), each to its account's chain.
    ///
    /// # Errors
    /// As the trait says.
    fn append_audit(&self, drafts: &[AuditDraft]) -> Result<(), StoreError>;

    /// At most `limit` entries of an account's chain, from number `from` on, in order.
    ///
    /// # Errors
    /// As the trait says.
    fn audit(&self, account: &AccountId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;

    /// The head of an account's chain; `None` before its first entry.
    ///
    /// # Errors
    /// As the trait says.
    fn audit_head(&self, account: &AccountId) -> Result<Option<ChainHead>, StoreError>;

    /// The revision number of this policy in this store, 1 to 2^20 - 1: the present one if `digest` is the policy that
    /// was loaded last, else the next, so going back to an older policy is a new revision too.
    ///
    /// # Errors
    /// As the trait says.
    fn policy_revision(&self, digest: &[u8; 32]) -> Result<u32, StoreError>;

    /// The highest instant that any process noted, raised to `at_least` first if that is given. Decisions never use an
    /// earlier one, so a clock that steps back revives nothing.
    ///
    /// # Errors
    /// As the trait says.
    fn clock_mark(&self, at_least: Option<Timestamp>) -> Result<Timestamp, StoreError>;

    /// Sets the mark back to `to`: the operator's remedy for a clock that had jumped ahead.
    ///
    /// # Errors
    /// As the trait says.
    fn reset_clock_mark(&self, to: Timestamp) -> Result<(), StoreError>;

    /// Removes one tenant and everything below it (keys, tenants, domains; operation records), for erasure. The audit
    /// chain stays. It is an ordinary change: the generation rises.
    ///
    /// # Errors
    /// As the trait says.
    fn erase(&self, tenant: &TenantKey, audit: AuditDraft) -> Result<Generation, StoreError>;

    /// Bounded house-keeping: expired operation records, old change rows. Nothing waits for it.
    ///
    /// # Errors
    /// As the trait says.
    fn maintain(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Checks that the store is reachable and safe; the same list that `doctor` prints.
    fn check(&self) -> Vec<CheckLine>;

    /// Finishes what is queued. Later calls answer [`StoreErrorKind::Closed`].
    ///
    /// # Errors
    /// Says exactly what could not be written.
    fn close(&self) -> Result<(), StoreError>;
}

/// One line of a health check.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CheckLine {
    /// How it stands.
    pub state: CheckState,
    /// What was looked at, such as `sqlite version`.
    pub what: String,
    /// What was found, and the remedy unless it is `Ok`.
    pub message: String,
}

impl CheckLine {
    /// A line of the check.
    pub fn new(state: CheckState, what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { state, what: what.into(), message: message.into() }
    }
}

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Works, but should be mended.
    Warn,
    /// Breaks a promise.
    Fail,
}
