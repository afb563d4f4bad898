//! The rows of the ledger within one write transaction. No rule is here: `limit` decides, this reads and writes.

use super::columns::{Columns, json};
use super::ledger_row::{
    ALL_BUCKETS, BUCKET, BUCKETS_OF_LIMIT, LEASE, LEASES_OF_BUCKET, LIVE_LEASES, PUT_BUCKET, PUT_LEASE,
    bucket_values, event_word, key_values, lease_id_values, lease_values, micros, rate_values, read_bucket,
    read_key, read_lease, read_lease_id, read_rate,
};
use super::sql::{Visit, all, each, first, write};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::limit::gcra::RateCell;
use crate::limit::rows::{Due, Rows, UpkeepRows};
use crate::limit::{
    Attempt, Bucket, BucketKey, EventKind, Fingerprint, HolderId, Lease, LeaseId, LimitId, OperationKey,
    OperationRecord, RefundId, Units,
};
use crate::store::{StoreError, UsageRow};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

/// How many rows one call of housekeeping looks at where no index leads to those that are due.
const SCAN_ROWS: usize = 2_000;

/// The tables of the ledger, in a transaction that holds the write lock.
pub(super) struct Ledger<'a> {
    connection: &'a Connection,
    scan: &'a mut Scan,
}

/// Where housekeeping goes on looking, so that each call looks at a bounded number of rows.
#[derive(Debug, Default)]
pub(super) struct Scan {
    lease: Option<(BucketKey, LeaseId)>,
    rate: Option<LimitId>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(connection: &'a Connection, scan: &'a mut Scan) -> Self {
        Self { connection, scan }
    }

    fn key_and<const N: usize>(key: &BucketKey, more: [Value; N]) -> Result<Vec<Value>, StoreError> {
        Ok(key_values(key)?.into_iter().chain(more).collect())
    }
}

impl Rows for Ledger<'_> {
    fn bucket(&mut self, key: &BucketKey) -> Result<Option<Bucket>, Error> {
        let values = params_from_iter(key_values(key)?);
        Ok(first(self.connection, BUCKET, values, |row| read_bucket(&mut Columns::of("tk_bucket", row)))?)
    }

    fn put_bucket(&mut self, key: &BucketKey, bucket: &Bucket) -> Result<(), Error> {
        let values = Self::key_and(key, bucket_values(bucket)?)?;
        write(self.connection, PUT_BUCKET, params_from_iter(values))?;
        Ok(())
    }

    fn lease(&mut self, key: &BucketKey, id: &LeaseId) -> Result<Option<Lease>, Error> {
        let values = params_from_iter(Self::key_and(key, lease_id_values(id)?)?);
        Ok(first(self.connection, LEASE, values, |row| read_lease(&mut Columns::of("tk_lease", row)))?)
    }

    fn put_lease(&mut self, key: &BucketKey, id: &LeaseId, lease: &Lease) -> Result<(), Error> {
        let mut values = Self::key_and(key, lease_id_values(id)?)?;
        values.extend(lease_values(lease)?);
        write(self.connection, PUT_LEASE, params_from_iter(values))?;
        Ok(())
    }

    fn live_leases(
        &mut self,
        key: &BucketKey,
        until: Timestamp,
        max: usize,
    ) -> Result<Vec<(LeaseId, Lease)>, Error> {
        let values = Self::key_and(key, [Value::Integer(micros(until)), limit(max)])?;
        Ok(all(self.connection, LIVE_LEASES, params_from_iter(values), read_named_lease)?)
    }

    fn operation(&mut self, key: &OperationKey) -> Result<Option<OperationRecord>, Error> {
        let sql =
            "SELECT fingerprint, attempt, units, expires_at FROM tk_op WHERE scope = ?1 AND op_key = ?2";
        Ok(first(self.connection, sql, params![key.scope.as_bytes(), key.id.as_bytes()], |row| {
            let mut c = Columns::of("tk_op", row);
            Ok(OperationRecord {
                fingerprint: Fingerprint::from_bytes(c.bytes()?),
                attempt: Attempt::from_bytes(c.bytes()?),
                lines: c.json()?,
                expires_at: c.instant()?,
            })
        })?)
    }

    fn put_operation(&mut self, key: &OperationKey, record: &OperationRecord) -> Result<(), Error> {
        let OperationRecord { fingerprint, attempt, lines, expires_at } = record;
        let sql = "INSERT OR REPLACE INTO tk_op (scope, op_key, fingerprint, attempt, units, expires_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![
            key.scope.as_bytes(),
            key.id.as_bytes(),
            fingerprint.as_bytes(),
            attempt.as_bytes(),
            json(lines)?,
            micros(*expires_at)
        ];
        write(self.connection, sql, values)?;
        Ok(())
    }

    fn remove_operation(&mut self, key: &OperationKey) -> Result<(), Error> {
        let sql = "DELETE FROM tk_op WHERE scope = ?1 AND op_key = ?2";
        write(self.connection, sql, params![key.scope.as_bytes(), key.id.as_bytes()])?;
        Ok(())
    }

    fn has_refund(&mut self, key: &BucketKey, refund_id: &RefundId) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM tk_refund
                   WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3 AND refund_id = ?4";
        let values = Self::key_and(key, [Value::Blob(refund_id.as_bytes().to_vec())])?;
        Ok(first(self.connection, sql, params_from_iter(values), |_| Ok(()))?.is_some())
    }

    fn put_refund(&mut self, key: &BucketKey, refund_id: &RefundId, units: Units) -> Result<(), Error> {
        let sql =
            "INSERT INTO tk_refund (limit_id, epoch, period_start, refund_id, n) VALUES (?1, ?2, ?3, ?4, ?5)";
        let more = [Value::Blob(refund_id.as_bytes().to_vec()), Value::Integer(units.signed())];
        write(self.connection, sql, params_from_iter(Self::key_and(key, more)?))?;
        Ok(())
    }

    fn rate(&mut self, limit_id: &LimitId) -> Result<Option<RateCell>, Error> {
        let sql = "SELECT ver, p, level, at, expires_at FROM tk_rate WHERE limit_id = ?1";
        Ok(first(self.connection, sql, [limit_id.as_bytes()], read_rate)?)
    }

    fn put_rate(&mut self, limit_id: &LimitId, cell: &RateCell) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO tk_rate (limit_id, ver, p, level, at, expires_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        write(self.connection, sql, params_from_iter(rate_values(limit_id, cell)?))?;
        Ok(())
    }

    fn push_event(&mut self, key: &BucketKey, kind: EventKind, at: Timestamp) -> Result<(), Error> {
        let sql = "INSERT INTO tk_event (limit_id, epoch, period_start, kind, payload, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let more = [Value::Text(event_word(kind).to_owned()), json(&kind)?, Value::Integer(micros(at))];
        write(self.connection, sql, params_from_iter(Self::key_and(key, more)?))?;
        Ok(())
    }
}

