//! What really happened, and the invariants that tie the ledger to it.

use super::process::Process;
use super::{OPERATIONS, World, operation_key};
use crate::limit::batch::ActOutcome;
use crate::limit::rows::Rows;
use crate::limit::tables::Tables;
use crate::limit::{
    Bucket, BucketKey, Counters, EventKind, HolderId, Incarnation, Lease, LeaseId, OperationLine,
    OperationOutcome, audit,
};
use std::collections::BTreeMap;

/// The truth beside the ledger.
#[derive(Default)]
pub(super) struct Truth {
    buckets: BTreeMap<BucketKey, BucketTruth>,
    operations: BTreeMap<u64, OperationTruth>,
    /// Holders of crashed processes, and whether they died with use unreported.
    pub(super) dead: Vec<(HolderId, bool)>,
    pub(super) admissions: i64,
}

#[derive(Default)]
struct BucketTruth {
    /// Units whose callers were told yes, less refunds.
    admitted: i64,
    /// Of those, declared overruns.
    overrun: i64,
    /// Units that may be confirmed without having been admitted: the operator's word, folded unanswered grants, refunds
    /// that died with their process.
    slack: i64,
    /// Overruns that died with their process, unless a message of it still arrives.
    lost: i64,
    max_cap: i64,
    seen: Option<Seen>,
    counters: BTreeMap<LeaseId, Counters>,
    reached: BTreeMap<u16, u32>,
}

/// What may not go back.
#[derive(Clone, Copy, PartialEq)]
struct Seen {
    ver: u64,
    closed: bool,
    incarnation: Incarnation,
}

#[derive(Default)]
struct OperationTruth {
    allowed: bool,
    /// Units credited, and those of them that moved a count.
    credited: u64,
    moved: i64,
}

impl Truth {
    fn bucket(&mut self, key: &BucketKey) -> &mut BucketTruth {
        self.buckets.entry(*key).or_default()
    }

    pub(super) fn admitted(&mut self, key: &BucketKey, units: i64) {
        self.bucket(key).admitted += units;
        self.admissions += units;
    }

    pub(super) fn refunded(&mut self, key: &BucketKey, units: i64) {
        self.bucket(key).admitted -= units;
    }

    pub(super) fn overrun(&mut self, key: &BucketKey, units: i64) {
        self.bucket(key).admitted += units;
        self.bucket(key).overrun += units;
    }

    /// A hand is given up for another one that reports `unreported` units as overrun.
    pub(super) fn given_up(&mut self, key: &BucketKey, old: &Counters, unreported: i64) {
        self.bucket(key).slack += unreported + old.refunded;
    }

    /// A lease is folded. What its holder has had no answer about, it will count as never reported.
    pub(super) fn folded(&mut self, key: &BucketKey, lease: &Lease) {
        self.bucket(key).slack += lease.ahead + lease.counters.overrun;
    }

    pub(super) fn settled(&mut self, key: &BucketKey, open: i64) {
        self.bucket(key).slack += open;
    }

    pub(super) fn operation_answered(&mut self, n: u64, outcome: &ActOutcome) {
        let ActOutcome::Charge(OperationOutcome::Granted(lines) | OperationOutcome::Replayed(lines)) =
            outcome
        else {
            return;
        };
        let operation = self.operations.entry(n).or_default();
        if !std::mem::replace(&mut operation.allowed, true) {
            let units = lines[0].amount.signed() - operation.moved;
            self.admitted(&lines[0].bucket, units);
        }
    }

    pub(super) fn credited(&mut self, tables: &Tables, n: u64, lines: &[OperationLine]) {
        let key = lines[0].bucket;
        let closed = tables.look(&key).is_none_or(|(bucket, _)| bucket.closed);
        let operation = self.operations.entry(n).or_default();
        operation.credited += lines[0].amount.get();
        if !closed {
            let units = lines[0].amount.signed();
            operation.moved += units;
            if operation.allowed {
                self.refunded(&key, units);
            }
        }
    }

    /// A process dies with what it has not reported.
    pub(super) fn bury(&mut self, process: &Process, tables: &mut Tables) {
        let mut unreported = false;
        for (key, hand) in &process.hands {
            let holding = &hand.holding;
            unreported |= holding.unreported() != 0;
            let lost = pending(tables, process, key, |c| c.overrun);
            let bucket = self.bucket(key);
            bucket.lost += lost;
            bucket.slack += holding.counters().refunded;
        }
        self.dead.push((process.holder, unreported));
    }
}

/// What a process's hand counts of something beyond what the store has.
fn pending(tables: &mut Tables, process: &Process, key: &BucketKey, count: fn(&Counters) -> i64) -> i64 {
    let Some(hand) = process.hands.get(key) else { return 0 };
    let stored = tables.lease(key, &hand.holding.id()).unwrap().map_or(0, |lease| count(&lease.counters));
    (count(hand.holding.counters()) - stored).max(0)
}

/// The sums of all buckets before an exchange.
pub(super) struct Sums(BTreeMap<BucketKey, (i64, i64, i64)>);

impl Sums {
    pub(super) fn of(tables: &Tables) -> Self {
        let sums = |bucket: &Bucket| (bucket.charged, bucket.confirmed, bucket.overrun + bucket.healed);
        Self(tables.keys().map(|key| (*key, sums(tables.look(key).unwrap().0))).collect())
    }
}

