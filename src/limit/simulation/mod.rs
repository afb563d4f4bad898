//! Seeded runs of holders, a network that loses, doubles, delays and reorders, and a store whose clock steps: after each
//! step every invariant is checked. The same runs with a fault built in must fail, which shows that they would find it.

mod check;
mod process;

use super::batch::{Act, ActOutcome, Batch, BatchReply, ItemReply, Request, run};
use super::keyed::{Credit, CreditAmount, CreditOutcome, OperationKey, OperationOutcome, OperationRecord};
use super::maintain::{self, Configure};
use super::period::{Period, Window};
use super::rows::{Rows, UpkeepRows};
use super::tables::Tables;
use super::testing::{DAY_S, at, terms_with_marks, units};
use super::{
    BucketKey, ConfigVersion, Counters, ExchangeRequest, LeaseId, LeaseState, LimitId, Mark, OperationId,
    OperationScope, RefundId, Reply, Settlement, Terms,
};
use crate::clock::Timestamp;
use check::Truth;
use process::{Call, Process};
use std::num::NonZeroU32;

/// Something built wrongly on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ReclaimAtExpiry,
    LateReplyAccepted,
    StaleCountersWritten,
    NonceIgnored,
    KeyedChargeAsGrant,
    FoldWithoutMark,
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.below(u64::MAX)) << 64 | u128::from(self.below(u64::MAX))).to_be_bytes()
    }
}

/// A message on its way, or one that may come again.
#[derive(Clone)]
struct Envelope {
    batch: Batch,
    sender: (usize, u32),
    sent_s: i64,
    delivered: bool,
}

/// A reply on its way, to the leases whose messages it answers.
#[derive(Clone)]
struct Answer {
    to: (usize, u32),
    items: Vec<(BucketKey, LeaseId, Reply)>,
    outcome: ActOutcome,
}

impl Answer {
    fn new(to: (usize, u32), batch: &Batch, reply: &BatchReply) -> Self {
        let items =
            batch.items.iter().zip(&reply.items).map(|(item, answer)| match (&item.request, answer) {
                (Request::Exchange(request), ItemReply::Exchange(answer)) => {
                    (request.bucket, request.lease_id(), *answer)
                }
                _ => unreachable!("the simulation sends no rates"),
            });
        Self { to, items: items.collect(), outcome: reply.outcome.clone() }
    }
}

struct World {
    random: Random,
    fault: Option<Fault>,
    tables: Tables,
    /// True seconds since the run began, and what the store's clock shows beside them.
    elapsed_s: i64,
    clock_offset_s: i64,
    /// The newest configuration of each limit: 0 counts a lifetime, 1 hours.
    published: [Terms; 2],
    processes: Vec<Process>,
    network: Vec<Envelope>,
    replies: Vec<Answer>,
    truth: Truth,
}

const LIMITS: [u8; 2] = [1, 2];
/// The network forgets a message after an hour.
const MESSAGE_LIFE_S: i64 = 3_600;
const OPERATIONS: u64 = 12;

fn terms_of(ver: u64, cap: u64) -> Terms {
    terms_with_marks(ver, Some(cap), &[Mark::new(units(cap), 50), Mark::new(units(cap), 100)])
}

fn period_of(limit: usize) -> Period {
    match limit {
        0 => Period::Lifetime,
        _ => Period::Fixed { length_s: NonZeroU32::new(3_600).unwrap(), anchor: at(0) },
    }
}

fn bucket_of(limit: usize, t: Timestamp) -> (BucketKey, Window) {
    let window = period_of(limit).window_at(t);
    let limit_id = LimitId::from_bytes([LIMITS[limit]; 16]);
    (BucketKey { limit_id, epoch: ConfigVersion::from_raw(1), period_start: window.start }, window)
}

fn operation_key(n: u64) -> OperationKey {
    let (home, _) = bucket_of(0, at(0));
    let id = OperationId::new(&n.to_string());
    OperationKey { scope: OperationScope::new("live", &[]), id, home, previous_start: None }
}

