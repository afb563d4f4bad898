//! The ledger on SQLite against the ledger in memory: equal histories give equal replies and equal rows (I16).

use super::super::memory::MemoryUsage;
use super::spawn::Dice;
use super::tempdir::Dir;
use super::tests::patient;
use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::limit::batch::{Act, Batch, BatchReply, Item, ItemReply, Request};
use crate::limit::gcra::{Rate, RateRequest};
use crate::limit::holder::{Ask, Holding};
use crate::limit::maintain::{Configure, Renewal};
use crate::limit::{
    Attempt, BucketKey, Carry, ConfigVersion, Credit, CreditAmount, Fingerprint, HolderId, LeaseId, LimitId,
    Mark, Nonce, Operation, OperationId, OperationKey, OperationScope, RefundId, Settlement, Terms, Units,
};
use crate::store::{UsageRow, UsageStore};

const START_S: i64 = 1_750_000_000;
const LIMITS: u8 = 5;

/// Two stores on one clock, and the holders that talk to both at once.
struct Pair {
    memory: MemoryUsage,
    sqlite: SqliteStore,
    clock: Arc<ManualClock>,
    holdings: Vec<(Holding, Terms)>,
    dice: Dice,
    fresh: u128,
    _dir: Dir,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let dir = Dir::new();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(START_S)));
        let options = SqliteOptions { clock: clock.clone(), ..patient() };
        let mut pair = Self {
            memory: MemoryUsage::with_clock(clock.clone()),
            sqlite: SqliteStore::open(dir.path("keys.db"), options).unwrap(),
            clock,
            holdings: Vec::new(),
            dice: Dice(seed),
            fresh: 0,
            _dir: dir,
        };
        for n in 0..LIMITS {
            for _ in 0..2 {
                let id = LeaseId { holder: HolderId::from_bytes(pair.bytes()), life: 1 };
                let mark = Mark::new(units(20), 80);
                let cap = (n > 0).then(|| units(u64::from(n) * 10));
                let terms = Terms { ver: version(1), cap, included: cap, marks: [mark].into() };
                pair.holdings.push((Holding::new(bucket(n), id, 0), terms));
            }
        }
        pair
    }

    fn bytes(&mut self) -> [u8; 16] {
        self.fresh += 1;
        self.fresh.to_be_bytes()
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice.roll(sides)
    }

    /// The answer of both stores.
    fn both<T: PartialEq + std::fmt::Debug>(
        &self,
        ask: impl Fn(&dyn UsageStore) -> Result<T, crate::error::Error>,
    ) -> Option<T> {
        let (memory, sqlite) = (ask(&self.memory), ask(&self.sqlite));
        match (memory, sqlite) {
            (Ok(memory), Ok(sqlite)) => {
                assert_eq!(memory, sqlite);
                Some(sqlite)
            }
            (Err(memory), Err(sqlite)) => {
                assert_eq!(memory.kind(), sqlite.kind(), "{memory:?} {sqlite:?}");
                None
            }
            (memory, sqlite) => panic!("memory {memory:?}, sqlite {sqlite:?}"),
        }
    }

    fn step(&mut self) {
        match self.roll(20) {
            0 => self.clock.advance_micros(i64::try_from(self.dice.roll(90)).unwrap() * 1_000_000),
            1 => {
                self.both(|store| store.maintain(50));
            }
            2 => self.reconfigure(),
            3 => self.settle(),
            4 => self.rate(),
            5 => self.credit(),
            6..=8 => self.charge(),
            _ => self.exchange(),
        }
    }

    fn exchange(&mut self) {
        let items = 1 + self.roll(3);
        let chosen: Vec<usize> = (0..items).map(|_| self.dice.roll(u64::from(LIMITS) * 2) as usize).collect();
        let (consume, atomic) = (self.roll(2) == 0, self.roll(2) == 0);
        let mut batch = Batch { atomic, ..Batch::default() };
        for (place, &i) in chosen.iter().enumerate() {
            let twice = chosen[..place].iter().any(|&earlier| earlier / 2 == i / 2);
            if !twice {
                batch.items.push(self.ask(i, consume));
            }
        }
        if let Some(reply) = self.both(|store| store.exchange(&batch)) {
            self.accept(&chosen, &reply);
        }
    }

    fn ask(&mut self, i: usize, consume: bool) -> Item {
        let demand = (0..self.roll(3)).map(|_| units(1 + self.dice.roll(6))).collect();
        let ask = Ask {
            terms: self.holdings[i].1.clone(),
            period_end: period_end(i / 2),
            demand,
            consume,
            rate: 0,
            last_message: self.roll(15) == 0,
            ttl_ms: 60_000,
            hint: Timestamp::EPOCH,
            nonce: Nonce::from_bytes(self.bytes()),
        };
        let holding = &mut self.holdings[i].0;
        let spent = i64::try_from(self.dice.roll(3)).unwrap();
        holding.spend(spent);
        Item { group: None, request: Request::Exchange(holding.next(ask)) }
    }

    /// Some replies get lost, so that later messages supersede them.
    fn accept(&mut self, chosen: &[usize], reply: &BatchReply) {
        let mut replies = reply.items.iter();
        for (place, &i) in chosen.iter().enumerate() {
            if chosen[..place].iter().any(|&earlier| earlier / 2 == i / 2) {
                continue;
            }
            if let Some(ItemReply::Exchange(reply)) = replies.next()
                && self.dice.roll(5) > 0
            {
                self.holdings[i].0.accept(reply);
            }
        }
    }

    fn charge(&mut self) {
        let i = self.roll(u64::from(LIMITS) * 2) as usize;
        let n = self.roll(12);
        let mut item = self.ask(i, false);
        if let Request::Exchange(request) = &mut item.request {
            request.demand = vec![units(1 + n % 4)];
        }
        let operation = Operation {
            key: operation_key(i / 2, n),
            fingerprint: Fingerprint::from_bytes([u8::try_from(n % 4).unwrap(); 16]),
            attempt: Attempt::from_bytes(self.bytes()),
            ask: self.roll(6) == 0,
            ttl_ms: 120_000,
            also: Vec::new(),
        };
        let batch = Batch { items: vec![item], atomic: true, act: Act::Charge(operation) };
        if let Some(reply) = self.both(|store| store.exchange(&batch)) {
            self.accept(&[i], &reply);
        }
    }

    fn credit(&mut self) {
        let n = self.roll(12);
        let credit = Credit::Operation {
            key: operation_key(self.roll(u64::from(LIMITS)) as usize, n),
            refund_id: RefundId::from_bytes([u8::try_from(self.roll(6)).unwrap(); 16]),
            amount: CreditAmount::All,
            primary_only: false,
        };
        let batch = Batch { items: Vec::new(), atomic: true, act: Act::Credit(credit) };
        self.both(|store| store.exchange(&batch));
    }

    fn rate(&mut self) {
        let request = RateRequest {
            limit_id: LimitId::from_bytes([100 + u8::try_from(self.roll(3)).unwrap(); 16]),
            ver: version(1),
            rate: Rate::new(units(5), 10_000_000).unwrap(),
            amount: units(1 + self.roll(4)),
        };
        let batch =
            Batch { items: vec![Item { group: None, request: Request::Rate(request) }], ..Batch::default() };
        self.both(|store| store.exchange(&batch));
    }

    fn reconfigure(&mut self) {
        let n = self.roll(u64::from(LIMITS)) as usize;
        let i = n * 2;
        let mut terms = self.holdings[i].1.clone();
        terms.ver = version(u32::try_from(1 + self.roll(6)).unwrap());
        terms.cap = Some(units(5 + self.roll(40)));
        terms.included = terms.cap;
        let renewal = (self.roll(4) == 0).then(|| Renewal {
            period_start: bucket(u8::try_from(n).unwrap()).period_start,
            period_end: period_end(n),
            carry: Carry::Part { numerator: 1, denominator: 3 },
            nonce: Nonce::from_bytes(self.bytes()),
        });
        let limit_id = bucket(u8::try_from(n).unwrap()).limit_id;
        self.both(|store| store.configure(&Configure { limit_id, terms: terms.clone(), renewal }));
        self.holdings[i].1 = terms;
    }

    fn settle(&mut self) {
        let i = self.roll(u64::from(LIMITS) * 2) as usize;
        let holder = self.holdings[i].0.id().holder;
        let settlement = if self.roll(2) == 0 { Settlement::Used } else { Settlement::Unused };
        self.both(|store| store.settle(holder, settlement));
    }

    fn compare(&self) {
        let limits: Vec<LimitId> = (0..LIMITS).map(|n| bucket(n).limit_id).collect();
        let rows = self.both(|store| store.read(&limits, Timestamp::MIN, Timestamp::MAX)).unwrap();
        assert!(!rows.is_empty());
        self.both(|store| store.events(0, 10_000));
        assert_eq!(self.sqlite.audit().unwrap(), []);
    }
}

