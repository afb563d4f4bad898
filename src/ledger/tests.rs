//! What a process keeps, gives back and survives.

use super::testing::*;
use super::*;
use crate::decision::ChargedUnits;
use crate::limit::{Counters, Credit, CreditAmount, CreditOutcome, RefundId, Units};
use std::sync::atomic::AtomicBool;

fn units(n: u64) -> Units {
    Units::new(n).unwrap()
}

#[test]
fn a_reservation_holds_its_maximum_and_charges_what_was_used() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let process = world.process();
        let quotas = [quota(1, 9).of(4), quota(2, 9).of(6)];
        for (actual, used) in [([1, 6], [1, 6]), ([4, 0], [4, 0]), ([0, 0], [0, 0])] {
            let before = [world.sums(&quotas[0]), world.sums(&quotas[1])];
            let held = held(process.hold(&world.call(&quotas)));
            assert_eq!(
                world.sums(&quotas[0]),
                (before[0].0 + 4, before[0].1),
                "held is charged, not confirmed"
            );
            let settled = process
                .settle_held(held, |line| {
                    units(actual[usize::from(line.bucket().limit_id != quotas[0].limit_id)])
                })
                .unwrap();
            assert_eq!(settled, Settled::default());
            for i in 0..2 {
                let sums = (before[i].1 + used[i], before[i].1 + used[i]);
                assert_eq!(world.sums(&quotas[i]), sums, "atomic: {atomic}, {actual:?}");
            }
            process.erase(&[quotas[0].limit_id, quotas[1].limit_id]).unwrap();
        }
    }
}

#[test]
fn a_dropped_reservation_gives_everything_back() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 9).of(9);
    drop(held(process.hold(&world.call(std::slice::from_ref(&limit)))));
    process.flush().unwrap();
    assert_eq!(world.sums(&limit), (0, 0));
    drop(held(process.hold(&world.one(&limit))));
    assert!(is_taken(&process.take(&world.one(&limit))), "units in hand serve the next call");
    assert_eq!(world.sums(&limit), (9, 9));
}

#[test]
fn units_that_come_back_end_a_refusal_at_once() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 5);
    let held = held(process.hold(&world.call(&[limit.clone().of(5)])));
    let refusal = refused(process.take(&world.call(std::slice::from_ref(&limit))));
    assert_eq!(refusal.by, RefusedBy::Quota(0, crate::limit::Reason::Contended));
    process.settle_held(held, |_| units(5)).unwrap();
    assert!(!is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))));
    let charge = |life| ChargedUnits { bucket: key_of(&limit), life, units: 5 };
    process.refund(&[charge(1)], 2).unwrap();
    assert_eq!(world.sums(&limit), (3, 3));
    assert!(is_taken(&process.take(&world.one(&limit))));
}

fn key_of(quota: &QuotaUse) -> BucketKey {
    take::bucket_key(quota, &crate::limit::period::Window::LIFETIME)
}

#[test]
fn use_beyond_a_reservation_is_taken_like_a_call_or_recorded_or_told() {
    // cap, held, used, record; charged, overrun, unrecorded
    let cases = [
        (20, 4, 9, true, 9, 0, 0),
        (9, 4, 9, true, 9, 0, 0),
        (8, 4, 9, true, 9, 5, 0),
        (8, 4, 9, false, 4, 0, 5),
    ];
    for (cap, hold, used, record_overrun, charged, overrun, unrecorded) in cases {
        let world = World::new();
        let process = world.process();
        let limit = QuotaUse { record_overrun, ..quota(1, cap).of(hold) };
        let held = held(process.hold(&world.call(std::slice::from_ref(&limit))));
        let settled = process.settle_held(held, |_| units(used)).unwrap();
        assert_eq!(settled, Settled { overrun, unrecorded }, "cap {cap}");
        assert_eq!(world.sums(&limit), (charged, charged));
        assert_eq!(world.bucket(&limit).overrun, i64::try_from(overrun).unwrap());
    }
}

#[test]
fn a_commit_while_the_store_is_away_is_reported_later() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 9).of(4);
    let held = held(process.hold(&world.call(std::slice::from_ref(&limit))));
    world.fates(&[Fate::Failed, Fate::Lost]);
    process.settle_held(held, |_| units(3)).unwrap();
    let rows = process.read(&[limit.limit_id], Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!((rows[0].0.bucket.confirmed, rows[0].1), (0, 3), "a process reads its own use");
    assert!(process.flush().is_err());
    process.flush().unwrap();
    assert_eq!(world.sums(&limit), (3, 3));
}

