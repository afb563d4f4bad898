//! Several limits in one atomic batch, and calls with an operation id on stores that have such batches.

use super::Ledger;
use super::call::{KeyedCall, QuotaState, RateUse, RefusedBy, TakeCall};
use super::lane::{Lane, Renewed, Turn, quota_state};
use super::reservation::HeldLine;
use super::take::{RENEWALS_MAX, TakenQuotas, Tried};
use crate::clock::Timestamp;
use crate::code::Code;
use crate::decision::ChargedUnits;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Act, ActOutcome, Batch, BatchReply, Item, ItemReply, Request};
use crate::limit::gcra::{RateRequest, RateVerdict};
use crate::limit::period::Window;
use crate::limit::{
    Attempt, BucketKey, Fingerprint, LimitId, Operation, OperationKey, OperationLine, OperationOutcome,
    Reason, Units,
};
use std::sync::Arc;

/// How long operation records are kept.
const OPERATION_TTL_MS: i64 = 24 * 3_600 * 1_000;

impl Ledger {
    /// Several limits in one atomic batch, or a keyed call: nothing is charged unless everything is.
    pub(super) fn take_together(
        &self,
        call: &TakeCall,
        rates: &mut [RateVerdict],
        keys: &[BucketKey],
        windows: &[Window],
        hold: bool,
    ) -> Result<Tried, Error> {
        let attempt = Attempt::from_bytes(*self.nonce()?.as_bytes());
        let lanes: Vec<Arc<Lane>> = keys.iter().map(|key| self.lane(*key)).collect();
        for _ in 0..RENEWALS_MAX {
            let turns = turns(&lanes)?;
            let mut sent = Sent::default();
            for (i, (quota, window)) in call.quotas.iter().zip(windows).enumerate() {
                if quota.units == Units::ZERO {
                    continue;
                }
                let Some(turn) = turn_of(&turns, keys, i) else { continue };
                let keyed = call.operation.is_some();
                let request = turn.request(self.ask(quota, window, vec![quota.units], !hold && !keyed)?);
                let group = u16::try_from(i).ok().filter(|_| quota.slow.is_some());
                sent.push(Part::Quota(i), group, Request::Exchange(request));
                if let Some(slow) = &quota.slow {
                    let (limit_id, ver, rate) = (slow.limit_id, slow.ver, slow.rate);
                    sent.push(
                        Part::Slow(i),
                        group,
                        Request::Rate(RateRequest { limit_id, ver, rate, amount: quota.units }),
                    );
                }
            }
            sent.push_strict_rates(&call.rates);
            let act = match &call.operation {
                Some(keyed) => Act::Charge(operation(keyed, call, keys, windows, attempt, Vec::new())),
                None => Act::None,
            };
            let batch = Batch { items: sent.items, atomic: true, act };
            let reply = self.exchange(&batch)?;
            let answered = self.accept_all(call, &turns, keys, &sent.parts, &reply, rates)?;
            let Some(answered) = answered else { continue };
            return self.conclude(call, &lanes, answered, reply.outcome, attempt, hold);
        }
        Err(Error::new(ErrorKind::StoreUnavailable, "another process uses this one's leases; try again"))
    }

    /// Takes every reply to its lane. `None` when a lease had to be replaced and all must be sent again.
    pub(super) fn accept_all(
        &self,
        call: &TakeCall,
        turns: &[Turn<'_>],
        keys: &[BucketKey],
        parts: &[Part],
        reply: &BatchReply,
        rates: &mut [RateVerdict],
    ) -> Result<Option<Answered>, Error> {
        let mut answered = Answered::default();
        let mut again = false;
        for (part, item) in parts.iter().zip(&reply.items) {
            match (*part, item) {
                (Part::Quota(i), ItemReply::Exchange(reply)) => {
                    let Some(turn) = turn_of(turns, keys, i) else { continue };
                    self.note_time(reply.now);
                    match turn.accept(reply, |clone| self.next_lease(clone)) {
                        Ok(_) => {}
                        Err(Renewed(Some(error))) => return Err(error),
                        Err(Renewed(None)) => again = true,
                    }
                    let state = quota_state(&turn.lane().key, reply);
                    let no_slow = call.quotas.get(i).is_some_and(|quota| quota.slow.is_none());
                    if no_slow {
                        turn.note_refusal(reply.reason, reply.ver, state);
                    }
                    answered.quotas.push((i, reply.granted > 0, reply.reason, state, reply.now));
                }
                (Part::Slow(i), ItemReply::Rate(reply)) => {
                    answered.slow.push((i, reply.taken, reply.verdict))
                }
                (Part::Rate(i), ItemReply::Rate(reply)) => {
                    if let Some(slot) = rates.get_mut(i) {
                        *slot = reply.verdict;
                    }
                    if !reply.verdict.fits {
                        answered.refused_rate = answered.refused_rate.or(Some(i));
                    }
                }
                _ => {
                    return Err(Error::new(
                        ErrorKind::StoreCallback,
                        "the usage store answered another request",
                    ));
                }
            }
        }
        Ok((!again).then_some(answered))
    }

    /// What the replies of an atomic batch add up to.
    pub(super) fn conclude(
        &self,
        call: &TakeCall,
        lanes: &[Arc<Lane>],
        answered: Answered,
        outcome: ActOutcome,
        attempt: Attempt,
        hold: bool,
    ) -> Result<Tried, Error> {
        let states: Vec<QuotaState> = answered.states();
        let mut taken = TakenQuotas { states, ..TakenQuotas::default() };
        match outcome {
            ActOutcome::Charge(OperationOutcome::Conflict) => {
                return Err(Error::refused(Code::OperationConflict));
            }
            ActOutcome::Charge(OperationOutcome::Granted(_)) => {
                taken.attempt = Some(attempt);
                return Ok(Tried::Taken(Box::new(taken)));
            }
            ActOutcome::Charge(OperationOutcome::Replayed(_)) => {
                taken.replayed = true;
                return Ok(Tried::Taken(Box::new(taken)));
            }
            _ => {}
        }
        if let Some(refused) = answered.refusal(call) {
            return Ok(refused);
        }
        for (i, granted, _, _, _) in &answered.quotas {
            let (Some(quota), Some(lane)) = (call.quotas.get(*i), lanes.get(*i)) else { continue };
            if *granted {
                let lease = lane.lease();
                if hold {
                    lane.with_holding(|holding| holding.reserve(quota.units.signed()));
                    taken.held.push(HeldLine::new(Arc::clone(lane), lease, quota.units, quota.terms.clone()));
                }
                taken.charges.push(ChargedUnits {
                    bucket: lane.key,
                    life: lease.life,
                    units: quota.units.get(),
                });
            } else if let Some(slow) = &quota.slow {
                taken.delay_ms = taken.delay_ms.max(slow.delay_ms);
            }
        }
        Ok(Tried::Taken(Box::new(taken)))
    }
}

/// Which limit of the call a request of the batch is for.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Quota(usize),
    Slow(usize),
    Rate(usize),
}

