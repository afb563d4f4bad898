//! The way of one call through its limits: rates, then quotas, all or none.

use super::Ledger;
use super::call::{Outcome, QuotaState, QuotaUse, RateUse, Refusal, RefusedBy, TakeCall, Taken};
use super::held::HeldLine;
use super::lane::{Answer, Elsewhere, Lane, Renewed, Step, Turn, quota_state};
use crate::clock::Timestamp;
use crate::decision::ChargedUnits;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Batch, Item, ItemReply, Request};
use crate::limit::gcra::RateVerdict;
use crate::limit::period::Window;
use crate::limit::{Attempt, BucketKey, Lane as LaneKind, LeaseId, Reason, Reply, Terms, Units};
use std::sync::Arc;

/// A lease that turns out to be another's is replaced at most so often in one call.
pub(super) const RENEWALS_MAX: u32 = 4;

/// What one try made of the quotas.
pub(super) enum Tried {
    Taken(Box<TakenQuotas>),
    Refused(RefusedBy, Vec<QuotaState>),
    /// The quota at this place is not to be had from this bucket at the store's time.
    Moved(usize, Elsewhere),
}

/// What was taken.
#[derive(Default)]
pub(super) struct TakenQuotas {
    pub(super) states: Vec<QuotaState>,
    pub(super) charges: Vec<ChargedUnits>,
    pub(super) held: Vec<HeldLine>,
    pub(super) replayed: bool,
    pub(super) attempt: Option<Attempt>,
    pub(super) delay_ms: u64,
}

/// The quotas of a call at one instant: which window and bucket each belongs to.
pub(super) struct Placed {
    pub(super) windows: Vec<Window>,
    pub(super) keys: Vec<BucketKey>,
}

impl Placed {
    pub(super) fn new(call: &TakeCall, now: Timestamp) -> Self {
        let windows: Vec<Window> = call.quotas.iter().map(|quota| quota.period.window_at(now)).collect();
        let keys =
            call.quotas.iter().zip(&windows).map(|(quota, window)| bucket_key(quota, window)).collect();
        Self { windows, keys }
    }
}

impl Ledger {
    /// Charges the call on all its limits, or on none.
    pub(crate) fn take(&self, call: &TakeCall) -> Result<Outcome, Error> {
        self.take_or_hold(call, false).map(|(outcome, _)| outcome)
    }

    /// As [`take`](Self::take), holding the units for a reservation instead of using them.
    pub(crate) fn hold(&self, call: &TakeCall) -> Result<(Outcome, Vec<HeldLine>), Error> {
        let (outcome, held) = self.take_or_hold(call, true)?;
        self.watch(&held)?;
        Ok((outcome, held))
    }

    fn take_or_hold(&self, call: &TakeCall, hold: bool) -> Result<(Outcome, Vec<HeldLine>), Error> {
        let mut rates = Vec::with_capacity(call.rates.len());
        for (i, rate) in call.rates.iter().enumerate() {
            let verdict =
                rate.local.as_ref().map(|local| local.take(&rate.rate, rate.ver, rate.units, call.now));
            let fits = verdict.is_none_or(|verdict| verdict.fits);
            rates.push(verdict.unwrap_or(UNJUDGED));
            if !fits {
                give_back_rates(&call.rates, i);
                return Ok((refused(RefusedBy::Rate(i), rates, Vec::new()), Vec::new()));
            }
        }
        let tried = self.take_quotas(call, &mut rates, hold);
        let charged = matches!(&tried, Ok(Tried::Taken(taken)) if !taken.replayed);
        if !charged {
            give_back_rates(&call.rates, call.rates.len());
        }
        Ok(match tried? {
            Tried::Taken(taken) => {
                let TakenQuotas { states, charges, held, replayed, attempt, delay_ms } = *taken;
                let taken = Taken { rates, quotas: states, charges, replayed, attempt, delay_ms };
                (Outcome::Taken(taken), held)
            }
            Tried::Refused(by, states) => (refused(by, rates, states), Vec::new()),
            Tried::Moved(i, _) => (refused(RefusedBy::ClockUnsettled(i), rates, Vec::new()), Vec::new()),
        })
    }

    /// Tries with the periods of the call's time, and once more with those of the store's if that lies elsewhere.
    fn take_quotas(&self, call: &TakeCall, rates: &mut [RateVerdict], hold: bool) -> Result<Tried, Error> {
        let tried = self.try_quotas(call, rates, &Placed::new(call, call.now), hold)?;
        let Tried::Moved(_, elsewhere) = tried else { return Ok(tried) };
        match self.try_quotas(call, rates, &Placed::new(call, elsewhere.now), hold)? {
            Tried::Moved(_, elsewhere) if elsewhere.closed => Err(begun_anew()),
            Tried::Moved(i, elsewhere) => {
                self.warn_of_clock(elsewhere.now, "a call fell out of its period twice; compare the clocks");
                Ok(Tried::Moved(i, elsewhere))
            }
            tried => Ok(tried),
        }
    }

