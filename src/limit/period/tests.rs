use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn calendar(unit: CalendarUnit, zone: &str) -> Period {
    Period::Calendar { unit, zone: Zone::new(zone).unwrap(), week_start: Weekday::Monday }
}

fn anchored(unit: AnchorUnit, anchor: &str, zone: &str) -> Period {
    Period::Anchored { unit, anchor: at(anchor), zone: Zone::new(zone).unwrap() }
}

fn all_zones() -> Vec<Zone> {
    let names: Vec<String> = database().available().map(|name| name.as_str().to_owned()).collect();
    assert!(names.len() > 400, "the bundled database is there");
    names.iter().map(|name| Zone::new(name).unwrap()).collect()
}

/// The window holds its instant, and its neighbours meet it.
fn check_tiles(period: &Period, t: Timestamp) -> Result<Window, TestCaseError> {
    let window = period.window_at(t);
    prop_assert!(window.contains(t), "{period:?} at {t}: {window:?}");
    prop_assert_eq!(period.window_at(window.start), window, "{:?} at {}", period, t);
    prop_assert_eq!(period.window_at(window.end.plus_micros(-1)), window, "{:?} at {}", period, t);
    if window.end < Timestamp::MAX {
        prop_assert_eq!(period.window_at(window.end).start, window.end, "{:?} at {}", period, t);
    }
    Ok(window)
}

