use super::*;
use crate::limit::gcra::Rate;
use crate::limit::tables::Tables;
use crate::limit::testing::*;
use crate::limit::{
    Attempt, ConfigVersion, CreditAmount, Fingerprint, OperationId, OperationKey, OperationScope, Reason,
};

fn party(n: u8, cap: u64) -> Party {
    Party::new(lifetime(n), terms(1, Some(cap)))
}

fn rate_item(n: u8, rate: &str, amount: u64) -> Item {
    let request = RateRequest {
        limit_id: lifetime(n).limit_id,
        ver: ConfigVersion::from_raw(1),
        rate: Rate::parse(rate).unwrap(),
        amount: units(amount),
    };
    Item { group: None, request: Request::Rate(request) }
}

fn rate_reply(reply: &BatchReply, i: usize) -> RateReply {
    match &reply.items[i] {
        ItemReply::Rate(reply) => *reply,
        ItemReply::Exchange(reply) => panic!("a rate was expected, not {reply:?}"),
    }
}

fn reasons(reply: &BatchReply) -> Vec<Reason> {
    (0..reply.items.len()).map(|i| exchange_reply(reply, i).reason).collect()
}

fn together(tables: &mut Tables, items: Vec<Item>) -> BatchReply {
    run_batch(tables, items, true, Act::None, at(0))
}

#[test]
fn a_batch_is_granted_all_or_none() {
    // caps of three limits, amounts asked, expected reasons
    let none = Reason::None;
    let cases: [([u64; 3], [u64; 3], [Reason; 3]); 4] = [
        ([5, 5, 5], [1, 2, 3], [none, none, none]),
        ([5, 5, 5], [1, 6, 3], [Reason::NotTaken, Reason::Insufficient(5), Reason::NotTaken]),
        ([5, 0, 5], [6, 1, 5], [Reason::Insufficient(5), Reason::Exhausted, Reason::NotTaken]),
        ([5, 5, 5], [5, 5, 5], [none, none, none]),
    ];
    for (caps, amounts, expected) in cases {
        let mut tables = Tables::default();
        let mut parties: Vec<Party> = (1..).zip(caps).map(|(n, cap)| party(n, cap)).collect();
        let items = parties.iter_mut().zip(amounts).map(|(p, n)| item(p.ask(&[n], true))).collect();
        let reply = together(&mut tables, items);
        assert_eq!(reasons(&reply), expected);
        let all = expected == [none; 3];
        for (i, amount) in amounts.iter().enumerate() {
            let taken = if all { amount.cast_signed() } else { 0 };
            assert_eq!(exchange_reply(&reply, i).granted, taken);
            assert_eq!(sums(&tables, parties[i].holding.bucket()), (taken, taken, 0));
        }
    }
}

#[test]
fn a_failed_batch_still_settles_what_was_reported() {
    let mut tables = Tables::default();
    let (mut a, mut b) = (party(1, 10), party(2, 0));
    a.exchange(&mut tables, &[6], false, at(0));
    assert!(a.holding.spend(2));
    a.holding.give_back();
    let items = vec![item(a.ask(&[1], true)), item(b.ask(&[1], true))];
    assert_eq!(reasons(&together(&mut tables, items)), [Reason::NotTaken, Reason::Exhausted]);
    assert_eq!(sums(&tables, &lifetime(1)), (2, 2, 0));
}

#[test]
fn a_repeated_batch_answers_again_and_takes_nothing() {
    for cap in [0, 10] {
        let mut tables = Tables::default();
        let (mut a, mut b) = (party(1, 10), party(2, cap));
        let items = vec![item(a.ask(&[4], true)), item(b.ask(&[4], true))];
        let first = together(&mut tables, items.clone());
        let before = (sums(&tables, &lifetime(1)), sums(&tables, &lifetime(2)));
        let again = together(&mut tables, items);
        assert_eq!(reasons(&again), reasons(&first));
        assert_eq!(exchange_reply(&again, 0).granted, exchange_reply(&first, 0).granted);
        assert_eq!((sums(&tables, &lifetime(1)), sums(&tables, &lifetime(2))), before);
    }
}

