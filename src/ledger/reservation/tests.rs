//! Units that are held, come back, or were used beyond what was held.

use crate::clock::Timestamp;
use crate::decision::ChargedUnits;
use crate::error::ErrorKind;
use crate::ledger::reservation::Settled;
use crate::ledger::testing::*;
use crate::ledger::{QuotaUse, RefusedBy};
use crate::limit::{Credit, CreditAmount, CreditOutcome, LeaseId, RefundId};

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
