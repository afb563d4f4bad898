//! The way of one call through its limits: rates, then quotas, all or none.

use super::call::{Outcome, QuotaState, QuotaUse, RateUse, Refusal, RefusedBy, TakeCall, Taken};
use super::lane::{Answer, Renewed, Step, Turn, Waiting, quota_state};
use super::reservation::HeldLine;
use super::{LEASE_TTL_MS, Ledger};
use crate::clock::Timestamp;
use crate::decision::ChargedUnits;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Batch, Item, ItemReply, Request};
use crate::limit::gcra::RateVerdict;
use crate::limit::holder::Ask;
use crate::limit::period::Window;
use crate::limit::{Attempt, BucketKey, Lane as LaneKind, LeaseId, Reason, Units};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A lease that turns out to be another's is replaced at most so often in one call.
pub(super) const RENEWALS_MAX: u32 = 4;

/// What one try made of the quotas.
pub(super) enum Tried {
    Taken(Box<TakenQuotas>),
    Refused(RefusedBy, Vec<QuotaState>),
    /// The store's time lies in another period of the quota at this place.
    Moved(usize, Timestamp),
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

impl TakenQuotas {
    pub(super) fn join(&mut self, other: Self) {
        self.states.extend(other.states);
        self.charges.extend(other.charges);
        self.held.extend(other.held);
        self.replayed |= other.replayed;
        self.attempt = self.attempt.or(other.attempt);
        self.delay_ms = self.delay_ms.max(other.delay_ms);
    }
}

impl Ledger {
    /// Charges the call on all its limits, or on none.
    pub(crate) fn take(&self, call: &TakeCall) -> Result<Outcome, Error> {
        self.take_or_hold(call, false).map(|(outcome, _)| outcome)
    }

    /// As [`take`](Self::take), holding the units for a reservation instead of using them.
    pub(crate) fn hold(&self, call: &TakeCall) -> Result<(Outcome, Vec<HeldLine>), Error> {
        self.take_or_hold(call, true)
    }

    fn take_or_hold(&self, call: &TakeCall, hold: bool) -> Result<(Outcome, Vec<HeldLine>), Error> {
        self.check_process()?;
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
        if !matches!(tried, Ok(Tried::Taken(_))) {
            give_back_rates(&call.rates, call.rates.len());
        }
        Ok(match tried? {
            Tried::Taken(taken) => {
                let TakenQuotas { states, charges, held, replayed, attempt, delay_ms } = *taken;
                if replayed {
                    give_back_rates(&call.rates, call.rates.len());
                }
                let taken = Taken { rates, quotas: states, charges, replayed, attempt, delay_ms };
                (Outcome::Taken(taken), held)
            }
            Tried::Refused(by, states) => (refused(by, rates, states), Vec::new()),
            Tried::Moved(i, _) => (refused(RefusedBy::ClockUnsettled(i), rates, Vec::new()), Vec::new()),
        })
    }

    /// Tries with the periods of the call's time, and once more with those of the store's if that lies elsewhere.
    fn take_quotas(&self, call: &TakeCall, rates: &mut [RateVerdict], hold: bool) -> Result<Tried, Error> {
        let tried = self.try_quotas(call, rates, hold, call.now)?;
        match tried {
            Tried::Moved(_, now) => self.try_quotas(call, rates, hold, now),
            tried => Ok(tried),
        }
    }

    fn try_quotas(
        &self,
        call: &TakeCall,
        rates: &mut [RateVerdict],
        hold: bool,
        now: Timestamp,
    ) -> Result<Tried, Error> {
        let windows: Vec<Window> = call.quotas.iter().map(|quota| quota.period.window_at(now)).collect();
        let keys: Vec<BucketKey> =
            call.quotas.iter().zip(&windows).map(|(quota, window)| bucket_key(quota, window)).collect();
        for (i, (quota, key)) in call.quotas.iter().zip(&keys).enumerate() {
            if let Some(refused) = self.known_refusal(quota, key, i, call.operation.is_some())? {
                return Ok(refused);
            }
        }
        let strict_rates = call.rates.iter().any(|rate| rate.local.is_none());
        let charged = call.quotas.iter().filter(|quota| quota.units > Units::ZERO).count();
        let slow = call.quotas.iter().any(|quota| quota.slow.is_some());
        match (charged, strict_rates || slow, &call.operation) {
            (0, false, _) => Ok(Tried::Taken(Box::default())),
            (1, false, None) => self.take_one(call, &keys, &windows, hold),
            _ if self.atomic => self.take_together(call, rates, &keys, &windows, hold),
            _ => self.take_in_turn(call, rates, &keys, &windows, hold),
        }
    }

