//! The local side of limits: what one process keeps between a call and the usage store.
//!
//! Every quota goes through the **strict lane**: per bucket at most one exchange is in flight, and the calls that wait for
//! it are sent together in the next one. Rates that are counted per process live in `rates` and need no store.
//!
//! In reading order: `call` is what is asked and answered; `take` the way of one call, `together` and `in_turn` of one with
//! several limits; `lane` one bucket's lane; `held` and `reservation` units held for later; `unsettled` keyed calls whose answer was
//! lost; `report` what is told the store outside a call; `rates` local rates; `advise` what a call would meet.
//!
//! The ledger starts no thread: its owner calls [`Ledger::maintain`] about once a second.

mod advise;
mod breaker;
mod call;
mod held;
mod in_turn;
mod lane;
mod rates;
mod report;
mod reservation;
mod take;
#[cfg(test)]
mod testing;
mod together;
mod unsettled;

pub(crate) use call::{
    KeyedCall, Outcome, QuotaState, QuotaUse, RateUse, Refusal, RefusedBy, SlowUse, TakeCall, Taken,
};
pub(crate) use held::HeldLine;
pub(crate) use rates::LocalRate;

use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Batch, BatchReply};
use crate::limit::{BucketKey, HolderId, LeaseId, LimitId, Nonce, Reply};
use crate::store::{CheckLine, CheckState, UsageRow, UsageStore};
use arc_swap::ArcSwap;
use breaker::Breaker;
use held::Held;
use lane::Lane;
use parking_lot::Mutex;
use rates::Rates;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use unsettled::Unsettled;

/// At most so many buckets are kept.
const LANES_MAX: usize = 100_000;
/// A lease is live so long without a message: long enough for a reservation of 5 minutes.
const LEASE_TTL_MS: i64 = 330_000;
/// Rows that one call of `maintain` has the store look after.
const MAINTAIN_BUDGET: usize = 1_000;
/// A store clock that is off is told about at most once in this time.
const CLOCK_WARNING_US: i64 = 60_000_000;

/// One process's part of the ledger.
pub(crate) struct Ledger {
    store: Arc<dyn UsageStore>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    atomic: bool,
    batch_max: usize,
    lanes_max: usize,
    here: ArcSwap<Here>,
    rates: Rates,
    lives: AtomicU64,
    /// Latest store time seen, microseconds.
    hint_us: AtomicI64,
    warned_at_us: AtomicI64,
    breaker: Breaker,
}

/// What belongs to one process life. A forked child begins with another one and never touches its parent's locks, which
/// may have been held when it was forked: the units in here are the parent's.
struct Here {
    pid: u32,
    holder: Mutex<HolderId>,
    lanes: Mutex<HashMap<BucketKey, Arc<Lane>>>,
    /// Keyed calls whose answer was lost.
    unsettled: Mutex<Vec<Unsettled>>,
    /// Reservations that hosts hold.
    reservations: Mutex<Vec<Weak<Held>>>,
}

impl Here {
    fn new(entropy: &dyn Entropy) -> Result<Self, Error> {
        Ok(Self {
            pid: std::process::id(),
            holder: Mutex::new(new_holder(entropy)?),
            lanes: Mutex::default(),
            unsettled: Mutex::default(),
            reservations: Mutex::default(),
        })
    }
}

impl Ledger {
    /// A ledger over `store`, with nothing in hand.
    pub(crate) fn new(
        store: Arc<dyn UsageStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let capabilities = store.capabilities();
        let here = ArcSwap::from_pointee(Here::new(&*entropy)?);
        Ok(Self {
            store,
            entropy,
            clock,
            atomic: capabilities.atomic_batches,
            batch_max: capabilities.batch_max.clamp(1, Batch::MAX_ITEMS),
            lanes_max: LANES_MAX,
            here,
            rates: Rates::default(),
            lives: AtomicU64::new(1),
            hint_us: AtomicI64::new(0),
            warned_at_us: AtomicI64::new(i64::MIN),
            breaker: Breaker::new(),
        })
    }

    /// The local state of a rate, kept as long as somebody holds it or it has not drained.
    pub(crate) fn rate(&self, limit_id: LimitId, now: Timestamp) -> Arc<LocalRate> {
        self.rates.cell(limit_id, now)
    }

