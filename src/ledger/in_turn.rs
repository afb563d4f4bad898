//! Several limits on a store that makes only single requests atomic.
//!
//! Strict rates are judged first; a rate that was taken for a call that a quota then refuses is not given back, which
//! makes its next answer stricter until it has drained. Quotas are taken into the call's hand one after the other and
//! count as used only when all are there; on a refusal all go back, so no other limit's confirmed use changes. A keyed
//! call's primary limit comes last: it carries the operation id, and decides.

use super::Ledger;
use super::call::{KeyedCall, QuotaState, QuotaUse, RefusedBy, SlowUse, TakeCall};
use super::held::HeldLine;
use super::lane::{Elsewhere, Renewed, quota_state};
use super::take::{Placed, RENEWALS_MAX, TakenQuotas, Tried, foreign_answer, renewed_too_often, single};
use super::together::operation;
use super::unsettled::Unsettled;
use crate::code::Code;
use crate::error::Error;
use crate::limit::batch::{Act, ActOutcome, BatchReply, ItemReply, Request};
use crate::limit::gcra::{RateReply, RateRequest, RateVerdict};
use crate::limit::{Attempt, Operation, OperationLine, OperationOutcome, Reason, Reply, Units};

/// What a call has in hand while it goes from limit to limit.
#[derive(Default)]
struct InHand {
    states: Vec<(usize, QuotaState)>,
    taken: TakenQuotas,
}

impl Ledger {
    pub(super) fn take_in_turn(
        &self,
        call: &TakeCall,
        rates: &mut [RateVerdict],
        placed: &Placed,
        hold: bool,
    ) -> Result<Tried, Error> {
        for (i, rate) in call.rates.iter().enumerate().filter(|(_, rate)| rate.local.is_none()) {
            let reply = self.judge_rate(rate.request())?;
            rates.iter_mut().skip(i).take(1).for_each(|slot| *slot = reply.verdict);
            if !reply.taken {
                return Ok(Tried::Refused(RefusedBy::Rate(i), Vec::new()));
            }
        }
        let mut in_hand = InHand::default();
        let keyed = call.operation.as_ref();
        let charged = call.quotas.iter().enumerate().filter(|(_, quota)| quota.units > Units::ZERO);
        for (i, quota) in charged.clone().filter(|(i, _)| keyed.is_none() || *i > 0) {
            match self.take_one(call, quota, i, placed, true).and_then(|tried| self.or_slow(quota, i, tried))
            {
                Ok(Tried::Taken(one)) => in_hand.join(i, *one),
                other => {
                    self.give_back(in_hand.taken.held);
                    return other;
                }
            }
        }
        if let Some(keyed) = keyed
            && let Some((i, quota)) = charged.clone().next().filter(|(i, _)| *i == 0)
        {
            match self.take_keyed(call, keyed, quota, placed, &mut in_hand.taken.held) {
                Ok(Tried::Taken(one)) if one.replayed => {
                    self.give_back(in_hand.taken.held);
                    return Ok(Tried::Taken(one));
                }
                Ok(Tried::Taken(one)) => in_hand.join(i, *one),
                other => {
                    self.give_back(in_hand.taken.held);
                    return other;
                }
            }
            // Units of a keyed call come back by its id alone.
            in_hand.taken.charges.clear();
        }
        Ok(self.use_or_hold(in_hand, hold))
    }

    /// All is in hand: it is used now, or held on.
    fn use_or_hold(&self, mut in_hand: InHand, hold: bool) -> Tried {
        in_hand.states.sort_by_key(|(i, _)| *i);
        in_hand.taken.states = in_hand.states.into_iter().map(|(_, state)| state).collect();
        if !hold {
            for line in in_hand.taken.held.drain(..) {
                let (lane, units) = (line.lane().clone(), line.units());
                line.end(units);
                self.report_now_or_later(&lane);
            }
        }
        Tried::Taken(Box::new(in_hand.taken))
    }

    fn give_back(&self, held: Vec<HeldLine>) {
        for line in held {
            let lane = line.lane().clone();
            line.end(Units::ZERO);
            self.report_now_or_later(&lane);
        }
    }

    fn judge_rate(&self, request: RateRequest) -> Result<RateReply, Error> {
        match self.exchange(&single(Request::Rate(request)))?.items.first() {
            Some(ItemReply::Rate(reply)) => Ok(*reply),
            _ => Err(foreign_answer()),
        }
    }

