use super::*;
use crate::limit::batch::{Batch, run};
use crate::limit::tables::Tables;
use crate::limit::testing::*;
use crate::limit::{Mark, Settlement, maintain};

#[test]
fn a_cap_of_50_admits_exactly_50() {
    let mut tables = Tables::default();
    let mut parties: Vec<Party> = (0..4).map(|_| Party::new(lifetime(1), terms(1, Some(50)))).collect();
    let mut admitted = 0;
    for i in 0..200 {
        let reply = parties[i % 4].exchange(&mut tables, &[1], true, at(0));
        admitted += reply.granted;
        assert_eq!(reply.reason, if i < 50 { Reason::None } else { Reason::Exhausted });
    }
    assert_eq!((admitted, sums(&tables, &lifetime(1))), (50, (50, 50, 0)));
}

#[test]
fn a_limit_of_one_admits_one() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(1)));
    assert_eq!(party.exchange(&mut tables, &[1], true, at(0)).granted, 1);
    assert_eq!(party.exchange(&mut tables, &[1], true, at(0)).reason, Reason::Exhausted);
}

#[test]
fn unlimited_use_is_counted() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, None));
    let most = Units::MAX.get();
    assert_eq!(party.exchange(&mut tables, &[most], true, at(0)).reason, Reason::None);
    assert_eq!(sums(&tables, &lifetime(1)).1, Units::MAX.signed());
    assert_eq!(party.exchange(&mut tables, &[1], true, at(0)).reason, Reason::Exhausted);
}

/// Sends a message made from a good one; it must be refused for `reason` and change no sum (I5, I6).
fn check_refused(reason: Reason, spoil: impl Fn(&mut ExchangeRequest)) {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(50)));
    party.exchange(&mut tables, &[10], false, at(0));
    assert!(party.holding.spend(4) && party.holding.refund(1));
    party.holding.overrun(1);
    party.holding.give_back();
    party.exchange(&mut tables, &[2], false, at(0));
    let before = sums(&tables, &lifetime(1));
    let lease = tables.look(&lifetime(1)).unwrap().1.clone();
    let mut request = party.ask(&[1], true);
    spoil(&mut request);
    let reply = send(&mut tables, &request, at(1));
    assert_eq!((reply.reason, reply.granted), (reason, 0));
    assert_eq!(sums(&tables, &lifetime(1)), before);
    assert_eq!(tables.look(&lifetime(1)).unwrap().1, &lease);
}

#[test]
fn what_a_lone_holder_cannot_say_changes_nothing() {
    check_refused(Reason::Stale, |r| r.seq = 1);
    check_refused(Reason::Cloned, |r| r.seq = 2);
    check_refused(Reason::Cloned, |r| r.counters.used = 3);
    check_refused(Reason::Cloned, |r| r.counters.refunded = 0);
    check_refused(Reason::Cloned, |r| r.counters.returned -= 1);
    check_refused(Reason::Cloned, |r| r.counters.overrun = 0);
    check_refused(Reason::Cloned, |r| r.counters.refunded = r.counters.used + 1);
    check_refused(Reason::Cloned, |r| r.seen = r.counters.gone() - 1);
}

#[test]
fn a_repeated_message_gets_the_same_answer_and_changes_no_sum() {
    let mut tables = Tables::default();
    let mut a = Party::new(lifetime(1), terms(1, Some(10)));
    let mut b = Party::new(lifetime(1), terms(1, Some(10)));
    let request = a.ask(&[4, 4, 4], true);
    let first = send(&mut tables, &request, at(0));
    assert_eq!((first.granted, first.reason), (8, Reason::Insufficient(2)));
    b.exchange(&mut tables, &[2], true, at(1));
    let again = send(&mut tables, &request, at(2));
    assert_eq!((again.granted, again.reason, again.seq), (8, Reason::Insufficient(2), first.seq));
    assert_eq!(sums(&tables, &lifetime(1)), (10, 10, 0));
}

