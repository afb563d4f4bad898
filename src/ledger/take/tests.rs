//! One call and its limits, on stores with and without atomic batches.

use crate::clock::Timestamp;
use crate::code::Code;
use crate::error::ErrorKind;
use crate::ledger::testing::*;
use crate::ledger::{Outcome, QuotaUse, RateUse, RefusedBy, TakeCall};
use crate::limit::gcra::Rate;
use crate::limit::maintain::{Configure, Renewal};
use crate::limit::period::{CalendarUnit, Period, Weekday, Zone};
use crate::limit::{Carry, ConfigVersion, LimitId, Nonce, Reason, Units};
use crate::store::UsageStore;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};

#[test]
fn four_processes_and_200_parallel_calls_admit_exactly_50() {
    let world = World::new();
    let processes: Vec<_> = (0..4).map(|_| world.process()).collect();
    let admitted = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (world, processes, admitted) = (&world, &processes, &admitted);
            scope.spawn(move || {
                for _ in 0..25 {
                    let outcome = processes[thread % 4].take(&world.call(&[quota(1, 50)]));
                    admitted.fetch_add(i64::from(is_taken(&outcome)), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((admitted.into_inner(), world.sums(&quota(1, 50))), (50, (50, 50)));
}

#[test]
fn calls_on_several_limits_in_any_order_never_wait_for_each_other() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let process = world.process();
        std::thread::scope(|scope| {
            for thread in 0..6_u8 {
                let (world, process) = (&world, &process);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let mut quotas = [quota(1, 1_000), quota(2, 1_000), quota(3, 1_000)];
                        quotas.rotate_left(usize::from(thread % 3));
                        assert!(is_taken(&process.take(&world.call(&quotas))));
                    }
                });
            }
        });
        process.flush().unwrap();
        for n in 1..=3 {
            assert_eq!(world.sums(&quota(n, 1_000)), (120, 120), "atomic: {atomic}");
        }
    }
}

#[test]
fn inv_29_a_call_that_one_limit_refuses_changes_no_other() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let process = world.process();
        let (a, b, c) = (quota(1, 10), quota(2, 2).of(2), quota(3, 10));
        let call = world.call(&[a.clone(), b.clone(), c.clone()]);
        assert!(is_taken(&process.take(&call)));
        let refusal = refused(process.take(&call));
        assert_eq!(refusal.by, RefusedBy::Quota(1, Reason::Exhausted), "atomic: {atomic}");
        assert_eq!(refusal.quotas.len(), 1);
        assert_eq!(refusal.quotas[0].cap, Some(2), "the numbers are those of the limit that refused");
        process.flush().unwrap();
        for (limit, used) in [(&a, 1), (&b, 2), (&c, 1)] {
            assert_eq!(world.sums(limit), (used, used), "atomic: {atomic}");
        }
    }
}

#[test]
fn a_hammered_exhausted_limit_costs_one_store_call_a_second() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 1);
    assert!(is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))));
    for second in 0..3 {
        let before = world.exchanges();
        for _ in 0..100 {
            let refusal = refused(process.take(&world.call(std::slice::from_ref(&limit))));
            assert_eq!(refusal.by, RefusedBy::Quota(0, Reason::Exhausted));
        }
        assert_eq!(world.exchanges() - before, 1, "in second {second}");
        world.clock.advance_seconds(1);
    }
}

#[test]
fn a_raised_cap_is_seen_within_a_second_and_at_once_by_who_brings_it() {
    let world = World::new();
    let (here, there) = (world.process(), world.process());
    let limit = quota(1, 1);
    assert!(is_taken(&here.take(&world.call(std::slice::from_ref(&limit)))));
    assert!(!is_taken(&here.take(&world.call(std::slice::from_ref(&limit)))));
    let raised = limit.clone().with_terms(terms(2, Some(3)));
    assert!(
        is_taken(&here.take(&world.call(std::slice::from_ref(&raised)))),
        "a newer version ends the refusal"
    );
    assert!(is_taken(&there.take(&world.one(&raised))));
    assert!(!is_taken(&here.take(&world.call(std::slice::from_ref(&limit)))), "3 of 3");
    let again = terms(3, Some(9));
    world.wire.configure(&Configure { limit_id: limit.limit_id, terms: again, renewal: None }).unwrap();
    world.clock.advance_seconds(1);
    assert!(is_taken(&here.take(&world.one(&limit))), "a process that knows only the oldest version");
}