    fn try_quotas(
        &self,
        call: &TakeCall,
        rates: &mut [RateVerdict],
        placed: &Placed,
        hold: bool,
    ) -> Result<Tried, Error> {
        for (i, (quota, key)) in call.quotas.iter().zip(&placed.keys).enumerate() {
            if let Some(refused) = self.known_refusal(call, quota, key, i)? {
                return Ok(refused);
            }
        }
        let strict_rates = call.rates.iter().any(|rate| rate.local.is_none());
        let mut charged = call.quotas.iter().enumerate().filter(|(_, quota)| quota.units > Units::ZERO);
        let first = charged.next();
        let several = charged.next().is_some() || strict_rates;
        match first {
            None if !several => Ok(Tried::Taken(Box::default())),
            Some((i, quota)) if !several && quota.slow.is_none() && call.operation.is_none() => {
                self.take_one(call, quota, i, placed, hold)
            }
            _ if self.atomic => self.take_together(call, rates, placed, hold),
            _ => self.take_in_turn(call, rates, placed, hold),
        }
    }

    /// What can be refused without an exchange: a fresh refusal, or a limit that blocks free calls too when exhausted.
    fn known_refusal(
        &self,
        call: &TakeCall,
        quota: &QuotaUse,
        key: &BucketKey,
        index: usize,
    ) -> Result<Option<Tried>, Error> {
        if quota.units == Units::ZERO {
            return self.blocking_refusal(quota, key, index);
        }
        // A keyed call may have been charged already: only the store knows. And a slow source may have room.
        if call.operation.is_some() || quota.slow.is_some() {
            return Ok(None);
        }
        let refusal = self.lane(*key)?.refusal(quota.units, quota.terms.ver, call.now);
        Ok(refusal.map(|(reason, state)| Tried::Refused(RefusedBy::Quota(index, reason), vec![state])))
    }

    fn blocking_refusal(
        &self,
        quota: &QuotaUse,
        key: &BucketKey,
        index: usize,
    ) -> Result<Option<Tried>, Error> {
        let Some(cap) = quota.terms.cap else { return Ok(None) };
        let rows = self.read(&[key.limit_id], key.period_start, key.period_start.plus_micros(1))?;
        let row = rows.iter().map(|(row, _)| row).find(|row| row.key == *key);
        let bonus = row.map_or(0, |row| row.bucket.bonus);
        let (charged, confirmed) = row.map_or((0, 0), |row| (row.bucket.charged, row.bucket.confirmed));
        if charged < cap.signed() + bonus {
            return Ok(None);
        }
        let state = QuotaState {
            window: Window {
                start: key.period_start,
                end: row.map_or_else(
                    || quota.period.window_at(key.period_start).end,
                    |row| row.bucket.period_end,
                ),
            },
            charged,
            confirmed,
            cap: Some(cap.signed() + bonus),
            included: quota.terms.included,
            lane: LaneKind::Strict,
            slow: false,
        };
        Ok(Some(Tried::Refused(RefusedBy::Quota(index, Reason::Exhausted), vec![state])))
    }

    /// One quota, no operation id: calls that wait for the same bucket go together.
    pub(super) fn take_one(
        &self,
        call: &TakeCall,
        quota: &QuotaUse,
        index: usize,
        placed: &Placed,
        hold: bool,
    ) -> Result<Tried, Error> {
        let (Some(key), Some(window)) = (placed.keys.get(index), placed.windows.get(index)) else {
            return Ok(Tried::Taken(Box::default()));
        };
        let lane = self.lane(*key)?;
        match self.ask_lane(&lane, &quota.terms, window.end, call.now, quota.units, hold)? {
            Answer::Served(state, lease) => {
                let mut taken = TakenQuotas { states: vec![state], ..TakenQuotas::default() };
                taken.charges.push(ChargedUnits { bucket: *key, life: lease.life, units: quota.units.get() });
                if hold {
                    taken.held.push(quota.held(lane, lease, call.now));
                }
                Ok(Tried::Taken(Box::new(taken)))
            }
            Answer::Refused(reason, state) => {
                Ok(Tried::Refused(RefusedBy::Quota(index, reason), vec![state]))
            }
            Answer::Moved(elsewhere) => Ok(Tried::Moved(index, elsewhere)),
            Answer::Failed(kind) => Err(Error::new(kind, "the usage store did not answer; try again")),
        }
    }