#[test]
fn of_alternatives_the_first_that_can_serve_is_taken() {
    // Quota, then credit pack, beside a third limit.
    let none = Reason::None;
    let cases: [([u64; 3], [Reason; 3]); 4] = [
        ([5, 5, 5], [none, Reason::NotTaken, none]),
        ([4, 5, 5], [Reason::Insufficient(4), none, none]),
        ([4, 3, 5], [Reason::Insufficient(4), Reason::Insufficient(3), Reason::NotTaken]),
        ([5, 5, 0], [Reason::NotTaken, Reason::NotTaken, Reason::Exhausted]),
    ];
    for (caps, expected) in cases {
        let mut tables = Tables::default();
        let mut parties: Vec<Party> = (1..).zip(caps).map(|(n, cap)| party(n, cap)).collect();
        let mut items: Vec<Item> = parties.iter_mut().map(|p| item(p.ask(&[5], true))).collect();
        items[0].group = Some(7);
        items[1].group = Some(7);
        let reply = together(&mut tables, items);
        assert_eq!(reasons(&reply), expected, "{caps:?}");
        for (i, reason) in expected.iter().enumerate() {
            let taken = if *reason == none { 5 } else { 0 };
            assert_eq!(sums(&tables, parties[i].holding.bucket()).0, taken);
        }
    }
}

#[test]
fn a_rate_is_charged_only_with_its_batch() {
    let mut tables = Tables::default();
    let (mut good, mut bad) = (party(1, 10), party(2, 0));
    for _ in 0..3 {
        let items = vec![rate_item(9, "1/s", 1), item(bad.ask(&[1], true))];
        let reply = together(&mut tables, items);
        let rate = rate_reply(&reply, 0);
        assert_eq!((rate.taken, rate.verdict.fits), (false, true));
    }
    let items = vec![rate_item(9, "1/s", 1), item(good.ask(&[1], true))];
    let reply = together(&mut tables, items);
    assert!(rate_reply(&reply, 0).taken);
    good.holding.accept(&exchange_reply(&reply, 1));
    let items = vec![rate_item(9, "1/s", 1), item(good.ask(&[1], true))];
    let reply = together(&mut tables, items);
    assert_eq!(rate_reply(&reply, 0).verdict.wait_us, Some(1_000_000));
    assert_eq!(exchange_reply(&reply, 1).reason, Reason::NotTaken);
    assert_eq!(sums(&tables, &lifetime(1)), (1, 1, 0));
}

#[test]
fn a_rate_follows_a_store_clock_that_was_set_back_also_when_it_refuses() {
    let mut tables = Tables::default();
    let mut take = |seconds| {
        let reply = run_batch(&mut tables, vec![rate_item(9, "1/s", 1)], false, Act::None, at(seconds));
        rate_reply(&reply, 0).taken
    };
    assert!(take(0));
    assert!(!take(-DAY_S));
    assert!(take(-DAY_S + 1), "a second later, not a day later");
}

#[test]
fn a_rate_can_stand_in_for_an_exhausted_quota() {
    let mut tables = Tables::default();
    let mut quota = party(1, 1);
    let mut call = |tables: &mut Tables| {
        let mut items = vec![item(quota.ask(&[1], true)), rate_item(9, "1/h", 1)];
        items.iter_mut().for_each(|item| item.group = Some(0));
        let reply = together(tables, items);
        quota.holding.accept(&exchange_reply(&reply, 0));
        (exchange_reply(&reply, 0).reason, rate_reply(&reply, 1).taken)
    };
    assert_eq!(call(&mut tables), (Reason::None, false));
    assert_eq!(call(&mut tables), (Reason::Exhausted, true));
    assert_eq!(call(&mut tables), (Reason::Exhausted, false));
}

#[test]
fn requests_of_a_plain_batch_depend_on_nothing() {
    let mut tables = Tables::default();
    let (mut a, mut b) = (party(1, 5), party(2, 0));
    let items = vec![item(a.ask(&[3, 3], true)), item(b.ask(&[1], true)), rate_item(9, "5/s", 3)];
    let reply = run_batch(&mut tables, items, false, Act::None, at(0));
    assert_eq!(exchange_reply(&reply, 0).granted, 3);
    assert_eq!(exchange_reply(&reply, 1).reason, Reason::Exhausted);
    assert_eq!(rate_reply(&reply, 2).verdict.remaining, units(2));
}

