use super::*;

fn terms(ver: u32, marks: &[Mark]) -> Terms {
    let cap = Some(Units::from(100));
    Terms { ver: ConfigVersion::new(ver, 0).unwrap(), cap, included: cap, marks: marks.into() }
}

fn bucket(terms: &Terms) -> Bucket {
    Bucket::new(Timestamp::MAX, terms, Incarnation::default(), Timestamp::EPOCH)
}

/// Sets the confirmed count step by step; each step names the events it must cause (+ reached, - recovered).
fn check_marks(marks: &[Mark], steps: &[(i64, &[i32])]) {
    let mut b = bucket(&terms(1, marks));
    for (count, expected) in steps {
        (b.base, b.charged, b.confirmed) = (*count, *count, *count);
        let mut events = Vec::new();
        b.fire_marks(&mut events);
        let seen: Vec<i32> = events
            .iter()
            .map(|e| match e {
                EventKind::Reached { percent, .. } => i32::from(*percent),
                EventKind::Recovered { percent, .. } => -i32::from(*percent),
                _ => 0,
            })
            .collect();
        assert_eq!(&seen, expected, "at {count}");
    }
}

#[test]
fn reached_means_at_least_and_fires_once() {
    let marks = [Mark::new(Units::from(100), 80), Mark::new(Units::from(100), 100)];
    check_marks(&marks, &[(79, &[]), (80, &[80]), (99, &[]), (100, &[100]), (79, &[-80, -100]), (100, &[])]);
    check_marks(&marks, &[(150, &[80, 100]), (100, &[]), (99, &[-100]), (100, &[]), (99, &[])]);
}

#[test]
fn a_mark_that_rearms_fires_again_after_a_recovery() {
    let mark = Mark { rearm: Rearm::OnRecover, ..Mark::new(Units::from(100), 80) };
    check_marks(&[mark], &[(80, &[80]), (79, &[-80]), (80, &[80]), (81, &[])]);
}

#[test]
fn a_change_rearms_only_the_marks_that_say_so() {
    let marks =
        [Mark::new(Units::from(100), 80), Mark { rearm: Rearm::OnChange, ..Mark::new(Units::from(100), 90) }];
    let mut b = bucket(&terms(1, &marks));
    (b.base, b.charged, b.confirmed) = (95, 95, 95);
    let mut events = Vec::new();
    b.fire_marks(&mut events);
    assert_eq!(events.len(), 2);
    assert!(b.adopt(&terms(2, &marks)));
    events.clear();
    b.fire_marks(&mut events);
    assert_eq!(events, [EventKind::Reached { percent: 90, at: Units::from(90) }]);
}

#[test]
fn marks_round_up_and_stay_in_range() {
    let cases = [(50, 80, 40), (1, 80, 1), (3, 50, 2), (0, 100, 0), (7, 1, 1)];
    for (amount, percent, at) in cases {
        assert_eq!(Mark::new(Units::from(amount), percent).at, Units::from(at), "{percent} % of {amount}");
    }
    assert_eq!(Mark::new(Units::MAX, u16::MAX).at, Units::MAX);
}

#[test]
fn an_older_configuration_never_replaces_a_newer_one() {
    let mut b = bucket(&terms(2, &[]));
    let older = Terms { cap: None, ..terms(1, &[]) };
    assert!(!b.adopt(&older));
    assert_eq!((b.ver, b.cap), (ConfigVersion::new(2, 0).unwrap(), Some(Units::from(100))));
}
