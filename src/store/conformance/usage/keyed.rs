//! Charges and credits by operation id.

use super::{Party, act, bucket, exchange_reply, item, sums, units};
use crate::limit::batch::{Act, ActOutcome};
use crate::limit::{
    Attempt, Credit, CreditAmount, CreditOutcome, Fingerprint, Operation, OperationId, OperationKey,
    OperationOutcome, OperationScope, RefundId,
};
use crate::store::UsageStore;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn operation_key(id: &str) -> OperationKey {
    let scope = OperationScope::new("live", &[("key", "k")]);
    OperationKey { scope, id: OperationId::new(id), home: bucket(1), previous_start: None }
}

pub(super) fn operation(id: &str, attempt: u64, amount: u64, ask: bool) -> Operation {
    Operation {
        key: operation_key(id),
        fingerprint: Fingerprint::new(&[(bucket(1).limit_id, units(amount))]),
        attempt: Attempt::from_bytes(u128::from(attempt).to_be_bytes()),
        ask,
        ttl_ms: 86_400_000,
        also: Vec::new(),
    }
}

fn charge(
    store: &dyn UsageStore,
    party: &mut Party,
    id: &str,
    attempt: u64,
    amount: u64,
) -> OperationOutcome {
    let items = vec![item(party.ask(&[amount], true))];
    let reply = act(store, items, Act::Charge(operation(id, attempt, amount, false)));
    party.holding.accept(&exchange_reply(&reply, 0));
    assert_eq!(exchange_reply(&reply, 0).granted, 0, "a keyed charge is no grant");
    match reply.outcome {
        ActOutcome::Charge(outcome) => outcome,
        other => panic!("a charge was answered with {other:?}"),
    }
}

fn credit(store: &dyn UsageStore, id: &str, refund_id: RefundId, amount: CreditAmount) -> CreditOutcome {
    let credit = Credit::Operation { key: operation_key(id), refund_id, amount, primary_only: false };
    match act(store, Vec::new(), Act::Credit(credit)).outcome {
        ActOutcome::Credit(outcome) => outcome,
        other => panic!("a credit was answered with {other:?}"),
    }
}

pub(in crate::store::conformance) fn an_operation_is_charged_once(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(10));
    let OperationOutcome::Granted(first) = charge(store, &mut party, "op", 1, 4) else {
        panic!("not granted")
    };
    assert_eq!((first[0].bucket, first[0].amount), (bucket(1), units(4)));
    let mut other = Party::new(2, bucket(1), Some(10));
    assert_eq!(charge(store, &mut other, "op", 2, 4), OperationOutcome::Replayed(first.clone()));
    assert_eq!(
        charge(store, &mut other, "op", 1, 4),
        OperationOutcome::Granted(first),
        "the first try again"
    );
    assert_eq!(charge(store, &mut other, "op", 3, 5), OperationOutcome::Conflict);
    assert_eq!(charge(store, &mut other, "big", 1, 7), OperationOutcome::Refused);
    assert_eq!(sums(store, &bucket(1)), (4, 4, 0));
    assert!(matches!(charge(store, &mut other, "small", 1, 6), OperationOutcome::Granted(_)));
}

pub(in crate::store::conformance) fn a_keyed_charge_survives_its_lost_reply(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(10));
    act(store, vec![item(party.ask(&[4], true))], Act::Charge(operation("op", 1, 4, false)));
    let asked = act(store, vec![item(party.ask(&[], false))], Act::Charge(operation("op", 1, 4, true)));
    assert!(matches!(asked.outcome, ActOutcome::Charge(OperationOutcome::Granted(_))));
    let asked = act(store, vec![item(party.ask(&[], false))], Act::Charge(operation("none", 1, 4, true)));
    assert_eq!(asked.outcome, ActOutcome::Charge(OperationOutcome::Unknown));
    assert_eq!(sums(store, &bucket(1)), (4, 4, 0));
}

pub(in crate::store::conformance) fn parallel_tries_of_one_operation_charge_it_once(store: &dyn UsageStore) {
    let granted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for process in 1..=8 {
            let granted = &granted;
            scope.spawn(move || {
                let mut party = Party::new(process, bucket(1), Some(100));
                for n in 0..5 {
                    match charge(store, &mut party, &format!("op-{n}"), process, 3) {
                        OperationOutcome::Granted(_) => drop(granted.fetch_add(1, Ordering::Relaxed)),
                        OperationOutcome::Replayed(_) => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    assert_eq!((granted.into_inner(), sums(store, &bucket(1))), (5, (15, 15, 0)));
}

pub(in crate::store::conformance) fn credits_stay_within_their_operation(store: &dyn UsageStore) {
    let mut party = Party::new(1, bucket(1), Some(10));
    charge(store, &mut party, "op", 1, 4);
    let each = |n| CreditAmount::Each(units(n));
    let id = RefundId::new;
    assert!(matches!(credit(store, "op", id("a"), each(3)), CreditOutcome::Credited(_)));
    assert_eq!(credit(store, "op", id("a"), each(3)), CreditOutcome::AlreadyDone);
    assert_eq!(credit(store, "op", id("b"), each(2)), CreditOutcome::TooMuch);
    assert_eq!(credit(store, "none", id("b"), each(1)), CreditOutcome::Unknown);
    assert_eq!(sums(store, &bucket(1)), (1, 1, 0));
    assert!(matches!(credit(store, "op", id("b"), CreditAmount::All), CreditOutcome::Credited(_)));
    assert_eq!(sums(store, &bucket(1)), (0, 0, 0));
    assert!(matches!(charge(store, &mut party, "op", 2, 4), OperationOutcome::Replayed(_)));
}

pub(in crate::store::conformance) fn a_full_credit_under_the_attempt_undoes_the_operation(
    store: &dyn UsageStore,
) {
    let mut party = Party::new(1, bucket(1), Some(10));
    charge(store, &mut party, "op", 7, 4);
    let undo = RefundId::from(operation("op", 7, 4, false).attempt);
    assert!(matches!(credit(store, "op", undo, CreditAmount::All), CreditOutcome::Credited(_)));
    assert_eq!(credit(store, "op", undo, CreditAmount::All), CreditOutcome::AlreadyDone);
    assert!(matches!(charge(store, &mut party, "op", 8, 4), OperationOutcome::Granted(_)));
    assert_eq!(sums(store, &bucket(1)), (4, 4, 0));
}
