//! What a process keeps, gives back and survives.

use super::testing::*;
use super::*;
use crate::limit::Counters;
use std::sync::atomic::AtomicBool;

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