    /// Waits in the lane, and sends when it is this caller's turn, until the call is answered.
    pub(super) fn ask_lane(
        &self,
        lane: &Lane,
        terms: &Terms,
        period_end: Timestamp,
        now: Timestamp,
        units: Units,
        hold: bool,
    ) -> Result<Answer, Error> {
        let ticket = lane.enqueue(units, hold, terms, period_end);
        let mut renewals = 0;
        loop {
            match lane.next_step(&ticket)? {
                Step::Answered(answer) => return Ok(answer),
                Step::Lead(turn) => renewals += u32::from(self.lead(turn, now, renewals >= RENEWALS_MAX)),
            }
        }
    }

    /// Sends the calls that wait in one exchange and answers them. Whether the lease had to be replaced: then they wait
    /// again, or fail if that is to be the last try.
    fn lead(&self, mut turn: Turn<'_>, now: Timestamp, last_try: bool) -> bool {
        let failed = |kind| move |_: usize, _: Units| Some(Answer::Failed(kind));
        let sent = self.nonce().and_then(|nonce| {
            let request = turn.request(turn.demand(), !turn.holds(), nonce, self.hint());
            let reply = self.exchange(&single(Request::Exchange(request.ok_or_else(foreign_answer)?)))?;
            match reply.items.first() {
                Some(ItemReply::Exchange(reply)) => Ok(*reply),
                _ => Err(foreign_answer()),
            }
        });
        let reply = match sent {
            Ok(reply) => reply,
            Err(error) => {
                turn.answer(failed(error.kind()));
                return false;
            }
        };
        self.note_time(&reply);
        match turn.accept(&reply, |cloned| self.next_lease(cloned)) {
            Ok(served) => {
                answer_calls(&mut turn, &reply, served, now);
                false
            }
            Err(Renewed(Some(error))) => {
                turn.answer(failed(error.kind()));
                false
            }
            Err(Renewed(None)) => {
                let answer = last_try.then_some(Answer::Failed(ErrorKind::StoreUnavailable));
                turn.answer(|_, _| answer);
                true
            }
        }
    }
}

/// Answers the calls of an exchange: a prefix is served, the first after it is refused for the reply's reason, and those
/// behind it that the same reason covers; smaller ones may fit, and are sent again.
fn answer_calls(turn: &mut Turn<'_>, reply: &Reply, served: usize, now: Timestamp) {
    let state = quota_state(&turn.lane().key, reply);
    let lease = turn.lane().lease();
    let refused = turn.demand().get(served).copied();
    if refused.is_some() {
        turn.note_refusal(reply.reason, reply.ver, state, now);
    }
    let elsewhere = Elsewhere::of(reply.reason, reply.now);
    turn.answer(|i, units| {
        let covered = match reply.reason {
            Reason::Exhausted => true,
            Reason::Insufficient(left) => units.signed() > left,
            _ => Some(units) == refused,
        };
        match elsewhere {
            _ if i < served => Some(Answer::Served(state, lease)),
            Some(elsewhere) => Some(Answer::Moved(elsewhere)),
            None if reply.reason == Reason::None => Some(Answer::Failed(ErrorKind::StoreCallback)),
            None => covered.then_some(Answer::Refused(reply.reason, state)),
        }
    });
}

/// A strict rate before the store has judged it.
const UNJUDGED: RateVerdict =
    RateVerdict { fits: true, remaining: Units::ZERO, wait_us: Some(0), next_us: 0 };

fn refused(by: RefusedBy, rates: Vec<RateVerdict>, quotas: Vec<QuotaState>) -> Outcome {
    Outcome::Refused(Refusal { by, rates, quotas })
}

/// Undoes what the first `count` rates took in this process.
fn give_back_rates(rates: &[RateUse], count: usize) {
    for rate in rates.iter().take(count) {
        if let Some(local) = &rate.local {
            local.refund(rate.units);
        }
    }
}

pub(super) fn bucket_key(quota: &QuotaUse, window: &Window) -> BucketKey {
    BucketKey { limit_id: quota.limit_id, epoch: quota.epoch, period_start: window.start }
}

/// A batch of one request.
pub(super) fn single(request: Request) -> Batch {
    Batch { items: vec![Item { group: None, request }], ..Batch::default() }
}

impl QuotaUse {
    /// What a reservation holds of it.
    pub(super) fn held(&self, lane: Arc<Lane>, lease: LeaseId, now: Timestamp) -> HeldLine {
        HeldLine::new(lane, lease, self, now)
    }
}

/// The limit began anew with a newer configuration than this process has.
fn begun_anew() -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        "the limit has just begun anew with another configuration; try again",
    )
}

pub(super) fn foreign_answer() -> Error {
    Error::new(ErrorKind::StoreCallback, "the usage store answered another request")
}

pub(super) fn renewed_too_often() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "another process uses this one's leases; try again")
}

#[cfg(test)]
mod tests;
