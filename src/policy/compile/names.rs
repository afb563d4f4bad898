//! Names, labels, lists, numbers and times: what they may look like, and how big they may be.

use super::report::Report;
use crate::policy::text::read::short;
use crate::policy::text::{At, Place};
use std::collections::BTreeMap;

/// The longest name of anything but an environment or permission, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 64;
/// The longest name of an environment, in bytes.
pub(crate) const MAX_ENVIRONMENT_BYTES: usize = 32;
/// The longest text for people, in characters.
pub(crate) const MAX_LABEL_CHARS: usize = 128;
/// The longest time a policy can name: a hundred years of 365 days, in seconds.
pub(crate) const MAX_DURATION_S: u32 = 100 * 365 * 86_400;

/// The members of a table in the order of the text, at most `max`; more is a fault.
pub(crate) fn in_order<'d, T>(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    members: &'d BTreeMap<String, T>,
    max: usize,
) -> Vec<(&'d str, &'d T)> {
    let mut found: Vec<_> = members.iter().map(|(name, member)| (name.as_str(), member)).collect();
    found.sort_by_cached_key(|(name, _)| report.source().position(&at.key(name)));
    if let Some((name, _)) = found.get(max) {
        report.name(&at.key(name), format!("`{at}` has {} members; at most {max} are allowed", found.len()));
        found.truncate(max);
    }
    found
}

/// Complains about a list that is longer than `max`; the part of it that counts.
pub(crate) fn at_most<'d, T>(report: &mut Report<'_, '_>, at: &At<'_>, list: &'d [T], max: usize) -> &'d [T] {
    if list.len() > max {
        report
            .value(&at.index(max), format!("the list has {} entries; at most {max} are allowed", list.len()));
    }
    list.get(..max).unwrap_or(list)
}

/// Checks a name where it stands: letters, digits and `_ - . : /`, beginning with a letter or digit.
pub(crate) fn check_name(report: &mut Report<'_, '_>, at: &At<'_>, place: Place, name: &str, max: usize) {
    if !is_name(name, max) {
        let message = format!(
            "`{}` can't be a name; use 1 to {max} letters, digits and `_ - . : /`, beginning with a letter or digit",
            short(name)
        );
        match place {
            Place::Name => report.name(at, message),
            Place::Value => report.value(at, message),
        }
    }
}

fn is_name(name: &str, max: usize) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b);
    (1..=max).contains(&name.len())
        && name.bytes().all(inside)
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// The text that people see: what the policy gives, else the name.
pub(crate) fn label(report: &mut Report<'_, '_>, at: &At<'_>, label: Option<&str>, name: &str) -> Box<str> {
    let Some(label) = label else { return name.into() };
    let deceptive = |c: char| {
        c.is_control() || ('\u{200b}'..='\u{202e}').contains(&c) || ('\u{2060}'..='\u{2069}').contains(&c)
    };
    if label.trim().is_empty() || label.chars().count() > MAX_LABEL_CHARS || label.contains(deceptive) {
        let message =
            format!("a label is 1 to {MAX_LABEL_CHARS} characters without control and direction characters");
        report.value(&at.key("label"), message);
    }
    label.into()
}

/// A list of names declared here, each once.
pub(crate) fn declare(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    names: &[String],
    max: usize,
) -> Box<[Box<str>]> {
    let mut declared: Vec<Box<str>> = Vec::new();
    for (i, name) in at_most(report, at, names, max).iter().enumerate() {
        let here = at.index(i);
        check_name(report, &here, Place::Value, name, MAX_NAME_BYTES);
        if declared.iter().any(|known| **known == **name) {
            report.value(&here, format!("`{}` is in the list twice; name it once", short(name)));
        } else {
            declared.push(name.as_str().into());
        }
    }
    declared.into()
}

/// The positions of `names` among `known`, as a bit set; each fault where it stands. `known` has at most 64 names.
pub(crate) fn bits<'k>(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    names: &[String],
    what: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> u64 {
    let mut set = 0_u64;
    for (i, name) in names.iter().enumerate() {
        let here = at.index(i);
        match known.clone().position(|candidate| candidate == name) {
            Some(position) => {
                let bit = u32::try_from(position).ok().and_then(|p| 1_u64.checked_shl(p)).unwrap_or(0);
                if set & bit != 0 {
                    report.value(&here, format!("`{}` is in the list twice; name it once", short(name)));
                }
                set |= bit;
            }
            None => report.unknown(&here, Place::Value, what, name, known.clone()),
        }
    }
    set
}

/// The position of `name` among `known`; a fault where it stands if it is none.
pub(crate) fn position<'k>(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    name: &str,
    what: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Option<u16> {
    let found = known.clone().position(|candidate| candidate == name).and_then(|p| u16::try_from(p).ok());
    if found.is_none() {
        report.unknown(at, Place::Value, what, name, known);
    }
    found
}

/// Reads a time such as `30m`, within `min_s..=max_s` seconds.
pub(crate) fn duration(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    text: Option<&str>,
    min_s: u32,
    max_s: u32,
) -> Option<u32> {
    let text = text?;
    let Some(seconds) = parse_duration(text) else {
        let message = format!(
            "`{}` is not a time; write a number and a unit, such as `90s`, `30m`, `24h`, `7d`",
            short(text)
        );
        report.value(at, message);
        return None;
    };
    match u32::try_from(seconds).ok().filter(|s| (min_s..=max_s).contains(s)) {
        Some(seconds) => Some(seconds),
        None => {
            let (least, most) = (spell(min_s), spell(max_s));
            report.value(at, format!("`{}` is out of range; allowed are `{least}` to `{most}`", short(text)));
            None
        }
    }
}

fn parse_duration(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_s)
}

/// Seconds in the largest unit that fits.
fn spell(seconds: u32) -> String {
    for (unit, unit_s) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds > 0 && seconds.is_multiple_of(unit_s) {
            return format!("{}{unit}", seconds / unit_s);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_number_and_a_unit() {
        let cases = [
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("30m", Some(1_800)),
            ("24h", Some(86_400)),
            ("90d", Some(7_776_000)),
            ("2w", Some(1_209_600)),
            ("90", None),
            ("d", None),
            ("1.5h", None),
            ("-1h", None),
            ("1 h", None),
            ("99999999999999999999d", None),
            ("999999999999999999d", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_duration(text), seconds, "{text}");
        }
        assert_eq!(
            (spell(0), spell(90), spell(7_200), spell(604_800)),
            ("0s".into(), "90s".into(), "2h".into(), "7d".into())
        );
    }

    #[test]
    fn names_are_plain() {
        for good in ["a", "FREE", "servers.list", "2fa", "x:y/z_1-2"] {
            assert!(is_name(good, 64), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "é", "a\n", "a\"", &"x".repeat(65)] {
            assert!(!is_name(bad, 64), "{bad}");
        }
    }
}