#[test]
fn a_reservation_that_is_overdue_ends_as_its_limit_says_and_the_truth_still_counts() {
    // committed or released when overdue, then the reservation's own word; what is counted before and after it
    let cases = [
        (true, Some(4), 4, 4),
        (true, Some(1), 4, 1),
        (true, Some(6), 4, 6),
        (true, None, 4, 0),
        (false, Some(3), 0, 3),
        (false, Some(6), 0, 6),
        (false, None, 0, 0),
    ];
    for (commit_overdue, word, overdue, counted) in cases {
        let world = World::new();
        let process = world.process();
        let limit = QuotaUse { commit_overdue, ..quota(1, 9).of(4) };
        let held = held(process.hold(&world.one(&limit)));
        world.clock.advance_seconds(299);
        process.maintain(world.now()).unwrap();
        assert_eq!(world.sums(&limit), (4, 0));
        world.clock.advance_seconds(1);
        for _ in 0..2 {
            process.maintain(world.now()).unwrap();
            assert_eq!(world.sums(&limit), (overdue, overdue), "commit: {commit_overdue}");
        }
        match word {
            Some(used) => drop(process.settle_held(held, |_| units(used)).unwrap()),
            None => drop(held),
        }
        process.flush().unwrap();
        assert_eq!(world.sums(&limit), (counted, counted), "commit: {commit_overdue}, then {word:?}");
        assert!(process.here.load().reservations.lock().is_empty());
    }
}

#[test]
fn what_ended_in_time_is_not_watched_for_ever() {
    let world = World::new();
    let process = world.process();
    for _ in 0..10 {
        drop(held(process.hold(&world.call(&[quota(1, 9)]))));
    }
    process.maintain(world.now()).unwrap();
    assert!(process.here.load().reservations.lock().is_empty());
}

#[test]
fn a_refund_goes_through_the_lease_that_was_charged_and_no_other() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 9).of(4);
    let charges = taken(process.take(&world.call(std::slice::from_ref(&limit)))).charges;
    process.refund(&charges, 1).unwrap();
    assert_eq!(world.sums(&limit), (3, 3));
    process.refund(&charges, 100).unwrap_err();
    assert_eq!(world.sums(&limit), (3, 3), "4 units were charged, 1 is back, 4 more are not to be had");
    let other = ChargedUnits { life: charges[0].life + 1, ..charges[0] };
    assert_eq!(process.refund(&[other], 1).unwrap_err().kind(), ErrorKind::AlreadySettled);
    assert_eq!(world.process().refund(&charges, 1).unwrap_err().kind(), ErrorKind::AlreadySettled);
}

#[test]
fn a_refund_into_a_period_that_is_closed_is_an_error() {
    let world = World::new();
    let process = world.process();
    let length_s = std::num::NonZeroU32::new(3_600).unwrap();
    let anchor = Timestamp::EPOCH;
    let limit = quota(1, 9).with_period(crate::limit::period::Period::Fixed { length_s, anchor });
    let charges = taken(process.take(&world.one(&limit))).charges;
    world.clock.advance_seconds(3_600 + 600);
    assert_eq!(process.refund(&charges, 1).unwrap_err().kind(), ErrorKind::AlreadySettled);
}

#[test]
fn a_keyed_charge_is_credited_from_any_process() {
    let world = World::new();
    let limit = quota(1, 9).of(4);
    let call = world.keyed("op", std::slice::from_ref(&limit));
    assert!(is_taken(&world.process().take(&call)));
    let key = call.operation_key().unwrap();
    let refund_id = RefundId::new("r");
    let credit =
        || Credit::Operation { key, refund_id, amount: CreditAmount::Each(units(3)), primary_only: false };
    let outcomes = [world.process().credit(credit()).unwrap(), world.process().credit(credit()).unwrap()];
    assert!(matches!(outcomes[0], CreditOutcome::Credited(_)));
    assert_eq!((&outcomes[1], world.sums(&limit)), (&CreditOutcome::AlreadyDone, (1, 1)));
}