#[test]
fn inv_27_lost_and_failed_exchanges_leak_nothing_once_it_is_quiet() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let process = world.process();
        let quotas = [quota(1, 500), quota(2, 500).of(2)];
        let mut admitted = 0;
        for i in 0..300_u32 {
            let fate = [Fate::Lost, Fate::Answered, Fate::Failed, Fate::Answered, Fate::Answered];
            world.fates(&[fate[(i * 7 % 5) as usize]]);
            let call = if i % 3 == 0 { world.call(&quotas) } else { world.call(&quotas[..1]) };
            admitted += i64::from(is_taken(&process.take(&call)));
            world.clock.advance_seconds(2);
        }
        world.wire.fates.lock().clear();
        process.flush().unwrap();
        assert_eq!(world.sums(&quotas[0]), (admitted, admitted), "atomic: {atomic}");
        assert!(admitted > 50);
    }
}

#[test]
fn a_store_that_is_away_is_an_error_and_never_an_allow() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let process = world.process();
        world.fates(&[Fate::Failed; 40]);
        for quotas in [&[quota(1, 5)][..], &[quota(1, 5), quota(2, 5)]] {
            let error = process.take(&world.call(quotas)).err().unwrap();
            assert_eq!(error.code(), Code::StoreUnavailable);
        }
        assert_eq!(world.sums(&quota(1, 5)), (0, 0));
    }
}

fn hourly(n: u8, cap: u64) -> QuotaUse {
    let length_s = NonZeroU32::new(3_600).unwrap();
    quota(n, cap).with_period(Period::Fixed { length_s, anchor: Timestamp::EPOCH })
}

#[test]
fn a_process_whose_clock_is_off_counts_in_the_stores_period() {
    for atomic in [true, false] {
        for off_s in [-86_400, -3_600, 3_600, 86_400] {
            let world = World::with(atomic);
            let process = world.process();
            for quotas in [&[hourly(1, 9)][..], &[hourly(1, 9), hourly(2, 9)]] {
                let call = TakeCall { now: world.now().plus_seconds(off_s), ..world.call(quotas) };
                assert!(is_taken(&process.take(&call)), "{off_s} s off");
            }
            let keyed = world.keyed("op", &[hourly(1, 9)]);
            let call = TakeCall { now: world.now().plus_seconds(off_s), ..keyed };
            assert!(is_taken(&process.take(&call)), "{off_s} s off");
            process.flush().unwrap();
            assert_eq!(world.sums(&hourly(1, 9)), (3, 3), "{off_s} s off");
        }
    }
}

#[test]
fn a_call_that_falls_out_of_its_period_twice_is_told_that_the_clock_is_unsettled() {
    let world = World::new();
    let process = world.process();
    let clock = std::sync::Arc::clone(&world.clock);
    *world.wire.before.lock() = Some(std::sync::Arc::new(move |_| clock.advance_seconds(3_600)));
    let refusal = refused(process.take(&world.call(&[hourly(1, 9)])));
    assert_eq!(refusal.by, RefusedBy::ClockUnsettled(0));
}

#[test]
fn a_new_day_begins_at_its_midnight_for_everyone() {
    let world = World::new();
    let process = world.process();
    let zone = Zone::new("Europe/Berlin").unwrap();
    let day = Period::Calendar { unit: CalendarUnit::Day, zone, week_start: Weekday::Monday };
    let limit = quota(1, 1).with_period(day);
    let midnight = Timestamp::parse("2026-03-29T22:00:00Z").unwrap();
    for (later_us, admitted) in [(-1, true), (-1, false), (0, true), (0, false)] {
        world.clock.set(midnight.plus_micros(later_us));
        assert_eq!(
            is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))),
            admitted,
            "{later_us}"
        );
    }
}

