//! Units held for later, and units that come back.

use super::Ledger;
use super::call::QuotaUse;
use super::lane::{Answer, Lane};
use crate::decision::ChargedUnits;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Act, ActOutcome, Batch};
use crate::limit::{Credit, CreditOutcome, LeaseId, OperationLine, SETTLE_GRACE_US, Terms, Units};
use std::sync::Arc;

/// Units of one bucket in the hand of a reservation. Dropping it gives them back.
pub(crate) struct HeldLine {
    lane: Arc<Lane>,
    lease: LeaseId,
    units: Units,
    terms: Terms,
    record_overrun: bool,
    follows_commit: bool,
    settled: bool,
}

/// What ended reservations used beyond what they held, where the limit refused it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Units recorded all the same, above the cap if need be.
    pub(crate) overrun: u64,
    /// Units that are recorded nowhere, by the limit's word.
    pub(crate) unrecorded: u64,
}

impl HeldLine {
    pub(super) fn new(lane: Arc<Lane>, lease: LeaseId, quota: &QuotaUse) -> Self {
        let QuotaUse { units, terms, record_overrun, follows_commit, .. } = quota;
        Self {
            lane,
            lease,
            units: *units,
            terms: terms.clone(),
            record_overrun: *record_overrun,
            follows_commit: *follows_commit,
            settled: false,
        }
    }

    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Whose units they are.
    #[cfg(test)]
    pub(super) fn bucket(&self) -> &crate::limit::BucketKey {
        &self.lane.key
    }

    /// How many units are held.
    pub(crate) fn units(&self) -> Units {
        self.units
    }

    /// How many units a call that used `actual` of the variable meter used of this one; a fixed cost is used whole.
    pub(crate) fn used_by(&self, actual: Units) -> Units {
        if self.follows_commit { actual } else { self.units }
    }

    pub(super) fn operation_line(&self) -> OperationLine {
        OperationLine { bucket: self.lane.key, amount: self.units, refunded: Units::ZERO }
    }

    /// Ends it: `used` of the units count as used, the others are in the lane's hand again.
    pub(super) fn end(mut self, used: Units) {
        self.settle(used.min(self.units).signed());
    }

    fn settle(&mut self, used: i64) {
        // In a forked child the units are the parent's, and so is the lock.
        if std::mem::replace(&mut self.settled, true) || self.is_foreign() {
            return;
        }
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

impl Drop for HeldLine {
    fn drop(&mut self) {
        self.settle(0);
    }
}

impl Ledger {
    /// Ends reservations: of each held line `actual` units were used, the rest goes back. What was used beyond is taken
    /// like a call; where the limit refuses that, it is counted as overrun, visibly, above the cap if need be, or told as
    /// unrecorded.
    ///
    /// A store that does not answer is no error here: the count is right in this process and is reported later.
    pub(crate) fn settle_held(
        &self,
        held: Vec<HeldLine>,
        actual: impl Fn(&HeldLine) -> Units,
    ) -> Result<Settled, Error> {
        if held.iter().any(HeldLine::is_foreign) {
            let text = "the reservation was made before this process was forked; its parent settles it";
            return Err(Error::new(ErrorKind::Forked, text));
        }
        let mut settled = Settled::default();
        for line in held {
            let actual = actual(&line);
            let (lane, terms, record) = (Arc::clone(&line.lane), line.terms.clone(), line.record_overrun);
            let beyond = Units::from_signed(actual.signed() - line.units.signed()).unwrap_or(Units::ZERO);
            line.end(actual);
            if beyond > Units::ZERO && !self.take_more(&lane, &terms, beyond) {
                if record {
                    lane.with_holding(|holding| holding.overrun(beyond.signed()));
                    settled.overrun += beyond.get();
                } else {
                    settled.unrecorded += beyond.get();
                }
            }
            self.report_now_or_later(&lane);
        }
        Ok(settled)
    }

    /// Takes units that were used already; `false` if they can't be had.
    fn take_more(&self, lane: &Arc<Lane>, terms: &Terms, units: Units) -> bool {
        let Some(period_end) = lane.period_end() else { return false };
        let answer = self.ask_lane(lane, terms, period_end, self.clock.now(), units, false);
        matches!(answer, Ok(Answer::Served(..)))
    }

    /// Gives units of an unkeyed call back, through the leases that took them: at most `units` of each limit. All or none.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadySettled`] when a lease is over or its period closed.
    pub(crate) fn refund(&self, charges: &[ChargedUnits], units: u64) -> Result<(), Error> {
        let here = self.here()?;
        let now = self.clock.now();
        let open = |charge: &ChargedUnits| {
            let lane = here.lanes.lock().get(&charge.bucket).cloned()?;
            let ends = lane.period_end()?.plus_micros(SETTLE_GRACE_US);
            (lane.lease().life == charge.life && now < ends)
                .then_some((lane, units.min(charge.units).cast_signed()))
        };
        let lanes: Option<Vec<(Arc<Lane>, i64)>> = charges.iter().map(open).collect();
        let lanes = lanes.ok_or_else(life_is_over)?;
        for (lane, units) in &lanes {
            if !lane.with_holding(|holding| holding.refund(*units)) {
                return Err(life_is_over());
            }
        }
        for (lane, _) in &lanes {
            self.report_now_or_later(lane);
        }
        Ok(())
    }

    /// Gives units of a keyed call back, from any process.
    pub(crate) fn credit(&self, credit: Credit) -> Result<CreditOutcome, Error> {
        let batch = Batch { act: Act::Credit(credit), ..Batch::default() };
        match self.exchange(&batch)?.outcome {
            ActOutcome::Credit(outcome) => Ok(outcome),
            _ => Err(super::take::foreign_answer()),
        }
    }
}

fn life_is_over() -> Error {
    let text = "the units were charged by a lease that is over; refund the operation by its id instead";
    Error::new(ErrorKind::AlreadySettled, text)
}
