//! Units of one bucket in the hand of a reservation.

use super::call::QuotaUse;
use super::lane::Lane;
use crate::clock::Timestamp;
use crate::limit::{LeaseId, OperationLine, Terms, Units};
use parking_lot::Mutex;
use std::sync::Arc;

/// A reservation is held at most so long; then its units are counted or given back, as the limit says.
pub(super) const HOLD_MAX_US: i64 = 300_000_000;

/// Held units. Dropping it gives them back.
pub(crate) struct HeldLine(Arc<Held>);

/// What the reservation and the ledger, which ends it when it is overdue, share.
pub(super) struct Held {
    lane: Arc<Lane>,
    lease: LeaseId,
    units: Units,
    terms: Terms,
    record_overrun: bool,
    follows_commit: bool,
    commit_overdue: bool,
    since: Timestamp,
    stage: Mutex<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Held,
    /// The ledger has ended it; the reservation may still say what was used in truth.
    Overdue,
    Ended,
}

impl HeldLine {
    pub(super) fn new(lane: Arc<Lane>, lease: LeaseId, quota: &QuotaUse, now: Timestamp) -> Self {
        Self(Arc::new(Held {
            lane,
            lease,
            units: quota.units,
            terms: quota.terms.clone(),
            record_overrun: quota.record_overrun,
            follows_commit: quota.follows_commit,
            commit_overdue: quota.commit_overdue,
            since: now,
            stage: Mutex::new(Stage::Held),
        }))
    }

    pub(super) fn shared(&self) -> &Arc<Held> {
        &self.0
    }

    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.0.lane
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.0.terms
    }

    pub(super) fn records_overrun(&self) -> bool {
        self.0.record_overrun
    }

    /// Whose units they are.
    #[cfg(test)]
    pub(super) fn bucket(&self) -> &crate::limit::BucketKey {
        &self.0.lane.key
    }

    /// How many units are held.
    pub(crate) fn units(&self) -> Units {
        self.0.units
    }

    /// How many units a call that used `actual` of the variable meter used of this one; a fixed cost is used whole.
    pub(crate) fn used_by(&self, actual: Units) -> Units {
        if self.0.follows_commit { actual } else { self.0.units }
    }

    pub(super) fn operation_line(&self) -> OperationLine {
        OperationLine { bucket: self.0.lane.key, amount: self.0.units, refunded: Units::ZERO }
    }

    /// Ends it: `used` of the units count as used, the others are in the lane's hand again. Says how many used units still
    /// have to be taken, because they had been given back before.
    pub(super) fn end(self, used: Units) -> i64 {
        self.0.end(used.min(self.0.units).signed())
    }

    /// Whether they are the units of the process that this one was forked from.
    pub(super) fn is_foreign(&self) -> bool {
        self.0.is_foreign()
    }
}

impl Drop for HeldLine {
    fn drop(&mut self) {
        self.0.end(0);
    }
}

impl Held {
    fn end(&self, used: i64) -> i64 {
        // In a forked child the units are the parent's, and so are the locks.
        if self.is_foreign() {
            return 0;
        }
        match std::mem::replace(&mut *self.stage.lock(), Stage::Ended) {
            Stage::Ended => {}
            Stage::Held => self.settle(used),
            Stage::Overdue if self.commit_overdue => self.lane.with_holding(|holding| {
                if holding.id() == self.lease {
                    holding.refund(self.units.signed() - used);
                }
            }),
            Stage::Overdue => return used,
        }
        0
    }

    /// Ends it if it was held too long: as used whole, or given back. Whether it was.
    pub(super) fn end_overdue(&self, now: Timestamp) -> bool {
        let mut stage = self.stage.lock();
        let overdue = *stage == Stage::Held && now.micros_since(self.since) >= HOLD_MAX_US;
        if overdue {
            *stage = Stage::Overdue;
            self.settle(if self.commit_overdue { self.units.signed() } else { 0 });
        }
        overdue
    }

    pub(super) fn lane(&self) -> &Lane {
        &self.lane
    }

    fn settle(&self, used: i64) {
        self.lane.with_holding(|holding| {
            if holding.id() == self.lease {
                holding.commit(self.units.signed(), used);
            } else {
                // The lease was replaced and can report no more; its units stay charged there.
                holding.overrun(used);
            }
        });
    }

    fn is_foreign(&self) -> bool {
        self.lane.pid != std::process::id()
    }
}