#[test]
fn grants_that_the_store_forgot_are_restored_with_an_alarm() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(50)));
    party.exchange(&mut tables, &[8], true, at(0));
    let mut restored = Tables::default();
    party.exchange(&mut restored, &[1], true, at(1));
    assert_eq!(sums(&restored, &lifetime(1)), (9, 9, 0));
    assert_eq!(restored.look(&lifetime(1)).unwrap().0.healed, 8);
    assert_eq!(events(&mut restored), [EventKind::Healed { units: 8 }]);
}

#[test]
fn an_expired_lease_keeps_its_units_charged_and_lives_again() {
    let mut tables = Tables::default();
    let mut silent = Party::new(lifetime(1), terms(1, Some(10)));
    let mut other = Party::new(lifetime(1), terms(1, Some(10)));
    silent.exchange(&mut tables, &[6], false, at(0));
    assert_eq!(other.exchange(&mut tables, &[5], true, at(1)).reason, Reason::Contended);
    // Past its time to live the units count as forfeited; they are not handed out.
    let reply = other.exchange(&mut tables, &[5], true, at(400));
    assert_eq!((reply.reason, reply.live), (Reason::Insufficient(4), 1));
    assert_eq!(sums(&tables, &lifetime(1)), (6, 0, 6));
    assert!(silent.holding.spend(6));
    silent.exchange(&mut tables, &[], false, at(500));
    assert_eq!(sums(&tables, &lifetime(1)), (6, 6, 0));
}

#[test]
fn a_closed_bucket_grants_nothing_and_takes_late_reports() {
    let mut tables = Tables::default();
    let end = at(100);
    let mut party = Party { period_end: end, ..Party::new(lifetime(1), terms(1, Some(10))) };
    party.exchange(&mut tables, &[6], false, at(0));
    let done = maintain::maintain(&mut tables, at(100 + 600), 100).unwrap();
    assert_eq!((done.closed, sums(&tables, &lifetime(1))), (1, (6, 0, 6)));
    assert!(party.holding.spend(5));
    let reply = party.exchange(&mut tables, &[1], true, at(1_000));
    assert_eq!((reply.reason, sums(&tables, &lifetime(1))), (Reason::Closed, (6, 5, 1)));
    party.holding.overrun(2);
    party.holding.give_back();
    party.exchange(&mut tables, &[], false, at(1_000));
    assert_eq!(sums(&tables, &lifetime(1)), (7, 7, 0), "an overrun is charged even here");
    assert_eq!(events(&mut tables), [EventKind::Adjusted { units: 5 }, EventKind::Adjusted { units: 2 }]);
}

#[test]
fn a_period_that_ended_long_ago_is_not_begun_again() {
    let mut tables = Tables::default();
    let mut party = Party { period_end: at(0), ..Party::new(lifetime(1), terms(1, Some(10))) };
    let request = party.ask(&[1], true);
    assert_eq!(send(&mut tables, &request, at(400 * DAY_S)).reason, Reason::Closed);
    assert!(tables.look(&lifetime(1)).is_none());
    assert_eq!(send(&mut tables, &request, at(400 * DAY_S - 1)).reason, Reason::WrongPeriod);
}

#[test]
fn a_call_outside_the_period_is_told_the_time() {
    let key = BucketKey { period_start: at(0), ..lifetime(1) };
    for (now, reason) in
        [(-1, Reason::WrongPeriod), (0, Reason::None), (99, Reason::None), (100, Reason::WrongPeriod)]
    {
        let mut tables = Tables::default();
        let mut party = Party { period_end: at(100), ..Party::new(key, terms(1, Some(10))) };
        let reply = party.exchange(&mut tables, &[1], true, at(now));
        assert_eq!((reply.reason, reply.now), (reason, at(now)));
    }
}

#[test]
fn an_existing_rows_end_rules() {
    let mut tables = Tables::default();
    let mut first = Party { period_end: at(100), ..Party::new(lifetime(1), terms(1, Some(10))) };
    first.exchange(&mut tables, &[1], true, at(0));
    let mut second = Party { period_end: at(200), ..Party::new(lifetime(1), terms(1, Some(10))) };
    let reply = second.exchange(&mut tables, &[1], true, at(150));
    assert_eq!((reply.reason, reply.period_end), (Reason::WrongPeriod, at(100)));
}