#[test]
fn a_limit_that_began_anew_is_an_error_for_who_has_not_heard_of_it() {
    let world = World::new();
    let process = world.process();
    let old = quota(1, 5);
    assert!(is_taken(&process.take(&world.call(std::slice::from_ref(&old)))));
    let renewal = Renewal {
        period_start: Timestamp::MIN,
        period_end: Timestamp::MAX,
        carry: Carry::All,
        nonce: Nonce::default(),
    };
    let change = Configure { limit_id: old.limit_id, terms: terms(2, Some(5)), renewal: Some(renewal) };
    world.wire.configure(&change).unwrap();
    let error = process.take(&world.call(std::slice::from_ref(&old))).err().unwrap();
    assert!(error.is_retryable(), "{error}");
    let new = QuotaUse { epoch: ConfigVersion::from_raw(2), ..old.with_terms(terms(2, Some(5))) };
    for left in [3, 2, 1, 0] {
        let state = taken(process.take(&world.call(std::slice::from_ref(&new)))).quotas[0];
        assert_eq!(state.cap.unwrap() - state.charged, left);
    }
    assert!(!is_taken(&process.take(&world.one(&new))));
}

fn rate(n: u8, text: &str, world: &World, process: &crate::ledger::Ledger, local: bool) -> RateUse {
    let limit_id = LimitId::from_bytes([n; 16]);
    RateUse {
        limit_id,
        rate: Rate::parse(text).unwrap(),
        ver: ConfigVersion::from_raw(1),
        units: Units::ONE,
        local: local.then(|| process.rate(limit_id, world.now())),
    }
}

#[test]
fn rates_are_judged_first_and_given_back_when_a_quota_refuses() {
    for (atomic, local) in [(true, true), (true, false), (false, true)] {
        let world = World::with(atomic);
        let process = world.process();
        let call = |cap| TakeCall {
            rates: vec![rate(9, "2/s", &world, &process, local)],
            ..world.call(&[quota(1, cap)])
        };
        for _ in 0..5 {
            assert_eq!(refused(process.take(&call(0))).by, RefusedBy::Quota(0, Reason::Exhausted));
        }
        let open = |cap| TakeCall { quotas: vec![quota(2, cap)], ..call(cap) };
        assert!(is_taken(&process.take(&open(9))) && is_taken(&process.take(&open(9))));
        let refusal = refused(process.take(&open(9)));
        assert_eq!(refusal.by, RefusedBy::Rate(0), "atomic: {atomic}, local: {local}");
        assert_eq!(refusal.rates[0].wait_us, Some(500_000));
        assert_eq!(world.sums(&quota(2, 9)), (2, 2));
    }
}

#[test]
fn a_strict_rate_refuses_where_single_requests_are_atomic() {
    let world = World::without_batches();
    let process = world.process();
    let call = || TakeCall {
        rates: vec![rate(9, "1/s", &world, &process, false)],
        ..world.call(&[quota(1, 9), quota(2, 9)])
    };
    assert!(is_taken(&process.take(&call())));
    assert_eq!(refused(process.take(&call())).by, RefusedBy::Rate(0));
    process.flush().unwrap();
    assert_eq!((world.sums(&quota(1, 9)), world.sums(&quota(2, 9))), ((1, 1), (1, 1)));
}

#[test]
fn a_rate_that_refuses_gives_back_those_before_it() {
    let world = World::new();
    let process = world.process();
    let call = |rates: &[(u8, &str)]| TakeCall {
        rates: rates.iter().map(|(n, text)| rate(*n, text, &world, &process, true)).collect(),
        ..world.call(&[])
    };
    assert!(is_taken(&process.take(&call(&[(1, "1/h")]))));
    for _ in 0..5 {
        assert_eq!(refused(process.take(&call(&[(2, "1/h"), (1, "1/h")]))).by, RefusedBy::Rate(1));
    }
    assert!(is_taken(&process.take(&call(&[(2, "1/h")]))));
}

