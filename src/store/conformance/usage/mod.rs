//! What a usage store must do. Time is the store's own, so these cases hold for any clock that goes forward.

pub(super) mod counting;
pub(super) mod histories;
pub(super) mod keeping;
pub(super) mod keyed;

use crate::clock::Timestamp;
use crate::limit::batch::{Act, ActOutcome, Batch, BatchReply, Item, ItemReply, Request};
use crate::limit::holder::{Accepted, Ask, Holding};
use crate::limit::{
    BucketKey, ConfigVersion, ExchangeRequest, HolderId, LeaseId, LimitId, Mark, Nonce, Reply, Terms, Units,
};
use crate::store::{UsageRow, UsageStore};

/// A lifetime bucket of limit `n`.
fn bucket(n: u8) -> BucketKey {
    let limit_id = LimitId::from_bytes([n; 16]);
    BucketKey { limit_id, epoch: ConfigVersion::from_raw(1), period_start: Timestamp::MIN }
}

fn units(n: u64) -> Units {
    Units::new(n).unwrap()
}

fn terms(ver: u64, cap: Option<u64>) -> Terms {
    let cap = cap.map(units);
    let marks = cap.map_or_else(Vec::new, |cap| vec![Mark::new(cap, 80), Mark::new(cap, 100)]);
    Terms { ver: ConfigVersion::from_raw(ver), cap, included: cap, marks: marks.into() }
}

/// One process with one bucket. Its random bytes are counted, so that a case does the same each time.
#[derive(Clone)]
struct Party {
    holding: Holding,
    terms: Terms,
    nonces: u64,
}

impl Party {
    fn new(process: u64, bucket: BucketKey, cap: Option<u64>) -> Self {
        let holder = HolderId::from_bytes((u128::from(process) << 64).to_be_bytes());
        let holding = Holding::new(bucket, LeaseId { holder, life: 1 }, 0);
        Self { holding, terms: terms(1, cap), nonces: process << 32 }
    }

    fn ask(&mut self, demand: &[u64], consume: bool) -> ExchangeRequest {
        self.nonces += 1;
        self.holding.next(Ask {
            terms: self.terms.clone(),
            period_end: Timestamp::MAX,
            demand: demand.iter().map(|n| units(*n)).collect(),
            consume,
            rate: 0,
            last_message: false,
            ttl_ms: 330_000,
            hint: Timestamp::EPOCH,
            nonce: Nonce::from_bytes(u128::from(self.nonces).to_be_bytes()),
        })
    }

    fn exchange(&mut self, store: &dyn UsageStore, demand: &[u64], consume: bool) -> Reply {
        let request = self.ask(demand, consume);
        let reply = send(store, request);
        assert!(matches!(self.holding.accept(&reply), Accepted::Served(_)), "{reply:?}");
        reply
    }
}

fn item(request: ExchangeRequest) -> Item {
    Item { group: None, request: Request::Exchange(request) }
}

fn send(store: &dyn UsageStore, request: ExchangeRequest) -> Reply {
    let reply = store.exchange(&Batch { items: vec![item(request)], ..Batch::default() }).unwrap();
    assert_eq!((reply.items.len(), &reply.outcome), (1, &ActOutcome::None));
    exchange_reply(&reply, 0)
}

fn exchange_reply(reply: &BatchReply, i: usize) -> Reply {
    match &reply.items[i] {
        ItemReply::Exchange(reply) => *reply,
        ItemReply::Rate(rate) => panic!("an exchange was answered with {rate:?}"),
    }
}

fn act(store: &dyn UsageStore, items: Vec<Item>, act: Act) -> BatchReply {
    let atomic = items.len() > 1;
    store.exchange(&Batch { items, atomic, act }).unwrap()
}

fn row(store: &dyn UsageStore, key: &BucketKey) -> UsageRow {
    let rows = store.read(&[key.limit_id], Timestamp::MIN, Timestamp::MAX).unwrap();
    rows.into_iter().find(|row| row.key == *key).expect("the bucket has a row")
}

/// `(charged, confirmed, forfeited)`; every sum of the store agrees with its rows.
fn sums(store: &dyn UsageStore, key: &BucketKey) -> (i64, i64, i64) {
    assert_eq!(store.audit().unwrap(), []);
    let bucket = row(store, key).bucket;
    (bucket.charged, bucket.confirmed, bucket.forfeited)
}
