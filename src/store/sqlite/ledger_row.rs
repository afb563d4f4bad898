//! Buckets, leases and their side tables as rows.

use super::columns::{Columns, blob, instant, json};
use super::failure::corrupt;
use crate::clock::Timestamp;
use crate::limit::gcra::RateCell;
use crate::limit::{
    Bucket, BucketKey, ConfigVersion, Counters, EventKind, HolderId, Incarnation, Lane, Lease, LeaseId,
    LeaseState, LimitId, Nonce, Reason, Units,
};
use crate::store::{StoreError, UsageEvent};
use rusqlite::Row;
use rusqlite::types::Value;

/// Columns in the order of [`read_bucket`] and [`bucket_values`], behind the three of the key.
macro_rules! bucket_columns {
    () => {
        "period_end, cap, bonus, carried, included, ver, marks, base, charged, confirmed, forfeited, overrun, healed, \
         live, rate, rate_at, rate_from, fired, closed, clk, next_sweep, fold_mark, incarnation"
    };
}

pub(super) const BUCKET: &str = concat!(
    "SELECT ",
    bucket_columns!(),
    " FROM tk_bucket WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3"
);
pub(super) const BUCKETS_OF_LIMIT: &str = concat!(
    "SELECT limit_id, epoch, period_start, ",
    bucket_columns!(),
    " FROM tk_bucket WHERE limit_id = ?1 AND period_start < ?3 AND period_end > ?2 ORDER BY epoch, period_start"
);
pub(super) const ALL_BUCKETS: &str = concat!(
    "SELECT limit_id, epoch, period_start, ",
    bucket_columns!(),
    " FROM tk_bucket ORDER BY limit_id, epoch, period_start"
);
pub(super) const PUT_BUCKET: &str = concat!(
    "INSERT OR REPLACE INTO tk_bucket (limit_id, epoch, period_start, ",
    bucket_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
     ?23, ?24, ?25, ?26)"
);

/// Columns in the order of [`read_lease`] and [`lease_values`], behind the five that name the lease.
macro_rules! lease_columns {
    () => {
        "seq, nonce, why, last_at, granted, returned, used, refunded, overrun, ahead, state, expires_at"
    };
}

pub(super) const LEASE: &str = concat!(
    "SELECT ",
    lease_columns!(),
    " FROM tk_lease WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3 AND holder = ?4 AND life = ?5"
);
pub(super) const LIVE_LEASES: &str = concat!(
    "SELECT holder, life, ",
    lease_columns!(),
    " FROM tk_lease WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3 AND state = 'live' AND expires_at <= ?4 \
     ORDER BY holder, life LIMIT ?5"
);
pub(super) const LEASES_OF_BUCKET: &str = concat!(
    "SELECT holder, life, ",
    lease_columns!(),
    " FROM tk_lease WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3"
);
pub(super) const PUT_LEASE: &str = concat!(
    "INSERT OR REPLACE INTO tk_lease (limit_id, epoch, period_start, holder, life, ",
    lease_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
);

/// The three columns that name a bucket.
pub(super) fn key_values(key: &BucketKey) -> Result<[Value; 3], StoreError> {
    Ok([blob(key.limit_id.as_bytes()), number(key.epoch.get())?, instant(key.period_start)])
}

pub(super) fn read_key(c: &mut Columns<'_, '_>) -> Result<BucketKey, StoreError> {
    Ok(BucketKey {
        limit_id: LimitId::from_bytes(c.bytes()?),
        epoch: ConfigVersion::from_raw(c.unsigned()?),
        period_start: c.instant()?,
    })
}

pub(super) fn lease_id_values(id: &LeaseId) -> Result<[Value; 2], StoreError> {
    Ok([blob(id.holder.as_bytes()), number(id.life)?])
}

pub(super) fn read_lease_id(c: &mut Columns<'_, '_>) -> Result<LeaseId, StoreError> {
    Ok(LeaseId { holder: HolderId::from_bytes(c.bytes()?), life: c.unsigned()? })
}

pub(super) fn read_bucket(c: &mut Columns<'_, '_>) -> Result<Bucket, StoreError> {
    Ok(Bucket {
        period_end: c.instant()?,
        cap: units_or_null(c)?,
        bonus: c.take()?,
        carried: c.take()?,
        included: units_or_null(c)?,
        ver: ConfigVersion::from_raw(c.unsigned()?),
        marks: c.json()?,
        base: c.take()?,
        charged: c.take()?,
        confirmed: c.take()?,
        forfeited: c.take()?,
        overrun: c.take()?,
        healed: c.take()?,
        live: c.take()?,
        rate: c.take()?,
        rate_at: c.instant()?,
        rate_from: c.take()?,
        fired: c.json()?,
        closed: c.take()?,
        clk: c.instant()?,
        next_sweep: c.instant()?,
        fold_mark: c.instant()?,
        incarnation: Incarnation::from_bytes(c.bytes()?),
    })
}

