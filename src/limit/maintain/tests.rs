use super::*;
use crate::limit::batch::Act;
use crate::limit::gcra::{Rate, RateRequest};
use crate::limit::tables::Tables;
use crate::limit::testing::*;
use crate::limit::{ConfigVersion, Mark, Reason, Units, batch};

fn tidy(tables: &mut Tables, seconds: i64) -> Maintained {
    let done = maintain(tables, at(seconds), 1_000).unwrap();
    audit_all(tables);
    done
}

#[test]
fn an_idle_holder_of_a_folded_lease_is_told_so() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(50)));
    party.exchange(&mut tables, &[7], true, at(0));
    assert_eq!(tidy(&mut tables, DAY_S - 1).folded, 0);
    assert_eq!(tidy(&mut tables, DAY_S).folded, 1);
    assert_eq!(sums(&tables, &lifetime(1)), (7, 7, 0));
    let request = party.ask(&[1], true);
    let reply = send(&mut tables, &request, at(DAY_S));
    assert_eq!((reply.reason, sums(&tables, &lifetime(1))), (Reason::Folded, (7, 7, 0)));
    assert!(tables.look(&lifetime(1)).unwrap().1.is_empty(), "no row is made for it");
}

#[test]
fn a_repeated_message_counts_as_heard_of() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(50)));
    let request = party.ask(&[7], true);
    send(&mut tables, &request, at(0));
    let reply = send(&mut tables, &request, at(1_000));
    party.holding.accept(&reply);
    assert_eq!(tidy(&mut tables, DAY_S + 999).folded, 0);
    assert_eq!(tidy(&mut tables, DAY_S + 1_000).folded, 1);
    let request = party.ask(&[1], true);
    assert_eq!(send(&mut tables, &request, at(2 * DAY_S)).reason, Reason::Folded);
}

/// Found by the simulation: the last message, whose answer was lost, is stamped earlier than the one before it.
#[test]
fn a_clock_that_goes_back_makes_no_folded_lease_unknown() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(50)));
    party.exchange(&mut tables, &[7], true, at(7_200));
    let lost = party.ask(&[], false);
    assert_eq!(send(&mut tables, &lost, at(0)).now, at(0));
    assert_eq!(tidy(&mut tables, 7_200 + DAY_S).folded, 1);
    let request = party.ask(&[1], true);
    assert_eq!(send(&mut tables, &request, at(2 * DAY_S)).reason, Reason::Folded);
    assert_eq!(sums(&tables, &lifetime(1)), (7, 7, 0));
}

#[test]
fn a_lease_with_units_out_is_never_folded() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(50)));
    party.exchange(&mut tables, &[7], false, at(0));
    let done = tidy(&mut tables, 100 * DAY_S);
    assert_eq!((done.folded, sums(&tables, &lifetime(1))), (0, (7, 0, 7)));
}

#[test]
fn a_period_is_closed_after_its_grace_and_kept_400_days() {
    let key = BucketKey { period_start: at(0), ..lifetime(1) };
    let mut tables = Tables::default();
    let mut party = Party { period_end: at(DAY_S), ..Party::new(key, terms(1, Some(50))) };
    party.exchange(&mut tables, &[7], false, at(0));
    let end = DAY_S + 600;
    assert_eq!(tidy(&mut tables, end - 1).closed, 0);
    assert_eq!(tidy(&mut tables, end).closed, 1);
    assert_eq!((tidy(&mut tables, end).closed, sums(&tables, &key)), (0, (7, 0, 7)));
    assert_eq!(tidy(&mut tables, end + 400 * DAY_S - 1).removed, 0);
    assert_eq!(tidy(&mut tables, end + 400 * DAY_S).removed, 1);
    assert!(tables.look(&key).is_none());
}

#[test]
fn a_bucket_that_was_closed_early_is_kept_as_long_after_its_period() {
    let key = BucketKey { period_start: at(0), ..lifetime(1) };
    let mut tables = Tables::default();
    let mut party = Party { period_end: at(100 * DAY_S), ..Party::new(key, terms(1, Some(50))) };
    party.exchange(&mut tables, &[7], true, at(0));
    let (period_start, period_end) = (at(0), at(100 * DAY_S));
    let renewal = Renewal { period_start, period_end, carry: Carry::Nothing, nonce: Nonce::default() };
    let change = Configure { limit_id: key.limit_id, terms: terms(2, None), renewal: Some(renewal) };
    configure(&mut tables, &change, at(0)).unwrap();
    for (seconds, kept) in [(500 * DAY_S - 1, true), (500 * DAY_S, false)] {
        tidy(&mut tables, seconds);
        assert_eq!(tables.look(&key).is_some(), kept, "at {seconds}");
    }
}