fn units(n: u64) -> Units {
    Units::new(n).unwrap()
}

fn version(n: u32) -> ConfigVersion {
    ConfigVersion::new(n, 0).unwrap()
}

/// Limit 1 has a period that ends soon, the others count for life.
fn bucket(n: u8) -> BucketKey {
    let period_start = if n == 1 { Timestamp::from_seconds(START_S) } else { Timestamp::MIN };
    BucketKey { limit_id: LimitId::from_bytes([n; 16]), epoch: version(1), period_start }
}

fn period_end(n: usize) -> Timestamp {
    if n == 1 { Timestamp::from_seconds(START_S + 600) } else { Timestamp::MAX }
}

fn operation_key(n: usize, operation: u64) -> OperationKey {
    OperationKey {
        scope: OperationScope::from_bytes([u8::try_from(n).unwrap(); 16]),
        id: OperationId::from_bytes([u8::try_from(operation).unwrap(); 16]),
        home: bucket(u8::try_from(n).unwrap()),
        previous_start: None,
    }
}

#[test]
fn i16_equal_histories_give_equal_replies_and_rows() {
    for seed in 1..=6 {
        let mut pair = Pair::new(seed);
        for _ in 0..150 {
            pair.step();
        }
        pair.compare();
    }
}

#[test]
fn housekeeping_folds_closes_and_removes_as_in_memory() {
    let mut pair = Pair::new(99);
    for _ in 0..60 {
        pair.exchange();
        pair.rate();
    }
    for days in [1, 2, 400, 401] {
        pair.clock.set(Timestamp::from_seconds(START_S + days * 86_400));
        // One asks bucket by bucket, the other table by table; in the end both have done all.
        for store in [&pair.memory as &dyn UsageStore, &pair.sqlite] {
            while store.maintain(20).unwrap().more {}
            for _ in 0..4 {
                store.maintain(200).unwrap();
            }
        }
        pair.compare();
    }
}

