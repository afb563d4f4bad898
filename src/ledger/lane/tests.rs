use super::*;
use crate::limit::{Lane as LaneKind, LimitId};

fn lane() -> Lane {
    let key = BucketKey { limit_id: LimitId::from_bytes([1; 16]), ..BucketKey::default() };
    Lane::new(key, LeaseId::default(), std::process::id())
}

fn terms(ver: u64) -> Terms {
    Terms { ver: ConfigVersion::from_raw(ver), cap: None, included: None, marks: [].into() }
}

fn enqueue(lane: &Lane, units: u32, hold: bool) -> Ticket {
    lane.enqueue(Units::from(units), hold, &terms(1), Timestamp::MAX)
}

fn lead<'l>(lane: &'l Lane, ticket: &Ticket) -> Turn<'l> {
    match lane.next_step(ticket).unwrap() {
        Step::Lead(turn) => turn,
        Step::Answered(_) => panic!("answered"),
    }
}

fn answer(lane: &Lane, ticket: &Ticket) -> Answer {
    match lane.next_step(ticket).unwrap() {
        Step::Answered(answer) => answer,
        Step::Lead(_) => panic!("not answered"),
    }
}

fn state() -> QuotaState {
    let window = Window { start: Timestamp::MIN, end: Timestamp::MAX };
    let (cap, included) = (Some(10), None);
    QuotaState { window, charged: 10, confirmed: 10, cap, included, lane: LaneKind::Strict, slow: false }
}

fn served() -> Option<Answer> {
    Some(Answer::Served(state(), LeaseId::default()))
}

/// Gives the lane's holding units, as an accepted grant would.
fn grant(turn: &Turn<'_>, units: i64, consume: bool) {
    let request = turn.request(turn.demand(), consume, Nonce::default(), Timestamp::EPOCH).unwrap();
    let reply = Reply {
        seq: request.seq,
        granted: units,
        reason: Reason::None,
        lane: LaneKind::Strict,
        pressure: false,
        ttl_ms: 1,
        now: Timestamp::EPOCH,
        charged: units,
        confirmed: 0,
        cap: None,
        included: None,
        ver: terms(1).ver,
        period_end: Timestamp::MAX,
        live: 1,
        incarnation: crate::limit::Incarnation::default(),
        clock_ignored: false,
    };
    assert!(turn.accept(&reply, |_| panic!("not renewed")).is_ok());
}

#[test]
fn calls_that_wait_go_together_if_they_are_alike() {
    let lane = lane();
    let tickets: Vec<Ticket> = [(1, false), (2, false), (3, true), (4, true), (5, false)]
        .map(|(n, hold)| enqueue(&lane, n, hold))
        .into();
    for (first, expected) in [(0, vec![1_u32, 2]), (2, vec![3, 4]), (4, vec![5])] {
        let mut turn = lead(&lane, &tickets[first]);
        let expected: Vec<Units> = expected.into_iter().map(Units::from).collect();
        assert_eq!(turn.demand(), expected);
        turn.answer(|_, _| Some(Answer::Refused(Reason::Exhausted, state())));
    }
    for ticket in &tickets {
        assert!(matches!(answer(&lane, ticket), Answer::Refused(Reason::Exhausted, _)));
    }
    assert!(lane.is_clean());
}

#[test]
fn at_most_64_calls_go_in_one_message() {
    let lane = lane();
    let tickets: Vec<Ticket> = (0..70).map(|_| enqueue(&lane, 1, false)).collect();
    // The last caller leads calls that wait longer than its own.
    let mut turn = lead(&lane, &tickets[69]);
    assert_eq!(turn.demand().len(), 64);
    turn.answer(|_, _| served());
    drop(turn);
    assert_eq!(lead(&lane, &tickets[69]).demand().len(), 6);
}

#[test]
fn what_is_not_answered_waits_at_the_head_of_the_queue() {
    let lane = lane();
    let tickets: Vec<Ticket> = (1..=3).map(|n| enqueue(&lane, n, false)).collect();
    let mut turn = lead(&lane, &tickets[0]);
    let late = enqueue(&lane, 9, false);
    turn.answer(|i, _| if i == 0 { served() } else { None });
    drop(turn);
    let turn = lead(&lane, &late);
    assert_eq!(turn.demand(), [2, 3, 9].map(Units::from));
}

