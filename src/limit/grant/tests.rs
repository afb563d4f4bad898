#![allow(clippy::type_complexity, reason = "a case is a plain row")]

use super::*;
use crate::limit::testing::*;
use crate::limit::{Incarnation, Mark, Terms};
use proptest::prelude::*;

#[test]
fn a_prefix_serves_whole_calls_in_order() {
    let cases: [(&[u64], i64, (i64, usize)); 8] = [
        (&[], 5, (0, 0)),
        (&[3, 2], 5, (5, 2)),
        (&[3, 3], 5, (3, 1)),
        (&[6, 1], 5, (0, 0)),
        (&[1], 0, (0, 0)),
        (&[1], -7, (0, 0)),
        (&[1, 1, 1], 2, (2, 2)),
        (&[(1 << 53) - 1, 1], i64::MAX, (1 << 53, 2)),
    ];
    for (demand, available, expected) in cases {
        let demand: Vec<Units> = demand.iter().map(|n| units(*n)).collect();
        assert_eq!(prefix(&demand, available), expected, "{demand:?} of {available}");
    }
}

/// A bucket with these sums, judged for one call.
fn bucket(cap: Option<u64>, charged: i64, confirmed: i64, forfeited: i64) -> Bucket {
    let mut bucket = Bucket::new(Timestamp::MAX, &terms(1, cap), Incarnation::default(), at(0));
    (bucket.charged, bucket.confirmed, bucket.forfeited, bucket.live) = (charged, confirmed, forfeited, 1);
    bucket
}

fn judge(bucket: &Bucket, demand: &[u64]) -> (i64, Reason) {
    let request = Party::new(lifetime(1), terms(1, Some(1))).ask(demand, true);
    let verdict = grant(bucket, &Lease::ABSENT, &request, at(0), true);
    (verdict.granted, verdict.reason)
}

#[test]
fn the_first_unserved_call_names_the_reason() {
    // (cap, charged, confirmed, forfeited), demand, granted, reason
    let cases: [((Option<u64>, i64, i64, i64), &[u64], i64, Reason); 14] = [
        ((Some(10), 0, 0, 0), &[10], 10, Reason::None),
        ((Some(10), 0, 0, 0), &[11], 0, Reason::Insufficient(10)),
        ((Some(10), 10, 10, 0), &[1], 0, Reason::Exhausted),
        ((Some(10), 10, 9, 0), &[1], 0, Reason::Contended),
        ((Some(10), 10, 9, 1), &[1], 0, Reason::Exhausted),
        ((Some(10), 10, 9, 0), &[2], 0, Reason::Exhausted),
        ((Some(10), 8, 6, 0), &[3], 0, Reason::Contended),
        ((Some(10), 8, 6, 1), &[4], 0, Reason::Insufficient(2)),
        ((Some(10), 8, 8, 0), &[3], 0, Reason::Insufficient(2)),
        ((Some(10), 5, 5, 0), &[2, 2, 2], 4, Reason::Insufficient(1)),
        ((Some(10), 5, 5, 0), &[3, 2, 2], 5, Reason::Exhausted),
        ((Some(10), 0, 0, 0), &[3, 20], 3, Reason::Insufficient(7)),
        ((Some(0), 0, 0, 0), &[1], 0, Reason::Exhausted),
        ((Some(10), 15, 12, 0), &[3], 0, Reason::Exhausted),
    ];
    for (sums, demand, granted, reason) in cases {
        let (cap, charged, confirmed, forfeited) = sums;
        let bucket = bucket(cap, charged, confirmed, forfeited);
        assert_eq!(judge(&bucket, demand), (granted, reason), "{sums:?} asked for {demand:?}");
    }
}

#[test]
fn a_call_larger_than_the_cap_is_never_contended() {
    assert_eq!(judge(&bucket(Some(10), 10, 0, 0), &[11]).1, Reason::Exhausted);
    assert_eq!(judge(&bucket(Some(10), 9, 0, 0), &[11]).1, Reason::Insufficient(1));
    assert_eq!(judge(&bucket(Some(10), 9, 0, 0), &[10]).1, Reason::Contended);
}

#[test]
fn rolled_over_units_raise_the_cap_in_force() {
    let mut bucket = bucket(Some(10), 10, 10, 0);
    bucket.bonus = 5;
    assert_eq!(judge(&bucket, &[5]), (5, Reason::None));
    assert_eq!(judge(&bucket, &[6]), (0, Reason::Insufficient(5)));
}

/// Judges a holder's rate on a bucket of cap 100,000 with `left` units, `live` leases and a bucket rate.
fn surplus_of(left: i64, live: i64, bucket_rate: i64, holder_rate: i64, demand: &[u64]) -> Verdict {
    let mut b = bucket(Some(100_000), 100_000 - left, 100_000 - left, 0);
    (b.live, b.rate) = (live, bucket_rate);
    let mut request = Party::new(lifetime(1), terms(1, Some(100_000))).ask(demand, true);
    (request.rate, request.strict) = (holder_rate, false);
    grant(&b, &Lease::ABSENT, &request, at(0), true)
}

