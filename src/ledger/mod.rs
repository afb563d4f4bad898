//! The local side of limits: what one process keeps between a call and the usage store.
//!
//! Every quota goes through the **strict lane**: per bucket at most one exchange is in flight, and the calls that wait for
//! it are sent together in the next one. Rates that are counted per process live in `rates` and need no store.
//!
//! In reading order: `call` is what is asked and answered; `take` the way of one call, `together` and `in_turn` of one with
//! several limits; `lane` one bucket's lane; `reservation` units held for later; `rates` local rates.

mod advise;
mod call;
mod in_turn;
mod lane;
mod rates;
mod reservation;
mod take;
mod together;

pub(crate) use call::{
    KeyedCall, Outcome, QuotaState, QuotaUse, RateUse, Refusal, RefusedBy, SlowUse, TakeCall, Taken,
};
pub(crate) use rates::LocalRate;
pub(crate) use reservation::HeldLine;

use crate::clock::{Clock, Timestamp, monotonic_micros};
use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Batch, BatchReply};
use crate::limit::{BucketKey, HolderId, LeaseId, LimitId, Nonce};
use crate::store::{CheckLine, CheckState, UsageRow, UsageStore};
use lane::Lane;
use parking_lot::Mutex;
use rates::Rates;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

/// At most so many buckets are kept; idle ones go first.
const LANES_MAX: usize = 100_000;
/// A lease is live so long without a message: long enough for a reservation of 5 minutes.
const LEASE_TTL_MS: i64 = 330_000;
/// After so many failures in a row the store is left alone for a moment.
const BREAKER_FAILURES: u32 = 5;
/// How long, microseconds.
const BREAKER_OPEN_US: i64 = 1_000_000;

/// One process's part of the ledger.
pub(crate) struct Ledger {
    store: Arc<dyn UsageStore>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    atomic: bool,
    owner: Mutex<Owner>,
    lanes: Mutex<HashMap<BucketKey, Arc<Lane>>>,
    rates: Rates,
    lives: AtomicU64,
    /// Latest store time seen, microseconds.
    hint_us: AtomicI64,
    failures: AtomicU32,
    /// Until when the store is left alone, on the monotonic clock.
    open_until_us: AtomicI64,
}

/// Whose units these are: a process life. A forked child is another one and has none of its parent's units.
#[derive(Clone, Copy)]
struct Owner {
    pid: u32,
    holder: HolderId,
}

impl Ledger {
    /// A ledger over `store`, with nothing in hand.
    pub(crate) fn new(
        store: Arc<dyn UsageStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let atomic = store.capabilities().atomic_batches;
        let owner = Owner { pid: std::process::id(), holder: new_holder(&*entropy)? };
        Ok(Self {
            store,
            entropy,
            clock,
            atomic,
            owner: Mutex::new(owner),
            lanes: Mutex::default(),
            rates: Rates::default(),
            lives: AtomicU64::new(1),
            hint_us: AtomicI64::new(0),
            failures: AtomicU32::new(0),
            open_until_us: AtomicI64::new(i64::MIN),
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
        let lanes = self.lanes.lock();
        let unreported = |key: &BucketKey| lanes.get(key).map_or(0, |lane| lane.unreported());
        Ok(rows.into_iter().map(|row| (unreported(&row.key), row)).map(|(n, row)| (row, n)).collect())
    }

    /// Reports and returns what waits, and does the store's bounded house-keeping.
    pub(crate) fn maintain(&self, now: Timestamp) -> Result<(), Error> {
        self.check_process()?;
        self.rates.forget_drained(now);
        let reported = self.report_all(false);
        let kept = self.guarded(|| self.store.maintain(1_000)).map(drop);
        self.forget_idle_lanes();
        reported.and(kept)
    }

    /// Gives back everything and closes the store, within `deadline_ms`.
    pub(crate) fn close(&self, deadline_ms: u64) -> Result<(), Error> {
        let deadline = monotonic_micros()
            .saturating_add(i64::try_from(deadline_ms).unwrap_or(i64::MAX).saturating_mul(1_000));
        let mut reported = self.report_all(true);
        while reported.is_err() && monotonic_micros() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(10));
            reported = self.report_all(true);
        }
        reported.and(self.store.close())
    }

