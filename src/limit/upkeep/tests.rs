#![allow(clippy::type_complexity, reason = "a case is a plain row")]

use super::*;
use crate::limit::testing::*;
use crate::limit::{Counters, Incarnation};

#[test]
fn what_is_carried_is_rounded_down() {
    let part = |numerator, denominator| Carry::Part { numerator, denominator };
    let cases = [
        (Carry::All, 7, 7),
        (Carry::Nothing, 7, 0),
        (part(1, 2), 7, 3),
        (part(3, 2), 7, 7),
        (part(1, 0), 7, 0),
        (part(u32::MAX, u32::MAX), i64::MAX, i64::MAX),
    ];
    for (carry, charged, expected) in cases {
        assert_eq!(carry.of(charged), expected, "{carry:?}");
    }
}

fn lease(state: LeaseState, granted: i64, used: i64) -> Lease {
    let counters = Counters { used, ..Counters::default() };
    Lease { granted, counters, state, last_at: at(0), ..Lease::ABSENT }
}

#[test]
fn an_audit_names_the_sum_that_is_wrong() {
    let leases =
        [lease(LeaseState::Live, 5, 3), lease(LeaseState::Expired, 7, 1), lease(LeaseState::Closed, 2, 2)];
    let mut bucket = Bucket::new(Timestamp::MAX, &terms(1, Some(50)), Incarnation::default(), at(0));
    bucket.base = 10;
    (bucket.charged, bucket.confirmed, bucket.forfeited, bucket.live) = (24, 16, 6, 1);
    assert_eq!(audit(&bucket, leases.iter()), Ok(()));
    let spoil: [(&str, fn(&mut Bucket)); 4] = [
        ("charged", |b| b.charged += 1),
        ("confirmed", |b| b.confirmed -= 1),
        ("forfeited", |b| b.forfeited += 1),
        ("live", |b| b.live = 0),
    ];
    for (sum, spoil) in spoil {
        let mut bucket = bucket.clone();
        spoil(&mut bucket);
        assert_eq!(audit(&bucket, leases.iter()).unwrap_err().sum, sum);
    }
}

#[test]
fn only_silent_leases_with_nothing_open_fold() {
    let day = at(DAY_S);
    let cases = [
        (lease(LeaseState::Live, 5, 5), day, true),
        (lease(LeaseState::Closed, 5, 5), day, true),
        (lease(LeaseState::Live, 5, 5), day.plus_micros(-1), false),
        (lease(LeaseState::Expired, 5, 4), day, false),
        (Lease::ABSENT, day, false),
    ];
    for (lease, now, folds) in cases {
        let mut bucket = Bucket::new(Timestamp::MAX, &terms(1, Some(50)), Incarnation::default(), at(0));
        bucket.put_in(&lease);
        let sums = (bucket.charged, bucket.confirmed);
        assert_eq!(fold(&mut bucket, &lease, now), folds, "{lease:?}");
        assert_eq!((bucket.charged, bucket.confirmed), sums);
        let remaining = if folds { vec![] } else { vec![lease] };
        assert_eq!(audit(&bucket, remaining.iter()), Ok(()));
        assert_eq!(bucket.fold_mark, if folds { at(0) } else { Timestamp::EPOCH });
    }
}

fn bucket_of(lease: &Lease) -> Bucket {
    let mut bucket = Bucket::new(Timestamp::MAX, &terms(1, Some(50)), Incarnation::default(), at(0));
    bucket.put_in(lease);
    bucket
}

#[test]
fn a_lease_expires_when_its_time_is_over_and_at_once_when_its_bucket_closes() {
    let live = Lease { expires_at: at(100), ..lease(LeaseState::Live, 5, 3) };
    for (now, closes, forfeited) in [(99, false, 0), (100, false, 2), (99, true, 2)] {
        let (mut bucket, mut lease) = (bucket_of(&live), live);
        if closes {
            close(&mut bucket, std::iter::once(&mut lease), at(now), false);
        } else {
            sweep(&mut bucket, std::iter::once(&mut lease), at(now), false);
        }
        assert_eq!((bucket.forfeited, bucket.closed), (forfeited, closes), "at {now}");
        assert_eq!((bucket.charged, bucket.confirmed), (5, 3));
        assert_eq!(audit(&bucket, std::iter::once(&lease)), Ok(()));
        assert_eq!(bucket.next_sweep, at(now).plus_micros(SWEEP_EVERY_US));
    }
}

#[test]
fn the_operator_settles_expired_leases_only() {
    for state in [LeaseState::Live, LeaseState::Closed, LeaseState::New] {
        let mut lease = lease(state, 5, 3);
        let mut bucket = bucket_of(&lease);
        let before = (bucket.clone(), lease);
        assert!(!settle_open(&mut bucket, &mut lease, Settlement::Unused, &mut Vec::new()));
        assert_eq!((bucket, lease), before);
    }
}