pub(super) fn bucket_values(bucket: &Bucket) -> Result<[Value; 23], StoreError> {
    // Every field is named, so a new one can't be left out.
    let Bucket {
        period_end,
        ver,
        cap,
        included,
        marks,
        bonus,
        carried,
        base,
        charged,
        confirmed,
        forfeited,
        overrun,
        healed,
        live,
        rate,
        rate_at,
        rate_from,
        fired,
        closed,
        clk,
        next_sweep,
        fold_mark,
        incarnation,
    } = bucket;
    let amount = |units: &Option<Units>| units.map_or(Value::Null, |units| Value::Integer(units.signed()));
    Ok([
        instant(*period_end),
        amount(cap),
        Value::Integer(*bonus),
        Value::Integer(*carried),
        amount(included),
        number(ver.get())?,
        json(marks)?,
        Value::Integer(*base),
        Value::Integer(*charged),
        Value::Integer(*confirmed),
        Value::Integer(*forfeited),
        Value::Integer(*overrun),
        Value::Integer(*healed),
        Value::Integer(*live),
        Value::Integer(*rate),
        instant(*rate_at),
        Value::Integer(*rate_from),
        json(fired)?,
        Value::Integer(i64::from(*closed)),
        instant(*clk),
        instant(*next_sweep),
        instant(*fold_mark),
        blob(incarnation.as_bytes()),
    ])
}

pub(super) fn read_lease(c: &mut Columns<'_, '_>) -> Result<Lease, StoreError> {
    let (seq, nonce) = (c.unsigned()?, Nonce::from_bytes(c.bytes()?));
    let (reason, lane): (Reason, Lane) = c.json()?;
    let last_at = c.instant()?;
    let granted = c.take()?;
    let returned = c.take()?;
    let counters = Counters { returned, used: c.take()?, refunded: c.take()?, overrun: c.take()? };
    let ahead = c.take()?;
    let word = c.text()?;
    let state = STATES.iter().find(|(_, w)| *w == &*word).map(|(state, _)| *state);
    let state = state.ok_or_else(|| c.unknown(&word))?;
    Ok(Lease { seq, nonce, reason, lane, last_at, granted, counters, ahead, state, expires_at: c.instant()? })
}

pub(super) fn lease_values(lease: &Lease) -> Result<[Value; 12], StoreError> {
    let Lease { seq, nonce, reason, lane, last_at, granted, counters, ahead, state, expires_at } = lease;
    let Counters { used, refunded, returned, overrun } = counters;
    let word = STATES.iter().find(|(s, _)| s == state).map(|(_, word)| *word);
    let word = word.ok_or_else(|| corrupt("a lease without a row has no state to store"))?;
    Ok([
        number(*seq)?,
        blob(nonce.as_bytes()),
        json(&(reason, lane))?,
        instant(*last_at),
        Value::Integer(*granted),
        Value::Integer(*returned),
        Value::Integer(*used),
        Value::Integer(*refunded),
        Value::Integer(*overrun),
        Value::Integer(*ahead),
        Value::Text(word.to_owned()),
        instant(*expires_at),
    ])
}

const STATES: [(LeaseState, &str); 3] =
    [(LeaseState::Live, "live"), (LeaseState::Expired, "expired"), (LeaseState::Closed, "closed")];

/// Reads `ver, p, level, at, expires_at`.
pub(super) fn read_rate(row: &Row<'_>) -> Result<RateCell, StoreError> {
    let mut c = Columns::of("tk_rate", row);
    Ok(RateCell {
        ver: ConfigVersion::from_raw(c.unsigned()?),
        unit_weight: c.unsigned()?,
        level: c.unsigned()?,
        at: c.instant()?,
        expires_at: c.instant()?,
    })
}

pub(super) fn rate_values(limit_id: &LimitId, cell: &RateCell) -> Result<[Value; 6], StoreError> {
    let RateCell { ver, unit_weight, level, at, expires_at } = cell;
    Ok([
        blob(limit_id.as_bytes()),
        number(ver.get())?,
        number(*unit_weight)?,
        number(*level)?,
        instant(*at),
        instant(*expires_at),
    ])
}

/// The word for an event's kind, beside its payload.
pub(super) fn event_word(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Reached { .. } => "reached",
        EventKind::Recovered { .. } => "recovered",
        EventKind::Adjusted { .. } => "adjusted",
        EventKind::Healed { .. } => "healed",
    }
}

/// Reads `id`, the key's three, `payload, created_at`.
pub(super) fn read_event(row: &Row<'_>) -> Result<UsageEvent, StoreError> {
    let mut c = Columns::of("tk_event", row);
    Ok(UsageEvent { number: c.unsigned()?, key: read_key(&mut c)?, kind: c.json()?, at: c.instant()? })
}

/// A number of the ledger that SQLite's signed integers hold.
pub(super) fn number(value: u64) -> Result<Value, StoreError> {
    i64::try_from(value).map(Value::Integer).map_err(|_| corrupt("a number of the ledger is beyond 2^63"))
}

fn units_or_null(c: &mut Columns<'_, '_>) -> Result<Option<Units>, StoreError> {
    match c.take::<Option<i64>>()? {
        None => Ok(None),
        Some(amount) => Units::from_signed(amount).map(Some).ok_or_else(|| c.unknown(&amount.to_string())),
    }
}

/// The instant as SQLite keeps it.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_micros()
}