#[test]
fn work_stops_at_the_budget_and_goes_on() {
    let mut tables = Tables::default();
    for n in 1..=10 {
        let key = BucketKey { period_start: at(0), ..lifetime(n) };
        let mut party = Party { period_end: at(1), ..Party::new(key, terms(1, None)) };
        party.exchange(&mut tables, &[1], true, at(0));
    }
    let mut closed = 0;
    let mut calls = 0;
    loop {
        let done = maintain(&mut tables, at(DAY_S), 3).unwrap();
        assert!(done.closed + done.swept + done.folded + done.removed <= 3);
        closed += done.closed;
        calls += 1;
        if !done.more {
            break;
        }
    }
    assert_eq!((closed, calls), (10, 4));
}

#[test]
fn a_bucket_with_more_silent_leases_than_one_sweep_takes_is_swept_again() {
    let mut tables = Tables::default();
    for _ in 0..SWEEP_BATCH + 6 {
        Party::new(lifetime(1), terms(1, None)).exchange(&mut tables, &[1], false, at(0));
    }
    tidy(&mut tables, 331);
    assert_eq!(tables.look(&lifetime(1)).unwrap().0.live, 6);
    tidy(&mut tables, 331);
    assert_eq!(tables.look(&lifetime(1)).unwrap().0.live, 0);
}

#[test]
fn drained_rates_and_old_operations_go() {
    let mut tables = Tables::default();
    let request = RateRequest {
        limit_id: lifetime(9).limit_id,
        ver: ConfigVersion::from_raw(1),
        rate: Rate::parse("1/10s").unwrap(),
        amount: Units::ONE,
    };
    let items = vec![batch::Item { group: None, request: batch::Request::Rate(request) }];
    run_batch(&mut tables, items, false, Act::None, at(0));
    assert_eq!(tidy(&mut tables, 9).removed, 0);
    assert_eq!(tidy(&mut tables, 10).removed, 1);
}

#[test]
fn a_newer_configuration_reaches_open_buckets_and_fires_its_marks() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(5, Some(50)));
    party.exchange(&mut tables, &[40], true, at(0));
    let change = |ver, cap: u64| Configure {
        limit_id: lifetime(1).limit_id,
        terms: terms_with_marks(ver, Some(cap), &[Mark::new(units(cap), 100)]),
        renewal: None,
    };
    assert_eq!(configure(&mut tables, &change(6, 40), at(1)).unwrap(), 1);
    assert_eq!(events(&mut tables), [EventKind::Reached { percent: 100, at: units(40) }]);
    assert_eq!(configure(&mut tables, &change(5, 90), at(2)).unwrap(), 0, "an older one");
    let reply = party.exchange(&mut tables, &[1], true, at(3));
    assert_eq!((reply.reason, reply.cap), (Reason::Exhausted, Some(40)));
    // A raise: used again at the next exchange, and the mark recovers.
    assert_eq!(configure(&mut tables, &change(7, 60), at(4)).unwrap(), 1);
    assert_eq!(party.exchange(&mut tables, &[1], true, at(5)).reason, Reason::None);
    assert_eq!(events(&mut tables), [EventKind::Recovered { percent: 100, at: units(60) }]);
}

/// Begins a limit anew with 30 of 50 charged; says what the new bucket has.
fn renewed(carry: Carry) -> i64 {
    let mut tables = Tables::default();
    let mut old = Party::new(lifetime(1), terms(1, Some(50)));
    old.exchange(&mut tables, &[20], true, at(0));
    old.exchange(&mut tables, &[10], false, at(0));
    let renewal =
        Renewal { period_start: at(0), period_end: at(DAY_S), carry, nonce: Nonce::from_bytes([9; 16]) };
    let change =
        Configure { limit_id: lifetime(1).limit_id, terms: terms(2, Some(50)), renewal: Some(renewal) };
    assert_eq!(configure(&mut tables, &change, at(1)).unwrap(), 1);
    audit_all(&tables);
    let reply = old.exchange(&mut tables, &[1], true, at(2));
    assert_eq!(reply.reason, Reason::Closed, "a process with the older epoch reloads");
    assert!(old.holding.spend(10));
    old.exchange(&mut tables, &[], false, at(3));
    assert_eq!(sums(&tables, &lifetime(1)), (30, 30, 0), "old leases settle as ever");
    let key =
        BucketKey { epoch: ConfigVersion::from_raw(2), period_start: at(0), limit_id: lifetime(1).limit_id };
    let before = sums(&tables, &key);
    assert_eq!(configure(&mut tables, &change, at(4)).unwrap(), 0, "a repeated change carries nothing twice");
    assert_eq!(sums(&tables, &key), before);
    before.0
}

#[test]
fn a_limit_that_begins_anew_takes_over_what_it_is_told_to() {
    assert_eq!(renewed(Carry::All), 30);
    assert_eq!(renewed(Carry::Nothing), 0);
    assert_eq!(renewed(Carry::Part { numerator: 1, denominator: 4 }), 7);
}