#[test]
fn the_buckets_time_never_goes_back_and_follows_no_broken_clock() {
    let minute = 60;
    let cases = [
        (0, -5, -5, (0, false)),
        (0, 5, -5, (5, false)),
        (0, -5, 5, (5, false)),
        (0, minute, 0, (minute, false)),
        (0, minute + 1, 0, (0, true)),
        (0, 5, minute + 1, (5, true)),
        (0, minute + 1, minute + 1, (0, true)),
    ];
    for (clock, clk, hint, (now, ignored)) in cases {
        assert_eq!(store_time(at(clock), at(clk), at(hint)), (at(now), ignored), "clk {clk}, hint {hint}");
    }
}

#[test]
fn a_lower_cap_holds_at_once_and_an_older_one_never_returns() {
    let mut tables = Tables::default();
    let mut old = Party::new(lifetime(1), terms(1, Some(50)));
    let mut new = Party::new(lifetime(1), terms(2, Some(20)));
    old.exchange(&mut tables, &[15], true, at(0));
    old.exchange(&mut tables, &[15], false, at(0));
    let reply = new.exchange(&mut tables, &[1], true, at(0));
    assert_eq!((reply.reason, reply.cap, reply.charged), (Reason::Contended, Some(20), 30));
    let reply = old.exchange(&mut tables, &[1], true, at(0));
    assert_eq!(
        (reply.granted, reply.ver),
        (0, ConfigVersion::from_raw(2)),
        "the reply tells the newer version"
    );
    // Units that are out may still be used or returned.
    assert!(old.holding.spend(3));
    old.holding.give_back();
    old.exchange(&mut tables, &[], false, at(0));
    assert_eq!(sums(&tables, &lifetime(1)), (18, 18, 0));
    assert_eq!(new.exchange(&mut tables, &[3, 2], true, at(0)).reason, Reason::Insufficient(2));
    assert_eq!(new.exchange(&mut tables, &[2], true, at(0)).reason, Reason::None);
}

#[test]
fn a_last_message_closes_a_lease_with_nothing_open() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(50)));
    party.exchange(&mut tables, &[5], false, at(0));
    let request = party.last_message();
    assert_eq!(send(&mut tables, &request, at(0)).live, 1, "5 units are open");
    party.holding.give_back();
    let request = party.last_message();
    assert_eq!(send(&mut tables, &request, at(0)).live, 0);
    assert_eq!(send(&mut tables, &request, at(0)).live, 0, "also when it is repeated");
    assert_eq!(sums(&tables, &lifetime(1)), (0, 0, 0));
}

#[test]
fn thresholds_fire_once_and_recover() {
    let marks = [Mark::new(units(10), 80), Mark::new(units(10), 100)];
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms_with_marks(1, Some(10), &marks));
    for _ in 0..12 {
        party.exchange(&mut tables, &[1], true, at(0));
    }
    let fired = [80, 100].map(|percent| EventKind::Reached { percent, at: units(u64::from(percent / 10)) });
    assert_eq!(events(&mut tables), fired);
    assert!(party.holding.refund(3));
    party.holding.give_back();
    party.exchange(&mut tables, &[], false, at(0));
    let recovered =
        [80, 100].map(|percent| EventKind::Recovered { percent, at: units(u64::from(percent / 10)) });
    assert_eq!(events(&mut tables), recovered);
    party.exchange(&mut tables, &[3], true, at(0));
    assert_eq!(events(&mut tables), []);
}