#[test]
fn a_copied_process_goes_on_as_another_holder() {
    let world = World::new();
    let (process, copy) = (world.process(), world.process());
    let limit = quota(1, 100);
    assert!(is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))));
    // The copy believes that it is the same holder, in the same life of the bucket.
    let holder = *process.here.load().holder.lock();
    *copy.here.load().holder.lock() = holder;
    let mut admitted = 1;
    for _ in 0..5 {
        for one in [&copy, &process] {
            admitted += i64::from(is_taken(&one.take(&world.call(std::slice::from_ref(&limit)))));
        }
    }
    assert_eq!((admitted, world.sums(&limit)), (11, (11, 11)));
    assert_ne!(*copy.here.load().holder.lock(), holder);
}

#[test]
fn a_process_that_was_idle_for_days_begins_a_new_life() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 9);
    assert!(is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))));
    world.clock.advance_seconds(2 * 86_400);
    process.maintain(world.now()).unwrap();
    for call in [std::slice::from_ref(&limit), &[limit.clone(), quota(2, 9)]] {
        assert!(is_taken(&process.take(&world.call(call))));
        world.clock.advance_seconds(2 * 86_400);
        process.maintain(world.now()).unwrap();
    }
    assert_eq!(world.sums(&limit), (3, 3));
}

#[test]
fn a_reservation_whose_lease_was_replaced_is_still_counted() {
    for used in [0, 3] {
        let world = World::new();
        let (process, copy) = (world.process(), world.process());
        let limit = quota(1, 100);
        *copy.here.load().holder.lock() = *process.here.load().holder.lock();
        let held = held(process.hold(&world.call(&[limit.clone().of(4)])));
        assert!(is_taken(&copy.take(&world.call(std::slice::from_ref(&limit)))));
        // As after an answer that the lease has another user.
        process.lane(key_of(&limit)).unwrap().with_holding(|holding| {
            *holding = crate::limit::holder::Holding::new(key_of(&limit), LeaseId::default(), 0);
        });
        process.settle_held(held, |_| units(used)).unwrap();
        process.flush().unwrap();
        let used = i64::try_from(used).unwrap();
        assert_eq!(world.sums(&limit), (4 + 1 + used, 1 + used), "what was held stays charged");
    }
}

/// What a forked child sees: the parent's state, under another process id.
fn as_child(parent: Ledger) -> Ledger {
    let here = parent.here.load_full();
    let own = here.lanes.lock().clone();
    let lanes = own.iter().map(|(key, lane)| {
        let foreign = Lane::new(*key, lane.lease(), here.pid + 1);
        foreign.with_holding(|holding| *holding = lane.with_holding(|holding| holding.clone()));
        (*key, Arc::new(foreign))
    });
    let copy = Here {
        pid: here.pid + 1,
        holder: Mutex::new(*here.holder.lock()),
        lanes: Mutex::new(lanes.collect()),
        unsettled: Mutex::default(),
        reservations: Mutex::default(),
    };
    parent.here.store(Arc::new(copy));
    parent
}

#[test]
fn a_forked_child_is_another_holder_with_nothing_in_hand() {
    let world = World::new();
    let parent = world.process();
    let limit = quota(1, 9);
    assert!(is_taken(&parent.take(&world.call(std::slice::from_ref(&limit)))));
    let holder = *parent.here.load().holder.lock();
    let child = as_child(parent);
    // Whatever lock the parent held when it was forked is never asked for.
    let parents = child.here.load_full();
    let (_holder, _lanes) = (parents.holder.lock(), parents.lanes.lock());
    assert!(is_taken(&child.take(&world.call(std::slice::from_ref(&limit)))));
    assert_ne!(*child.here.load().holder.lock(), holder);
    child.maintain(world.now()).unwrap();
    assert_eq!(world.sums(&limit), (2, 2));
}

#[test]
fn a_reservation_stays_with_the_parent() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 9).of(4);
    let lane = Arc::new(Lane::new(key_of(&limit), LeaseId::default(), std::process::id() + 1));
    lane.with_holding(|_| ());
    let inherited = limit.held(Arc::clone(&lane), LeaseId::default(), world.now());
    assert_eq!(process.settle_held(vec![inherited], |_| units(4)).unwrap_err().kind(), ErrorKind::Forked);
    drop(limit.held(Arc::clone(&lane), LeaseId::default(), world.now()));
    assert_eq!(
        lane.with_holding(|holding| (holding.reserved(), *holding.counters())),
        (0, Counters::default())
    );
    assert_eq!(world.exchanges(), 0);
}