#[test]
fn erasing_limits_leaves_the_others() {
    let mut pair = Pair::new(7);
    for _ in 0..80 {
        pair.exchange();
    }
    let gone = [bucket(2).limit_id, bucket(3).limit_id];
    pair.both(|store| store.erase(&gone));
    pair.both(|store| {
        store.read(&gone, Timestamp::MIN, Timestamp::MAX).map(|rows: Vec<UsageRow>| rows.len())
    });
    let left: Vec<LimitId> = (0..LIMITS).map(|n| bucket(n).limit_id).collect();
    assert_eq!(pair.both(|store| store.read(&left, Timestamp::MIN, Timestamp::MAX)).unwrap().len(), 3);
}

#[test]
fn counts_and_events_are_there_after_reopening() {
    let dir = Dir::new();
    let open = || SqliteStore::open(dir.path("keys.db"), patient()).unwrap();
    let first = open();
    let id = LeaseId { holder: HolderId::from_bytes([1; 16]), life: 1 };
    let mut holding = Holding::new(bucket(0), id, 0);
    let ask = Ask {
        terms: Terms {
            ver: version(1),
            cap: Some(units(10)),
            included: None,
            marks: [Mark::new(units(10), 50)].into(),
        },
        period_end: Timestamp::MAX,
        demand: vec![units(6)],
        consume: true,
        rate: 0,
        last_message: false,
        ttl_ms: 1_000,
        hint: Timestamp::EPOCH,
        nonce: Nonce::from_bytes([1; 16]),
    };
    let item = Item { group: None, request: Request::Exchange(holding.next(ask)) };
    first.exchange(&Batch { items: vec![item], ..Batch::default() }).unwrap();
    let read = |store: &SqliteStore| {
        let rows = UsageStore::read(store, &[bucket(0).limit_id], Timestamp::MIN, Timestamp::MAX).unwrap();
        (rows[0].bucket.confirmed, store.events(0, 9).unwrap().len())
    };
    assert_eq!(read(&first), (6, 1));
    UsageStore::close(&first).unwrap();
    let second = open();
    assert_eq!(read(&second), (6, 1));
    second.acknowledge(second.events(0, 9).unwrap()[0].number).unwrap();
    assert_eq!(read(&second), (6, 0));
}
