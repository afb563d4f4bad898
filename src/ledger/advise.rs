//! What would become of a call: read, never charged. Advice, because others may take the units meanwhile.

use super::Ledger;
use super::call::{Outcome, QuotaState, Refusal, RefusedBy, TakeCall, Taken};
use super::take::bucket_key;
use crate::error::Error;
use crate::limit::gcra::RateVerdict;
use crate::limit::{Lane as LaneKind, Reason, Units};

impl Ledger {
    /// Judges the call as [`take`](Self::take) would, on what the store holds now.
    pub(crate) fn advise(&self, call: &TakeCall) -> Result<Outcome, Error> {
        let verdicts = call.rates.iter().map(|rate| match &rate.local {
            Some(local) => local.peek(&rate.rate, rate.units, call.now),
            None => RateVerdict { fits: true, remaining: rate.rate.burst(), wait_us: Some(0), next_us: 0 },
        });
        let rates: Vec<RateVerdict> = verdicts.collect();
        if let Some(i) = rates.iter().position(|verdict| !verdict.fits) {
            return Ok(Outcome::Refused(Refusal { by: RefusedBy::Rate(i), rates, quotas: Vec::new() }));
        }
        let mut quotas = Vec::with_capacity(call.quotas.len());
        for (i, quota) in call.quotas.iter().enumerate() {
            let window = quota.period.window_at(call.now);
            let key = bucket_key(quota, &window);
            let rows = self.read(&[key.limit_id], key.period_start, key.period_start.plus_micros(1))?;
            let row = rows.iter().find(|(row, _)| row.key == key);
            let cap = quota.terms.cap.map(Units::signed);
            let charged = row.map_or(0, |(row, _)| row.bucket.charged);
            let confirmed = row.map_or(0, |(row, unreported)| row.bucket.confirmed + unreported);
            let state = QuotaState {
                window,
                charged,
                confirmed,
                cap: cap.map(|cap| cap + row.map_or(0, |(row, _)| row.bucket.bonus)),
                included: quota.terms.included,
                lane: LaneKind::Strict,
                slow: false,
            };
            quotas.push(state);
            let left = state.cap.map(|cap| cap - charged);
            let needed = quota.units.signed().max(1);
            if quota.slow.is_none() && left.is_some_and(|left| left < needed) {
                let left = left.unwrap_or(0);
                let reason = if left <= 0 { Reason::Exhausted } else { Reason::Insufficient(left) };
                let by = RefusedBy::Quota(i, reason);
                return Ok(Outcome::Refused(Refusal { by, rates, quotas: vec![state] }));
            }
        }
        let counted = call.quotas.iter().zip(quotas).filter(|(quota, _)| quota.units > Units::ZERO);
        let quotas = counted.map(|(_, state)| state).collect();
        let charges = Vec::new();
        Ok(Outcome::Taken(Taken { rates, quotas, charges, replayed: false, attempt: None, delay_ms: 0 }))
    }
}
