//! Housekeeping and the operator's acts, over the rows of any store. Each call does a bounded amount of work in one
//! transaction; call again while there is [`Maintained::more`].

use super::bucket::{Bucket, EventKind, Terms};
use super::rows::{Due, UpkeepRows};
use super::upkeep::{
    self, CLOSED_RETENTION_US, Carry, FOLD_AFTER_US, SETTLE_GRACE_US, SWEEP_BATCH, Settlement,
};
use super::{BucketKey, HolderId, Incarnation, LimitId, Nonce, store_time};
use crate::clock::Timestamp;
use crate::error::Error;

/// At most so many open buckets of one limit take a new configuration in one call: the present period, its neighbours
/// and those that wait for late reports.
const MAX_OPEN_BUCKETS: usize = 64;

/// What a call of [`maintain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Periods closed.
    pub closed: usize,
    /// Buckets whose silent leases were relabelled.
    pub swept: usize,
    /// Leases folded.
    pub folded: usize,
    /// Old buckets, operation records and rate cells removed.
    pub removed: usize,
    /// Whether the budget ended before the work did.
    pub more: bool,
}

/// Sweeps, closes, folds and removes what is due, at most `budget` rows in all.
///
/// # Errors
/// Those of the rows; the transaction must then be rolled back.
pub fn maintain<R: UpkeepRows>(rows: &mut R, clock: Timestamp, budget: usize) -> Result<Maintained, Error> {
    let mut done = Maintained::default();
    let mut left = budget;
    for key in rows.due_buckets(Due::Close(clock.plus_micros(-SETTLE_GRACE_US)), left)? {
        done.closed += usize::from(sweep_bucket(rows, &key, clock, true)?);
        left = left.saturating_sub(1);
    }
    for key in rows.due_buckets(Due::Sweep(clock), left)? {
        done.swept += usize::from(sweep_bucket(rows, &key, clock, false)?);
        left = left.saturating_sub(1);
    }
    for (key, id) in rows.silent_leases(clock.plus_micros(-FOLD_AFTER_US), left)? {
        left = left.saturating_sub(1);
        let (Some(mut bucket), Some(lease)) = (rows.bucket(&key)?, rows.lease(&key, &id)?) else { continue };
        if upkeep::fold(&mut bucket, &lease, clock) {
            rows.put_bucket(&key, &bucket)?;
            rows.remove_lease(&key, &id)?;
            done.folded += 1;
        }
    }
    for key in rows.due_buckets(Due::Retire(clock.plus_micros(-CLOSED_RETENTION_US)), left)? {
        left = left.saturating_sub(1);
        if rows.bucket(&key)?.is_some_and(|bucket| is_retired(&bucket, clock)) {
            rows.remove_bucket(&key)?;
            done.removed += 1;
        }
    }
    let expired = rows.remove_expired(clock, left)?;
    done.removed += expired;
    done.more = left.saturating_sub(expired) == 0;
    Ok(done)
}

/// Whether a closed bucket has been kept long enough after its end and its last report.
fn is_retired(bucket: &Bucket, clock: Timestamp) -> bool {
    let over_since =
        if bucket.period_end == Timestamp::MAX { bucket.clk } else { bucket.clk.max(bucket.period_end) };
    bucket.closed && over_since.plus_micros(CLOSED_RETENTION_US) <= clock
}

/// Relabels what is due in one bucket, after closing it if `close`.
fn sweep_bucket<R: UpkeepRows>(
    rows: &mut R,
    key: &BucketKey,
    clock: Timestamp,
    close: bool,
) -> Result<bool, Error> {
    let Some(mut bucket) = rows.bucket(key)? else { return Ok(false) };
    let (now, _) = store_time(clock, bucket.clk, Timestamp::EPOCH);
    let until = if close || bucket.closed { Timestamp::MAX } else { now };
    let mut due = rows.live_leases(key, until, SWEEP_BATCH)?;
    let more = due.len() == SWEEP_BATCH;
    let leases = due.iter_mut().map(|(_, lease)| lease);
    if close {
        upkeep::close(&mut bucket, leases, now, more);
    } else {
        upkeep::sweep(&mut bucket, leases, now, more);
    }
    rows.put_bucket(key, &bucket)?;
    for (id, lease) in &due {
        rows.put_lease(key, id, lease)?;
    }
    Ok(true)
}

