//! Helpers of the ledger's tests: processes over one store whose answers can be lost, on a clock that is turned by hand.

use super::call::{KeyedCall, Outcome, QuotaUse, Refusal, SlowUse, TakeCall, Taken};
use super::{HeldLine, Ledger};
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::entropy::Entropy;
use crate::error::{Error, ErrorKind};
use crate::limit::batch::{Batch, BatchReply};
use crate::limit::gcra::Rate;
use crate::limit::maintain::{Configure, Maintained};
use crate::limit::period::{Period, Window};
use crate::limit::{
    Bucket, BucketKey, ConfigVersion, HolderId, LimitId, OperationId, OperationScope, Settlement, Terms,
    Units,
};
use crate::store::memory::MemoryUsage;
use crate::store::{Capabilities, CheckLine, UsageEvent, UsageRow, UsageStore};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What happens to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// Carried out, but the answer is lost.
    Lost,
    /// Not carried out.
    Failed,
}

type Before = dyn Fn(&Batch) + Send + Sync;

/// The memory store with a wire that can be cut.
pub(super) struct Wire {
    pub(super) store: MemoryUsage,
    atomic: bool,
    pub(super) fates: Mutex<VecDeque<Fate>>,
    pub(super) exchanges: AtomicU64,
    /// Called before each exchange.
    pub(super) before: Mutex<Option<Arc<Before>>>,
}

impl UsageStore for Wire {
    fn exchange(&self, batch: &Batch) -> Result<BatchReply, Error> {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        assert!(self.atomic || !batch.atomic && batch.items.len() <= 1, "only single requests");
        let before = self.before.lock().clone();
        if let Some(before) = before {
            before(batch);
        }
        match self.fates.lock().pop_front().unwrap_or(Fate::Answered) {
            Fate::Answered => self.store.exchange(batch),
            Fate::Lost => {
                self.store.exchange(batch)?;
                Err(Error::new(ErrorKind::OutcomeUnknown, "the answer was lost"))
            }
            Fate::Failed => Err(Error::new(ErrorKind::StoreUnavailable, "the store is away")),
        }
    }

    fn configure(&self, change: &Configure) -> Result<usize, Error> {
        self.store.configure(change)
    }

    fn read(&self, limits: &[LimitId], from: Timestamp, until: Timestamp) -> Result<Vec<UsageRow>, Error> {
        self.store.read(limits, from, until)
    }

    fn settle(&self, holder: HolderId, settlement: Settlement) -> Result<usize, Error> {
        self.store.settle(holder, settlement)
    }

    fn maintain(&self, budget: usize) -> Result<Maintained, Error> {
        self.store.maintain(budget)
    }

    fn events(&self, after: u64, max: u32) -> Result<Vec<UsageEvent>, Error> {
        self.store.events(after, max)
    }

    fn acknowledge(&self, upto: u64) -> Result<(), Error> {
        self.store.acknowledge(upto)
    }

    fn erase(&self, limits: &[LimitId]) -> Result<(), Error> {
        self.store.erase(limits)
    }

    fn audit(&self) -> Result<Vec<CheckLine>, Error> {
        self.store.audit()
    }

    fn capabilities(&self) -> Capabilities {
        let batch_max = if self.atomic { Batch::MAX_ITEMS } else { 1 };
        Capabilities { atomic_batches: self.atomic, durable: false, batch_max }
    }