impl World {
    fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut random = Random(seed);
        let published = [terms_of(1, 30), terms_of(1, 12)];
        let processes = (0..3).map(|_| Process::new(&mut random, &published)).collect();
        Self {
            random,
            fault,
            tables: Tables::default(),
            elapsed_s: 0,
            clock_offset_s: 0,
            published,
            processes,
            network: Vec::new(),
            replies: Vec::new(),
            truth: Truth::default(),
        }
    }

    fn clock(&self) -> Timestamp {
        at(self.elapsed_s + self.clock_offset_s)
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..22 => self.send(),
            22..55 => self.deliver_message()?,
            55..81 => self.deliver_reply(),
            81..88 => self.act_locally(),
            88 => self.crash(),
            89 => self.copy_an_idle_process()?,
            90..94 => self.pass_time(),
            94..96 => self.keep_house(),
            96 => self.publish(),
            97 => self.settle_the_dead(),
            _ => self.credit(),
        }
        check::all(self)
    }

    fn send(&mut self) {
        let index = self.random.index(self.processes.len());
        let now = self.clock();
        let Some(batch) = self.processes[index].next_batch(&mut self.random, now) else { return };
        let sender = (index, self.processes[index].generation);
        self.network.push(Envelope { batch, sender, sent_s: self.elapsed_s, delivered: false });
    }

    /// Delivers any message of the network; it may be lost, or stay to come again.
    fn deliver_message(&mut self) -> Result<(), String> {
        let oldest = self.elapsed_s - MESSAGE_LIFE_S;
        self.network.retain(|envelope| envelope.sent_s >= oldest);
        if self.network.is_empty() {
            return Ok(());
        }
        let i = self.random.index(self.network.len());
        let envelope = self.network[i].clone();
        if self.random.one_in(5) {
            self.network.swap_remove(i);
            return Ok(());
        }
        self.network[i].delivered = true;
        let reply = self.exchange(&envelope.batch, envelope.delivered)?;
        if !self.random.one_in(4) {
            self.replies.push(Answer::new(envelope.sender, &envelope.batch, &reply));
        }
        if self.random.one_in(2) {
            self.network.swap_remove(i);
        }
        Ok(())
    }

    /// The store, with the fault it may have.
    fn exchange(&mut self, batch: &Batch, repeated: bool) -> Result<BatchReply, String> {
        let clock = self.clock();
        for item in &batch.items {
            if let Request::Exchange(request) = &item.request {
                self.tamper(request);
            }
        }
        let before = check::Sums::of(&self.tables);
        let reply = match &batch.act {
            Act::Charge(operation) if self.fault == Some(Fault::KeyedChargeAsGrant) && !operation.ask => {
                self.charge_as_grant(batch, clock)
            }
            _ => run(&mut self.tables, batch, clock).map_err(|e| e.to_string())?,
        };
        check::one_exchange(self, &before, repeated)?;
        Ok(reply)
    }

    fn tamper(&mut self, request: &ExchangeRequest) {
        let id = request.lease_id();
        let Some(mut lease) = self.tables.lease(&request.bucket, &id).unwrap() else { return };
        if self.fault == Some(Fault::NonceIgnored) && request.seq == lease.seq {
            lease.nonce = request.nonce;
        }
        if self.fault == Some(Fault::StaleCountersWritten) && request.seq < lease.seq {
            let mut bucket = self.tables.bucket(&request.bucket).unwrap().unwrap();
            bucket.take_out(&lease);
            (lease.seq, lease.counters, lease.ahead) = (request.seq - 1, Counters::default(), 0);
            bucket.put_in(&lease);
            self.tables.put_bucket(&request.bucket, &bucket).unwrap();
        }
        self.tables.put_lease(&request.bucket, &id, &lease).unwrap();
    }

    fn charge_as_grant(&mut self, batch: &Batch, clock: Timestamp) -> BatchReply {
        let Act::Charge(operation) = &batch.act else { unreachable!() };
        if let Some(record) = self.tables.operation(&operation.key).unwrap() {
            let plain = Batch { act: Act::Charge(operation.clone()), ..batch.clone() };
            assert!(!record.lines.is_empty());
            return run(&mut self.tables, &plain, clock).unwrap();
        }
        let mut reply = run(&mut self.tables, &Batch { act: Act::None, ..batch.clone() }, clock).unwrap();
        let ItemReply::Exchange(answer) = &reply.items[0] else { unreachable!() };
        let Request::Exchange(request) = &batch.items[0].request else { unreachable!() };
        let mut outcome = OperationOutcome::Refused;
        if answer.granted > 0 {
            let amount = units(answer.granted.unsigned_abs());
            let lines = vec![super::OperationLine { bucket: request.bucket, amount, refunded: units(0) }];
            outcome = OperationOutcome::Granted(lines.clone());
            let (fingerprint, attempt) = (operation.fingerprint, operation.attempt);
            let record = OperationRecord { fingerprint, attempt, lines, expires_at: Timestamp::MAX };
            self.tables.put_operation(&operation.key, &record).unwrap();
        }
        reply.outcome = ActOutcome::Charge(outcome);
        reply
    }

    fn deliver_reply(&mut self) {
        if self.replies.is_empty() {
            return;
        }
        let i = self.random.index(self.replies.len());
        let answer = self.replies[i].clone();
        let (index, generation) = answer.to;
        if !self.random.one_in(4) {
            self.replies.swap_remove(i);
        }
        if self.processes[index].generation == generation {
            let late = self.fault == Some(Fault::LateReplyAccepted);
            self.processes[index].take(&mut self.random, &answer, late, &mut self.truth);
        }
    }

    fn act_locally(&mut self) {
        let index = self.random.index(self.processes.len());
        self.processes[index].act(&mut self.random, &mut self.truth);
    }

    fn crash(&mut self) {
        let index = self.random.index(self.processes.len());
        self.truth.bury(&self.processes[index], &mut self.tables);
        let generation = self.processes[index].generation + 1;
        self.processes[index] = Process::new(&mut self.random, &self.published);
        self.processes[index].generation = generation;
    }

    /// A copied process whose units were all reported: both copies take one unit, with no message lost.
    fn copy_an_idle_process(&mut self) -> Result<(), String> {
        let index = self.random.index(self.processes.len());
        if !self.processes[index].is_idle() {
            return Ok(());
        }
        let copy = self.processes[index].clone();
        let to = (index, copy.generation);
        for (i, mut twin) in [copy.clone(), copy].into_iter().enumerate() {
            let clock = self.clock();
            let batch = twin.call(&mut self.random, 0, clock, Call::Consume(vec![1]));
            let reply = self.exchange(&batch, false)?;
            twin.take(&mut self.random, &Answer::new(to, &batch, &reply), false, &mut self.truth);
            // The first goes on; the second is gone at once, with nothing unreported.
            if i == 0 {
                self.processes[index] = twin;
            }
        }
        Ok(())
    }

    fn pass_time(&mut self) {
        match self.random.below(20) {
            0 => self.elapsed_s += DAY_S + 7_200,
            1..4 => self.elapsed_s += 3_600,
            4..8 => self.elapsed_s += 400,
            8 => self.clock_offset_s = i64::try_from(self.random.below(7_200)).unwrap() - 3_600,
            _ => self.elapsed_s += 3,
        }
    }

    fn keep_house(&mut self) {
        let clock = self.clock();
        let folded = self.tables.silent_leases(clock.plus_seconds(-DAY_S), 1_000).unwrap();
        let before: Vec<_> =
            folded.iter().map(|(key, id)| (*key, *id, self.tables.lease(key, id).unwrap())).collect();
        maintain::maintain(&mut self.tables, clock, 1_000).unwrap();
        for (key, id, lease) in before {
            if self.tables.lease(&key, &id).unwrap().is_none() {
                self.truth.folded(&key, &lease.unwrap());
            }
        }
        let keys: Vec<BucketKey> = self.tables.keys().copied().collect();
        for key in keys {
            let (bucket, leases) = self.tables.look(&key).unwrap();
            let (mut bucket, leases) = (bucket.clone(), leases.clone());
            if self.fault == Some(Fault::FoldWithoutMark) {
                bucket.fold_mark = Timestamp::EPOCH;
            }
            for (id, mut lease) in leases {
                if self.fault == Some(Fault::ReclaimAtExpiry) && lease.state == LeaseState::Expired {
                    super::settle_open(&mut bucket, &mut lease, Settlement::Unused, &mut Vec::new());
                    self.tables.put_lease(&key, &id, &lease).unwrap();
                }
            }
            self.tables.put_bucket(&key, &bucket).unwrap();
        }
    }

    /// A new configuration; processes learn of it later.
    fn publish(&mut self) {
        let limit = self.random.index(2);
        let ver = self.published[limit].ver.get() + 1;
        self.published[limit] = terms_of(ver, 3 + self.random.below(50));
        let (key, _) = bucket_of(limit, self.clock());
        if self.random.one_in(2) {
            let terms = self.published[limit].clone();
            let change = Configure { limit_id: key.limit_id, terms, renewal: None };
            let clock = self.clock();
            maintain::configure(&mut self.tables, &change, clock).unwrap();
        }
        let index = self.random.index(self.processes.len());
        self.processes[index].known = self.published.clone();
    }

    /// The operator's word, which is true, on the expired leases of a process that died.
    fn settle_the_dead(&mut self) {
        let Some((holder, used)) = self.truth.dead.pop() else { return };
        let settlement = if used { Settlement::Used } else { Settlement::Unused };
        for (key, id) in self.tables.expired_leases(&holder, 1_000).unwrap() {
            let lease = self.tables.lease(&key, &id).unwrap().unwrap();
            self.truth.settled(&key, lease.open());
        }
        let clock = self.clock();
        maintain::settle(&mut self.tables, &holder, settlement, clock, 1_000).unwrap();
    }

    fn credit(&mut self) {
        let n = self.random.below(OPERATIONS);
        let amount = 1 + self.random.below(2);
        let refund_id = RefundId::new(&format!("{n}.{}", self.random.below(3)));
        let amount = CreditAmount::Each(units(amount));
        let credit = Credit::Operation { key: operation_key(n), refund_id, amount, primary_only: false };
        let batch = Batch { act: Act::Credit(credit), ..Batch::default() };
        let clock = self.clock();
        let reply = run(&mut self.tables, &batch, clock).unwrap();
        if let ActOutcome::Credit(CreditOutcome::Credited(lines)) = reply.outcome {
            self.truth.credited(&self.tables, n, &lines);
        }
    }
}

