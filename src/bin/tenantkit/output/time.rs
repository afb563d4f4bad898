//! Instants and durations in words.

use tenantkit::Timestamp;

const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];

/// How far `instant` is from `now`: `3 d ago`, `in 20 min`, `now`.
pub(crate) fn relative(instant: Timestamp, now: Timestamp) -> String {
    // An end that is 1.9 s away is not yet 1 s away: what lies ahead is rounded up.
    let micros = instant.micros_since(now);
    let seconds = if micros > 0 { micros.saturating_add(999_999) } else { micros } / 1_000_000;
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {}", length(seconds)),
        _ => format!("{} ago", length(seconds.saturating_neg())),
    }
}

/// A duration in its largest whole unit: `3 d`, `20 min`.
pub(crate) fn length(seconds: i64) -> String {
    let unit = UNITS.into_iter().find(|(unit_s, _)| seconds >= *unit_s);
    let (unit_s, name) = unit.unwrap_or((1, "s"));
    format!("{} {name}", seconds / unit_s)
}

/// RFC 3339 without fractions of a second.
pub(crate) fn to_the_second(instant: Timestamp) -> String {
    Timestamp::from_seconds(instant.as_seconds()).to_string()
}

/// Reads a duration such as `90s`, `30min`, `24h`, `7d`; `0` needs no unit.
pub(crate) fn parse_duration(text: &str) -> Result<u32, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_s = match unit.trim_start() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        "" if number.bytes().all(|b| b == b'0') => 1,
        _ => return Err(DURATION_FORM.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| DURATION_FORM.to_owned())?;
    number
        .checked_mul(unit_s)
        .and_then(|seconds| u32::try_from(seconds).ok())
        .ok_or_else(|| "a duration is at most 136 years".to_owned())
}

const DURATION_FORM: &str = "a duration is a number and a unit: `90s`, `30min`, `24h`, `7d`, `2w`, or `0`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_from_now() {
        let now = Timestamp::from_seconds(1_000_000);
        let cases = [
            (0, "now"),
            (-999_999, "now"),
            (1, "in 1 s"),
            (1_900_000, "in 2 s"),
            (59_000_000, "in 59 s"),
            (60_000_000, "in 1 min"),
            (-3_599_000_000, "59 min ago"),
            (-3_600_000_000, "1 h ago"),
            (-86_400_000_000 * 3, "3 d ago"),
            (86_399_000_001, "in 1 d"),
            (-86_399_000_001, "23 h ago"),
        ];
        for (micros, expected) in cases {
            assert_eq!(relative(now.plus_micros(micros), now), expected, "{micros}");
        }
        let far = Timestamp::from_micros(i64::MIN);
        assert!(relative(far, Timestamp::from_micros(i64::MAX)).ends_with("d ago"));
    }

    #[test]
    fn durations_have_a_unit() {
        let cases = [
            ("0", 0),
            ("0h", 0),
            ("90s", 90),
            ("30min", 1_800),
            ("30 min", 1_800),
            ("5m", 300),
            ("24h", 86_400),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_duration(text), Ok(seconds), "{text}");
        }
        assert_eq!((parse_duration("7d"), parse_duration("2w")), (Ok(604_800), Ok(1_209_600)));
        for wrong in ["", "7", "d", "-1d", "1.5h", "1y", "7 d ", "9999999999d", "99999999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