    /// Where a quota is used up, its slow source may serve the call.
    fn or_slow(&self, quota: &QuotaUse, index: usize, tried: Tried) -> Result<Tried, Error> {
        let Tried::Refused(RefusedBy::Quota(_, Reason::Exhausted | Reason::Insufficient(_)), states) = &tried
        else {
            return Ok(tried);
        };
        let (Some(slow), Some(state)) = (&quota.slow, states.first().copied()) else { return Ok(tried) };
        let reply = self.judge_rate(slow.request(quota.units))?;
        if !reply.taken {
            return Ok(Tried::Refused(RefusedBy::Slow(index, reply.verdict), vec![state]));
        }
        let states = vec![QuotaState { slow: true, ..state }];
        Ok(Tried::Taken(Box::new(TakenQuotas { states, delay_ms: slow.delay_ms, ..TakenQuotas::default() })))
    }

    /// The primary limit of a keyed call: charged by the operation id, with what is `held` for it of the others. If its
    /// answer is lost, what is held waits for the store to be asked again.
    fn take_keyed(
        &self,
        call: &TakeCall,
        keyed: &KeyedCall,
        quota: &QuotaUse,
        placed: &Placed,
        held: &mut Vec<HeldLine>,
    ) -> Result<Tried, Error> {
        self.check_room_for_unsettled()?;
        let also: Vec<OperationLine> = held.iter().map(HeldLine::operation_line).collect();
        let attempt = Attempt::from_bytes(*self.nonce()?.as_bytes());
        let operation = operation(keyed, call, placed, attempt, also);
        let (Some(key), Some(window)) = (placed.keys.first(), placed.windows.first()) else {
            return Err(foreign_answer());
        };
        let lane = self.lane(*key)?;
        for _ in 0..RENEWALS_MAX {
            let turn = lane.take_turn()?;
            turn.learn(&quota.terms, window.end);
            let request = turn.request(vec![quota.units], false, self.nonce()?, self.hint());
            let mut batch = single(Request::Exchange(request.ok_or_else(foreign_answer)?));
            batch.act = Act::Charge(operation.clone());
            let answered = self.exchange(&batch).and_then(|reply| keyed_answer(&reply));
            let (reply, outcome) = match answered {
                Ok(answered) => answered,
                Err(error) => {
                    let (terms, held) = (quota.terms.clone(), std::mem::take(held));
                    let period_end = window.end;
                    self.leave_unsettled(Unsettled { operation, key: *key, terms, period_end, held })?;
                    return Err(error);
                }
            };
            self.note_time(&reply);
            let renewed = turn.accept(&reply, |cloned| self.next_lease(cloned));
            drop(turn);
            match renewed {
                Ok(_) => return self.conclude_keyed(quota, &operation, &reply, outcome),
                Err(Renewed(Some(error))) => return Err(error),
                Err(Renewed(None)) => {}
            }
        }
        Err(renewed_too_often())
    }

    fn conclude_keyed(
        &self,
        quota: &QuotaUse,
        operation: &Operation,
        reply: &Reply,
        outcome: OperationOutcome,
    ) -> Result<Tried, Error> {
        let state = quota_state(&operation.key.home, reply);
        let mut taken = TakenQuotas { states: vec![state], ..TakenQuotas::default() };
        match outcome {
            OperationOutcome::Conflict => return Err(Error::refused(Code::OperationConflict)),
            OperationOutcome::Granted(_) => taken.attempt = Some(operation.attempt),
            OperationOutcome::Replayed(_) => taken.replayed = true,
            OperationOutcome::Refused | OperationOutcome::Unknown => {
                if let Some(elsewhere) = Elsewhere::of(reply.reason, reply.now) {
                    return Ok(Tried::Moved(0, elsewhere));
                }
                let refused = Tried::Refused(RefusedBy::Quota(0, reply.reason), vec![state]);
                return self.or_slow(quota, 0, refused);
            }
        }
        Ok(Tried::Taken(Box::new(taken)))
    }
}

impl InHand {
    fn join(&mut self, index: usize, mut one: TakenQuotas) {
        self.states.extend(one.states.drain(..).map(|state| (index, state)));
        self.taken.charges.append(&mut one.charges);
        self.taken.held.append(&mut one.held);
        self.taken.attempt = self.taken.attempt.or(one.attempt);
        self.taken.delay_ms = self.taken.delay_ms.max(one.delay_ms);
    }
}

impl SlowUse {
    pub(super) fn request(&self, units: Units) -> RateRequest {
        RateRequest { limit_id: self.limit_id, ver: self.ver, rate: self.rate, amount: units }
    }
}

fn keyed_answer(reply: &BatchReply) -> Result<(Reply, OperationOutcome), Error> {
    match (reply.items.first(), &reply.outcome) {
        (Some(ItemReply::Exchange(item)), ActOutcome::Charge(outcome)) => Ok((*item, outcome.clone())),
        _ => Err(foreign_answer()),
    }
}

#[cfg(test)]
mod tests;