/// Runs `steps` steps; on failure says the seed, the step and what was violated.
fn simulate(seed: u64, steps: usize, fault: Option<Fault>) -> Result<World, String> {
    let mut world = World::new(seed, fault);
    for step in 0..steps {
        world.step().map_err(|e| format!("seed {seed}, step {step}: {e}"))?;
    }
    Ok(world)
}

#[test]
fn no_run_violates_an_invariant() {
    let mut admitted = 0;
    for seed in 0..60 {
        match simulate(seed, 400, None) {
            Ok(world) => admitted += world.truth.admissions,
            Err(e) => panic!("{e}"),
        }
    }
    assert!(admitted > 1_500, "the runs admit calls at all: {admitted}");
}

/// Some seed must show the fault, as a violation of this invariant.
fn check_found(fault: Fault, invariant: &str) {
    let found = (0..400).find_map(|seed| simulate(seed, 400, Some(fault)).err());
    assert!(found.as_ref().is_some_and(|found| found.contains(invariant)), "{fault:?}: {found:?}");
}

#[test]
fn reclaiming_units_at_expiry_is_found() {
    check_found(Fault::ReclaimAtExpiry, "I2: admitted");
}

#[test]
fn accepting_a_late_reply_is_found() {
    check_found(Fault::LateReplyAccepted, "I2");
}

#[test]
fn writing_a_stale_messages_counters_is_found() {
    check_found(Fault::StaleCountersWritten, "I5: ");
}

#[test]
fn ignoring_the_nonce_of_a_copied_holder_is_found() {
    check_found(Fault::NonceIgnored, "I2: admitted");
}

#[test]
fn making_a_keyed_charge_a_lease_grant_is_found() {
    check_found(Fault::KeyedChargeAsGrant, "I2: admitted");
}

#[test]
fn folding_without_a_fold_mark_is_found() {
    check_found(Fault::FoldWithoutMark, "I2, at most");
}
