//! Rates that each process counts for itself.

use crate::clock::Timestamp;
use crate::limit::gcra::{Rate, RateCell, RateVerdict};
use crate::limit::{ConfigVersion, LimitId, Units};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// At most so many rates are remembered; those that have drained and that nobody holds go first.
const RATES_MAX: usize = 100_000;
/// Shards of the table, so that threads seldom meet in it.
const SHARDS: usize = 16;

/// One subject's rate, on a cache line of its own.
#[repr(align(64))]
pub(crate) struct LocalRate(Mutex<RateCell>);

impl LocalRate {
    fn new() -> Self {
        Self(Mutex::new(RateCell::EMPTY))
    }

    /// Judges and takes.
    #[inline]
    pub(crate) fn take(&self, rate: &Rate, ver: ConfigVersion, units: Units, now: Timestamp) -> RateVerdict {
        self.0.lock().take(rate, ver, units, now)
    }

    /// Judges only.
    pub(crate) fn peek(&self, rate: &Rate, units: Units, now: Timestamp) -> RateVerdict {
        self.0.lock().peek(rate, units, now)
    }

    /// Gives back.
    pub(crate) fn refund(&self, units: Units) {
        self.0.lock().refund(units);
    }

    fn is_drained(&self, now: Timestamp) -> bool {
        self.0.lock().expires_at <= now
    }
}

/// The table of local rates.
#[derive(Default)]
pub(super) struct Rates([Mutex<HashMap<LimitId, Arc<LocalRate>>>; SHARDS]);

impl Rates {
    pub(super) fn cell(&self, limit_id: LimitId, now: Timestamp) -> Arc<LocalRate> {
        let shard = usize::from(limit_id.as_bytes().first().copied().unwrap_or(0)) % SHARDS;
        let Some(shard) = self.0.get(shard) else { return Arc::new(LocalRate::new()) };
        let mut cells = shard.lock();
        if cells.len() >= RATES_MAX / SHARDS && !cells.contains_key(&limit_id) {
            forget_drained(&mut cells, now);
        }
        Arc::clone(cells.entry(limit_id).or_insert_with(|| Arc::new(LocalRate::new())))
    }

    pub(super) fn forget_drained(&self, now: Timestamp) {
        for shard in &self.0 {
            let mut cells = shard.lock();
            if cells.len() >= RATES_MAX / SHARDS / 2 {
                forget_drained(&mut cells, now);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// A drained rate that nobody holds is as good as a new one.
fn forget_drained(cells: &mut HashMap<LimitId, Arc<LocalRate>>, now: Timestamp) {
    cells.retain(|_, cell| Arc::strong_count(cell) > 1 || !cell.is_drained(now));
}