    fn check(&self) -> Vec<CheckLine> {
        Vec::new()
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Each process gets another stretch of numbers.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        let n = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        buffer.iter_mut().zip(n.iter().cycle()).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

/// One store, its clock, and processes.
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) wire: Arc<Wire>,
    processes: AtomicU64,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(true)
    }

    /// A store that makes only single requests atomic.
    pub(super) fn without_batches() -> Self {
        Self::with(false)
    }

    pub(super) fn with(atomic: bool) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_750_000_000)));
        let wire = Arc::new(Wire {
            store: MemoryUsage::with_clock(Arc::clone(&clock) as Arc<dyn Clock>),
            atomic,
            fates: Mutex::default(),
            exchanges: AtomicU64::new(0),
            before: Mutex::default(),
        });
        Self { clock, wire, processes: AtomicU64::new(1) }
    }

    /// Another process.
    pub(super) fn process(&self) -> Ledger {
        let seed = self.processes.fetch_add(1, Ordering::Relaxed) << 40;
        let entropy = Arc::new(Counting(AtomicU64::new(seed)));
        let store = Arc::clone(&self.wire) as Arc<dyn UsageStore>;
        Ledger::new(store, Arc::clone(&self.clock) as Arc<dyn Clock>, entropy).unwrap()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn call(&self, quotas: &[QuotaUse]) -> TakeCall {
        TakeCall { now: self.now(), rates: Vec::new(), quotas: quotas.to_vec(), operation: None }
    }

    pub(super) fn one(&self, quota: &QuotaUse) -> TakeCall {
        self.call(std::slice::from_ref(quota))
    }

    pub(super) fn keyed(&self, id: &str, quotas: &[QuotaUse]) -> TakeCall {
        let scope = OperationScope::new("live", &[("key", "k")]);
        TakeCall { operation: Some(KeyedCall { scope, id: OperationId::new(id) }), ..self.call(quotas) }
    }

    /// What the next exchanges meet.
    pub(super) fn fates(&self, fates: &[Fate]) {
        self.wire.fates.lock().extend(fates);
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.wire.exchanges.load(Ordering::SeqCst)
    }

    pub(super) fn bucket(&self, quota: &QuotaUse) -> Bucket {
        let key = key_at(quota, self.now());
        let rows = self.wire.read(&[quota.limit_id], Timestamp::MIN, Timestamp::MAX).unwrap();
        rows.into_iter().find(|row| row.key == key).unwrap().bucket
    }

    /// `(charged, confirmed)`; zeros before the first exchange. The whole store is audited too.
    pub(super) fn sums(&self, quota: &QuotaUse) -> (i64, i64) {
        assert_eq!(self.wire.audit().unwrap(), []);
        let key = key_at(quota, self.now());
        let rows = self.wire.read(&[quota.limit_id], Timestamp::MIN, Timestamp::MAX).unwrap();
        rows.iter()
            .find(|row| row.key == key)
            .map_or((0, 0), |row| (row.bucket.charged, row.bucket.confirmed))
    }
}

fn key_at(quota: &QuotaUse, now: Timestamp) -> BucketKey {
    super::take::bucket_key(quota, &quota.period.window_at(now))
}

/// The bucket of a lifetime quota.
pub(super) fn key_of(quota: &QuotaUse) -> BucketKey {
    super::take::bucket_key(quota, &Window::LIFETIME)
}

pub(super) fn units(n: u64) -> Units {
    Units::new(n).unwrap()
}

/// One unit of limit `n`, a lifetime quota with this cap.
pub(super) fn quota(n: u8, cap: u64) -> QuotaUse {
    QuotaUse {
        limit_id: LimitId::from_bytes([n; 16]),
        epoch: ConfigVersion::from_raw(0),
        period: Period::Lifetime,
        terms: terms(1, Some(cap)),
        units: Units::ONE,
        slow: None,
        record_overrun: true,
        commit_overdue: true,
        follows_commit: true,
    }
}

pub(super) fn terms(ver: u64, cap: Option<u64>) -> Terms {
    let cap = cap.and_then(Units::new);
    Terms { ver: ConfigVersion::from_raw(ver), cap, included: cap, marks: [].into() }
}

impl QuotaUse {
    pub(super) fn of(self, units: u64) -> Self {
        Self { units: Units::new(units).unwrap(), ..self }
    }

    pub(super) fn with_terms(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    pub(super) fn with_period(self, period: Period) -> Self {
        Self { period, ..self }
    }

    pub(super) fn or_slow(self, rate: &str) -> Self {
        let limit_id = LimitId::from_bytes([self.limit_id.as_bytes()[0] + 100; 16]);
        let slow =
            SlowUse { limit_id, rate: Rate::parse(rate).unwrap(), ver: self.terms.ver, delay_ms: 10_000 };
        Self { slow: Some(slow), ..self }
    }
}

pub(super) fn is_taken(outcome: &Result<Outcome, Error>) -> bool {
    matches!(outcome, Ok(Outcome::Taken(_)))
}

pub(super) fn taken(outcome: Result<Outcome, Error>) -> Taken {
    match outcome {
        Ok(Outcome::Taken(taken)) => taken,
        Ok(Outcome::Refused(refusal)) => panic!("refused by {:?}", refusal.by),
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn refused(outcome: Result<Outcome, Error>) -> Refusal {
    match outcome {
        Ok(Outcome::Refused(refusal)) => refusal,
        Ok(Outcome::Taken(_)) => panic!("taken"),
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn held(outcome: Result<(Outcome, Vec<HeldLine>), Error>) -> Vec<HeldLine> {
    let (outcome, held) = outcome.unwrap();
    assert!(matches!(outcome, Outcome::Taken(_)));
    held
}