#[test]
fn the_table_is_bounded_and_a_forgotten_bucket_counts_on() {
    let world = World::new();
    let process = Ledger { lanes_max: 20, ..world.process() };
    for round in 1..=3 {
        for n in 0..50 {
            assert!(is_taken(&process.take(&world.call(&[quota(n, 9)]))), "limit {n}");
            assert!(process.here.load().lanes.lock().len() <= 20);
        }
        process.maintain(world.now()).unwrap();
        for n in 0..50 {
            assert_eq!(world.sums(&quota(n, 9)), (round, round));
        }
    }
}

#[test]
fn a_bucket_that_somebody_is_about_to_ask_is_not_forgotten() {
    let world = World::new();
    let process = Ledger { lanes_max: 4, ..world.process() };
    let lane = process.lane(key_of(&quota(1, 9))).unwrap();
    for n in 2..20 {
        assert!(is_taken(&process.take(&world.call(&[quota(n, 9)]))));
    }
    assert!(Arc::ptr_eq(&lane, &process.lane(key_of(&quota(1, 9))).unwrap()));
}

#[test]
fn a_lease_whose_end_was_not_answered_is_kept() {
    let world = World::new();
    let process = Ledger { lanes_max: 4, ..world.process() };
    for n in 0..4 {
        assert!(is_taken(&process.take(&world.call(&[quota(n, 9)]))));
    }
    process.maintain(world.now()).unwrap();
    world.fates(&[Fate::Failed]);
    assert!(process.maintain(world.now()).is_err());
    assert_eq!(process.here.load().lanes.lock().len(), 4);
    process.maintain(world.now()).unwrap();
    assert_eq!(process.here.load().lanes.lock().len(), 0);
    assert_eq!(world.bucket(&quota(0, 9)).live, 0);
}

#[test]
fn idle_buckets_end_their_leases_before_the_table_is_full() {
    let world = World::new();
    let process = Ledger { lanes_max: 20, ..world.process() };
    for n in 0..19 {
        assert!(is_taken(&process.take(&world.call(&[quota(n, 9)]))));
    }
    let reserved = held(process.hold(&world.call(&[quota(18, 9)])));
    process.maintain(world.now()).unwrap();
    assert_eq!(process.here.load().lanes.lock().len(), 19, "all were used since the last look");
    assert!(is_taken(&process.take(&world.call(&[quota(0, 9)]))));
    process.maintain(world.now()).unwrap();
    assert_eq!(process.here.load().lanes.lock().len(), 2, "one in use, one with a reservation");
    assert_eq!(world.bucket(&quota(5, 9)).live, 0);
    process.settle_held(reserved, HeldLine::units).unwrap();
    assert_eq!(world.sums(&quota(18, 9)), (2, 2));
}

#[test]
fn a_table_full_of_buckets_that_cannot_be_reported_turns_new_ones_away() {
    let world = World::new();
    let process = Ledger { lanes_max: 4, ..world.process() };
    let held: Vec<_> = (0..4).flat_map(|n| held(process.hold(&world.call(&[quota(n, 9)])))).collect();
    let error = process.take(&world.call(&[quota(9, 9)])).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    drop(held);
    process.flush().unwrap();
    assert!(is_taken(&process.take(&world.call(&[quota(9, 9)]))));
}

#[test]
fn closing_gives_everything_back_and_ends_every_lease() {
    let world = World::new();
    let process = world.process();
    let quotas = [quota(1, 9).of(3), quota(2, 9).of(3)];
    assert!(is_taken(&process.take(&world.call(&quotas))));
    let held = held(process.hold(&world.call(&quotas[..1])));
    drop(held);
    world.fates(&[Fate::Lost]);
    process.close(10_000).unwrap();
    for limit in &quotas {
        let bucket = world.bucket(limit);
        assert_eq!((bucket.charged, bucket.confirmed, bucket.outstanding(), bucket.live), (3, 3, 0, 0));
    }
}

