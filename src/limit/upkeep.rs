//! What happens to buckets and leases besides exchanges: sweeping, closing, folding, the operator's word, and the audit
//! that recomputes every sum.

use super::bucket::{Bucket, EventKind, Lease, LeaseState};
use crate::clock::Timestamp;

/// How long after its end a period waits for reports before it is closed: 10 minutes.
pub const SETTLE_GRACE_US: i64 = 600_000_000;
/// How long a lease with nothing open is silent before it may be folded: 24 hours.
pub const FOLD_AFTER_US: i64 = 86_400_000_000;
/// How long a closed bucket is kept: 400 days.
pub const CLOSED_RETENTION_US: i64 = 400 * 86_400_000_000;
/// At most so many expired leases are looked at in one exchange.
pub const SWEEP_BATCH: usize = 64;
/// How often an exchange looks for expired leases: every 30 seconds.
pub(super) const SWEEP_EVERY_US: i64 = 30_000_000;

/// Relabels silent leases as expired: their open units count as forfeited, and stay charged. In a closed bucket every
/// live lease is relabelled. `more` says that further leases may be due.
pub fn sweep<'a>(
    bucket: &mut Bucket,
    leases: impl Iterator<Item = &'a mut Lease>,
    now: Timestamp,
    more: bool,
) {
    for lease in leases {
        let silent = lease.expires_at <= now || bucket.closed;
        if lease.state == LeaseState::Live && silent {
            bucket.take_out(lease);
            lease.state = LeaseState::Expired;
            bucket.put_in(lease);
        }
    }
    bucket.next_sweep = if more { now } else { now.plus_micros(SWEEP_EVERY_US) };
}

/// Ends a bucket: no more grants, and its live leases become expired (those given, the others by later sweeps). Reports
/// that come later still count.
pub fn close<'a>(
    bucket: &mut Bucket,
    leases: impl Iterator<Item = &'a mut Lease>,
    now: Timestamp,
    more: bool,
) {
    bucket.closed = true;
    bucket.clk = bucket.clk.max(now);
    sweep(bucket, leases, now, more);
}

/// Moves the shares of a long silent lease with nothing open into the bucket's base; its row then goes. `false` if it
/// must stay.
///
/// The fold mark remembers when the lease was last heard of: its holder, should it only have been idle, is told so
/// instead of having its use counted again.
pub fn fold(bucket: &mut Bucket, lease: &Lease, now: Timestamp) -> bool {
    let silent = lease.last_at.plus_micros(FOLD_AFTER_US) <= now;
    if lease.state == LeaseState::New || lease.open() != 0 || !silent {
        return false;
    }
    bucket.take_out(lease);
    let share = lease.charge_share();
    bucket.base += share;
    bucket.charged += share;
    bucket.confirmed += share;
    bucket.overrun += lease.counters.overrun;
    bucket.fold_mark = bucket.fold_mark.max(lease.last_at);
    true
}

/// What the operator says about the units that a dead holder left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// They were used: they become confirmed.
    Used,
    /// They were not used: they are free again.
    Unused,
}

/// Closes an expired lease by the operator's word; any other lease is left alone, and `false` returned. If the holder
/// comes back after all, its next message restores the true numbers.
pub fn settle_open(
    bucket: &mut Bucket,
    lease: &mut Lease,
    settlement: Settlement,
    events: &mut Vec<EventKind>,
) -> bool {
    if lease.state != LeaseState::Expired {
        return false;
    }
    let confirmed_before = bucket.confirmed;
    let open = lease.open();
    bucket.take_out(lease);
    match settlement {
        Settlement::Used => lease.ahead += open,
        Settlement::Unused => lease.granted -= open,
    }
    lease.state = LeaseState::Closed;
    bucket.put_in(lease);
    if bucket.closed && bucket.confirmed != confirmed_before {
        events.push(EventKind::Adjusted { units: bucket.confirmed - confirmed_before });
    }
    bucket.fire_marks(events);
    true
}

/// What a limit that begins anew takes over from the count before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carry {
    /// All that is charged.
    #[default]
    All,
    /// Nothing.
    Nothing,
    /// A part of what is charged, rounded down; a denominator of 0 is nothing.
    Part {
        /// Parts taken over.
        numerator: u32,
        /// Parts in all.
        denominator: u32,
    },
}

impl Carry {
    /// The units that are carried of `charged`.
    #[must_use]
    pub fn of(self, charged: i64) -> i64 {
        match self {
            Self::All => charged,
            Self::Nothing | Self::Part { denominator: 0, .. } => 0,
            Self::Part { numerator, denominator } => {
                let part = i128::from(charged) * i128::from(numerator) / i128::from(denominator);
                i64::try_from(part).unwrap_or(charged).min(charged)
            }
        }
    }
}

/// A sum that is not that of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which sum.
    pub sum: &'static str,
    /// As stored.
    pub stored: i64,
    /// As recomputed.
    pub recomputed: i64,
}

/// Recomputes a bucket's sums from all of its leases (I4).
///
/// # Errors
/// The first sum that differs; nothing is repaired.
pub fn audit<'a>(bucket: &Bucket, leases: impl Iterator<Item = &'a Lease>) -> Result<(), Mismatch> {
    let (mut charged, mut confirmed, mut forfeited, mut live) = (bucket.base, bucket.base, 0, 0);
    for lease in leases {
        charged += lease.charge_share();
        confirmed += lease.use_share();
        forfeited += if lease.state == LeaseState::Expired { lease.open() } else { 0 };
        live += i64::from(lease.state == LeaseState::Live);
    }
    let sums = [
        ("charged", bucket.charged, charged),
        ("confirmed", bucket.confirmed, confirmed),
        ("forfeited", bucket.forfeited, forfeited),
        ("live", bucket.live, live),
    ];
    match sums.into_iter().find(|(_, stored, recomputed)| stored != recomputed) {
        Some((sum, stored, recomputed)) => Err(Mismatch { sum, stored, recomputed }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
