//! Exchanges: what is counted, granted and refused.

use super::{Party, act, bucket, exchange_reply, item, send, sums, terms, units};
use crate::clock::Timestamp;
use crate::error::ErrorKind;
use crate::limit::batch::{Act, Batch, Item, ItemReply, Request};
use crate::limit::gcra::{Rate, RateReply, RateRequest};
use crate::limit::{BucketKey, ConfigVersion, LimitId, Reason, Units};
use crate::store::UsageStore;
use std::sync::atomic::{AtomicI64, Ordering};

pub(in crate::store::conformance) fn a_new_store_counts_nothing(store: &dyn UsageStore) {
    let limits = [1, 2].map(|n| LimitId::from_bytes([n; 16]));
    assert_eq!(store.read(&limits, Timestamp::MIN, Timestamp::MAX).unwrap(), []);
    assert_eq!(store.read(&[], Timestamp::MIN, Timestamp::MAX).unwrap(), []);
    assert_eq!(store.events(0, 10).unwrap(), []);
    assert_eq!(store.audit().unwrap(), []);
}

/// Also the first calls on one new bucket, all at once (B17).
pub(in crate::store::conformance) fn parallel_calls_admit_exactly_the_cap(store: &dyn UsageStore) {
    let admitted = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for process in 1..=8 {
            let admitted = &admitted;
            scope.spawn(move || {
                let mut party = Party::new(process, bucket(1), Some(50));
                for _ in 0..15 {
                    admitted.fetch_add(party.exchange(store, &[1], true).granted, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((admitted.into_inner(), sums(store, &bucket(1))), (50, (50, 50, 0)));
}

pub(in crate::store::conformance) fn whole_calls_are_served_in_order(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(10));
    let reply = party.exchange(store, &[4, 3, 9, 1], true);
    assert_eq!((reply.granted, reply.reason), (7, Reason::Insufficient(3)));
    assert_eq!((reply.charged, reply.confirmed, reply.cap), (7, 7, Some(10)));
    let reply = party.exchange(store, &[3], true);
    assert_eq!((reply.granted, reply.reason), (3, Reason::None));
    assert_eq!(party.exchange(store, &[1], true).reason, Reason::Exhausted);
}

pub(in crate::store::conformance) fn a_repeated_or_late_message_changes_no_total(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(10));
    let first = party.ask(&[4], true);
    let reply = send(store, first.clone());
    let again = send(store, first.clone());
    assert_eq!((again.seq, again.granted, again.reason), (reply.seq, reply.granted, reply.reason));
    party.holding.accept(&reply);
    party.exchange(store, &[2], true);
    assert_eq!(send(store, first.clone()).reason, Reason::Stale);
    let mut copied = first;
    copied.seq = 2;
    assert_eq!(send(store, copied).reason, Reason::Cloned);
    assert_eq!(sums(store, &bucket(1)), (6, 6, 0));
}

pub(in crate::store::conformance) fn units_are_reserved_used_returned_and_refunded(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(10));
    party.exchange(store, &[8], false);
    assert_eq!(sums(store, &bucket(1)), (8, 0, 0));
    assert!(party.holding.spend(5) && party.holding.refund(2));
    party.holding.give_back();
    party.exchange(store, &[], false);
    assert_eq!(sums(store, &bucket(1)), (3, 3, 0));
    party.holding.overrun(20);
    party.exchange(store, &[], false);
    assert_eq!(sums(store, &bucket(1)), (23, 23, 0), "an overrun is visible above the cap");
    assert_eq!(party.exchange(store, &[1], true).reason, Reason::Exhausted);
}

pub(in crate::store::conformance) fn a_lost_grant_falls_away_and_a_forgotten_one_is_restored(
    store: &dyn UsageStore,
) {
    let mut party = Party::new(1, bucket(1), Some(10));
    let lost = party.ask(&[9], true);
    send(store, lost);
    party.exchange(store, &[2], true);
    assert_eq!(sums(store, &bucket(1)), (2, 2, 0));
    store.erase(&[bucket(1).limit_id]).unwrap();
    party.exchange(store, &[], false);
    assert_eq!(sums(store, &bucket(1)), (2, 2, 0));
    assert_eq!(super::row(store, &bucket(1)).bucket.healed, 2);
}

pub(in crate::store::conformance) fn the_largest_amounts_are_counted_exactly(store: &dyn UsageStore) {
    let most = Units::MAX.get();
    let mut party = Party::new(1, bucket(1), Some(most));
    assert_eq!(party.exchange(store, &[most - 1], true).reason, Reason::None);
    assert_eq!(party.exchange(store, &[2], true).reason, Reason::Insufficient(1));
    assert_eq!(party.exchange(store, &[1], true).reason, Reason::None);
    assert_eq!(sums(store, &bucket(1)).0, Units::MAX.signed());
    let key = BucketKey {
        limit_id: LimitId::from_bytes([255; 16]),
        epoch: ConfigVersion::from_raw((1 << 52) - 1),
        period_start: Timestamp::MIN,
    };
    let mut unlimited = Party::new(u64::from(u32::MAX), key, None);
    assert_eq!(unlimited.exchange(store, &[most], true).cap, None);
    assert_eq!(sums(store, &key).0, Units::MAX.signed());
}

pub(in crate::store::conformance) fn an_invalid_batch_is_an_error_and_changes_nothing(
    store: &dyn UsageStore,
) {
    let mut party = Party::new(1, bucket(1), Some(10));
    let mut request = party.ask(&[1], true);
    request.counters.used = 1 << 53;
    let batches = [
        Batch { items: vec![item(request)], ..Batch::default() },
        Batch { items: vec![item(party.ask(&[1], true)); 2], atomic: true, act: Act::None },
        Batch { items: vec![item(party.ask(&[1], true)); 65], ..Batch::default() },
    ];
    for batch in batches {
        assert_eq!(store.exchange(&batch).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(store.read(&[bucket(1).limit_id], Timestamp::MIN, Timestamp::MAX).unwrap(), []);
}

pub(in crate::store::conformance) fn an_atomic_batch_is_all_or_nothing(store: &dyn UsageStore) {
    if !store.capabilities().atomic_batches {
        return;
    }
    let (mut a, mut b) = (Party::new(1, bucket(1), Some(10)), Party::new(1, bucket(2), Some(3)));
    for (left, reasons) in [
        (4, [Reason::None, Reason::None]),
        (4, [Reason::NotTaken, Reason::Insufficient(1)]),
        (4, [Reason::NotTaken, Reason::Insufficient(1)]),
    ] {
        let reply = act(store, vec![item(a.ask(&[left], true)), item(b.ask(&[2], true))], Act::None);
        let replies = [exchange_reply(&reply, 0), exchange_reply(&reply, 1)];
        assert_eq!(replies.map(|reply| reply.reason), reasons);
        a.holding.accept(&replies[0]);
        b.holding.accept(&replies[1]);
    }
    assert_eq!((sums(store, &bucket(1)), sums(store, &bucket(2))), ((4, 4, 0), (2, 2, 0)));
}

/// Batches that meet in any order neither wait for each other for ever nor come out half.
pub(in crate::store::conformance) fn parallel_atomic_batches_stand_whole(store: &dyn UsageStore) {
    if !store.capabilities().atomic_batches {
        return;
    }
    let whole = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for process in 1..=6_u64 {
            let whole = &whole;
            scope.spawn(move || {
                let mut limits = [1, 2, 3].map(|n| Party::new(process, bucket(n), Some(25)));
                for round in 0..10 {
                    let first = (usize::try_from(process).unwrap() + round) % 3;
                    let order = [first, (first + 1) % 3, (first + 2) % 3];
                    let items = order.map(|i| item(limits[i].ask(&[1], true))).to_vec();
                    let reply = act(store, items, Act::None);
                    let granted: i64 = (0..3).map(|i| exchange_reply(&reply, i).granted).sum();
                    assert!(granted == 0 || granted == 3, "{granted} of 3 limits were taken");
                    whole.fetch_add(granted / 3, Ordering::Relaxed);
                    for (place, i) in order.into_iter().enumerate() {
                        limits[i].holding.accept(&exchange_reply(&reply, place));
                    }
                }
            });
        }
    });
    assert_eq!(whole.into_inner(), 25);
    for n in 1..=3 {
        assert_eq!(sums(store, &bucket(n)), (25, 25, 0));
    }
}

fn rate(store: &dyn UsageStore, text: &str, ver: u64, amount: u64) -> RateReply {
    let rate = Rate::parse(text).unwrap();
    let (limit_id, ver) = (LimitId::from_bytes([9; 16]), ConfigVersion::from_raw(ver));
    let request = Request::Rate(RateRequest { limit_id, ver, rate, amount: units(amount) });
    let reply =
        store.exchange(&Batch { items: vec![Item { group: None, request }], ..Batch::default() }).unwrap();
    match reply.items[..] {
        [ItemReply::Rate(reply)] => reply,
        _ => panic!("a rate was answered with {reply:?}"),
    }
}

pub(in crate::store::conformance) fn a_strict_rate_is_one_for_all(store: &dyn UsageStore) {
    assert!(rate(store, "10/d", 1, 7).taken);
    let refused = rate(store, "10/d", 1, 4);
    assert_eq!((refused.taken, refused.verdict.remaining), (false, units(3)));
    assert_eq!(rate(store, "10/d", 1, 11).verdict.wait_us, None);
    assert!(rate(store, "10/d", 1, 3).taken);
    assert!(!rate(store, "10/d", 1, 1).taken);
    // A higher rate keeps what is in; the lower one, come late, is still judged by its own numbers.
    assert!(rate(store, "20/d", 2, 10).taken);
    assert!(!rate(store, "10/d", 1, 1).taken);
}

pub(in crate::store::conformance) fn a_newer_configuration_stays(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(10));
    party.exchange(store, &[5], true);
    let mut newer = Party { terms: terms(2, Some(6)), ..Party::new(2, bucket(1), None) };
    assert_eq!(newer.exchange(store, &[1], true).cap, Some(6));
    let reply = party.exchange(store, &[1], true);
    assert_eq!(
        (reply.reason, reply.cap, reply.ver),
        (Reason::Exhausted, Some(6), ConfigVersion::from_raw(2))
    );
}