fn ensure(holds: bool, what: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// I1 and I11: an exchange raises charged above the cap by reported overruns and healing alone. I5: a message that was
/// delivered before changes no total.
pub(super) fn one_exchange(world: &World, before: &Sums, repeated: bool) -> Result<(), String> {
    for key in world.tables.keys() {
        let (bucket, _) = world.tables.look(key).unwrap();
        let (charged, confirmed, excused) = before.0.get(key).copied().unwrap_or_default();
        let excused = bucket.overrun + bucket.healed - excused;
        let above = bucket.cap_in_force().is_some_and(|cap| bucket.charged > cap);
        ensure(!above || bucket.charged - charged <= excused, || {
            format!("I1, I11: {charged} before, {bucket:?}")
        })?;
        let same = (bucket.charged, bucket.confirmed) == (charged, confirmed);
        ensure(!repeated || same, || {
            format!("I5: {charged}, {confirmed} before a repeated message, {bucket:?}")
        })?;
    }
    Ok(())
}

/// Everything that holds after every step.
pub(super) fn all(world: &mut World) -> Result<(), String> {
    for (key, kind, _) in world.tables.take_events().collect::<Vec<_>>() {
        if let EventKind::Reached { percent, .. } = kind {
            *world.truth.bucket(&key).reached.entry(percent).or_default() += 1;
        }
    }
    let keys: Vec<BucketKey> = world.tables.keys().copied().collect();
    for key in &keys {
        let (bucket, leases) = world.tables.look(key).unwrap();
        let (bucket, leases) = (bucket.clone(), leases.clone());
        audit(&bucket, leases.values()).map_err(|e| format!("I4: {e:?}"))?;
        ensure(bucket.is_sound(), || format!("I2, I9: {bucket:?}"))?;
        ensure(leases.values().all(Lease::is_sound), || format!("I6: {leases:?}"))?;
        let unanswered = unanswered_operations(world, key)?;
        let mut pending_overrun = 0;
        let mut pending_refunds = 0;
        for process in &world.processes {
            pending_overrun += pending(&mut world.tables, process, key, |c| c.overrun);
            pending_refunds += pending(&mut world.tables, process, key, |c| c.refunded);
        }
        let truth = world.truth.bucket(key);
        check_lasting(truth, &bucket, &leases)?;
        let ahead: i64 = leases.values().map(|lease| lease.ahead).sum();
        let state = || format!("admitted {}, {bucket:?}, {leases:?}", truth.admitted);
        ensure(truth.admitted <= bucket.charged + pending_overrun + truth.lost, || {
            format!("I2: {}", state())
        })?;
        let most = truth.admitted + ahead + unanswered + pending_refunds + truth.slack;
        ensure(bucket.confirmed <= most, || format!("I2, at most {most}: {}", state()))?;
        let within = truth.admitted - truth.overrun <= truth.max_cap;
        ensure(within, || format!("I1, at most {}: {}", truth.max_cap, state()))?;
    }
    // I8: the buckets of a limit do not overlap.
    for (a, b) in keys.iter().zip(keys.iter().skip(1)).filter(|(a, b)| a.limit_id == b.limit_id) {
        let end = world.tables.look(a).unwrap().0.period_end;
        ensure(end <= b.period_start, || format!("I8: {a:?} ends at {end}, {b:?}"))?;
    }
    Ok(())
}

/// I6, I8, I10 and I15: what never goes back, and thresholds.
fn check_lasting(
    truth: &mut BucketTruth,
    bucket: &Bucket,
    leases: &BTreeMap<LeaseId, Lease>,
) -> Result<(), String> {
    truth.max_cap = truth.max_cap.max(bucket.cap_in_force().unwrap_or(i64::MAX));
    let now = Seen { ver: bucket.ver.get(), closed: bucket.closed, incarnation: bucket.incarnation };
    if let Some(seen) = truth.seen.replace(now) {
        ensure(now.ver >= seen.ver, || format!("I15: {} after {}", now.ver, seen.ver))?;
        ensure(now.closed >= seen.closed, || "I8: a bucket was opened again".to_owned())?;
        ensure(now.incarnation == seen.incarnation, || "I8: a bucket was begun again".to_owned())?;
    }
    for (id, lease) in leases {
        let earlier = truth.counters.insert(*id, lease.counters).unwrap_or_default();
        ensure(lease.counters.at_least(&earlier), || format!("I6: {earlier:?} before {lease:?}"))?;
    }
    let once = truth.reached.values().all(|n| *n == 1);
    ensure(once, || format!("I10: fired more than once: {:?}", truth.reached))?;
    for mark in &bucket.marks {
        let reached = bucket.confirmed >= mark.at.signed();
        let fired = truth.reached.contains_key(&mark.percent);
        ensure(!reached || fired, || format!("I10: {mark:?} did not fire, {bucket:?}"))?;
    }
    Ok(())
}

/// Units charged for operations whose caller has had no answer yet. I9: credits stay within their operation.
fn unanswered_operations(world: &mut World, key: &BucketKey) -> Result<i64, String> {
    let mut units = 0;
    for n in 0..OPERATIONS {
        let Some(record) = world.tables.operation(&operation_key(n)).unwrap() else { continue };
        let line = record.lines[0];
        let operation = world.truth.operations.entry(n).or_default();
        let credited = operation.credited;
        ensure(credited <= line.amount.get(), || format!("I9: {credited} credited of {line:?}"))?;
        if !operation.allowed && line.bucket == *key {
            units += line.amount.signed() - operation.moved;
        }
    }
    Ok(units)
}
