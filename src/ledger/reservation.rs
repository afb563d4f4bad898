//! Units held for later, and what a lane tells the store outside a call.

use super::lane::{Lane, Renewed};
use super::take::single;
use super::{LEASE_TTL_MS, Ledger};
use crate::decision::ChargedUnits;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Act, ActOutcome, Batch, ItemReply, Request};
use crate::limit::{BucketKey, Credit, CreditOutcome, LeaseId, OperationLine, Terms, Units};
use std::sync::Arc;

/// Units of one bucket in the hand of a reservation.
pub(crate) struct HeldLine {
    lane: Arc<Lane>,
    lease: LeaseId,
    units: Units,
    terms: Terms,
}

impl HeldLine {
    pub(super) fn new(lane: Arc<Lane>, lease: LeaseId, units: Units, terms: Terms) -> Self {
        Self { lane, lease, units, terms }
    }

    pub(super) fn lane(&self) -> &Lane {
        &self.lane
    }

    /// How many units are held.
    pub(crate) fn units(&self) -> Units {
        self.units
    }

    /// Whose units they are.
    pub(crate) fn bucket(&self) -> &BucketKey {
        &self.lane.key
    }

    pub(super) fn operation_line(&self) -> OperationLine {
        OperationLine { bucket: self.lane.key, amount: self.units, refunded: Units::ZERO }
    }

    /// Counts all held units as used.
    pub(super) fn use_all(&self) {
        self.settle(self.units.signed());
    }

    /// Takes all held units back into the lane's hand.
    pub(super) fn give_back(&self) {
        self.settle(0);
    }

    /// Whether the lease is still this process's; units of one that was replaced stay charged there.
    fn settle(&self, used: i64) {
        self.lane.with_holding(|holding| {
            if holding.id() == self.lease {
                holding.commit(self.units.signed(), used);
            }
        });
    }
}

impl Ledger {
    /// Ends a reservation: `actual` units of each held line were used (at most what is held), the rest goes back. What
    /// was used beyond is counted as overrun, visibly, above the cap if need be.
    pub(crate) fn settle_held(&self, held: &[HeldLine], actual: Units) -> Result<(), Error> {
        let mut told = Ok(());
        for line in held {
            line.settle(actual.signed().min(line.units.signed()));
            let beyond = actual.signed() - line.units.signed();
            if beyond > 0 {
                line.lane.with_holding(|holding| holding.overrun(beyond));
            }
            told = told.and(self.report(&line.lane, false));
        }
        told
    }

    /// Gives units of an unkeyed call back, through the lease that took them.
    pub(crate) fn refund(&self, charges: &[ChargedUnits], units: u64) -> Result<(), Error> {
        self.check_process()?;
        let lanes: Vec<(Arc<Lane>, i64)> = charges
            .iter()
            .map(|charge| {
                let lane = self.lanes.lock().get(&charge.bucket).cloned();
                let lane = lane.filter(|lane| lane.lease().life == charge.life).ok_or_else(life_is_over)?;
                Ok((lane, units.min(charge.units).cast_signed()))
            })
            .collect::<Result<_, Error>>()?;
        for (lane, units) in lanes {
            if !lane.with_holding(|holding| holding.refund(units)) {
                return Err(life_is_over());
            }
            self.report(&lane, false)?;
        }
        Ok(())
    }

    /// Gives units of a keyed call back, from any process.
    pub(crate) fn credit(&self, credit: Credit) -> Result<CreditOutcome, Error> {
        let batch = Batch { act: Act::Credit(credit), ..Batch::default() };
        match self.exchange(&batch)?.outcome {
            ActOutcome::Credit(outcome) => Ok(outcome),
            _ => Err(Error::new(ErrorKind::StoreCallback, "the usage store answered another request")),
        }
    }

    /// Tells the store what this lane used, and returns what is in hand and not reserved.
    pub(super) fn report(&self, lane: &Lane, last: bool) -> Result<(), Error> {
        let turn = lane.take_turn()?;
        let request = turn.report(self.nonce()?, self.hint(), LEASE_TTL_MS, last);
        let Some(request) = request else { return Ok(()) };
        let reply = self.exchange(&single(Request::Exchange(request)))?;
        if let Some(ItemReply::Exchange(reply)) = reply.items.first() {
            self.note_time(reply.now);
            if let Err(Renewed(Some(error))) = turn.accept(reply, |clone| self.next_lease(clone)) {
                return Err(error);
            }
        }
        Ok(())
    }
}

fn life_is_over() -> Error {
    let text = "the units were charged by a lease that is over; refund the operation by its id instead";
    Error::new(ErrorKind::AlreadySettled, text)
}