    /// The stored counts of these limits, and what this process has used and not reported yet, bucket by bucket.
    pub(crate) fn read(
        &self,
        limits: &[LimitId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(UsageRow, i64)>, Error> {
        let rows = self.guarded(|| self.store.read(limits, from, until))?;
        let here = self.here()?;
        let lanes = here.lanes.lock();
        let unreported = |key: &BucketKey| lanes.get(key).map_or(0, |lane| lane.unreported());
        Ok(rows.into_iter().map(|row| (unreported(&row.key), row)).map(|(n, row)| (row, n)).collect())
    }

    /// Reports and returns what waits, asks again about keyed calls whose answer was lost, ends reservations that are
    /// overdue, forgets what is idle, and does the store's bounded house-keeping. The first failure is told; what could
    /// not be done waits for the next call.
    pub(crate) fn maintain(&self, now: Timestamp) -> Result<(), Error> {
        self.rates.forget_drained(now);
        self.end_overdue_reservations(now)?;
        let flushed = self.flush();
        let kept = self.guarded(|| self.store.maintain(MAINTAIN_BUDGET)).map(drop);
        flushed.and(self.forget_idle_lanes()).and(kept)
    }

    /// Reports and returns what waits.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let settled = self.settle_unsettled();
        settled.and(self.report_all(false))
    }

    /// Gives back everything and closes the store, within `deadline_ms`. Reservations that are still held keep their units
    /// charged.
    pub(crate) fn close(&self, deadline_ms: u64) -> Result<(), Error> {
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(deadline_ms);
        let mut reported = self.settle_unsettled().and(self.report_all(true));
        while reported.is_err() && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(10));
            reported = self.settle_unsettled().and(self.report_all(true));
        }
        reported.and(self.store.close())
    }

    /// What `doctor` shows.
    pub(crate) fn check(&self) -> Vec<CheckLine> {
        let mut lines = self.store.check();
        let Ok(here) = self.here() else { return lines };
        let (lanes, rates) = (here.lanes.lock().len(), self.rates.len());
        let text = format!("{lanes} buckets and {rates} rates in this process");
        lines.push(CheckLine::new(CheckState::Ok, "ledger", text));
        lines
    }

    /// Removes the rows of these limits, and what is known of them here.
    pub(crate) fn erase(&self, limits: &[LimitId]) -> Result<(), Error> {
        self.here()?.lanes.lock().retain(|key, _| !limits.contains(&key.limit_id));
        self.guarded(|| self.store.erase(limits))
    }

    pub(crate) fn store(&self) -> &dyn UsageStore {
        &*self.store
    }

    /// The state of this process; in a forked child a new one, with nothing in hand.
    fn here(&self) -> Result<Arc<Here>, Error> {
        let here = self.here.load();
        if here.pid == std::process::id() {
            return Ok(Arc::clone(&here));
        }
        let new = Arc::new(Here::new(&*self.entropy)?);
        self.here.compare_and_swap(&here, new);
        Ok(self.here.load_full())
    }

    /// The lane of a bucket, made when it is first used.
    fn lane(&self, key: BucketKey) -> Result<Arc<Lane>, Error> {
        let here = self.here()?;
        let mut lanes = here.lanes.lock();
        if let Some(lane) = lanes.get(&key) {
            lane.note_use();
            return Ok(Arc::clone(lane));
        }
        if lanes.len() >= self.lanes_max {
            // Idle lanes with nothing in hand go; one that is used again begins a new life.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || !lane.is_clean());
            if lanes.len() >= self.lanes_max {
                let text = "too many limits wait for the usage store; try again";
                return Err(Error::new(ErrorKind::Overloaded, text));
            }
        }
        let lane = Arc::new(Lane::new(key, self.new_lease(&here), here.pid));
        lanes.insert(key, Arc::clone(&lane));
        Ok(lane)
    }

    fn new_lease(&self, here: &Here) -> LeaseId {
        LeaseId { holder: *here.holder.lock(), life: self.lives.fetch_add(1, Ordering::Relaxed) }
    }

    /// The lease after one that was folded, or (`cloned`) turned out to have another user: then under a new holder.
    fn next_lease(&self, cloned: bool) -> Result<LeaseId, Error> {
        let here = self.here()?;
        if cloned {
            *here.holder.lock() = new_holder(&*self.entropy)?;
        }
        Ok(self.new_lease(&here))
    }

    fn nonce(&self) -> Result<Nonce, Error> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes)?;
        Ok(Nonce::from_bytes(bytes))
    }

    fn hint(&self) -> Timestamp {
        Timestamp::from_micros(self.hint_us.load(Ordering::Relaxed))
    }

    /// Remembers the store's time.
    fn note_time(&self, reply: &Reply) {
        if !reply.clock_ignored {
            self.hint_us.fetch_max(reply.now.as_micros(), Ordering::Relaxed);
            return;
        }
        // The store did not believe the row's time, or ours: go by its clock from now on.
        self.hint_us.store(reply.now.as_micros(), Ordering::Relaxed);
        self.warn_of_clock(reply.now, "the usage store's clock was set back, or ran ahead before");
    }

    fn warn_of_clock(&self, now: Timestamp, what: &str) {
        let last = self.warned_at_us.load(Ordering::Relaxed);
        let age_us = now.as_micros().saturating_sub(last);
        if !(0..CLOCK_WARNING_US).contains(&age_us) {
            self.warned_at_us.store(now.as_micros(), Ordering::Relaxed);
            tracing::warn!(store_time = %now, "{what}");
        }
    }

    fn exchange(&self, batch: &Batch) -> Result<BatchReply, Error> {
        self.guarded(|| self.store.exchange(batch))
    }

    fn guarded<T>(&self, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.breaker.call(self.clock.now(), call)
    }
}

fn new_holder(entropy: &dyn Entropy) -> Result<HolderId, Error> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(HolderId::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