    /// What `doctor` shows.
    pub(crate) fn check(&self) -> Vec<CheckLine> {
        let mut lines = self.store.check();
        let (lanes, rates) = (self.lanes.lock().len(), self.rates.len());
        let text = format!("{lanes} buckets and {rates} rates in this process");
        lines.push(CheckLine::new(CheckState::Ok, "ledger", text));
        lines
    }

    /// Removes the rows of these limits, and what is known of them here.
    pub(crate) fn erase(&self, limits: &[LimitId]) -> Result<(), Error> {
        self.lanes.lock().retain(|key, _| !limits.contains(&key.limit_id));
        self.guarded(|| self.store.erase(limits))
    }

    pub(crate) fn store(&self) -> &dyn UsageStore {
        &*self.store
    }

    fn report_all(&self, last: bool) -> Result<(), Error> {
        let lanes: Vec<Arc<Lane>> = self.lanes.lock().values().cloned().collect();
        let mut first_failure = Ok(());
        for lane in lanes {
            if lane.has_news() || (last && lane.is_used()) {
                first_failure = first_failure.and(self.report(&lane, last));
            }
        }
        first_failure
    }

    /// The lane of a bucket, made when it is first used.
    fn lane(&self, key: BucketKey) -> Arc<Lane> {
        let mut lanes = self.lanes.lock();
        Arc::clone(lanes.entry(key).or_insert_with(|| Arc::new(Lane::new(key, self.new_lease()))))
    }

    fn forget_idle_lanes(&self) {
        let mut lanes = self.lanes.lock();
        if lanes.len() > LANES_MAX {
            // A lane that is used again begins a new life.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || lane.has_news());
        }
    }

    fn new_lease(&self) -> LeaseId {
        LeaseId { holder: self.owner.lock().holder, life: self.lives.fetch_add(1, Ordering::Relaxed) }
    }

    /// Another user of our leases exists: go on as a new holder.
    fn renew_holder(&self) -> Result<(), Error> {
        self.owner.lock().holder = new_holder(&*self.entropy)?;
        Ok(())
    }

    /// In a forked child nothing of the parent's is ours.
    fn check_process(&self) -> Result<(), Error> {
        let pid = std::process::id();
        let mut owner = self.owner.lock();
        if owner.pid != pid {
            *owner = Owner { pid, holder: new_holder(&*self.entropy)? };
            self.lanes.lock().clear();
        }
        Ok(())
    }

    fn nonce(&self) -> Result<Nonce, Error> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes)?;
        Ok(Nonce::from_bytes(bytes))
    }

    fn hint(&self) -> Timestamp {
        Timestamp::from_micros(self.hint_us.load(Ordering::Relaxed))
    }

    fn exchange(&self, batch: &Batch) -> Result<BatchReply, Error> {
        self.guarded(|| self.store.exchange(batch))
    }

    /// A store call behind the breaker: a store that keeps failing is left alone for a second, so that callers get their
    /// error at once.
    fn guarded<T>(&self, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        if monotonic_micros() < self.open_until_us.load(Ordering::Relaxed) {
            let text = "the usage store does not answer; try again in a second";
            return Err(Error::new(ErrorKind::StoreUnavailable, text));
        }
        let answer = call();
        let failed = answer
            .as_ref()
            .is_err_and(|error| error.is_retryable() || error.kind() == ErrorKind::OutcomeUnknown);
        if !failed {
            self.failures.store(0, Ordering::Relaxed);
        } else if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= BREAKER_FAILURES {
            self.failures.store(0, Ordering::Relaxed);
            self.open_until_us.store(monotonic_micros() + BREAKER_OPEN_US, Ordering::Relaxed);
        }
        answer
    }
}

fn new_holder(entropy: &dyn Entropy) -> Result<HolderId, Error> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(HolderId::from_bytes(bytes))
}
