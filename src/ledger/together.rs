//! Several limits in one atomic batch, and calls with an operation id on stores that have such batches.

use super::Ledger;
use super::call::{KeyedCall, QuotaState, RateUse, RefusedBy, TakeCall};
use super::lane::{Elsewhere, Lane, Renewed, Turn, quota_state};
use super::take::{Placed, RENEWALS_MAX, TakenQuotas, Tried, foreign_answer, renewed_too_often};
use crate::code::Code;
use crate::decision::ChargedUnits;
use crate::error::Error;
use crate::limit::batch::{Act, ActOutcome, Batch, BatchReply, Item, ItemReply, Request};
use crate::limit::gcra::{RateReply, RateRequest, RateVerdict};
use crate::limit::{
    Attempt, Fingerprint, LimitId, Operation, OperationKey, OperationLine, OperationOutcome, Reason, Reply,
    Units,
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
        placed: &Placed,
        hold: bool,
    ) -> Result<Tried, Error> {
        let attempt = Attempt::from_bytes(*self.nonce()?.as_bytes());
        let operation =
            call.operation.as_ref().map(|keyed| operation(keyed, call, placed, attempt, Vec::new()));
        let lanes = self.lanes_of(call, placed)?;
        for _ in 0..RENEWALS_MAX {
            let turns = turns(&lanes)?;
            let sent = self.build(call, &turns, placed, !hold && operation.is_none())?;
            let act = operation.clone().map_or(Act::None, Act::Charge);
            let batch = Batch { items: sent.items, atomic: true, act };
            let reply = self.exchange(&batch)?;
            let Some(answered) = self.accept_all(&turns, &sent.parts, &reply, call)? else { continue };
            for (i, reply) in &answered.rates {
                rates.iter_mut().skip(*i).take(1).for_each(|slot| *slot = reply.verdict);
            }
            return conclude(call, &lanes, &answered, reply.outcome, attempt, hold);
        }
        Err(renewed_too_often())
    }

    /// The lanes of the quotas that are charged, each with its place in the call.
    fn lanes_of(&self, call: &TakeCall, placed: &Placed) -> Result<Vec<(usize, Arc<Lane>)>, Error> {
        let charged = call.quotas.iter().zip(&placed.keys).enumerate();
        let charged = charged.filter(|(_, (quota, _))| quota.units > Units::ZERO);
        charged.map(|(i, (_, key))| Ok((i, self.lane(*key)?))).collect()
    }

    /// The requests: each charged quota, with its slow source as the alternative, then the strict rates.
    fn build(
        &self,
        call: &TakeCall,
        turns: &[(usize, Turn<'_>)],
        placed: &Placed,
        consume: bool,
    ) -> Result<Sent, Error> {
        let mut sent = Sent::default();
        for (i, quota) in call.quotas.iter().enumerate() {
            let Some((_, turn)) = turns.iter().find(|(place, _)| *place == i) else { continue };
            let Some(window) = placed.windows.get(i) else { continue };
            turn.learn(&quota.terms, window.end);
            let request = turn.request(vec![quota.units], consume, self.nonce()?, self.hint());
            let request = Request::Exchange(request.ok_or_else(foreign_answer)?);
            let group = u16::try_from(i).ok().filter(|_| quota.slow.is_some());
            sent.push(Part::Quota(i), group, request);
            if let Some(slow) = &quota.slow {
                sent.push(Part::Slow(i), group, Request::Rate(slow.request(quota.units)));
            }
        }
        for (i, rate) in call.rates.iter().enumerate().filter(|(_, rate)| rate.local.is_none()) {
            sent.push(Part::Rate(i), None, Request::Rate(rate.request()));
        }
        Ok(sent)
    }

    /// Takes every reply to its lane. `None` when a lease had to be replaced and all must be sent again.
    fn accept_all(
        &self,
        turns: &[(usize, Turn<'_>)],
        parts: &[Part],
        reply: &BatchReply,
        call: &TakeCall,
    ) -> Result<Option<Answered>, Error> {
        let mut answered = Answered::default();
        let mut again = false;
        for (part, item) in parts.iter().zip(&reply.items) {
            match (*part, item) {
                (Part::Quota(i), ItemReply::Exchange(reply)) => {
                    let Some((_, turn)) = turns.iter().find(|(place, _)| *place == i) else { continue };
                    self.note_time(reply);
                    match turn.accept(reply, |cloned| self.next_lease(cloned)) {
                        Ok(_) => {}
                        Err(Renewed(Some(error))) => return Err(error),
                        Err(Renewed(None)) => again = true,
                    }
                    let state = quota_state(&turn.lane().key, reply);
                    if call.quotas.get(i).is_some_and(|quota| quota.slow.is_none()) {
                        turn.note_refusal(reply.reason, reply.ver, state, call.now);
                    }
                    answered.quotas.push((i, *reply, state));
                }
                (Part::Slow(i), ItemReply::Rate(reply)) => answered.slow.push((i, *reply)),
                (Part::Rate(i), ItemReply::Rate(reply)) => answered.rates.push((i, *reply)),
                _ => return Err(foreign_answer()),
            }
        }
        if answered.quotas.len() + answered.slow.len() + answered.rates.len() != parts.len() {
            return Err(foreign_answer());
        }
        Ok((!again).then_some(answered))
    }
}

/// What the replies of an atomic batch add up to.
fn conclude(
    call: &TakeCall,
    lanes: &[(usize, Arc<Lane>)],
    answered: &Answered,
    outcome: ActOutcome,
    attempt: Attempt,
    hold: bool,
) -> Result<Tried, Error> {
    let mut taken = TakenQuotas { states: answered.states(), ..TakenQuotas::default() };
    let keyed = match outcome {
        ActOutcome::Charge(OperationOutcome::Conflict) => {
            return Err(Error::refused(Code::OperationConflict));
        }
        ActOutcome::Charge(OperationOutcome::Granted(_)) => {
            taken.attempt = Some(attempt);
            true
        }
        ActOutcome::Charge(OperationOutcome::Replayed(_)) => {
            taken.replayed = true;
            true
        }
        _ => false,
    };
    if !keyed && let Some(refused) = answered.refusal(call)? {
        return Ok(refused);
    }
    for (i, reply, _) in &answered.quotas {
        let Some(quota) = call.quotas.get(*i) else { continue };
        let Some((_, lane)) = lanes.iter().find(|(place, _)| place == i) else { continue };
        if reply.granted > 0 {
            let lease = lane.lease();
            if hold && lane.with_holding(|holding| holding.reserve(quota.units.signed())) {
                taken.held.push(quota.held(Arc::clone(lane), lease, call.now));
            }
            let units = quota.units.get();
            taken.charges.push(ChargedUnits { bucket: lane.key, life: lease.life, units });
        }
        if let Some(slow) = quota.slow.as_ref().filter(|_| answered.is_slow(*i)) {
            taken.delay_ms = taken.delay_ms.max(slow.delay_ms);
        }
    }
    Ok(Tried::Taken(Box::new(taken)))
}

/// Which limit of the call a request of the batch is for.
#[derive(Clone, Copy)]
enum Part {
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
}

/// What the replies said, by the place of the limit in the call.
#[derive(Default)]
struct Answered {
    quotas: Vec<(usize, Reply, QuotaState)>,
    slow: Vec<(usize, RateReply)>,
    rates: Vec<(usize, RateReply)>,
}

impl Answered {
    /// Whether the quota's slow source served the call.
    fn is_slow(&self, index: usize) -> bool {
        self.slow.iter().any(|(i, reply)| *i == index && reply.taken)
    }

    fn states(&self) -> Vec<QuotaState> {
        self.quotas.iter().map(|(i, _, state)| QuotaState { slow: self.is_slow(*i), ..*state }).collect()
    }

    /// The limit that refused the call, if one did: rates first, then quotas in the call's order.
    fn refusal(&self, call: &TakeCall) -> Result<Option<Tried>, Error> {
        if let Some((i, _)) = self.rates.iter().find(|(_, reply)| !reply.verdict.fits) {
            return Ok(Some(Tried::Refused(RefusedBy::Rate(*i), Vec::new())));
        }
        let mut all_taken = self.rates.iter().all(|(_, reply)| reply.taken);
        for (i, reply, state) in &self.quotas {
            let asked = call.quotas.get(*i).map_or(0, |quota| quota.units.signed());
            if reply.granted >= asked || self.is_slow(*i) {
                continue;
            }
            all_taken = false;
            if let Some(elsewhere) = Elsewhere::of(reply.reason, reply.now) {
                return Ok(Some(Tried::Moved(*i, elsewhere)));
            }
            let slow = self.slow.iter().find(|(place, _)| place == i).map(|(_, reply)| reply.verdict);
            let by = match (reply.reason, slow) {
                // It, or its slow source, had room: another limit refused, and says so itself.
                (Reason::None | Reason::NotTaken, _) => continue,
                (_, Some(verdict)) if verdict.fits => continue,
                (_, Some(verdict)) => RefusedBy::Slow(*i, verdict),
                (reason, None) => RefusedBy::Quota(*i, reason),
            };
            return Ok(Some(Tried::Refused(by, vec![*state])));
        }
        // Nobody refused, but not all was taken: no store that keeps its contract answers so.
        if all_taken { Ok(None) } else { Err(foreign_answer()) }
    }
}

/// The turns of all lanes, taken in one order everywhere, so that no two calls wait for each other.
fn turns(lanes: &[(usize, Arc<Lane>)]) -> Result<Vec<(usize, Turn<'_>)>, Error> {
    let mut ordered: Vec<&(usize, Arc<Lane>)> = lanes.iter().collect();
    ordered.sort_by_key(|(_, lane)| lane.key);
    ordered.into_iter().map(|(i, lane)| Ok((*i, lane.take_turn()?))).collect()
}

/// The keyed charge of a call; its primary limit is the narrowest, which stands first.
pub(super) fn operation(
    keyed: &KeyedCall,
    call: &TakeCall,
    placed: &Placed,
    attempt: Attempt,
    also: Vec<OperationLine>,
) -> Operation {
    let charges: Vec<(LimitId, Units)> =
        call.quotas.iter().map(|quota| (quota.limit_id, quota.units)).collect();
    let previous =
        call.quotas.first().zip(placed.windows.first()).filter(|(_, window)| !window.is_lifetime());
    Operation {
        key: OperationKey {
            scope: keyed.scope,
            id: keyed.id,
            home: placed.keys.first().copied().unwrap_or_default(),
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

impl RateUse {
    pub(super) fn request(&self) -> RateRequest {
        RateRequest { limit_id: self.limit_id, ver: self.ver, rate: self.rate, amount: self.units }
    }
}