/// A newer configuration of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configure {
    /// Which limit.
    pub limit_id: LimitId,
    /// The configuration; an older one than a bucket's changes nothing there.
    pub terms: Terms,
    /// Set when the count begins anew with this configuration. Must be sent before the configuration is published:
    /// a bucket that exists already takes nothing over.
    pub renewal: Option<Renewal>,
}

/// A count that begins anew: the old buckets are closed at once, and one with the new epoch is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The new bucket's first instant.
    pub period_start: Timestamp,
    /// Its end.
    pub period_end: Timestamp,
    /// What it takes over of the old count.
    pub carry: Carry,
    /// Random bytes for the new row's id.
    pub nonce: Nonce,
}

/// Writes a newer configuration to the limit's open buckets; says how many took it.
///
/// # Errors
/// Those of the rows; the transaction must then be rolled back.
pub fn configure<R: UpkeepRows>(rows: &mut R, change: &Configure, clock: Timestamp) -> Result<usize, Error> {
    let mut taken = 0;
    let mut carried = 0;
    for key in rows.open_buckets(&change.limit_id, MAX_OPEN_BUCKETS)? {
        let Some(mut bucket) = rows.bucket(&key)? else { continue };
        let (now, _) = store_time(clock, bucket.clk, Timestamp::EPOCH);
        if let Some(renewal) = &change.renewal
            && key.epoch < change.terms.ver
        {
            if key.period_start <= now && now < bucket.period_end {
                carried += renewal.carry.of(bucket.charged);
            }
            sweep_bucket(rows, &key, clock, true)?;
            taken += 1;
        } else if bucket.adopt(&change.terms) {
            bucket.clk = now;
            let mut events = Vec::new();
            bucket.fire_marks(&mut events);
            rows.put_bucket(&key, &bucket)?;
            push(rows, &key, events, now)?;
            taken += 1;
        }
    }
    if let Some(renewal) = &change.renewal {
        open_renewed(rows, change, renewal, carried, clock)?;
    }
    Ok(taken)
}

fn open_renewed<R: UpkeepRows>(
    rows: &mut R,
    change: &Configure,
    renewal: &Renewal,
    carried: i64,
    clock: Timestamp,
) -> Result<(), Error> {
    let key =
        BucketKey { limit_id: change.limit_id, epoch: change.terms.ver, period_start: renewal.period_start };
    if rows.bucket(&key)?.is_some() {
        return Ok(());
    }
    let incarnation = Incarnation::new(renewal.nonce, clock);
    let mut bucket = Bucket::new(renewal.period_end, &change.terms, incarnation, clock);
    super::keyed::charge(&mut bucket, carried);
    let mut events = Vec::new();
    bucket.fire_marks(&mut events);
    rows.put_bucket(&key, &bucket)?;
    push(rows, &key, events, clock)
}

/// Settles all expired leases of a holder by the operator's word, at most `max`; says how many.
///
/// # Errors
/// Those of the rows; the transaction must then be rolled back.
pub fn settle<R: UpkeepRows>(
    rows: &mut R,
    holder: &HolderId,
    settlement: Settlement,
    clock: Timestamp,
    max: usize,
) -> Result<usize, Error> {
    let mut settled = 0;
    for (key, id) in rows.expired_leases(holder, max)? {
        let (Some(mut bucket), Some(mut lease)) = (rows.bucket(&key)?, rows.lease(&key, &id)?) else {
            continue;
        };
        let mut events = Vec::new();
        if upkeep::settle_open(&mut bucket, &mut lease, settlement, &mut events) {
            rows.put_bucket(&key, &bucket)?;
            rows.put_lease(&key, &id, &lease)?;
            push(rows, &key, events, clock)?;
            settled += 1;
        }
    }
    Ok(settled)
}

fn push<R: UpkeepRows>(
    rows: &mut R,
    key: &BucketKey,
    events: Vec<EventKind>,
    now: Timestamp,
) -> Result<(), Error> {
    for kind in events {
        rows.push_event(key, kind, now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
