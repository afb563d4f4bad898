//! Plan limits as pure arithmetic: values in, values out; no store, clock, randomness or lock.
//!
//! # The idea
//! A **bucket** counts one limit over one period. A process (a **holder**) takes units out of it by an **exchange** and
//! reports what it used of them; what it has taken and not reported is its **lease**. Units that are out stay charged
//! until their holder gives them back, so no pause, crash, lost message or clock step can admit more than the cap:
//! nothing is ever handed out again because a timer ran out. Per lease
//!
//! ```text
//! charge share = granted - returned + overrun        use share = used + ahead - refunded + overrun
//! open         = charge share - use share = granted - returned - used - ahead + refunded
//! ```
//!
//! and per bucket `charged` = base + charge shares, `confirmed` = base + use shares, `forfeited` = what is open in
//! expired leases, `outstanding` = what is open in live ones. Limits are enforced on `charged`; bills and thresholds
//! follow `confirmed`.
//!
//! # Reading order
//! [`period`] says which bucket an instant belongs to; `bucket` holds the rows and their sums; [`exchange`](self::exchange())
//! is the decision function; `grant` its rule; `keyed` charges and credits operations by id; [`batch`] runs several
//! requests on one store, all or nothing; `upkeep` sweeps, closes, folds and settles, and [`maintain`] does so over a
//! store's rows; [`holder`] is the other end, what a process does between two exchanges. [`gcra`] is apart: rates, which
//! forget by themselves.
//!
//! # For stores
//! A store implements [`rows::Rows`] and [`rows::UpkeepRows`] and calls [`batch::run`] and the functions of [`maintain`],
//! each in one transaction; it has no rule of its own. [`tables`] is those rows in plain maps. All
//! amounts fit 53 bits, all instants are the store's own.

pub mod batch;
mod bucket;
mod desk;
mod exchange;
pub mod gcra;
mod grant;
pub mod holder;
mod id;
mod keyed;
pub mod maintain;
pub mod period;
pub mod rows;
#[cfg(test)]
mod simulation;
pub mod tables;
#[cfg(test)]
mod testing;
mod upkeep;

pub use bucket::{Basis, Bucket, EventKind, Fired, Lease, LeaseState, Mark, Rearm, Terms};
pub use exchange::{Counters, ExchangeRequest, Lane, Reason, Reply, Verdict, exchange, store_time};
pub use grant::prefix;
pub use id::{
    Attempt, Fingerprint, HolderId, Incarnation, LimitId, Nonce, OperationId, OperationScope, RefundId,
};
pub use keyed::{
    Credit, CreditAmount, CreditOutcome, Operation, OperationKey, OperationLine, OperationOutcome,
    OperationRecord,
};
pub use upkeep::{
    CLOSED_RETENTION_US, Carry, FOLD_AFTER_US, Mismatch, SETTLE_GRACE_US, SWEEP_BATCH, Settlement, audit,
    close, fold, settle_open, sweep,
};

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// An amount of anything counted: 0 to 2^53 - 1, the integers that every language and script holds exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Units(u64);

impl Units {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One unit.
    pub const ONE: Self = Self(1);
    /// The largest amount, 2^53 - 1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// `amount` units, or `None` above [`Units::MAX`].
    #[must_use]
    pub const fn new(amount: u64) -> Option<Self> {
        if amount <= Self::MAX.0 { Some(Self(amount)) } else { None }
    }

    /// A ledger's number as an amount: `None` when negative or above [`Units::MAX`].
    #[must_use]
    pub const fn from_signed(amount: i64) -> Option<Self> {
        if amount >= 0 { Self::new(amount.unsigned_abs()) } else { None }
    }

    /// A ledger's number as an amount for display and headers: at least 0, at most [`Units::MAX`].
    #[must_use]
    pub fn clamped(amount: i64) -> Self {
        Self(amount.max(0).unsigned_abs().min(Self::MAX.0))
    }

    /// The amount.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The amount as the ledger's signed number; always at least 0.
    #[must_use]
    pub const fn signed(self) -> i64 {
        self.0.cast_signed()
    }
}

impl From<u32> for Units {
    fn from(amount: u32) -> Self {
        Self(u64::from(amount))
    }
}

impl From<Units> for u64 {
    fn from(units: Units) -> Self {
        units.0
    }
}

impl TryFrom<u64> for Units {
    type Error = &'static str;

    fn try_from(amount: u64) -> Result<Self, Self::Error> {
        Self::new(amount).ok_or("an amount is at most 9007199254740991 (2^53 - 1)")
    }
}

impl std::fmt::Display for Units {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which configuration of a limit is newer: the policy's revision, then the generation of the subject's plan
/// assignment or override. Both only rise, so going back to an older policy is a new revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConfigVersion(u64);

impl ConfigVersion {
    /// `revision` must be below 2^20; `None` otherwise.
    #[must_use]
    pub const fn new(revision: u32, generation: u32) -> Option<Self> {
        if revision < 1 << 20 { Some(Self(((revision as u64) << 32) | generation as u64)) } else { None }
    }

    /// The version that [`ConfigVersion::get`] gave.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The version as one number, below 2^52.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Which row counts: one limit, since one configuration (`epoch`), over one period.
///
/// `epoch` is the configuration version at which the limit last began anew, so that a changed period never meets an old
/// row that begins at the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BucketKey {
    /// Whose use of what.
    pub limit_id: LimitId,
    /// Since which configuration.
    pub epoch: ConfigVersion,
    /// The first instant of the period.
    pub period_start: Timestamp,
}

/// Which lease of a bucket: one use of it by one process.
///
/// `life` rises each time the process begins to use a bucket anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId {
    /// The process.
    pub holder: HolderId,
    /// Its use of the bucket.
    pub life: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_end_at_2_to_the_53() {
        assert_eq!(Units::new((1 << 53) - 1), Some(Units::MAX));
        assert_eq!(Units::new(1 << 53), None);
        assert!(serde_json::from_str::<Units>("9007199254740992").is_err());
        assert_eq!(serde_json::from_str::<Units>("9007199254740991").unwrap(), Units::MAX);
        assert_eq!(Units::from_signed(-1), None);
        assert_eq!((Units::clamped(-1), Units::clamped(i64::MAX)), (Units::ZERO, Units::MAX));
    }

    #[test]
    fn a_new_policy_revision_beats_every_older_assignment() {
        let old = ConfigVersion::new(3, u32::MAX).unwrap();
        let new = ConfigVersion::new(4, 0).unwrap();
        assert!(new > old);
        assert_eq!(ConfigVersion::new(1 << 20, 0), None);
        assert!(ConfigVersion::new((1 << 20) - 1, u32::MAX).unwrap().get() < 1 << 52);
    }
}
