//! Counts in memory: the rows of [`Tables`] behind one lock, gone when the process ends. The oracle of every comparison.

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::Error;
use crate::limit::batch::{self, Batch, BatchReply};
use crate::limit::maintain::{self, Configure, Maintained};
use crate::limit::tables::Tables;
use crate::limit::{self, HolderId, LimitId, Settlement};
use crate::store::{Capabilities, CheckLine, CheckState, UsageEvent, UsageRow, UsageStore};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// The memory usage store.
pub struct MemoryUsage {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tables: Tables,
    events: VecDeque<UsageEvent>,
    event_count: u64,
}

/// Settled at most so many leases in one transaction; the call goes on with the next.
const SETTLE_BATCH: usize = 1_000;

impl MemoryUsage {
    /// An empty store on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on another clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Runs one transaction and takes its events into the outbox.
    fn with<T>(&self, act: impl FnOnce(&mut Tables, Timestamp) -> Result<T, Error>) -> Result<T, Error> {
        let mut state = self.state.lock();
        let answer = act(&mut state.tables, self.clock.now());
        let State { tables, events, event_count } = &mut *state;
        for (key, kind, at) in tables.take_events() {
            *event_count += 1;
            events.push_back(UsageEvent { number: *event_count, key, kind, at });
        }
        answer
    }
}

impl Default for MemoryUsage {
    fn default() -> Self {
        Self::new()
    }
}

impl UsageStore for MemoryUsage {
    fn exchange(&self, batch: &Batch) -> Result<BatchReply, Error> {
        self.with(|tables, now| batch::run(tables, batch, now))
    }

    fn configure(&self, change: &Configure) -> Result<usize, Error> {
        self.with(|tables, now| maintain::configure(tables, change, now))
    }

    fn read(&self, limits: &[LimitId], from: Timestamp, until: Timestamp) -> Result<Vec<UsageRow>, Error> {
        let state = self.state.lock();
        let keys = limits.iter().flat_map(|limit_id| state.tables.keys_of(limit_id));
        let rows = keys.filter_map(|key| state.tables.look(key).map(|(bucket, _)| (key, bucket)));
        let met = rows.filter(|(key, bucket)| key.period_start < until && bucket.period_end > from);
        Ok(met.map(|(key, bucket)| UsageRow { key: *key, bucket: bucket.clone() }).collect())
    }

    fn settle(&self, holder: HolderId, settlement: Settlement) -> Result<usize, Error> {
        let mut settled = 0;
        loop {
            let some =
                self.with(|tables, now| maintain::settle(tables, &holder, settlement, now, SETTLE_BATCH))?;
            settled += some;
            if some < SETTLE_BATCH {
                return Ok(settled);
            }
        }
    }

    fn maintain(&self, budget: usize) -> Result<Maintained, Error> {
        self.with(|tables, now| maintain::maintain(tables, now, budget))
    }

    fn events(&self, after: u64, max: u32) -> Result<Vec<UsageEvent>, Error> {
        let state = self.state.lock();
        Ok(state.events.iter().filter(|event| event.number > after).take(max as usize).cloned().collect())
    }

    fn acknowledge(&self, upto: u64) -> Result<(), Error> {
        self.state.lock().events.retain(|event| event.number > upto);
        Ok(())
    }

    fn erase(&self, limits: &[LimitId]) -> Result<(), Error> {
        self.with(|tables, _| {
            limits.iter().for_each(|limit_id| {
                tables.erase(limit_id);
            });
            Ok(())
        })
    }

    fn audit(&self) -> Result<Vec<CheckLine>, Error> {
        let state = self.state.lock();
        let mismatch = state.tables.keys().filter_map(|key| {
            let (bucket, leases) = state.tables.look(key)?;
            let mismatch = limit::audit(bucket, leases.values()).err()?;
            Some(CheckLine::new(CheckState::Fail, format!("bucket {key:?}"), format!("{mismatch:?}")))
        });
        Ok(mismatch.collect())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batches: true, durable: false, batch_max: Batch::MAX_ITEMS }
    }

    fn check(&self) -> Vec<CheckLine> {
        Vec::new()
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
