//! Rates that each process counts for itself.
//!
//! The table is bounded: what has drained goes first, then, should that not be enough, what is nearest to it.

use crate::clock::Timestamp;
use crate::limit::gcra::{Rate, RateCell, RateVerdict};
use crate::limit::{ConfigVersion, LimitId, Units};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// At most so many rates are remembered, besides those that cached records hold.
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

    fn drained_at(&self) -> Timestamp {
        self.0.lock().expires_at
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
            make_room(&mut cells, now);
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
    cells.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.drained_at() > now);
}

/// Forgets what has drained; should the table still be more than half full, also the half that drains soonest.
fn make_room(cells: &mut HashMap<LimitId, Arc<LocalRate>>, now: Timestamp) {
    forget_drained(cells, now);
    let free = |cell: &Arc<LocalRate>| Arc::strong_count(cell) == 1;
    let mut ends: Vec<Timestamp> =
        cells.values().filter(|cell| free(cell)).map(|cell| cell.drained_at()).collect();
    if ends.len() >= RATES_MAX / SHARDS / 2 {
        let middle = ends.len() / 2;
        let (_, median, _) = ends.select_nth_unstable(middle);
        let median = *median;
        cells.retain(|_, cell| !free(cell) || cell.drained_at() > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> LimitId {
        let mut bytes = [0; 16];
        bytes[1..5].copy_from_slice(&n.to_be_bytes());
        LimitId::from_bytes(bytes)
    }

    #[test]
    fn the_table_is_bounded_and_keeps_what_drains_last() {
        let rates = Rates::default();
        let now = Timestamp::from_seconds(1_000_000);
        let rate = Rate::parse("100/h").unwrap();
        let held = rates.cell(id(0), now);
        held.take(&rate, ConfigVersion::default(), Units::ONE, now);
        // All in one shard, each later one fuller than the one before; nothing has drained.
        for n in 1..20_000_u32 {
            let units = Units::from(1 + n / 200);
            rates.cell(id(n), now).take(&rate, ConfigVersion::default(), units, now);
            assert!(rates.len() <= RATES_MAX / SHARDS);
        }
        let again = rates.cell(id(0), now);
        assert!(Arc::ptr_eq(&held, &again), "what a record holds stays");
        assert!(rates.cell(id(19_999), now).peek(&rate, Units::from(100), now).remaining < Units::ONE);
    }

    #[test]
    fn drained_rates_are_forgotten() {
        let rates = Rates::default();
        let (now, rate) = (Timestamp::from_seconds(1_000_000), Rate::parse("1/s").unwrap());
        for n in 0..4_000 {
            rates.cell(id(n), now).take(&rate, ConfigVersion::default(), Units::ONE, now);
        }
        rates.forget_drained(now);
        assert_eq!(rates.len(), 4_000);
        rates.forget_drained(now.plus_seconds(1));
        assert_eq!(rates.len(), 0);
    }
}