impl UpkeepRows for Ledger<'_> {
    fn due_buckets(&mut self, due: Due, max: usize) -> Result<Vec<BucketKey>, Error> {
        let (sql, until) = match due {
            Due::Close(at) => (
                "SELECT limit_id, epoch, period_start FROM tk_bucket
                 WHERE closed = 0 AND period_end <= ?1 ORDER BY period_end LIMIT ?2",
                at,
            ),
            Due::Sweep(at) => (
                "SELECT limit_id, epoch, period_start FROM tk_bucket
                 WHERE live > 0 AND next_sweep <= ?1 ORDER BY next_sweep LIMIT ?2",
                at,
            ),
            Due::Retire(at) => (
                "SELECT limit_id, epoch, period_start FROM tk_bucket
                 WHERE closed = 1 AND clk <= ?1 ORDER BY clk LIMIT ?2",
                at,
            ),
        };
        Ok(all(self.connection, sql, params![micros(until), limit(max)], read_bucket_key)?)
    }

    fn open_buckets(&mut self, limit_id: &LimitId, max: usize) -> Result<Vec<BucketKey>, Error> {
        let sql = "SELECT limit_id, epoch, period_start FROM tk_bucket
                   WHERE limit_id = ?1 AND closed = 0 ORDER BY epoch, period_start LIMIT ?2";
        Ok(all(self.connection, sql, params![limit_id.as_bytes(), limit(max)], read_bucket_key)?)
    }

    fn silent_leases(&mut self, before: Timestamp, max: usize) -> Result<Vec<(BucketKey, LeaseId)>, Error> {
        let sql = "SELECT l.limit_id, l.epoch, l.period_start, l.holder, l.life,
                     b.closed = 0 AND b.period_end = ?6 AND l.last_at <= ?7
                       AND l.granted - l.returned - l.used - l.ahead + l.refunded = 0
                   FROM tk_lease AS l JOIN tk_bucket AS b USING (limit_id, epoch, period_start)
                   WHERE (l.limit_id, l.epoch, l.period_start, l.holder, l.life) > (?1, ?2, ?3, ?4, ?5)
                   ORDER BY l.limit_id, l.epoch, l.period_start, l.holder, l.life LIMIT ?8";
        let mut values: Vec<Value> = match &self.scan.lease {
            Some((key, id)) => Self::key_and(key, lease_id_values(id)?)?,
            // Before every row: a blob of nothing.
            None => [Value::Blob(Vec::new())].into_iter().chain([(); 4].map(|()| Value::Null)).collect(),
        };
        values.extend([
            Value::Integer(micros(Timestamp::MAX)),
            Value::Integer(micros(before)),
            limit(SCAN_ROWS),
        ]);
        let (mut found, mut last, mut seen) = (Vec::new(), None, 0);
        each(self.connection, sql, params_from_iter(values), |row| {
            let mut c = Columns::of("tk_lease", row);
            let at = (read_key(&mut c)?, read_lease_id(&mut c)?);
            if c.take()? {
                if found.len() == max {
                    return Ok(Visit::Enough);
                }
                found.push(at);
            }
            seen += 1;
            last = Some(at);
            Ok(Visit::More)
        })?;
        self.scan.lease = last.filter(|_| seen == SCAN_ROWS || found.len() == max);
        Ok(found)
    }

    fn expired_leases(&mut self, holder: &HolderId, max: usize) -> Result<Vec<(BucketKey, LeaseId)>, Error> {
        let sql = "SELECT limit_id, epoch, period_start, holder, life FROM tk_lease
                   WHERE holder = ?1 AND state = 'expired' LIMIT ?2";
        Ok(all(self.connection, sql, params![holder.as_bytes(), limit(max)], |row| {
            let mut c = Columns::of("tk_lease", row);
            Ok((read_key(&mut c)?, read_lease_id(&mut c)?))
        })?)
    }

    fn remove_lease(&mut self, key: &BucketKey, id: &LeaseId) -> Result<(), Error> {
        let sql = "DELETE FROM tk_lease
                   WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3 AND holder = ?4 AND life = ?5";
        write(self.connection, sql, params_from_iter(Self::key_and(key, lease_id_values(id)?)?))?;
        Ok(())
    }

    fn remove_bucket(&mut self, key: &BucketKey) -> Result<(), Error> {
        for sql in [
            "DELETE FROM tk_bucket WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3",
            "DELETE FROM tk_lease WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3",
            "DELETE FROM tk_refund WHERE limit_id = ?1 AND epoch = ?2 AND period_start = ?3",
        ] {
            write(self.connection, sql, params_from_iter(key_values(key)?))?;
        }
        Ok(())
    }

    fn remove_expired(&mut self, now: Timestamp, max: usize) -> Result<usize, Error> {
        let sql = "DELETE FROM tk_op WHERE (scope, op_key) IN
                     (SELECT scope, op_key FROM tk_op WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
        let removed = write(self.connection, sql, params![micros(now), limit(max)])?;
        let sql =
            "SELECT limit_id, expires_at <= ?2 FROM tk_rate WHERE limit_id > ?1 ORDER BY limit_id LIMIT ?3";
        let after = self.scan.rate.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
        let (mut due, mut last, mut seen) = (Vec::new(), None, 0);
        let room = max.saturating_sub(removed);
        each(self.connection, sql, params![after, micros(now), limit(SCAN_ROWS)], |row| {
            let mut c = Columns::of("tk_rate", row);
            let id = LimitId::from_bytes(c.bytes()?);
            if c.take()? {
                if due.len() == room {
                    return Ok(Visit::Enough);
                }
                due.push(id);
            }
            seen += 1;
            last = Some(id);
            Ok(Visit::More)
        })?;
        self.scan.rate = last.filter(|_| seen == SCAN_ROWS || due.len() == room);
        for id in &due {
            write(self.connection, "DELETE FROM tk_rate WHERE limit_id = ?1", [id.as_bytes()])?;
        }
        Ok(removed + due.len())
    }
}