#[test]
fn a_message_after_the_operators_word_restores_the_true_numbers() {
    for (settlement, settled) in [(Settlement::Used, (6, 6, 0)), (Settlement::Unused, (0, 0, 0))] {
        let mut tables = Tables::default();
        let mut party = Party::new(lifetime(1), terms(1, Some(10)));
        let first = party.ask(&[6], false);
        let lost = send(&mut tables, &first, at(0));
        let holder = party.holding.id().holder;
        assert_eq!(maintain::settle(&mut tables, &holder, settlement, at(1), 10).unwrap(), 0, "it is live");
        maintain::maintain(&mut tables, at(1_000), 10).unwrap();
        assert_eq!(maintain::settle(&mut tables, &holder, settlement, at(1_000), 10).unwrap(), 1);
        assert_eq!(sums(&tables, &lifetime(1)), settled);
        audit_all(&tables);
        let repeated = send(&mut tables, &first, at(1_001));
        assert!(repeated.granted <= lost.granted);
        party.holding.accept(&lost);
        assert!(party.holding.spend(2));
        party.exchange(&mut tables, &[], false, at(1_002));
        assert_eq!(sums(&tables, &lifetime(1)), (6, 2, 0));
    }
}

#[test]
fn a_repeated_message_after_the_operators_word_grants_nothing() {
    let mut tables = Tables::default();
    let mut party = Party::new(lifetime(1), terms(1, Some(10)));
    party.exchange(&mut tables, &[5], false, at(0));
    let lost = party.ask(&[3], false);
    send(&mut tables, &lost, at(0));
    maintain::maintain(&mut tables, at(1_000), 10).unwrap();
    let holder = party.holding.id().holder;
    assert_eq!(maintain::settle(&mut tables, &holder, Settlement::Unused, at(1_000), 10).unwrap(), 1);
    assert_eq!(send(&mut tables, &lost, at(1_000)).granted, 0, "and takes nothing away");
    audit_all(&tables);
}

#[test]
fn what_a_grant_counted_ahead_is_not_counted_again_when_it_is_reported() {
    let mut tables = Tables::default();
    let mut user = Party::new(lifetime(1), terms(1, Some(10)));
    let mut other = Party::new(lifetime(1), terms(1, Some(10)));
    user.exchange(&mut tables, &[5], true, at(0));
    other.exchange(&mut tables, &[5], false, at(0));
    let reply = user.exchange(&mut tables, &[3], true, at(0));
    assert_eq!((reply.reason, reply.confirmed), (Reason::Contended, 5), "the other may give 5 back");
}

#[test]
fn inv_28_numbers_out_of_range_are_errors() {
    let spoil: [fn(&mut ExchangeRequest); 11] = [
        |r| r.seq = 0,
        |r| r.seen = 1 << 53,
        |r| r.counters.used = -1,
        |r| r.counters.overrun = 1 << 53,
        |r| r.demand = vec![Units::ONE; 65],
        |r| r.demand = vec![Units::ZERO],
        |r| r.ttl_ms = 0,
        |r| r.ttl_ms = 3_600_001,
        |r| r.rate = -1,
        |r| r.terms.marks = vec![Mark::new(Units::ONE, 1); 17].into(),
        |r| r.period_end = Timestamp::MIN,
    ];
    let mut tables = Tables::default();
    for (i, spoil) in spoil.iter().enumerate() {
        let mut request = Party::new(lifetime(1), terms(1, Some(50))).ask(&[1], true);
        spoil(&mut request);
        let batch = Batch { items: vec![item(request)], ..Batch::default() };
        let error = run(&mut tables, &batch, at(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "case {i}");
    }
    assert_eq!(tables.keys().count(), 0);
}

#[test]
fn inv_28_overruns_without_end_are_an_error_before_a_sum_overflows() {
    let mut tables = Tables::default();
    let overrun = |tables: &mut Tables| {
        let mut party = Party::new(lifetime(1), terms(1, Some(50)));
        party.holding.overrun(Units::MAX.signed());
        let batch = Batch { items: vec![item(party.ask(&[], false))], ..Batch::default() };
        run(tables, &batch, at(0))
    };
    for _ in 0..256 {
        assert!(overrun(&mut tables).is_ok());
    }
    let before = sums(&tables, &lifetime(1));
    assert_eq!(before.0, 256 * Units::MAX.signed());
    assert_eq!(overrun(&mut tables).unwrap_err().kind(), ErrorKind::StoreCorrupt);
    assert_eq!(sums(&tables, &lifetime(1)), before);
}