#[test]
fn batches_that_make_no_sense_are_errors() {
    let charge = || Act::Charge(operation("op", 1, &[1], false));
    let twice = || vec![item(party(1, 5).ask(&[1], true)), item(party(1, 5).ask(&[1], true))];
    let mut grouped = vec![item(party(1, 5).ask(&[1], true))];
    grouped[0].group = Some(1);
    let cases = [
        Batch { items: twice(), atomic: true, act: Act::None },
        Batch { items: vec![rate_item(1, "1/s", 1), rate_item(1, "1/s", 1)], atomic: true, act: Act::None },
        Batch { items: grouped, atomic: false, act: Act::None },
        Batch { items: twice(), atomic: false, act: charge() },
        Batch { items: Vec::new(), atomic: false, act: charge() },
        Batch { items: vec![rate_item(1, "1/s", 1); 65], atomic: false, act: Act::None },
    ];
    let mut tables = Tables::default();
    for batch in cases {
        assert_eq!(
            run(&mut tables, &batch, at(0)).unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{batch:?}"
        );
    }
    assert_eq!(tables.keys().count(), 0);
}

// Keyed charges: limits are numbered, each case's operation charges some of them.

fn operation_key(id: &str) -> OperationKey {
    let scope = OperationScope::new("live", &[("key", "k")]);
    OperationKey { scope, id: OperationId::new(id), home: lifetime(1), previous_start: None }
}

fn operation(id: &str, attempt: u8, amounts: &[u64], ask: bool) -> Operation {
    let charges: Vec<_> =
        (1..).zip(amounts).map(|(n, amount)| (lifetime(n).limit_id, units(*amount))).collect();
    Operation {
        key: operation_key(id),
        fingerprint: Fingerprint::new(&charges),
        attempt: Attempt::from_bytes([attempt; 16]),
        ask,
        ttl_ms: 86_400_000,
        also: Vec::new(),
    }
}

struct Keyed {
    tables: Tables,
    parties: Vec<Party>,
}

impl Keyed {
    fn new(caps: &[u64]) -> Self {
        let parties = (1..).zip(caps).map(|(n, cap)| party(n, *cap)).collect();
        Self { tables: Tables::default(), parties }
    }

    fn batch(&mut self, id: &str, attempt: u8, amounts: &[u64], ask: bool) -> Batch {
        let demand = |p: &mut Party, n: u64| if ask { p.ask(&[], true) } else { p.ask(&[n], true) };
        let items = self.parties.iter_mut().zip(amounts).map(|(p, n)| item(demand(p, *n))).collect();
        Batch { items, atomic: true, act: Act::Charge(operation(id, attempt, amounts, ask)) }
    }