#[test]
fn a_turn_that_is_dropped_fails_its_calls() {
    let lane = lane();
    let (first, second) = (enqueue(&lane, 1, false), enqueue(&lane, 1, false));
    drop(lead(&lane, &first));
    for ticket in [&first, &second] {
        assert!(matches!(answer(&lane, ticket), Answer::Failed(ErrorKind::OutcomeUnknown)));
    }
    assert!(lane.try_turn().is_some(), "and the turn is free again");
}

#[test]
fn units_of_a_caller_that_has_gone_are_in_hand_again() {
    for hold in [false, true] {
        let lane = lane();
        let (leader, mut other) = (enqueue(&lane, 2, hold), enqueue(&lane, 3, hold));
        let mut turn = lead(&lane, &leader);
        other.deadline = Instant::now();
        assert_eq!(lane.next_step(&other).err().unwrap().kind(), ErrorKind::StoreTimeout);
        grant(&turn, 5, !hold);
        turn.answer(|_, _| served());
        drop(turn);
        assert!(matches!(answer(&lane, &leader), Answer::Served(..)));
        let (in_hand, reserved) = lane.with_holding(|holding| (holding.in_hand(), holding.reserved()));
        assert_eq!((in_hand, reserved), (3, if hold { 2 } else { 0 }));
        assert!(lane.has_news(), "the next report returns them");
    }
}

#[test]
fn a_caller_that_goes_before_it_is_sent_leaves_the_queue() {
    let lane = lane();
    let leader = enqueue(&lane, 2, false);
    let mut turn = lead(&lane, &leader);
    let mut other = enqueue(&lane, 3, false);
    other.deadline = Instant::now();
    assert!(lane.next_step(&other).is_err());
    turn.answer(|_, _| served());
    drop(turn);
    answer(&lane, &leader);
    assert!(lane.is_clean());
}

#[test]
fn a_refusal_answers_for_a_second_for_calls_that_need_more_than_was_left() {
    let lane = lane();
    let now = Timestamp::from_seconds(1_000);
    // reason noted, units asked, version of the call, microseconds later, refused
    let cases = [
        (Reason::Exhausted, 1, 1, 0, true),
        (Reason::Exhausted, 1, 1, 999_999, true),
        (Reason::Exhausted, 1, 1, 1_000_000, false),
        (Reason::Exhausted, 1, 1, -1, false),
        (Reason::Exhausted, 1, 2, 0, false),
        (Reason::Insufficient(4), 5, 1, 0, true),
        (Reason::Insufficient(4), 4, 1, 0, false),
        (Reason::Contended, 1, 1, 0, false),
        (Reason::NotTaken, 1, 1, 0, false),
    ];
    for (reason, units, ver, later, expected) in cases {
        lane.with_holding(|_| ());
        lane.take_turn().unwrap().note_refusal(reason, terms(1).ver, state(), now);
        let refusal = lane.refusal(Units::from(units), terms(ver).ver, now.plus_micros(later));
        assert_eq!(refusal.is_some(), expected, "{reason:?}, {units} units, version {ver}, {later} us later");
    }
    lane.take_turn().unwrap().note_refusal(Reason::Exhausted, terms(1).ver, state(), now);
    lane.with_holding(|_| ());
    assert!(lane.refusal(Units::ONE, terms(1).ver, now).is_none(), "units came back");
}

#[test]
fn what_is_served_ends_a_refusal_whose_numbers_are_old() {
    let lane = lane();
    let now = Timestamp::from_seconds(1_000);
    let ticket = enqueue(&lane, 3, false);
    let mut turn = lead(&lane, &ticket);
    turn.note_refusal(Reason::Insufficient(4), terms(1).ver, state(), now);
    assert!(lane.refusal(Units::from(5), terms(1).ver, now).is_some());
    grant(&turn, 3, true);
    assert!(lane.refusal(Units::from(5), terms(1).ver, now).is_none(), "1 is left, not 4");
    turn.answer(|_, _| served());
}

#[test]
fn a_message_carries_the_newest_configuration_of_the_calls_in_it() {
    let lane = lane();
    let first = lane.enqueue(Units::ONE, false, &terms(2), Timestamp::MAX);
    let _older = lane.enqueue(Units::ONE, false, &terms(1), Timestamp::MAX);
    let turn = lead(&lane, &first);
    let request = turn.request(turn.demand(), true, Nonce::default(), Timestamp::EPOCH).unwrap();
    assert_eq!(request.terms.ver, ConfigVersion::from_raw(2));
}

#[test]
fn only_one_has_the_turn() {
    let lane = lane();
    let turn = lane.try_turn().unwrap();
    assert!(lane.try_turn().is_none());
    drop(turn);
    assert!(lane.try_turn().is_some());
}
