//! Configuration, events, housekeeping and the operator's acts.

use super::{Party, bucket, exchange_reply, item, row, send, sums, terms, units};
use crate::clock::Timestamp;
use crate::limit::batch::Batch;
use crate::limit::maintain::{Configure, Renewal};
use crate::limit::{BucketKey, Carry, ConfigVersion, EventKind, LimitId, Nonce, Reason, Settlement};
use crate::store::UsageStore;

pub(in crate::store::conformance) fn configure_reaches_open_buckets(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(50));
    party.exchange(store, &[40], true);
    let change =
        |ver, cap| Configure { limit_id: bucket(1).limit_id, terms: terms(ver, Some(cap)), renewal: None };
    assert_eq!(store.configure(&change(3, 40)).unwrap(), 1);
    assert_eq!(store.configure(&change(2, 90)).unwrap(), 0);
    let reply = party.exchange(store, &[1], true);
    assert_eq!((reply.reason, reply.cap), (Reason::Exhausted, Some(40)));
    let unused = Configure { limit_id: LimitId::from_bytes([7; 16]), ..change(9, 9) };
    assert_eq!(store.configure(&unused).unwrap(), 0);
}

pub(in crate::store::conformance) fn a_limit_begins_anew_with_what_it_carries(store: &dyn UsageStore) {
    let mut old = Party::new(1, bucket(1), Some(50));
    old.exchange(store, &[20], true);
    old.exchange(store, &[10], false);
    let (period_start, period_end, nonce) = (Timestamp::MIN, Timestamp::MAX, Nonce::from_bytes([3; 16]));
    let renewal = Renewal { period_start, period_end, carry: Carry::All, nonce };
    let limit_id = bucket(1).limit_id;
    let change = Configure { limit_id, terms: terms(2, Some(50)), renewal: Some(renewal) };
    assert_eq!(store.configure(&change).unwrap(), 1);
    assert_eq!(store.configure(&change).unwrap(), 0);
    assert_eq!(old.exchange(store, &[1], true).reason, Reason::Closed);
    assert_eq!(sums(store, &bucket(1)), (30, 20, 10), "what is out is forfeited, and still charged");
    let new = BucketKey { epoch: ConfigVersion::from_raw(2), ..bucket(1) };
    assert_eq!(sums(store, &new), (30, 30, 0));
    // A late report still counts, where it was granted.
    assert!(old.holding.spend(4));
    old.exchange(store, &[], false);
    assert_eq!(sums(store, &bucket(1)), (30, 24, 6));
}

pub(in crate::store::conformance) fn the_operators_word_settles_expired_leases(store: &dyn UsageStore) {
    for (n, settlement, settled) in [(1, Settlement::Used, (6, 6, 0)), (2, Settlement::Unused, (0, 0, 0))] {
        let mut party = Party::new(u64::from(n), bucket(n), Some(50));
        party.exchange(store, &[6], false);
        let holder = party.holding.id().holder;
        assert_eq!(store.settle(holder, settlement).unwrap(), 0, "a live lease is its holder's");
        // Closing the bucket expires its leases.
        let (period_start, period_end, nonce) = (Timestamp::MIN, Timestamp::MAX, Nonce::default());
        let renewal = Renewal { period_start, period_end, carry: Carry::Nothing, nonce };
        let limit_id = bucket(n).limit_id;
        store.configure(&Configure { limit_id, terms: terms(2, None), renewal: Some(renewal) }).unwrap();
        assert_eq!(store.settle(holder, settlement).unwrap(), 1);
        assert_eq!(sums(store, &bucket(n)), settled);
        assert_eq!(store.settle(holder, settlement).unwrap(), 0);
        party.exchange(store, &[], false);
        assert_eq!(sums(store, &bucket(n)), (6, 0, 6), "the holder came back: its own numbers stand");
    }
}

pub(in crate::store::conformance) fn events_wait_in_order_until_they_are_acknowledged(
    store: &dyn UsageStore,
) {
    let mut party = Party::new(1, bucket(1), Some(10));
    party.exchange(store, &[8], true);
    party.exchange(store, &[2], true);
    assert!(party.holding.refund(5));
    party.holding.give_back();
    party.exchange(store, &[], false);
    let events = store.events(0, 100).unwrap();
    let reached = |percent, at| EventKind::Reached { percent, at: units(at) };
    let recovered = |percent, at| EventKind::Recovered { percent, at: units(at) };
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [reached(80, 8), reached(100, 10), recovered(80, 8), recovered(100, 10)]);
    assert!(events.iter().all(|event| event.key == bucket(1)));
    assert!(events.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert_eq!(store.events(0, 2).unwrap(), events[..2]);
    assert_eq!(store.events(events[1].number, 100).unwrap(), events[2..]);
    store.acknowledge(events[1].number).unwrap();
    assert_eq!(store.events(0, 100).unwrap(), events[2..], "the others stay");
    store.acknowledge(events[3].number).unwrap();
    party.exchange(store, &[4], true);
    let later = store.events(0, 100).unwrap();
    assert!(later.iter().all(|event| event.number > events[3].number), "numbers are never used again");
}

