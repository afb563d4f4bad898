//! How much a message is granted: whole calls in order, and for holders that ask by rate a surplus to spend locally.

use super::{Bucket, ExchangeRequest, Lane, Lease, Reason, Units, Verdict};
use crate::clock::Timestamp;

/// The reserve below which every call is served singly, so that the very last unit is used.
const TAIL: i64 = 64;
/// The heartbeat of holders, in seconds: pressure means that the rest would last less than two.
const HEARTBEAT_S: i64 = 1;
/// Largest chunk and total outstanding of an unlimited bucket.
const UNLIMITED_CEILING: i64 = 1_000_000;

/// The longest prefix of `demand` whose sum is at most `available`: its sum, and how many calls it serves. Nobody is
/// handed a part of what they need.
#[must_use]
pub fn prefix(demand: &[Units], available: i64) -> (i64, usize) {
    let mut sum = 0;
    for (served, amount) in demand.iter().enumerate() {
        let next = sum + amount.signed();
        if next > available {
            return (sum, served);
        }
        sum = next;
    }
    (sum, demand.len())
}

/// Judges a settled, new message. INVARIANT (I1): `charged` plus the grant never exceeds the cap in force.
pub(super) fn grant(
    bucket: &Bucket,
    lease: &Lease,
    request: &ExchangeRequest,
    now: Timestamp,
    with_surplus: bool,
) -> Verdict {
    if request.demand.is_empty() && request.rate == 0 {
        return Verdict::default();
    }
    if let Some(reason) = out_of_service(bucket, request, now) {
        return Verdict { reason, ..Verdict::default() };
    }
    let cap = bucket.cap_in_force().unwrap_or(Units::MAX.signed());
    let available = cap - bucket.charged;
    let (served, calls) = prefix(&request.demand, available);
    let reason = match request.demand.get(calls) {
        None => Reason::None,
        Some(unserved) => refusal(unserved.signed(), available - served, bucket.outstanding(), cap),
    };
    let strict = Verdict { granted: served, reason, lane: Lane::Strict, pressure: false };
    if !with_surplus || request.strict || request.rate == 0 || available <= TAIL.max(4 * bucket.live) {
        return strict;
    }
    surplus(bucket, lease, request.rate, available, strict)
}

/// Why this bucket grants nothing at all, if so.
fn out_of_service(bucket: &Bucket, request: &ExchangeRequest, now: Timestamp) -> Option<Reason> {
    if bucket.closed {
        return Some(Reason::Closed);
    }
    let within = request.bucket.period_start <= now && now < bucket.period_end;
    (!within).then_some(Reason::WrongPeriod)
}

/// Why the first unserved call of `amount` is refused when `left` units are free and `out` may come back.
fn refusal(amount: i64, left: i64, out: i64, cap: i64) -> Reason {
    if amount <= left + out && amount <= cap {
        Reason::Contended
    } else if left <= 0 {
        Reason::Exhausted
    } else {
        Reason::Insufficient(left)
    }
}

/// Adds units to spend locally: what the holder uses in a few seconds, less when many share the rest, within what a
/// crash may leave charged (1 % of the cap per holder, 5 % per bucket).
fn surplus(bucket: &Bucket, lease: &Lease, holder_rate: i64, available: i64, strict: Verdict) -> Verdict {
    let pressure = available <= 2 * HEARTBEAT_S * bucket.rate;
    let spend_ms = if pressure { 100 } else { (bucket.live * 5).clamp(2_000, 60_000) };
    let wanted = holder_rate.saturating_mul(spend_ms).saturating_add(999) / 1_000;
    if wanted <= 2 {
        return Verdict { pressure, ..strict };
    }
    let (ceiling, budget) = match bucket.cap_in_force() {
        Some(cap) => (cap / 100, cap / 20),
        None => (UNLIMITED_CEILING, i64::MAX),
    };
    let fair = available / (2 * bucket.live.max(1));
    let chunk = wanted.min(fair).min(ceiling) - lease.open();
    let chunk = chunk.min(budget.saturating_sub(bucket.outstanding()));
    Verdict { granted: strict.granted.max(chunk), reason: strict.reason, lane: Lane::Leased, pressure }
}

/// Keeps the smoothed use of the bucket, whole units per second, for [`grant`]'s surplus. Nothing else reads it.
pub(super) fn update_rate(bucket: &mut Bucket, now: Timestamp) {
    let ms = now.micros_since(bucket.rate_at) / 1_000;
    if ms < 1_000 {
        return;
    }
    let used = (bucket.confirmed - bucket.rate_from).clamp(0, 1 << 42);
    let latest = used * 1_000 / ms;
    bucket.rate = if ms >= 8_000 { latest } else { (3 * bucket.rate + latest) / 4 };
    bucket.rate_from = bucket.confirmed;
    bucket.rate_at = now;
}

#[cfg(test)]
mod tests;