#[test]
fn windows_begin_and_end_where_the_calendar_says() {
    use CalendarUnit::{Day, Hour, Minute, Month, Week, Year};
    let cases = [
        (calendar(Minute, "UTC"), "2026-03-01T10:20:30Z", "2026-03-01T10:20:00Z", "2026-03-01T10:21:00Z"),
        (
            calendar(Hour, "Asia/Kolkata"),
            "2026-03-01T10:20:30Z",
            "2026-03-01T09:30:00Z",
            "2026-03-01T10:30:00Z",
        ),
        (
            calendar(Day, "Europe/Berlin"),
            "2026-07-01T00:00:00Z",
            "2026-06-30T22:00:00Z",
            "2026-07-01T22:00:00Z",
        ),
        (calendar(Week, "UTC"), "2026-01-01T00:00:00Z", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z"),
        (
            calendar(Month, "UTC"),
            "2024-02-29T23:59:59.999999Z",
            "2024-02-01T00:00:00Z",
            "2024-03-01T00:00:00Z",
        ),
        (calendar(Month, "UTC"), "2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"),
        (
            calendar(Year, "Pacific/Auckland"),
            "2026-12-31T11:00:00Z",
            "2026-12-31T11:00:00Z",
            "2027-12-31T11:00:00Z",
        ),
        // The clocks of Berlin skip an hour and repeat one: days of 23 and of 25 hours.
        (
            calendar(Day, "Europe/Berlin"),
            "2026-03-29T12:00:00Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            calendar(Day, "Europe/Berlin"),
            "2026-10-25T12:00:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        // A midnight that is skipped (Beirut), and one that comes twice (Havana): the gap's end, the first one.
        (
            calendar(Day, "Asia/Beirut"),
            "2026-03-29T12:00:00Z",
            "2026-03-28T22:00:00Z",
            "2026-03-29T21:00:00Z",
        ),
        (
            calendar(Day, "America/Havana"),
            "2026-11-01T05:30:00Z",
            "2026-11-01T04:00:00Z",
            "2026-11-02T05:00:00Z",
        ),
        // Samoa had no 30 December 2011.
        (
            calendar(Day, "Pacific/Apia"),
            "2011-12-30T10:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-31T10:00:00Z",
        ),
        (
            calendar(Day, "Pacific/Apia"),
            "2011-12-30T09:59:59Z",
            "2011-12-29T10:00:00Z",
            "2011-12-30T10:00:00Z",
        ),
        // A repeated hour is an hour of its own; Lord Howe repeats and skips half of one.
        (
            calendar(Hour, "Europe/Berlin"),
            "2026-10-25T01:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T02:00:00Z",
        ),
        (
            calendar(Hour, "Australia/Lord_Howe"),
            "2026-04-04T15:10:00Z",
            "2026-04-04T14:00:00Z",
            "2026-04-04T15:30:00Z",
        ),
        (
            calendar(Hour, "Australia/Lord_Howe"),
            "2026-10-03T15:45:00Z",
            "2026-10-03T15:30:00Z",
            "2026-10-03T16:00:00Z",
        ),
        (
            anchored(AnchorUnit::Month, "2026-01-31T08:00:00Z", "UTC"),
            "2026-03-01T00:00:00Z",
            "2026-02-28T08:00:00Z",
            "2026-03-31T08:00:00Z",
        ),
        (
            anchored(AnchorUnit::Month, "2026-01-31T08:00:00Z", "UTC"),
            "2025-12-31T07:59:59Z",
            "2025-11-30T08:00:00Z",
            "2025-12-31T08:00:00Z",
        ),
        (
            anchored(AnchorUnit::Year, "2024-02-29T00:00:00Z", "UTC"),
            "2028-02-29T00:00:00Z",
            "2028-02-29T00:00:00Z",
            "2029-02-28T00:00:00Z",
        ),
        (
            anchored(AnchorUnit::Month, "2026-01-29T01:30:00Z", "Europe/Berlin"),
            "2026-03-29T01:00:00Z",
            "2026-03-29T01:00:00Z",
            "2026-04-29T00:30:00Z",
        ),
    ];
    for (period, t, start, end) in cases {
        let expected = Window { start: at(start), end: at(end) };
        assert_eq!(period.window_at(at(t)), expected, "{period:?} at {t}");
    }
}

#[test]
fn fixed_windows_run_both_ways_from_their_anchor() {
    let length_s = NonZeroU32::new(18_000).unwrap();
    let period = Period::Fixed { length_s, anchor: at("2026-01-01T00:00:00Z") };
    for (t, start) in [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T04:59:59.999999Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T05:00:00Z", "2026-01-01T05:00:00Z"),
        ("2025-12-31T23:59:59Z", "2025-12-31T19:00:00Z"),
    ] {
        let start = at(start);
        assert_eq!(period.window_at(at(t)), Window { start, end: start.plus_seconds(18_000) }, "at {t}");
    }
}

#[test]
fn weeks_begin_on_the_chosen_day() {
    let days = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    for (i, week_start) in days.into_iter().enumerate() {
        let period = Period::Calendar { unit: CalendarUnit::Week, zone: Zone::utc(), week_start };
        // 5 January 2026 was a Monday.
        let start = at("2026-01-05T00:00:00Z").plus_seconds(86_400 * i64::try_from(i).unwrap());
        assert_eq!(period.window_at(start).start, start, "{week_start:?}");
        assert_eq!(period.window_at(start.plus_micros(-1)).end, start, "{week_start:?}");
    }
}

/// Anchors on days 28 to 31, 60 months, all zones: windows tile and each begins on the anchor's day or its month's last.
#[test]
fn inv_30_anchored_months_tile_in_all_zones() {
    for zone in all_zones() {
        for day in 28..=31 {
            let anchor = at(&format!("2023-01-{day}T00:30:00Z"));
            let period = Period::Anchored { unit: AnchorUnit::Month, anchor, zone: zone.clone() };
            let wanted = zone.local(anchor).day();
            let mut t = anchor;
            for k in 0..60 {
                let window = period.window_at(t);
                assert_eq!(window.start, t, "{zone:?}, day {day}, month {k}");
                assert!(window.end > window.start);
                assert_eq!(
                    period.window_at(window.end.plus_micros(-1)),
                    window,
                    "{zone:?}, day {day}, month {k}"
                );
                // A boundary in a gap before midnight moves to the gap's end, the next day.
                let moved = zone.changes_offset(t) && zone.local(t).time() == MIDNIGHT;
                let date = zone.local(if moved { t.plus_micros(-1) } else { t }).date();
                assert_eq!(date.day(), wanted.min(date.days_in_month()), "{zone:?}, day {day}, month {k}");
                t = window.end;
            }
            let months = month_number(zone.local(t).date()) - month_number(zone.local(anchor).date());
            assert_eq!(months, 60, "{zone:?}, day {day}");
        }
    }
}

/// Every clock change of every zone since 1970 (and the next decades'), seen in every calendar unit.
#[test]
fn inv_30_calendar_windows_tile_across_every_clock_change() {
    use CalendarUnit::{Day, Hour, Minute, Month, Week, Year};
    for (i, zone) in all_zones().into_iter().enumerate() {
        let mut change = Some(at("1970-01-01T00:00:00Z"));
        let mut n = i;
        while let Some(c) = change.filter(|c| *c < at("2040-01-01T00:00:00Z")) {
            // The units take turns, so that the test stays short and every zone meets every one.
            let unit = [Minute, Hour, Day, Week, Month, Year, Hour, Day][n % 8];
            n += 1;
            let period = Period::Calendar { unit, zone: zone.clone(), week_start: Weekday::Sunday };
            for offset in [-5_400 * SECOND_US, -1, 0, 1, 1_800 * SECOND_US, 5_400 * SECOND_US] {
                check_tiles(&period, c.plus_micros(offset)).unwrap();
            }
            change = zone.next_change(c);
        }
    }
}

#[test]
fn the_ends_of_time_are_cut_off() {
    let periods = [
        Period::Lifetime,
        Period::Fixed { length_s: NonZeroU32::MAX, anchor: Timestamp::MAX },
        calendar(CalendarUnit::Year, "Pacific/Kiritimati"),
        calendar(CalendarUnit::Week, "America/New_York"),
        calendar(CalendarUnit::Hour, "Asia/Kathmandu"),
        anchored(AnchorUnit::Month, "2026-01-31T00:00:00Z", "Asia/Tokyo"),
        Period::Anchored { unit: AnchorUnit::Year, anchor: Timestamp::MIN, zone: Zone::utc() },
        Period::Anchored {
            unit: AnchorUnit::Month,
            anchor: Timestamp::from_micros(i64::MAX),
            zone: Zone::utc(),
        },
    ];
    for period in periods {
        for t in [i64::MIN, Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros() - 1, i64::MAX] {
            let window = period.window_at(Timestamp::from_micros(t));
            assert!(
                window.start >= Timestamp::MIN && window.end <= Timestamp::MAX && window.start < window.end
            );
        }
        assert!(period.window_at(Timestamp::EPOCH).contains(Timestamp::EPOCH), "{period:?}");
    }
    assert!(Period::Lifetime.window_at(Timestamp::EPOCH).is_lifetime());
}

#[test]
fn zones_are_iana_names() {
    assert_eq!(Zone::new("Europe/Berlin").unwrap().name(), "Europe/Berlin");
    assert_eq!(Zone::new("UTC").unwrap().name(), "UTC");
    for name in ["", "Berlin", "Mars/Phobos", "UTC+2"] {
        assert!(Zone::new(name).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn windows_tile_anywhere(
        zone in 0usize..1_000, t in -30_000_000_000i64..200_000_000_000, kind in 0usize..9,
        anchor in 0i64..2_000_000_000, length in 1u32..40_000_000,
    ) {
        let zones = database().available().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        let zone = Zone::new(&zones[zone % zones.len()]).unwrap();
        let anchor = Timestamp::from_seconds(anchor);
        let units = [
            CalendarUnit::Minute, CalendarUnit::Hour, CalendarUnit::Day,
            CalendarUnit::Week, CalendarUnit::Month, CalendarUnit::Year,
        ];
        let period = match kind {
            6 => Period::Anchored { unit: AnchorUnit::Month, anchor, zone },
            7 => Period::Anchored { unit: AnchorUnit::Year, anchor, zone },
            8 => Period::Fixed { length_s: NonZeroU32::new(length).unwrap(), anchor },
            _ => Period::Calendar { unit: units[kind], zone, week_start: Weekday::Saturday },
        };
        check_tiles(&period, Timestamp::from_seconds(t))?;
    }
}