pub(in crate::store::conformance) fn rows_are_read_by_limit_and_period(store: &dyn UsageStore) {
    let now = Party::new(9, bucket(9), None).exchange(store, &[1], true).now;
    let hour = |n: i64| now.plus_seconds(3_600 * n);
    for (n, start) in [(2, -1), (1, -1), (1, -30), (3, -1), (1, 30)] {
        let key = BucketKey { period_start: hour(start), ..bucket(n) };
        let mut party = Party::new(1, key, Some(5));
        let mut request = party.ask(&[], false);
        request.period_end = hour(start + 2);
        send(store, request);
    }
    let read = |limits: &[u8], from, until| -> Vec<(u8, Timestamp)> {
        let ids: Vec<LimitId> = limits.iter().map(|n| LimitId::from_bytes([*n; 16])).collect();
        let rows = store.read(&ids, from, until).unwrap();
        rows.iter().map(|row| (row.key.limit_id.as_bytes()[0], row.key.period_start)).collect()
    };
    assert_eq!(read(&[1, 2], hour(0), hour(1)), [(1, hour(-1)), (2, hour(-1))]);
    assert_eq!(read(&[1], Timestamp::MIN, Timestamp::MAX), [(1, hour(-30)), (1, hour(-1)), (1, hour(30))]);
    assert_eq!(read(&[1], hour(1), hour(30)), [], "[from, until) meets neither an end nor a start");
    assert_eq!(read(&[1], hour(1).plus_micros(-1), hour(30).plus_micros(1)), [(1, hour(-1)), (1, hour(30))]);
    assert_eq!(read(&[9], hour(0), hour(1)), [(9, Timestamp::MIN)]);
}

pub(in crate::store::conformance) fn maintain_closes_what_is_over_and_removes_what_is_old(
    store: &dyn UsageStore,
) {
    let now = Party::new(9, bucket(9), None).exchange(store, &[1], true).now;
    let day = 86_400;
    // Ended a day ago, and so long ago that its row may go as soon as it is closed.
    for (n, ended) in [(1, -day), (2, day)] {
        let key = BucketKey { period_start: now.plus_seconds(-10 * day), ..bucket(n) };
        let mut party = Party::new(1, key, Some(5));
        let mut request = party.ask(&[1], true);
        request.period_end = now.plus_seconds(ended);
        let reason = send(store, request).reason;
        assert_eq!(reason, if n == 1 { Reason::WrongPeriod } else { Reason::None });
    }
    let done = store.maintain(100).unwrap();
    assert_eq!((done.closed, done.removed), (1, 0));
    assert_eq!(store.maintain(100).unwrap().closed, 0);
    let closed = |n| {
        let key = BucketKey { period_start: now.plus_seconds(-10 * day), ..bucket(n) };
        row(store, &key).bucket.closed
    };
    assert!(closed(1) && !closed(2));
    // A period that ended before what is kept is not begun at all.
    let key = BucketKey { period_start: now.plus_seconds(-500 * day), ..bucket(3) };
    let mut request = Party::new(1, key, Some(5)).ask(&[1], true);
    request.period_end = now.plus_seconds(-401 * day);
    assert_eq!(send(store, request).reason, Reason::Closed);
    assert_eq!(store.read(&[key.limit_id], Timestamp::MIN, Timestamp::MAX).unwrap(), []);
}

pub(in crate::store::conformance) fn erasing_removes_these_limits_and_no_other(store: &dyn UsageStore) {
    for n in 1..=3 {
        Party::new(1, bucket(n), Some(5)).exchange(store, &[1], true);
    }
    store.erase(&[bucket(1).limit_id, bucket(3).limit_id, LimitId::from_bytes([77; 16])]).unwrap();
    let limits = [1, 2, 3].map(|n| bucket(n).limit_id);
    let rows = store.read(&limits, Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!(rows.iter().map(|row| row.key).collect::<Vec<_>>(), [bucket(2)]);
    let mut again = Party::new(2, bucket(1), Some(5));
    assert_eq!(again.exchange(store, &[1], true).charged, 1);
}

pub(in crate::store::conformance) fn as_many_requests_as_it_says_go_in_one_batch(store: &dyn UsageStore) {
    let most = store.capabilities().batch_max.min(Batch::MAX_ITEMS);
    assert!(most >= 1);
    let mut parties: Vec<Party> = (0..most).map(|n| Party::new(1, bucket(n as u8), Some(5))).collect();
    let items = parties.iter_mut().map(|party| item(party.ask(&[2], true))).collect();
    let reply = store.exchange(&Batch { items, ..Batch::default() }).unwrap();
    assert_eq!(reply.items.len(), most);
    for (i, party) in parties.iter().enumerate() {
        assert_eq!(exchange_reply(&reply, i).granted, 2);
        assert_eq!(sums(store, party.holding.bucket()), (2, 2, 0));
    }
}
