//! Charges and credits by operation id.
//!
//! A keyed charge is not a lease grant: it goes into the bucket's `base`, together with its record. Were it a grant, the
//! holder's next message after a lost reply would revert it while the record still answered "allowed": an admission
//! that nobody pays for.

use super::bucket::{Bucket, EventKind};
use super::{Attempt, BucketKey, Fingerprint, LimitId, OperationId, OperationScope, RefundId, Units};
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// Which operation, and where stores that keep it in a bucket's row find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKey {
    /// Where the id is unique.
    pub scope: OperationScope,
    /// The id.
    pub id: OperationId,
    /// The bucket of the call's primary limit.
    pub home: BucketKey,
    /// The start of the period before that, where a record of a moment ago may be; `None` for a lifetime.
    pub previous_start: Option<Timestamp>,
}

/// The keyed charge of a batch: its requests' demands are charged once, however often and from wherever it is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which one.
    pub key: OperationKey,
    /// What it charges; another fingerprint under the same id is a conflict.
    pub fingerprint: Fingerprint,
    /// This try.
    pub attempt: Attempt,
    /// Only look whether it was charged.
    pub ask: bool,
    /// How long the record is kept, milliseconds.
    pub ttl_ms: i64,
    /// What the caller has taken for it already in other ways, for the record (stores without atomic batches).
    pub also: Vec<OperationLine>,
}

/// The record of a charged operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// What it charged, as a digest.
    pub fingerprint: Fingerprint,
    /// The try that charged it.
    pub attempt: Attempt,
    /// What it charged; the primary limit first.
    pub lines: Vec<OperationLine>,
    /// When the record ends.
    pub expires_at: Timestamp,
}

/// The units of an operation on one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationLine {
    /// Where they were charged.
    pub bucket: BucketKey,
    /// How many.
    pub amount: Units,
    /// How many of them were credited since.
    pub refunded: Units,
}

/// The answer to an [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationOutcome {
    /// Charged by this try, now or by an earlier copy of the message.
    Granted(Vec<OperationLine>),
    /// Charged by an earlier try: the first answer again, nothing charged.
    Replayed(Vec<OperationLine>),
    /// The id was used for something else.
    Conflict,
    /// Asked only, and there is no record: nothing was charged.
    Unknown,
    /// A limit refused; nothing was charged or recorded.
    Refused,
}

/// Gives units of a keyed charge back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credit {
    /// Checks the operation's record, and credits its limits: all of them, or the primary one alone on stores without
    /// atomic batches, where the caller goes on with [`Credit::Limit`] for each other line.
    Operation {
        /// Which operation.
        key: OperationKey,
        /// A known id changes nothing.
        refund_id: RefundId,
        /// How much.
        amount: CreditAmount,
        /// Only the first line.
        primary_only: bool,
    },
    /// Credits one limit of an operation that was checked before.
    Limit {
        /// Which bucket.
        bucket: BucketKey,
        /// A known id changes nothing.
        refund_id: RefundId,
        /// How much.
        units: Units,
    },
}

/// How much of an operation is credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreditAmount {
    /// All that is not credited yet.
    All,
    /// So much on each limit.
    Each(Units),
    /// So much on these limits.
    PerLimit(Vec<(LimitId, Units)>),
}

/// The answer to a [`Credit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreditOutcome {
    /// Credited: the units per limit in this credit (as `amount`), for all of the operation's limits. In a closed bucket
    /// nothing moved and an adjustment event was written.
    Credited(Vec<OperationLine>),
    /// This refund id was credited before.
    AlreadyDone,
    /// The operation has no record, or no longer.
    Unknown,
    /// More than what is left of the operation.
    TooMuch,
    /// The charge is not confirmed yet; trying again in a moment helps. Only without atomic batches.
    NotYet,
}

/// What an existing record answers.
pub(super) fn look_up(record: &OperationRecord, operation: &Operation) -> OperationOutcome {
    if record.fingerprint != operation.fingerprint {
        OperationOutcome::Conflict
    } else if record.attempt == operation.attempt {
        OperationOutcome::Granted(record.lines.clone())
    } else {
        OperationOutcome::Replayed(record.lines.clone())
    }
}

/// Charges `units` that the grant rule has found to fit.
pub(super) fn charge(bucket: &mut Bucket, units: i64) {
    bucket.base += units;
    bucket.charged += units;
    bucket.confirmed += units;
}

/// What a credit takes from each line, or `None` if that is more than a line has left, or names a limit that the
/// operation did not charge.
pub(super) fn credit_lines(record: &OperationRecord, amount: &CreditAmount) -> Option<Vec<OperationLine>> {
    if let CreditAmount::PerLimit(list) = amount {
        let charged = |id: &LimitId| record.lines.iter().any(|line| line.bucket.limit_id == *id);
        if !list.iter().all(|(id, _)| charged(id)) {
            return None;
        }
    }
    let credits = record.lines.iter().map(|line| {
        let left = line.amount.get() - line.refunded.get().min(line.amount.get());
        let wanted = match amount {
            CreditAmount::All => left,
            CreditAmount::Each(units) => units.get(),
            CreditAmount::PerLimit(list) => {
                list.iter().filter(|(id, _)| *id == line.bucket.limit_id).map(|(_, n)| n.get()).sum()
            }
        };
        let wanted = if wanted <= left { Units::new(wanted) } else { None };
        wanted.map(|amount| OperationLine { bucket: line.bucket, amount, refunded: Units::ZERO })
    });
    credits.collect()
}

/// Whether a credit undoes the whole operation, so that its record goes too.
pub(super) fn undoes(record: &OperationRecord, refund_id: RefundId, credits: &[OperationLine]) -> bool {
    RefundId::from(record.attempt) == refund_id
        && record.lines.iter().zip(credits).all(|(line, credit)| line.amount == credit.amount)
}

/// Takes `units` off a bucket's confirmed use. A closed bucket keeps its numbers and gets an adjustment event. `false`
/// when so much is not confirmed yet: confirmed use never falls below zero.
pub(super) fn credit(bucket: &mut Bucket, units: i64, events: &mut Vec<EventKind>) -> bool {
    if bucket.closed {
        events.push(EventKind::Adjusted { units: -units });
        return true;
    }
    if bucket.confirmed < units {
        return false;
    }
    charge(bucket, -units);
    bucket.fire_marks(events);
    true
}
