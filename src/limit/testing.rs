//! Helpers of this module's tests: a bucket, holders that talk to it, and the tables they meet in.

use super::batch::{Act, ActOutcome, Batch, BatchReply, Item, ItemReply, Request, run};
use super::holder::{Accepted, Ask, Holding};
use super::tables::Tables;
use super::{
    BucketKey, ConfigVersion, EventKind, ExchangeRequest, HolderId, LeaseId, LimitId, Mark, Nonce, Reply,
    Terms, Units, audit,
};
use crate::clock::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const DAY_S: i64 = 86_400;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_750_000_000 + seconds)
}

pub(super) fn units(n: u64) -> Units {
    Units::new(n).unwrap()
}

/// A lifetime bucket of limit `n`.
pub(super) fn lifetime(n: u8) -> BucketKey {
    BucketKey {
        limit_id: LimitId::from_bytes([n; 16]),
        epoch: ConfigVersion::from_raw(1),
        period_start: Timestamp::MIN,
    }
}

pub(super) fn terms(ver: u64, cap: Option<u64>) -> Terms {
    terms_with_marks(ver, cap, &[])
}

pub(super) fn terms_with_marks(ver: u64, cap: Option<u64>, marks: &[Mark]) -> Terms {
    let cap = cap.map(units);
    Terms { ver: ConfigVersion::from_raw(ver), cap, included: cap, marks: marks.into() }
}

pub(super) fn fresh_bytes() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
}

/// One process with one bucket.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) holding: Holding,
    pub(super) terms: Terms,
    pub(super) period_end: Timestamp,
}

impl Party {
    pub(super) fn new(bucket: BucketKey, terms: Terms) -> Self {
        let id = LeaseId { holder: HolderId::from_bytes(fresh_bytes()), life: 1 };
        Self { holding: Holding::new(bucket, id, 0), terms, period_end: Timestamp::MAX }
    }

    pub(super) fn ask(&mut self, demand: &[u64], consume: bool) -> ExchangeRequest {
        let demand = demand.iter().map(|n| units(*n)).collect();
        self.next(demand, consume, false)
    }

    pub(super) fn last_message(&mut self) -> ExchangeRequest {
        self.next(Vec::new(), false, true)
    }

    fn next(&mut self, demand: Vec<Units>, consume: bool, last_message: bool) -> ExchangeRequest {
        self.holding.next(Ask {
            terms: self.terms.clone(),
            period_end: self.period_end,
            demand,
            consume,
            rate: 0,
            last_message,
            ttl_ms: 330_000,
            hint: Timestamp::EPOCH,
            nonce: Nonce::from_bytes(fresh_bytes()),
        })
    }

    /// Sends and accepts; the reply and the calls served.
    pub(super) fn exchange(
        &mut self,
        tables: &mut Tables,
        demand: &[u64],
        consume: bool,
        clock: Timestamp,
    ) -> Reply {
        let request = self.ask(demand, consume);
        let reply = send(tables, &request, clock);
        assert!(matches!(self.holding.accept(&reply), Accepted::Served(_)), "{reply:?}");
        reply
    }
}

pub(super) fn item(request: ExchangeRequest) -> Item {
    Item { group: None, request: Request::Exchange(request) }
}

/// Runs one exchange by itself.
pub(super) fn send(tables: &mut Tables, request: &ExchangeRequest, clock: Timestamp) -> Reply {
    let reply = run_batch(tables, vec![item(request.clone())], false, Act::None, clock);
    assert_eq!(reply.outcome, ActOutcome::None);
    exchange_reply(&reply, 0)
}

/// Runs a batch and audits every bucket.
pub(super) fn run_batch(
    tables: &mut Tables,
    items: Vec<Item>,
    atomic: bool,
    act: Act,
    clock: Timestamp,
) -> BatchReply {
    let reply = run(tables, &Batch { items, atomic, act }, clock).unwrap();
    audit_all(tables);
    reply
}

pub(super) fn exchange_reply(reply: &BatchReply, i: usize) -> Reply {
    match &reply.items[i] {
        ItemReply::Exchange(reply) => *reply,
        ItemReply::Rate(rate) => panic!("an exchange was expected, not {rate:?}"),
    }
}

pub(super) fn audit_all(tables: &Tables) {
    for key in tables.keys() {
        let (bucket, leases) = tables.look(key).unwrap();
        assert_eq!(audit(bucket, leases.values()), Ok(()));
        assert!(bucket.is_sound(), "{bucket:?}");
        assert!(leases.values().all(super::Lease::is_sound), "{leases:?}");
    }
}

/// `(charged, confirmed, forfeited)` of a bucket.
pub(super) fn sums(tables: &Tables, key: &BucketKey) -> (i64, i64, i64) {
    let (bucket, _) = tables.look(key).unwrap();
    (bucket.charged, bucket.confirmed, bucket.forfeited)
}

pub(super) fn events(tables: &mut Tables) -> Vec<EventKind> {
    tables.take_events().map(|(_, kind, _)| kind).collect()
}