/// Lets the first of these calls wait at the store until the others wait behind it; says how many were admitted, and in
/// how many exchanges.
fn together(world: &World, process: &Ledger, limit: &QuotaUse, amounts: &[u64]) -> (usize, u64) {
    let before = world.exchanges();
    let first = AtomicBool::new(true);
    let (sent, go) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
    let (at_store, released) = (Arc::clone(&sent), Arc::clone(&go));
    *world.wire.before.lock() = Some(Arc::new(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            at_store.wait();
            released.wait();
        }
    }));
    let admitted = std::thread::scope(|scope| {
        let take = |n: u64| {
            let call = world.call(&[limit.clone().of(n)]);
            scope.spawn(move || is_taken(&process.take(&call)))
        };
        let mut calls = vec![take(amounts[0])];
        sent.wait();
        calls.extend(amounts[1..].iter().map(|n| take(*n)));
        let lane = process.lane(key_of(limit)).unwrap();
        while lane.waiting() < amounts.len() - 1 {
            std::thread::yield_now();
        }
        go.wait();
        calls.into_iter().map(|call| call.join().unwrap()).filter(|taken| *taken).count()
    });
    *world.wire.before.lock() = None;
    (admitted, world.exchanges() - before)
}

#[test]
fn waiting_calls_share_an_exchange() {
    let world = World::new();
    let process = world.process();
    assert_eq!(together(&world, &process, &quota(1, 3), &[1; 6]), (3, 2));
    assert_eq!(world.sums(&quota(1, 3)), (3, 3));
    assert_eq!(
        together(&world, &process, &quota(2, 1), &[1, 5, 4, 3, 2]),
        (1, 2),
        "one refusal covers them all"
    );
}

#[test]
fn a_small_call_is_not_refused_for_a_large_one_before_it() {
    for amounts in [[1, 9, 2, 2], [1, 2, 9, 2], [1, 9, 9, 4]] {
        let world = World::new();
        let process = world.process();
        let (_, exchanges) = together(&world, &process, &quota(1, 5), &amounts);
        assert_eq!(world.sums(&quota(1, 5)), (5, 5), "{amounts:?}");
        assert!(exchanges <= 4);
    }
}

#[test]
fn inv_56_a_store_that_panics_leaves_every_lane_free() {
    for atomic in [true, false] {
        let world = World::with(atomic);
        let process = world.process();
        for call in [world.one(&quota(1, 9)), world.call(&[quota(1, 9), quota(2, 9)])] {
            *world.wire.before.lock() = Some(Arc::new(|_| panic!("the store's own")));
            let take = std::panic::AssertUnwindSafe(|| drop(process.take(&call)));
            assert!(std::panic::catch_unwind(take).is_err());
            *world.wire.before.lock() = None;
            assert!(is_taken(&process.take(&call)), "atomic: {atomic}");
        }
        process.flush().unwrap();
        assert_eq!((world.sums(&quota(1, 9)), world.sums(&quota(2, 9))), ((2, 2), (1, 1)));
    }
}

#[test]
fn advice_charges_nothing_and_agrees_with_the_call() {
    let world = World::new();
    let process = world.process();
    for (used, slow) in [(0, false), (3, false), (3, true)] {
        let base = quota(1 + used as u8 + u8::from(slow) * 10, 3);
        if used > 0 {
            assert!(is_taken(&process.take(&world.call(&[base.clone().of(used)]))));
        }
        let limit = if slow { base.or_slow("1/h") } else { base };
        let call = world.call(std::slice::from_ref(&limit));
        let before = world.sums(&limit);
        let advised = [process.advise(&call), process.advise(&call)].map(|advice| is_taken(&advice));
        assert_eq!((advised, world.sums(&limit)), ([used == 0 || slow; 2], before));
        assert_eq!(is_taken(&process.take(&call)), advised[0], "used {used}, slow {slow}");
        if slow {
            assert!(!is_taken(&process.advise(&call)), "the slow source is used up too");
        }
    }
}

#[test]
fn advice_goes_by_the_newer_configuration() {
    let world = World::new();
    let process = world.process();
    let new = quota(1, 5).with_terms(terms(2, Some(5)));
    assert!(is_taken(&process.take(&world.call(&[new.of(5)]))));
    let old = world.call(&[quota(1, 9)]);
    assert!(!is_taken(&process.advise(&old)) && !is_taken(&process.take(&old)));
}

#[test]
fn a_broken_clock_ahead_is_not_held_on_to() {
    let world = World::new();
    let process = world.process();
    let limit = quota(1, 99);
    assert!(is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))));
    world.clock.advance_seconds(86_400);
    assert!(is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))));
    world.clock.advance_seconds(-86_400);
    assert!(is_taken(&process.take(&world.call(std::slice::from_ref(&limit)))));
    assert_eq!(process.hint(), world.now());
    assert!(is_taken(&process.take(&world.one(&limit))));
}
