use crate::ledger::testing::*;
use crate::ledger::{QuotaUse, RefusedBy};
use crate::limit::Reason;

/// A keyed call on a primary and another limit whose primary's exchange meets this fate.
fn keyed_with(fate: Fate) -> (World, crate::ledger::Ledger, [QuotaUse; 2]) {
    let world = World::without_batches();
    let process = world.process();
    let quotas = [quota(1, 9), quota(2, 9).of(3)];
    world.fates(&[Fate::Answered, fate]);
    assert!(process.take(&world.keyed("op", &quotas)).is_err());
    assert_eq!(world.sums(&quotas[1]), (3, 0), "in hand, not used");
    (world, process, quotas)
}

#[test]
fn units_in_hand_wait_until_the_store_says_that_the_operation_was_charged() {
    let (world, process, quotas) = keyed_with(Fate::Lost);
    process.maintain(world.now()).unwrap();
    assert_eq!((world.sums(&quotas[0]), world.sums(&quotas[1])), ((1, 1), (3, 3)));
    assert!(taken(process.take(&world.keyed("op", &quotas))).replayed);
    process.flush().unwrap();
    assert_eq!((world.sums(&quotas[0]), world.sums(&quotas[1])), ((1, 1), (3, 3)));
}

#[test]
fn units_in_hand_go_back_when_the_operation_was_not_charged() {
    let (world, process, quotas) = keyed_with(Fate::Failed);
    process.maintain(world.now()).unwrap();
    assert_eq!((world.sums(&quotas[0]), world.sums(&quotas[1])), ((0, 0), (0, 0)));
    assert!(!taken(process.take(&world.keyed("op", &quotas))).replayed);
}

#[test]
fn the_store_is_asked_until_it_answers() {
    let (world, process, quotas) = keyed_with(Fate::Lost);
    for fate in [Fate::Failed, Fate::Lost] {
        world.fates(&[fate]);
        assert!(process.flush().is_err());
        assert_eq!(world.sums(&quotas[1]), (3, 0));
    }
    process.flush().unwrap();
    assert_eq!(world.sums(&quotas[1]), (3, 3));
}

#[test]
fn a_retry_before_the_store_was_asked_is_replayed_and_charges_no_limit_twice() {
    let (world, process, quotas) = keyed_with(Fate::Lost);
    assert!(taken(process.take(&world.keyed("op", &quotas))).replayed);
    process.flush().unwrap();
    assert_eq!((world.sums(&quotas[0]), world.sums(&quotas[1])), ((1, 1), (3, 3)));
}

#[test]
fn a_refused_primary_gives_the_others_back() {
    let world = World::without_batches();
    let process = world.process();
    let quotas = [quota(1, 0), quota(2, 9).of(3)];
    let refusal = refused(process.take(&world.keyed("op", &quotas)));
    assert_eq!(refusal.by, RefusedBy::Quota(0, Reason::Exhausted));
    process.flush().unwrap();
    assert_eq!(world.sums(&quotas[1]), (0, 0));
}

#[test]
fn a_keyed_calls_units_come_back_by_its_id_alone() {
    let world = World::without_batches();
    let process = world.process();
    let taken = taken(process.take(&world.keyed("op", &[quota(1, 9), quota(2, 9)])));
    assert!(taken.charges.is_empty() && taken.attempt.is_some());
}
