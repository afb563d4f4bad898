//! What would become of a call: read, never charged. Advice, because others may take the units meanwhile.

use super::Ledger;
use super::call::{Outcome, QuotaState, QuotaUse, Refusal, RefusedBy, TakeCall, Taken};
use super::take::{bucket_key, foreign_answer, single};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::limit::batch::{ItemReply, Request};
use crate::limit::gcra::{RateRequest, RateVerdict};
use crate::limit::{Lane as LaneKind, Reason, Units};

impl Ledger {
    /// Judges the call as [`take`](Self::take) would, on what the store holds now.
    pub(crate) fn advise(&self, call: &TakeCall) -> Result<Outcome, Error> {
        let verdicts = call.rates.iter().map(|rate| match &rate.local {
            Some(local) => Ok(local.peek(&rate.rate, rate.units, call.now)),
            None => self.peek_rate(rate.request()),
        });
        let rates: Vec<RateVerdict> = verdicts.collect::<Result<_, Error>>()?;
        if let Some(i) = rates.iter().position(|verdict| !verdict.fits) {
            return Ok(Outcome::Refused(Refusal { by: RefusedBy::Rate(i), rates, quotas: Vec::new() }));
        }
        let mut quotas = Vec::with_capacity(call.quotas.len());
        let mut delay_ms = 0;
        for (i, quota) in call.quotas.iter().enumerate() {
            let mut state = self.state_of(quota, call.now)?;
            if let Some(reason) = refusal(&state, quota.units) {
                let by = match &quota.slow {
                    None => Some(RefusedBy::Quota(i, reason)),
                    Some(slow) => {
                        let verdict = self.peek_rate(slow.request(quota.units))?;
                        delay_ms = delay_ms.max(slow.delay_ms);
                        state.slow = true;
                        (!verdict.fits).then_some(RefusedBy::Slow(i, verdict))
                    }
                };
                if let Some(by) = by {
                    return Ok(Outcome::Refused(Refusal { by, rates, quotas: vec![state] }));
                }
            }
            if quota.units > Units::ZERO {
                quotas.push(state);
            }
        }
        let charges = Vec::new();
        Ok(Outcome::Taken(Taken { rates, quotas, charges, replayed: false, attempt: None, delay_ms }))
    }

    /// A quota's numbers now, with what this process has used and not reported yet.
    fn state_of(&self, quota: &QuotaUse, now: Timestamp) -> Result<QuotaState, Error> {
        let window = quota.period.window_at(now);
        let key = bucket_key(quota, &window);
        let rows = self.read(&[key.limit_id], key.period_start, key.period_start.plus_micros(1))?;
        let row = rows.iter().find(|(row, _)| row.key == key);
        // The row has the newer configuration of the two, as an exchange would.
        let newer = row.map(|(row, _)| &row.bucket).filter(|bucket| bucket.ver > quota.terms.ver);
        let cap = newer.map_or(quota.terms.cap, |bucket| bucket.cap);
        let bonus = row.map_or(0, |(row, _)| row.bucket.bonus);
        Ok(QuotaState {
            window,
            charged: row.map_or(0, |(row, _)| row.bucket.charged),
            confirmed: row.map_or(0, |(row, unreported)| row.bucket.confirmed + unreported),
            cap: cap.map(|cap| cap.signed() + bonus),
            included: newer.map_or(quota.terms.included, |bucket| bucket.included),
            lane: LaneKind::Strict,
            slow: false,
        })
    }

    /// A strict rate's answer, taking nothing: the store judges an amount of 0 and says what would fit.
    fn peek_rate(&self, request: RateRequest) -> Result<RateVerdict, Error> {
        let nothing = RateRequest { amount: Units::ZERO, ..request };
        match self.exchange(&single(Request::Rate(nothing)))?.items.first() {
            Some(ItemReply::Rate(reply)) => {
                let fits = request.amount <= reply.verdict.remaining;
                let possible = request.amount <= request.rate.burst();
                let wait_us = if fits { Some(0) } else { possible.then_some(reply.verdict.next_us) };
                Ok(RateVerdict { fits, wait_us, ..reply.verdict })
            }
            _ => Err(foreign_answer()),
        }
    }
}

/// Why a call for `units` (0: for the limit to be open) would be refused on these numbers.
fn refusal(state: &QuotaState, units: Units) -> Option<Reason> {
    let left = state.cap? - state.charged;
    if left >= units.signed().max(1) {
        None
    } else if left <= 0 {
        Some(Reason::Exhausted)
    } else {
        Some(Reason::Insufficient(left))
    }
}