    /// What can be refused without an exchange: a fresh refusal, or a limit that blocks free calls too when exhausted.
    fn known_refusal(
        &self,
        quota: &QuotaUse,
        key: &BucketKey,
        index: usize,
        keyed: bool,
    ) -> Result<Option<Tried>, Error> {
        if quota.units == Units::ZERO {
            let rows = self.read(&[key.limit_id], key.period_start, key.period_start.plus_micros(1))?;
            let full = rows.iter().find(|(row, _)| row.key == *key).filter(|(row, _)| {
                quota.terms.cap.is_some_and(|cap| row.bucket.charged >= cap.signed().max(1))
                    || quota.terms.cap == Some(Units::ZERO)
            });
            return Ok(full.map(|(row, _)| {
                let state = QuotaState {
                    window: Window { start: key.period_start, end: row.bucket.period_end },
                    charged: row.bucket.charged,
                    confirmed: row.bucket.confirmed,
                    cap: row.bucket.cap_in_force(),
                    included: row.bucket.included,
                    lane: LaneKind::Strict,
                    slow: false,
                };
                Tried::Refused(RefusedBy::Quota(index, Reason::Exhausted), vec![state])
            }));
        }
        // A keyed call may have been charged already: only the store knows. And a slow source may have room.
        if keyed || quota.slow.is_some() {
            return Ok(None);
        }
        let refusal = self.lane(*key).refusal(quota.units, quota.terms.ver);
        Ok(refusal.map(|(reason, state)| Tried::Refused(RefusedBy::Quota(index, reason), vec![state])))
    }

    /// One quota, no operation id: calls that wait for the same bucket go together.
    pub(super) fn take_one(
        &self,
        call: &TakeCall,
        keys: &[BucketKey],
        windows: &[Window],
        hold: bool,
    ) -> Result<Tried, Error> {
        let charged = call.quotas.iter().zip(keys).zip(windows).enumerate();
        let Some((index, ((quota, key), window))) =
            charged.into_iter().find(|(_, ((q, _), _))| q.units > Units::ZERO)
        else {
            return Ok(Tried::Taken(Box::default()));
        };
        let lane = self.lane(*key);
        let ticket = lane.enqueue(quota.units, hold);
        let mut renewals = 0;
        loop {
            let (turn, calls) = match lane.next_step(ticket)? {
                Step::Lead(turn, calls) => (turn, calls),
                Step::Answered(Answer::Served(state, lease)) => {
                    let charges =
                        vec![ChargedUnits { bucket: *key, life: lease.life, units: quota.units.get() }];
                    let line = HeldLine::new(Arc::clone(&lane), lease, quota.units, quota.terms.clone());
                    let held = if hold { vec![line] } else { Vec::new() };
                    return Ok(Tried::Taken(Box::new(TakenQuotas {
                        states: vec![state],
                        charges,
                        held,
                        ..Default::default()
                    })));
                }
                Step::Answered(Answer::Refused(reason, state)) => {
                    return Ok(Tried::Refused(RefusedBy::Quota(index, reason), vec![state]));
                }
                Step::Answered(Answer::Moved(now)) => return Ok(Tried::Moved(index, now)),
                Step::Answered(Answer::Failed(kind)) => {
                    return Err(Error::new(kind, "the usage store did not answer; try again"));
                }
            };
            renewals += 1;
            self.lead(&turn, calls, quota, window, renewals > RENEWALS_MAX)?;
        }
    }

    /// Sends the waiting calls in one exchange and answers them.
    fn lead(
        &self,
        turn: &Turn<'_>,
        calls: Vec<Waiting>,
        quota: &QuotaUse,
        window: &Window,
        give_up: bool,
    ) -> Result<(), Error> {
        let hold = calls.iter().any(|call| call.hold);
        let demand = calls.iter().map(|call| call.units).collect();
        let request = turn.request(self.ask(quota, window, demand, !hold)?);
        let batch = single(Request::Exchange(request));
        let reply = match self.exchange(&batch) {
            Ok(reply) => reply,
            Err(error) => {
                let kind = error.kind();
                turn.answer(calls, |_| Some(Answer::Failed(kind)));
                return Ok(());
            }
        };
        let Some(ItemReply::Exchange(reply)) = reply.items.first() else {
            turn.answer(calls, |_| Some(Answer::Failed(ErrorKind::StoreCallback)));
            return Ok(());
        };
        self.note_time(reply.now);
        let served = match turn.accept(reply, |clone| self.next_lease(clone)) {
            Ok(served) => served,
            Err(Renewed(failure)) => {
                let failed =
                    failure.map(|error| error.kind()).or(give_up.then_some(ErrorKind::StoreUnavailable));
                turn.answer(calls, |_| failed.map(Answer::Failed));
                return Ok(());
            }
        };
        let state = quota_state(&turn.lane().key, reply);
        let lease = turn.lane().lease();
        if served < calls.len() {
            turn.note_refusal(reply.reason, reply.ver, state);
        }
        turn.answer(calls, |i| match reply.reason {
            _ if i < served => Some(Answer::Served(state, lease)),
            Reason::WrongPeriod => Some(Answer::Moved(reply.now)),
            // The first that did not fit is refused; a smaller one behind it may fit, and asks again.
            reason if i == served => Some(Answer::Refused(reason, state)),
            _ => None,
        });
        Ok(())
    }

    pub(super) fn ask(
        &self,
        quota: &QuotaUse,
        window: &Window,
        demand: Vec<Units>,
        consume: bool,
    ) -> Result<Ask, Error> {
        Ok(Ask {
            terms: quota.terms.clone(),
            period_end: window.end,
            demand,
            consume,
            rate: 0,
            last_message: false,
            ttl_ms: LEASE_TTL_MS,
            hint: self.hint(),
            nonce: self.nonce()?,
        })
    }

    pub(super) fn next_lease(&self, clone: bool) -> Result<LeaseId, Error> {
        if clone {
            self.renew_holder()?;
        }
        Ok(self.new_lease())
    }

    pub(super) fn note_time(&self, now: Timestamp) {
        self.hint_us.fetch_max(now.as_micros(), Ordering::Relaxed);
    }
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
