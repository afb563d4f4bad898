use super::*;
use proptest::prelude::*;

const V: ConfigVersion = ConfigVersion::from_raw(1);

fn at(us: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000).plus_micros(us)
}

fn units(n: u64) -> Units {
    Units::new(n).unwrap()
}

#[test]
fn rates_are_read_as_written() {
    let cases = [
        ("200/10s", Some((200, 10_000_000))),
        ("10/hour", Some((10, 3_600_000_000))),
        ("2/s", Some((2, 1_000_000))),
        ("3/500ms", Some((3, 500_000))),
        ("5/m", Some((5, 60_000_000))),
        ("0/s", None),
        ("5/0s", None),
        ("5", None),
        ("5/", None),
        ("/s", None),
        ("+5/s", None),
        ("5/10", None),
        ("5/fortnight", None),
        ("5/99999999999999999999s", None),
        ("9007199254740991/d", None),
    ];
    for (text, expected) in cases {
        let expected = expected.map(|(n, us)| Rate::new(units(n), us).unwrap());
        assert_eq!(Rate::parse(text).ok(), expected, "{text}");
    }
    assert_eq!(Rate::parse("200/10s").unwrap().burst(), units(200));
    assert_eq!(Rate::parse("200/10s").unwrap().window_us(), 10_000_000);
}

#[test]
fn a_burst_of_one_admits_exactly_one() {
    let rate = Rate::parse("1/s").unwrap();
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&rate, V, Units::ONE, at(0)).fits);
    let refused = cell.take(&rate, V, Units::ONE, at(1));
    assert_eq!((refused.fits, refused.wait_us, refused.remaining), (false, Some(999_999), Units::ZERO));
    assert!(!cell.take(&rate, V, Units::ONE, at(999_999)).fits);
    assert!(cell.take(&rate, V, Units::ONE, at(1_000_000)).fits);
}

#[test]
fn more_than_the_burst_never_fits_and_changes_nothing() {
    let rate = Rate::parse("10/s").unwrap();
    let mut cell = RateCell::EMPTY;
    for amount in [units(11), Units::MAX] {
        let refused = cell.take(&rate, V, amount, at(0));
        assert_eq!((refused.fits, refused.wait_us), (false, None));
    }
    assert_eq!(cell, RateCell::EMPTY);
    assert!(cell.take(&rate, V, units(10), at(0)).fits);
}

#[test]
fn inv_28_nothing_is_taken_for_nothing() {
    let rate = Rate::parse("1/s").unwrap();
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&rate, V, Units::ONE, at(0)).fits);
    let before = cell;
    assert!(cell.take(&rate, V, Units::ZERO, at(0)).fits);
    assert_eq!(cell, before);
}

#[test]
fn the_clock_may_step_both_ways() {
    let rate = Rate::parse("1/s").unwrap();
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&rate, V, Units::ONE, at(0)).fits);
    // Back by a second: it is waited for, nothing is handed out.
    let refused = cell.take(&rate, V, Units::ONE, at(-1_000_000));
    assert_eq!((refused.fits, cell.at), (false, at(0)));
    // Back by a day: the level is kept, and drains from there.
    let day = 86_400_000_000;
    assert!(!cell.take(&rate, V, Units::ONE, at(-day)).fits);
    assert_eq!(cell.at, at(-day));
    assert!(!cell.take(&rate, V, Units::ONE, at(-day + 999_999)).fits);
    assert!(cell.take(&rate, V, Units::ONE, at(-day + 1_000_000)).fits);
}

#[test]
fn a_changed_rate_keeps_the_units_that_are_in() {
    let (slow, fast) = (Rate::parse("10/10s").unwrap(), Rate::parse("20/10s").unwrap());
    let newer = ConfigVersion::from_raw(2);
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&slow, V, units(10), at(0)).fits);
    assert_eq!(
        cell.peek(&fast, Units::ONE, at(0)).remaining,
        units(9),
        "10 of 20 were in, and one is judged"
    );
    assert!(cell.take(&fast, newer, units(10), at(0)).fits);
    // The older configuration is judged by its own numbers and leaves the newer one in place.
    assert!(!cell.take(&slow, V, Units::ONE, at(0)).fits);
    assert_eq!((cell.ver, cell.unit_weight), (newer, 500_000));
}