    fn send(&mut self, batch: &Batch, seconds: i64) -> OperationOutcome {
        let reply = run_batch(&mut self.tables, batch.items.clone(), true, batch.act.clone(), at(seconds));
        for (i, party) in self.parties.iter_mut().enumerate().take(reply.items.len()) {
            assert_eq!(exchange_reply(&reply, i).granted, 0, "a keyed charge is no grant");
            party.holding.accept(&exchange_reply(&reply, i));
        }
        match reply.outcome {
            ActOutcome::Charge(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn call(&mut self, id: &str, attempt: u8, amounts: &[u64]) -> OperationOutcome {
        let batch = self.batch(id, attempt, amounts, false);
        self.send(&batch, 0)
    }

    fn confirmed(&self) -> Vec<i64> {
        self.parties.iter().map(|p| sums(&self.tables, p.holding.bucket()).1).collect()
    }

    fn credit(&mut self, id: &str, refund_id: RefundId, amount: CreditAmount, seconds: i64) -> CreditOutcome {
        let credit = Credit::Operation { key: operation_key(id), refund_id, amount, primary_only: false };
        match run_batch(&mut self.tables, Vec::new(), false, Act::Credit(credit), at(seconds)).outcome {
            ActOutcome::Credit(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }
}

fn is_granted(outcome: &OperationOutcome) -> bool {
    matches!(outcome, OperationOutcome::Granted(_))
}

fn is_replayed(outcome: &OperationOutcome) -> bool {
    matches!(outcome, OperationOutcome::Replayed(_))
}

#[test]
fn an_operation_is_charged_once_from_wherever_it_is_tried() {
    let mut keyed = Keyed::new(&[10, 10]);
    let first = keyed.call("op", 1, &[2, 3]);
    assert!(is_granted(&first));
    let again = keyed.call("op", 2, &[2, 3]);
    let (OperationOutcome::Granted(lines), OperationOutcome::Replayed(same)) = (first, again) else {
        panic!()
    };
    assert_eq!(lines, same);
    assert_eq!(lines.iter().map(|l| l.amount.get()).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(keyed.call("op", 3, &[2, 4]), OperationOutcome::Conflict);
    assert_eq!(keyed.confirmed(), [2, 3]);
    assert!(is_granted(&keyed.call("other", 1, &[2, 4])));
    assert_eq!(keyed.confirmed(), [4, 7]);
}

#[test]
fn a_keyed_charge_survives_its_lost_reply() {
    let mut keyed = Keyed::new(&[10]);
    let batch = keyed.batch("op", 1, &[4], false);
    run_batch(&mut keyed.tables, batch.items, true, batch.act, at(0));
    // The holder goes on with the next message; the charge is not among the grants that fall away.
    let asked = keyed.batch("op", 1, &[4], true);
    assert!(is_granted(&keyed.send(&asked, 0)), "our own try");
    let asked = keyed.batch("op", 2, &[4], true);
    assert!(is_replayed(&keyed.send(&asked, 0)), "another try");
    assert_eq!(keyed.confirmed(), [4]);
}

#[test]
fn asking_never_charges() {
    let mut keyed = Keyed::new(&[10]);
    let asked = keyed.batch("op", 1, &[4], true);
    assert_eq!(keyed.send(&asked, 0), OperationOutcome::Unknown);
    assert_eq!(keyed.confirmed(), [0]);
}

#[test]
fn a_repeated_message_neither_charges_nor_refuses_anew() {
    let mut keyed = Keyed::new(&[4, 4]);
    let granted = keyed.batch("op", 1, &[3, 3], false);
    assert!(is_granted(&keyed.send(&granted, 0)));
    let refused = keyed.batch("second", 1, &[3, 3], false);
    assert_eq!(keyed.send(&refused, 0), OperationOutcome::Refused);
    // Also when there is room by then: the caller was told no.
    let all = CreditAmount::All;
    assert!(matches!(keyed.credit("op", RefundId::new("r"), all, 0), CreditOutcome::Credited(_)));
    assert_eq!(keyed.send(&refused, 0), OperationOutcome::Refused);
    assert!(is_granted(&keyed.send(&granted, 0)), "of the message's own try");
    assert_eq!(keyed.confirmed(), [0, 0]);
}

#[test]
fn a_refused_operation_is_judged_anew_and_charges_nothing() {
    let mut keyed = Keyed::new(&[10, 1]);
    assert_eq!(keyed.call("op", 1, &[2, 2]), OperationOutcome::Refused);
    assert_eq!(keyed.confirmed(), [0, 0]);
    keyed.parties[1].terms = terms(2, Some(2));
    assert!(is_granted(&keyed.call("op", 2, &[2, 2])));
    assert_eq!(keyed.confirmed(), [2, 2]);
}

#[test]
fn a_record_answers_until_it_expires() {
    let mut keyed = Keyed::new(&[10]);
    assert!(is_granted(&keyed.call("op", 1, &[2])));
    let day = DAY_S;
    let batch = keyed.batch("op", 2, &[2], false);
    assert!(is_replayed(&keyed.send(&batch, day - 1)));
    let batch = keyed.batch("op", 3, &[2], false);
    assert!(is_granted(&keyed.send(&batch, day)));
    assert_eq!(keyed.confirmed(), [4]);
}

#[test]
fn calls_with_rates_only_keep_no_record() {
    let mut tables = Tables::default();
    for fits in [true, false] {
        let act = Act::Charge(operation("op", 1, &[], false));
        let reply = run_batch(&mut tables, vec![rate_item(9, "1/s", 1)], true, act, at(0));
        assert_eq!(rate_reply(&reply, 0).taken, fits);
        let expected = if fits { OperationOutcome::Granted(Vec::new()) } else { OperationOutcome::Refused };
        assert_eq!(reply.outcome, ActOutcome::Charge(expected));
    }
}

#[test]
fn what_was_taken_elsewhere_stands_in_the_record() {
    let mut tables = Tables::default();
    let mut primary = party(1, 10);
    let other = OperationLine { bucket: lifetime(2), amount: units(7), refunded: Units::ZERO };
    let charge = Operation { also: vec![other], ..operation("op", 1, &[2], false) };
    let items = vec![item(primary.ask(&[2], true))];
    let reply = run_batch(&mut tables, items, false, Act::Charge(charge), at(0));
    let ActOutcome::Charge(OperationOutcome::Granted(lines)) = reply.outcome else { panic!("{reply:?}") };
    assert_eq!(lines.iter().map(|l| l.amount.get()).collect::<Vec<_>>(), [2, 7]);
    assert_eq!(sums(&tables, &lifetime(1)), (2, 2, 0));
}

#[test]
fn credits_never_exceed_their_operation() {
    let mut keyed = Keyed::new(&[10, 10]);
    assert!(is_granted(&keyed.call("op", 1, &[4, 6])));
    let each = |n| CreditAmount::Each(units(n));
    let id = RefundId::new;
    let of = |limit: u8, n| CreditAmount::PerLimit(vec![(lifetime(limit).limit_id, units(n))]);
    assert!(matches!(keyed.credit("op", id("a"), each(1), 0), CreditOutcome::Credited(_)));
    assert_eq!(keyed.confirmed(), [3, 5]);
    assert_eq!(keyed.credit("op", id("a"), each(1), 0), CreditOutcome::AlreadyDone);
    assert_eq!(keyed.credit("op", id("b"), each(4), 0), CreditOutcome::TooMuch);
    assert_eq!(keyed.credit("op", id("b"), of(3, 1), 0), CreditOutcome::TooMuch, "it charged no such limit");
    assert_eq!(keyed.credit("none", id("b"), each(1), 0), CreditOutcome::Unknown);
    assert!(matches!(keyed.credit("op", id("c"), of(2, 5), 0), CreditOutcome::Credited(_)));
    assert_eq!(keyed.confirmed(), [3, 0]);
    assert!(matches!(keyed.credit("op", id("d"), CreditAmount::All, 0), CreditOutcome::Credited(_)));
    assert_eq!(keyed.confirmed(), [0, 0]);
    assert_eq!(keyed.credit("op", id("e"), each(1), 0), CreditOutcome::TooMuch);
    assert!(is_replayed(&keyed.call("op", 2, &[4, 6])), "a refunded operation stays answered");
    assert_eq!(keyed.credit("op", id("f"), each(1), DAY_S), CreditOutcome::Unknown, "its record has expired");
}

#[test]
fn a_full_credit_under_the_attempt_removes_the_record() {
    let mut keyed = Keyed::new(&[10]);
    assert!(is_granted(&keyed.call("op", 1, &[4])));
    let undo = RefundId::from(Attempt::from_bytes([1; 16]));
    assert!(matches!(keyed.credit("op", undo, CreditAmount::All, 0), CreditOutcome::Credited(_)));
    assert_eq!(keyed.credit("op", undo, CreditAmount::All, 0), CreditOutcome::AlreadyDone);
    assert!(is_granted(&keyed.call("op", 2, &[4])), "the operation is judged anew");
    assert_eq!(
        keyed.credit("op", undo, CreditAmount::All, 0),
        CreditOutcome::AlreadyDone,
        "late, for the first try"
    );
    assert_eq!(keyed.confirmed(), [4]);
}

#[test]
fn a_message_that_comes_again_after_its_operation_was_undone_charges_nothing() {
    let mut keyed = Keyed::new(&[10]);
    let batch = keyed.batch("op", 1, &[4], false);
    assert!(is_granted(&keyed.send(&batch, 0)));
    let undo = RefundId::from(Attempt::from_bytes([1; 16]));
    assert!(matches!(keyed.credit("op", undo, CreditAmount::All, 0), CreditOutcome::Credited(_)));
    assert_eq!(keyed.send(&batch, 0), OperationOutcome::Refused);
    let asked = keyed.batch("op", 1, &[4], true);
    assert_eq!(keyed.send(&asked, 0), OperationOutcome::Unknown, "nor does it leave a record");
    assert_eq!(keyed.confirmed(), [0]);
}

#[test]
fn a_credit_of_use_that_is_not_reported_yet_changes_nothing() {
    let mut tables = Tables::default();
    let (mut primary, mut other) = (party(1, 10), party(2, 10));
    other.exchange(&mut tables, &[7], false, at(0));
    let line = OperationLine { bucket: lifetime(2), amount: units(7), refunded: Units::ZERO };
    let charge = Operation { also: vec![line], ..operation("op", 1, &[2], false) };
    run_batch(&mut tables, vec![item(primary.ask(&[2], true))], false, Act::Charge(charge), at(0));
    let credit = |tables: &mut Tables| {
        let (refund_id, amount) = (RefundId::new("r"), CreditAmount::All);
        let credit = Credit::Operation { key: operation_key("op"), refund_id, amount, primary_only: false };
        run_batch(tables, Vec::new(), false, Act::Credit(credit), at(0)).outcome
    };
    assert_eq!(credit(&mut tables), ActOutcome::Credit(CreditOutcome::NotYet));
    assert_eq!((sums(&tables, &lifetime(1)).1, sums(&tables, &lifetime(2)).1), (2, 0));
    assert!(other.holding.spend(7));
    other.exchange(&mut tables, &[], false, at(0));
    assert!(matches!(credit(&mut tables), ActOutcome::Credit(CreditOutcome::Credited(_))));
    assert_eq!((sums(&tables, &lifetime(1)).1, sums(&tables, &lifetime(2)).1), (0, 0));
}

#[test]
fn a_part_under_the_attempt_keeps_the_record() {
    let mut keyed = Keyed::new(&[10]);
    assert!(is_granted(&keyed.call("op", 1, &[4])));
    let undo = RefundId::from(Attempt::from_bytes([1; 16]));
    assert!(matches!(keyed.credit("op", undo, CreditAmount::Each(units(3)), 0), CreditOutcome::Credited(_)));
    assert!(is_replayed(&keyed.call("op", 2, &[4])));
}

#[test]
fn a_credit_to_a_closed_period_is_an_event() {
    let mut keyed = Keyed::new(&[10]);
    keyed.parties[0].period_end = at(100);
    assert!(is_granted(&keyed.call("op", 1, &[4])));
    crate::limit::maintain::maintain(&mut keyed.tables, at(1_000), 100).unwrap();
    let outcome = keyed.credit("op", RefundId::new("r"), CreditAmount::All, 1_000);
    assert!(matches!(outcome, CreditOutcome::Credited(_)));
    assert_eq!(keyed.confirmed(), [4]);
    assert_eq!(events(&mut keyed.tables), [EventKind::Adjusted { units: -4 }]);
}

#[test]
fn a_limit_is_credited_once_and_only_what_is_confirmed() {
    let mut tables = Tables::default();
    let mut party = party(1, 10);
    party.exchange(&mut tables, &[4], false, at(0));
    let refund_id = RefundId::new("r");
    let credit = Credit::Limit { bucket: lifetime(1), refund_id, units: units(4) };
    let send = |tables: &mut Tables| {
        let reply = run_batch(tables, Vec::new(), false, Act::Credit(credit.clone()), at(0));
        reply.outcome
    };
    assert_eq!(send(&mut tables), ActOutcome::Credit(CreditOutcome::NotYet), "its use is not reported yet");
    assert!(party.holding.spend(4));
    party.exchange(&mut tables, &[], false, at(0));
    assert!(matches!(send(&mut tables), ActOutcome::Credit(CreditOutcome::Credited(_))));
    assert_eq!(send(&mut tables), ActOutcome::Credit(CreditOutcome::AlreadyDone));
    assert_eq!(sums(&tables, &lifetime(1)), (0, 0, 0));
}
