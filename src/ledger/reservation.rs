//! Units held for later, and units that come back.

use super::Ledger;
use super::held::HeldLine;
use super::lane::{Answer, Lane};
use crate::clock::Timestamp;
use crate::decision::ChargedUnits;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Act, ActOutcome, Batch};
use crate::limit::{Credit, CreditOutcome, SETTLE_GRACE_US, Terms, Units};
use std::sync::Arc;

/// What ended reservations used beyond what they held, where the limit refused it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Units recorded all the same, above the cap if need be.
    pub(crate) overrun: u64,
    /// Units that are recorded nowhere, by the limit's word.
    pub(crate) unrecorded: u64,
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
            let (lane, terms, record) =
                (Arc::clone(line.lane()), line.terms().clone(), line.records_overrun());
            let beyond = (actual.signed() - line.units().signed()).max(0);
            let owed = Units::clamped(line.end(actual) + beyond);
            if owed > Units::ZERO && !self.take_more(&lane, &terms, owed) {
                if record {
                    lane.with_holding(|holding| holding.overrun(owed.signed()));
                    settled.overrun += owed.get();
                } else {
                    settled.unrecorded += owed.get();
                }
            }
            self.report_now_or_later(&lane);
        }
        Ok(settled)
    }

    /// Remembers reservations, to end them should they be held too long.
    pub(super) fn watch(&self, held: &[HeldLine]) -> Result<(), Error> {
        if !held.is_empty() {
            let shared = held.iter().map(|line| Arc::downgrade(line.shared()));
            self.here()?.reservations.lock().extend(shared);
        }
        Ok(())
    }

    /// Ends the reservations that are overdue: a host has forgotten them, or works on. What it says later still counts.
    pub(super) fn end_overdue_reservations(&self, now: Timestamp) -> Result<(), Error> {
        let here = self.here()?;
        let mut overdue = Vec::new();
        here.reservations.lock().retain(|reservation| {
            let Some(held) = reservation.upgrade() else { return false };
            let ended = held.end_overdue(now);
            if ended {
                overdue.push(held);
            }
            !ended
        });
        for held in overdue {
            let bucket = held.lane().key;
            tracing::warn!(limit = ?bucket.limit_id, "a reservation was held for 5 minutes and is ended");
            self.report_now_or_later(held.lane());
        }
        Ok(())
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

#[cfg(test)]
mod tests;