#[test]
fn a_change_of_rate_never_rounds_to_the_subjects_advantage() {
    let of = |period| Rate::new(Units::ONE, period).unwrap().with_burst(units(2)).unwrap();
    let (thirds, halves) = (of(3), of(2));
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&thirds, V, Units::ONE, at(0)).fits);
    assert!(cell.take(&thirds, V, Units::ONE, at(1)).fits);
    // Five thirds of a unit are in, which four halves hold and three do not.
    assert!(!cell.peek(&halves, Units::ONE, at(2)).fits);
    assert!(cell.peek(&halves, Units::ONE, at(3)).fits);
}

#[test]
fn an_older_configuration_that_takes_leaves_the_newer_one() {
    let (slow, fast) = (Rate::parse("10/10s").unwrap(), Rate::parse("20/10s").unwrap());
    let newer = ConfigVersion::from_raw(2);
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&fast, newer, Units::ONE, at(0)).fits);
    assert!(cell.take(&slow, V, units(9), at(0)).fits);
    assert_eq!((cell.ver, cell.unit_weight), (newer, 500_000));
    assert_eq!(cell.peek(&fast, Units::ZERO, at(0)).remaining, units(10));
}

#[test]
fn a_refund_frees_what_has_not_drained() {
    let rate = Rate::parse("2/s").unwrap();
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&rate, V, units(2), at(0)).fits);
    cell.refund(Units::ONE);
    assert!(cell.take(&rate, V, Units::ONE, at(0)).fits);
    cell.refund(Units::MAX);
    assert_eq!(cell.level, 0);
}

#[test]
fn huge_rates_neither_overflow_nor_round_to_nothing() {
    let rate = Rate::new(Units::MAX, 9_007_199_254_740_991).unwrap();
    let mut cell = RateCell::EMPTY;
    assert!(cell.take(&rate, V, Units::MAX, at(0)).fits);
    assert!(!cell.take(&rate, V, Units::ONE, at(0)).fits);
    assert!(cell.take(&rate, V, Units::ONE, at(1)).fits, "one unit a microsecond");
    let rare = Rate::new(Units::ONE, (1 << 53) - 1).unwrap();
    let refused = cell.take(&rare, ConfigVersion::from_raw(9), Units::ONE, at(1));
    assert!(!refused.fits && refused.wait_us.is_some());
    assert!(Rate::new(Units::MAX, 86_400_000_001).is_err());
}

proptest! {
    /// In every window of length D at most b + D*u/P units are admitted, and a refused call fits after its wait and
    /// not before (B22).
    #[test]
    fn no_window_admits_more_than_burst_and_drain(
        n in 1u64..50, period in 1u64..2_000_000, burst in 1u64..60,
        calls in proptest::collection::vec((0i64..400_000, 1u64..8), 1..60),
    ) {
        let rate = Rate::new(units(n), period).unwrap().with_burst(units(burst)).unwrap();
        let mut cell = RateCell::EMPTY;
        let mut now = 0;
        let mut admitted: Vec<(i64, u64)> = Vec::new();
        for (gap, amount) in calls {
            now += gap;
            let verdict = cell.take(&rate, V, units(amount), at(now));
            if verdict.fits {
                admitted.push((now, amount));
            } else if let Some(wait) = verdict.wait_us {
                prop_assert!(cell.peek(&rate, units(amount), at(now + wait)).fits);
                prop_assert!(!cell.peek(&rate, units(amount), at(now + wait - 1)).fits);
            }
            if verdict.next_us > 0 {
                let more = units(verdict.remaining.get() + 1);
                prop_assert!(cell.peek(&rate, more, at(now + verdict.next_us)).fits);
                prop_assert!(!cell.peek(&rate, more, at(now + verdict.next_us - 1)).fits);
            }
        }
        for i in 0..admitted.len() {
            let mut sum: u128 = 0;
            for (t, amount) in &admitted[i..] {
                sum += u128::from(*amount);
                let span = u128::from((t - admitted[i].0).unsigned_abs());
                let bound = u128::from(burst) * u128::from(period) + span * u128::from(n);
                prop_assert!(sum * u128::from(period) <= bound, "{} in {} us", sum, span);
            }
        }
    }

    /// Steady use at the rate is never refused (INV-30).
    #[test]
    fn inv_30_steady_use_at_the_rate_always_fits(n in 1u64..100, period in 100u64..2_000_000) {
        let rate = Rate::new(units(n), period).unwrap();
        let mut cell = RateCell::EMPTY;
        for i in 0..300u64 {
            let now = (i * period).div_ceil(n);
            prop_assert!(cell.take(&rate, V, Units::ONE, at(now.cast_signed())).fits);
        }
    }
}