#[test]
fn surplus_follows_the_holders_rate_within_its_bounds() {
    let (strict, leased) = (Lane::Strict, Lane::Leased);
    // left, live, bucket rate, holder rate, demand, granted, lane, pressure
    let cases: [(i64, i64, i64, i64, &[u64], i64, Lane, bool); 10] = [
        (50_000, 2, 0, 100, &[1], 200, leased, false),
        (50_000, 2, 0, 100, &[300], 300, leased, false),
        (50_000, 2, 0, 1, &[1], 1, strict, false),
        (50_000, 2, 0, 2, &[1], 4, leased, false),
        (50_000, 2, 0, 1_000_000, &[1], 1_000, leased, false),
        (50_000, 1_000, 0, 1_000, &[1], 25, leased, false),
        (50_000, 2, 25_000, 100, &[1], 10, leased, true),
        (50_000, 2, 24_999, 100, &[1], 200, leased, false),
        (64, 1, 0, 100, &[1], 1, strict, false),
        (80, 20, 0, 100, &[], 0, strict, false),
    ];
    for (left, live, bucket_rate, holder_rate, demand, granted, lane, pressure) in cases {
        let verdict = surplus_of(left, live, bucket_rate, holder_rate, demand);
        let seen = (verdict.granted, verdict.lane, verdict.pressure, verdict.reason);
        assert_eq!(
            seen,
            (granted, lane, pressure, Reason::None),
            "{left} left, {live} live, rate {holder_rate}"
        );
    }
}

#[test]
fn what_a_holder_has_already_is_part_of_its_surplus() {
    let mut b = bucket(Some(100_000), 50_150, 50_000, 0);
    b.live = 2;
    let lease = Lease { granted: 150, ..Lease::ABSENT };
    let mut request = Party::new(lifetime(1), terms(1, Some(100_000))).ask(&[1], true);
    (request.rate, request.strict) = (100, false);
    assert_eq!(grant(&b, &lease, &request, at(0), true).granted, 50);
    assert_eq!(grant(&b, &Lease::ABSENT, &request, at(0), true).granted, 200);
}

#[test]
fn surplus_stays_within_the_outstanding_budget() {
    let mut b = bucket(Some(100_000), 5_950, 1_000, 0);
    let mut request = Party::new(lifetime(1), terms(1, Some(100_000))).ask(&[1], true);
    (request.rate, request.strict) = (1_000, false);
    assert_eq!(grant(&b, &Lease::ABSENT, &request, at(0), true).granted, 50);
    b.charged = 6_000;
    assert_eq!(
        grant(&b, &Lease::ABSENT, &request, at(0), true).granted,
        1,
        "waiting calls are served all the same"
    );
    assert_eq!(grant(&b, &Lease::ABSENT, &request, at(0), false).lane, Lane::Strict);
    request.strict = true;
    assert_eq!(grant(&b, &Lease::ABSENT, &request, at(0), true).lane, Lane::Strict);
}

#[test]
fn the_bucket_rate_is_smoothed_and_forgets() {
    let mut b = bucket(Some(100_000), 0, 0, 0);
    b.rate_at = at(0);
    // (second, confirmed, rate): quarter of the latest each second, all of it after eight.
    for (second, confirmed, rate) in
        [(1, 400, 100), (2, 800, 175), (2, 900, 175), (3, 800, 131), (11, 1_600, 100)]
    {
        b.confirmed = confirmed;
        update_rate(&mut b, at(second));
        assert_eq!(b.rate, rate, "at {second} s");
    }
    b.confirmed = 0;
    update_rate(&mut b, at(30));
    assert_eq!(b.rate, 0, "a refund is no negative rate");
}

proptest! {
    /// I1: whatever is asked for, the grant keeps charged within the cap, unless it was above before; and a call is
    /// served whole or not at all.
    #[test]
    fn no_grant_exceeds_the_cap(
        cap in proptest::option::of(0u64..10_000), charged in 0i64..12_000, open in 0i64..3_000, live in 0i64..40,
        demand in proptest::collection::vec(1u64..4_000, 0..6), rate in 0i64..100_000, bonus in 0i64..50,
    ) {
        let mut b = bucket(cap, charged, (charged - open).max(0), 0);
        (b.live, b.bonus) = (live.max(1), bonus);
        let terms = Terms { marks: [Mark::new(Units::ONE, 1)].into(), ..terms(1, cap) };
        let mut request = Party::new(lifetime(1), terms).ask(&demand, true);
        (request.rate, request.strict) = (rate, false);
        let verdict = grant(&b, &Lease::ABSENT, &request, at(0), true);
        prop_assert!(verdict.granted >= 0);
        if let Some(cap) = b.cap_in_force() {
            prop_assert!(charged + verdict.granted <= cap.max(charged));
        }
        let (served, calls) = prefix(&request.demand, verdict.granted);
        prop_assert!(served <= verdict.granted);
        prop_assert!((verdict.reason == Reason::None) == (calls == demand.len()) || rate > 0);
    }
}