#[derive(Default)]
struct Sent {
    parts: Vec<Part>,
    items: Vec<Item>,
}

impl Sent {
    fn push(&mut self, part: Part, group: Option<u16>, request: Request) {
        self.parts.push(part);
        self.items.push(Item { group, request });
    }

    fn push_strict_rates(&mut self, rates: &[RateUse]) {
        for (i, rate) in rates.iter().enumerate().filter(|(_, rate)| rate.local.is_none()) {
            let request =
                RateRequest { limit_id: rate.limit_id, ver: rate.ver, rate: rate.rate, amount: rate.units };
            self.push(Part::Rate(i), None, Request::Rate(request));
        }
    }
}

/// What the replies said, by the place of the limit in the call.
#[derive(Default)]
pub(super) struct Answered {
    quotas: Vec<(usize, bool, Reason, QuotaState, Timestamp)>,
    slow: Vec<(usize, bool, RateVerdict)>,
    refused_rate: Option<usize>,
}

impl Answered {
    fn states(&self) -> Vec<QuotaState> {
        let slow = |index: usize| self.slow.iter().any(|(i, taken, _)| *i == index && *taken);
        self.quotas.iter().map(|(i, _, _, state, _)| QuotaState { slow: slow(*i), ..*state }).collect()
    }

    /// The limit that refused the call, if one did: rates first, then quotas in the call's order.
    fn refusal(&self, call: &TakeCall) -> Option<Tried> {
        if let Some(i) = self.refused_rate {
            return Some(Tried::Refused(RefusedBy::Rate(i), self.states()));
        }
        for (i, granted, reason, _, now) in &self.quotas {
            let slow = self.slow.iter().find(|(index, ..)| index == i);
            let served = *granted || slow.is_some_and(|(_, taken, _)| *taken);
            if served || *reason == Reason::None || *reason == Reason::NotTaken {
                continue;
            }
            if *reason == Reason::WrongPeriod {
                return Some(Tried::Moved(*i, *now));
            }
            return Some(match slow {
                Some((_, _, verdict)) if !verdict.fits => {
                    Tried::Refused(RefusedBy::Slow(*i, *verdict), self.states())
                }
                // The slow source had room, so another limit refused; it says so itself.
                Some(_) if call.quotas.len() > 1 => continue,
                _ => Tried::Refused(RefusedBy::Quota(*i, *reason), self.states()),
            });
        }
        None
    }
}

/// The turns of all lanes, taken in one order everywhere, so that no two calls wait for each other.
pub(super) fn turns(lanes: &[Arc<Lane>]) -> Result<Vec<Turn<'_>>, Error> {
    let mut ordered: Vec<&Arc<Lane>> = lanes.iter().collect();
    ordered.sort_by_key(|lane| lane.key);
    ordered.dedup_by_key(|lane| lane.key);
    ordered.into_iter().map(|lane| lane.take_turn()).collect()
}

fn turn_of<'t, 'l>(turns: &'t [Turn<'l>], keys: &[BucketKey], index: usize) -> Option<&'t Turn<'l>> {
    let key = keys.get(index)?;
    turns.iter().find(|turn| turn.lane().key == *key)
}

/// The keyed charge of a call; its primary limit is the narrowest, which stands first.
pub(super) fn operation(
    keyed: &KeyedCall,
    call: &TakeCall,
    keys: &[BucketKey],
    windows: &[Window],
    attempt: Attempt,
    also: Vec<OperationLine>,
) -> Operation {
    let charges: Vec<(LimitId, Units)> =
        call.quotas.iter().map(|quota| (quota.limit_id, quota.units)).collect();
    let previous = call.quotas.first().zip(windows.first()).filter(|(_, window)| !window.is_lifetime());
    Operation {
        key: OperationKey {
            scope: keyed.scope,
            id: keyed.id,
            home: keys.first().copied().unwrap_or_default(),
            previous_start: previous
                .map(|(quota, window)| quota.period.window_at(window.start.plus_micros(-1)).start),
        },
        fingerprint: Fingerprint::new(&charges),
        attempt,
        ask: false,
        ttl_ms: OPERATION_TTL_MS,
        also,
    }
}
