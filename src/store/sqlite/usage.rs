//! [`UsageStore`] on SQLite.

use super::SqliteStore;
use super::ledger::{Ledger, Scan, buckets_between, each_bucket};
use super::ledger_row::read_event;
use super::queue::Verdict;
use super::sql::{all, write};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::limit::batch::{self, Batch, BatchReply};
use crate::limit::maintain::{self, Configure, Maintained};
use crate::limit::{HolderId, LimitId, Settlement};
use crate::store::{Capabilities, CheckLine, CheckState, RecordStore, UsageEvent, UsageRow, UsageStore};
use rusqlite::params;
use std::time::Duration;

/// How many leases one call of `settle` closes.
const SETTLE_ROWS: usize = 1_000;

impl UsageStore for SqliteStore {
    fn exchange(&self, batch: &Batch) -> Result<BatchReply, Error> {
        // A batch that is not valid is refused before it takes anybody's time on the one writer.
        batch.check()?;
        let batch = batch.clone();
        self.ledger(self.options().exchange_deadline, move |rows, now| batch::run(rows, &batch, now))
    }

    fn configure(&self, change: &Configure) -> Result<usize, Error> {
        let change = change.clone();
        self.ledger(self.options().deadline, move |rows, now| maintain::configure(rows, &change, now))
    }

    fn read(&self, limits: &[LimitId], from: Timestamp, until: Timestamp) -> Result<Vec<UsageRow>, Error> {
        let mut limits = limits.to_vec();
        limits.sort_unstable();
        limits.dedup();
        let rows = self.read(|c| {
            let mut rows = Vec::new();
            for limit in &limits {
                rows.extend(buckets_between(c, limit, from, until)?);
            }
            Ok(rows)
        })?;
        Ok(rows)
    }

    fn settle(&self, holder: HolderId, settlement: Settlement) -> Result<usize, Error> {
        let mut settled = 0;
        loop {
            let run = move |rows: &mut Ledger<'_>, now| {
                maintain::settle(rows, &holder, settlement, now, SETTLE_ROWS)
            };
            let more = self.ledger(self.options().deadline, run)?;
            settled += more;
            if more < SETTLE_ROWS {
                return Ok(settled);
            }
        }
    }

    fn maintain(&self, budget: usize) -> Result<Maintained, Error> {
        self.ledger(self.options().deadline, move |rows, now| maintain::maintain(rows, now, budget))
    }

    fn events(&self, after: u64, max: u32) -> Result<Vec<UsageEvent>, Error> {
        let sql = "SELECT id, limit_id, epoch, period_start, payload, created_at FROM tk_event
                   WHERE id > ?1 ORDER BY id LIMIT ?2";
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        Ok(self.read(|c| all(c, sql, params![after, max], read_event))?)
    }

    fn acknowledge(&self, upto: u64) -> Result<(), Error> {
        let upto = i64::try_from(upto).unwrap_or(i64::MAX);
        Ok(self.write(move |transaction| {
            write(transaction.connection, "DELETE FROM tk_event WHERE id <= ?1", [upto])?;
            Ok(Verdict::Keep(()))
        })?)
    }

    fn erase(&self, limits: &[LimitId]) -> Result<(), Error> {
        let limits = limits.to_vec();
        Ok(self.write(move |transaction| {
            // Records of operations hold digests and amounts only, and end by themselves.
            for sql in [
                "DELETE FROM tk_bucket WHERE limit_id = ?1",
                "DELETE FROM tk_lease WHERE limit_id = ?1",
                "DELETE FROM tk_refund WHERE limit_id = ?1",
                "DELETE FROM tk_event WHERE limit_id = ?1",
                "DELETE FROM tk_rate WHERE limit_id = ?1",
            ] {
                for limit in &limits {
                    write(transaction.connection, sql, [limit.as_bytes()])?;
                }
            }
            Ok(Verdict::Keep(()))
        })?)
    }

    fn audit(&self) -> Result<Vec<CheckLine>, Error> {
        let mut lines = Vec::new();
        self.read(|c| {
            // Buckets and leases must be of one state.
            let snapshot =
                c.unchecked_transaction().map_err(|e| super::failure::store_error("reading", &e))?;
            each_bucket(&snapshot, |row, leases| {
                if let Err(mismatch) = crate::limit::audit(&row.bucket, leases.iter()) {
                    let what = format!("bucket {:?}", row.key);
                    let text = format!(
                        "`{}` is {} and should be {}; report it, nothing is repaired",
                        mismatch.sum, mismatch.stored, mismatch.recomputed
                    );
                    lines.push(CheckLine::new(CheckState::Fail, what, text));
                }
            })
        })?;
        Ok(lines)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batches: true, durable: true, batch_max: Batch::MAX_ITEMS }
    }

    fn check(&self) -> Vec<CheckLine> {
        RecordStore::check(self)
    }

    fn close(&self) -> Result<(), Error> {
        Ok(self.shut()?)
    }
}

impl SqliteStore {
    /// Lends the ledger's rows to `run` in one transaction, which stands if `run` succeeds.
    fn ledger<T, F>(&self, time: Duration, run: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Ledger<'_>, Timestamp) -> Result<T, Error> + Send + 'static,
    {
        let clock = self.clock();
        let scan = self.scan();
        self.write_within(time, move |transaction| {
            let mut scan: parking_lot::MutexGuard<'_, Scan> = scan.lock();
            let mut rows = Ledger::new(transaction.connection, &mut scan);
            Ok(match run(&mut rows, clock.now()) {
                Ok(answer) => Verdict::Keep(Ok(answer)),
                Err(error) => Verdict::Undo(Err(error)),
            })
        })?
    }
}
