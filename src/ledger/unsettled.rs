//! Keyed calls whose answer was lost, on stores without atomic batches.
//!
//! The units of the call's other limits stay in hand: had the operation been charged and they been given back, its retry
//! would be answered "allowed" while they count nowhere. The next exchange of the primary limit asks what became of it.

use super::Ledger;
use super::held::HeldLine;
use super::lane::Renewed;
use super::take::{foreign_answer, single};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Act, ActOutcome, ItemReply, Request};
use crate::limit::{BucketKey, Operation, OperationOutcome, Terms, Units};

/// At most so many at a time; further keyed calls are turned away until the store answers again.
const UNSETTLED_MAX: usize = 10_000;

pub(super) struct Unsettled {
    /// The operation, to ask about.
    pub(super) operation: Operation,
    /// Its primary limit.
    pub(super) key: BucketKey,
    pub(super) terms: Terms,
    pub(super) period_end: Timestamp,
    /// What the call has taken of its other limits.
    pub(super) held: Vec<HeldLine>,
}

impl Ledger {
    pub(super) fn leave_unsettled(&self, mut unsettled: Unsettled) -> Result<(), Error> {
        unsettled.operation.ask = true;
        self.here()?.unsettled.lock().push(unsettled);
        Ok(())
    }

    /// Whether another call may be left unsettled.
    pub(super) fn check_room_for_unsettled(&self) -> Result<(), Error> {
        if self.here()?.unsettled.lock().len() < UNSETTLED_MAX {
            return Ok(());
        }
        let text = "too many operations wait for the usage store's answer; try again";
        Err(Error::new(ErrorKind::Overloaded, text))
    }

    /// Asks what became of the keyed calls whose answer was lost: their units in hand are used, or go back.
    pub(super) fn settle_unsettled(&self) -> Result<(), Error> {
        let here = self.here()?;
        let waiting = std::mem::take(&mut *here.unsettled.lock());
        let mut told = Ok(());
        for unsettled in waiting {
            match self.ask_about(&unsettled) {
                Ok(charged) => {
                    for line in unsettled.held {
                        let lane = line.lane().clone();
                        let used = if charged { line.units() } else { Units::ZERO };
                        line.end(used);
                        self.report_now_or_later(&lane);
                    }
                }
                Err(error) => {
                    told = told.and(Err(error));
                    here.unsettled.lock().push(unsettled);
                }
            }
        }
        told
    }

    /// Whether the call's own try charged the operation.
    fn ask_about(&self, unsettled: &Unsettled) -> Result<bool, Error> {
        let lane = self.lane(unsettled.key)?;
        let turn = lane.take_turn()?;
        turn.learn(&unsettled.terms, unsettled.period_end);
        let request =
            turn.request(Vec::new(), false, self.nonce()?, self.hint()).ok_or_else(foreign_answer)?;
        let mut batch = single(Request::Exchange(request));
        batch.act = Act::Charge(unsettled.operation.clone());
        let reply = self.exchange(&batch)?;
        if let Some(ItemReply::Exchange(reply)) = reply.items.first() {
            self.note_time(reply);
            if let Err(Renewed(Some(error))) = turn.accept(reply, |cloned| self.next_lease(cloned)) {
                return Err(error);
            }
        }
        match reply.outcome {
            ActOutcome::Charge(outcome) => Ok(matches!(outcome, OperationOutcome::Granted(_))),
            _ => Err(foreign_answer()),
        }
    }
}