/// The buckets of a limit whose periods meet `[from, until)`.
pub(super) fn buckets_between(
    connection: &Connection,
    limit_id: &LimitId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<UsageRow>, StoreError> {
    let values = params![limit_id.as_bytes(), micros(from), micros(until)];
    all(connection, BUCKETS_OF_LIMIT, values, read_usage_row)
}

/// Shows each bucket with all of its leases.
pub(super) fn each_bucket(
    connection: &Connection,
    mut visit: impl FnMut(&UsageRow, &[Lease]),
) -> Result<(), StoreError> {
    each(connection, ALL_BUCKETS, [], |row| {
        let row = read_usage_row(row)?;
        let leases =
            all(connection, LEASES_OF_BUCKET, params_from_iter(key_values(&row.key)?), read_named_lease)?;
        let leases: Vec<Lease> = leases.into_iter().map(|(_, lease)| lease).collect();
        visit(&row, &leases);
        Ok(Visit::More)
    })
}

fn read_usage_row(row: &Row<'_>) -> Result<UsageRow, StoreError> {
    let mut c = Columns::of("tk_bucket", row);
    Ok(UsageRow { key: read_key(&mut c)?, bucket: read_bucket(&mut c)? })
}

fn read_bucket_key(row: &Row<'_>) -> Result<BucketKey, StoreError> {
    read_key(&mut Columns::of("tk_bucket", row))
}

fn read_named_lease(row: &Row<'_>) -> Result<(LeaseId, Lease), StoreError> {
    let mut c = Columns::of("tk_lease", row);
    Ok((read_lease_id(&mut c)?, read_lease(&mut c)?))
}

fn limit(max: usize) -> Value {
    Value::Integer(i64::try_from(max).unwrap_or(i64::MAX))
}