#[test]
fn a_slow_quota_goes_on_at_its_rate() {
    for atomic in [true, false] {
        for keyed in [true, false] {
            let world = World::with(atomic);
            let process = world.process();
            let limit = quota(1, 2).or_slow("1/h");
            let mut n = 0;
            let mut next = || {
                n += 1;
                let call = world.keyed(&format!("op-{n}"), std::slice::from_ref(&limit));
                process.take(&TakeCall { operation: call.operation.filter(|_| keyed), ..call })
            };
            for delay_ms in [0, 0, 10_000] {
                assert_eq!(taken(next()).delay_ms, delay_ms, "atomic: {atomic}, keyed: {keyed}");
            }
            let RefusedBy::Slow(0, verdict) = refused(next()).by else { panic!() };
            assert_eq!(verdict.wait_us, Some(3_600_000_000));
            world.clock.advance_seconds(3_600);
            assert!(taken(next()).quotas[0].slow);
            process.flush().unwrap();
            assert_eq!(world.sums(&limit), (2, 2));
        }
    }
}

#[test]
fn a_limit_that_blocks_free_calls_refuses_them_when_it_is_exhausted() {
    let world = World::new();
    let process = world.process();
    let free = |cap| quota(1, cap).of(0);
    assert!(is_taken(&process.take(&world.one(&free(1)))));
    assert!(is_taken(&process.take(&world.call(&[quota(1, 1)]))));
    assert_eq!(refused(process.take(&world.one(&free(1)))).by, RefusedBy::Quota(0, Reason::Exhausted));
    let nothing = quota(2, 0).of(0);
    assert_eq!(refused(process.take(&world.one(&nothing))).by, RefusedBy::Quota(0, Reason::Exhausted));
    assert_eq!(world.sums(&quota(1, 1)), (1, 1));
}

#[test]
fn an_operation_is_charged_once_by_whichever_process_tries_it() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let (here, there) = (world.process(), world.process());
        let quotas = [quota(1, 9).of(2), quota(2, 9)];
        assert!(!taken(here.take(&world.keyed("op", &quotas))).replayed);
        for process in [&here, &there] {
            let again = taken(process.take(&world.keyed("op", &quotas)));
            assert!(again.replayed && again.charges.is_empty(), "atomic: {atomic}");
            let other = [quota(1, 9).of(3), quota(2, 9)];
            let error = process.take(&world.keyed("op", &other)).err().unwrap();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, Code::OperationConflict));
            process.flush().unwrap();
        }
        assert_eq!((world.sums(&quotas[0]), world.sums(&quotas[1])), ((2, 2), (1, 1)), "atomic: {atomic}");
    }
}

#[test]
fn a_replayed_operation_takes_nothing_of_a_rate() {
    let world = World::new();
    let process = world.process();
    let call = |id: &str| TakeCall {
        rates: vec![rate(9, "2/s", &world, &process, true)],
        ..world.keyed(id, &[quota(1, 9)])
    };
    assert!(is_taken(&process.take(&call("a"))));
    for _ in 0..5 {
        assert!(taken(process.take(&call("a"))).replayed);
    }
    assert!(is_taken(&process.take(&call("b"))));
    assert!(matches!(process.take(&call("c")), Ok(Outcome::Refused(_))));
}

#[test]
fn an_operation_whose_answer_was_lost_is_answered_again() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let process = world.process();
        let quotas = [quota(1, 9)];
        world.fates(&[Fate::Lost]);
        assert!(process.take(&world.keyed("op", &quotas)).is_err());
        assert!(taken(process.take(&world.keyed("op", &quotas))).replayed, "atomic: {atomic}");
        assert_eq!(world.sums(&quotas[0]), (1, 1));
    }
}
