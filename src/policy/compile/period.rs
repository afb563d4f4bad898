//! The time a limit counts over.

use super::names::MAX_DURATION_S;
use super::report::Report;
use crate::clock::Timestamp;
use crate::limit::period::{AnchorUnit, CalendarUnit, Period, Weekday, Zone};
use crate::policy::document::{Every, PeriodDoc, PeriodTable, PeriodWord, WeekdayWord};
use crate::policy::model::PeriodRule;
use crate::policy::text::At;
use crate::policy::text::read::short;
use std::num::NonZeroU32;

/// Where an anchored period begins.
#[derive(Clone, Copy)]
enum Anchor {
    PlanStart,
    At(Timestamp),
}

/// The rule at `at`, which belongs to a plan or to none. Something harmless where there is a fault.
pub(super) fn compile(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    document: &PeriodDoc,
    in_plan: bool,
) -> PeriodRule {
    match document {
        PeriodDoc::Word(word) => PeriodRule::Known(in_utc(*word)),
        PeriodDoc::Table(table) => from_table(report, at, table, in_plan),
    }
}

fn in_utc(word: PeriodWord) -> Period {
    let unit = match word {
        PeriodWord::Lifetime => return Period::Lifetime,
        PeriodWord::Minute => CalendarUnit::Minute,
        PeriodWord::Hour => CalendarUnit::Hour,
        PeriodWord::Day => CalendarUnit::Day,
        PeriodWord::Week => CalendarUnit::Week,
        PeriodWord::Month => CalendarUnit::Month,
        PeriodWord::Year => CalendarUnit::Year,
    };
    Period::Calendar { unit, zone: Zone::utc(), week_start: Weekday::Monday }
}

fn from_table(report: &mut Report<'_, '_>, at: &At<'_>, table: &PeriodTable, in_plan: bool) -> PeriodRule {
    let harmless = PeriodRule::Known(Period::Lifetime);
    let anchor = table.anchor.as_deref().and_then(|text| anchor(report, &at.key("anchor"), text, in_plan));
    match (table.every, table.length_s) {
        (Some(every), None) => calendar(report, at, table, every, anchor),
        (None, Some(length_s)) => fixed(report, at, table, length_s, anchor),
        (Some(_), Some(_)) => {
            report.value(&at.key("length_s"), "a period has `every` or `length_s`, not both");
            harmless
        }
        (None, None) => {
            report.missing_one_of(at, &["every", "length_s"], "name a calendar unit, or a `length_s`");
            harmless
        }
    }
}

fn calendar(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    table: &PeriodTable,
    every: Every,
    anchor: Option<Anchor>,
) -> PeriodRule {
    let zone = zone(report, &at.key("zone"), table.zone.as_deref());
    if table.week_start.is_some() && every != Every::Week {
        report.name(&at.key("week_start"), "only weeks have a first day; leave it out");
    }
    if table.anchor.is_some() {
        let unit = match every {
            Every::Month => AnchorUnit::Month,
            Every::Year => AnchorUnit::Year,
            _ => {
                report.name(
                    &at.key("anchor"),
                    "only months and years are counted from an anchor; use `length_s` instead of `every`",
                );
                AnchorUnit::Month
            }
        };
        return match anchor {
            Some(Anchor::At(anchor)) => PeriodRule::Known(Period::Anchored { unit, anchor, zone }),
            _ => PeriodRule::FromPlanStart { unit, zone },
        };
    }
    let unit = match every {
        Every::Minute => CalendarUnit::Minute,
        Every::Hour => CalendarUnit::Hour,
        Every::Day => CalendarUnit::Day,
        Every::Week => CalendarUnit::Week,
        Every::Month => CalendarUnit::Month,
        Every::Year => CalendarUnit::Year,
    };
    PeriodRule::Known(Period::Calendar { unit, zone, week_start: weekday(table.week_start) })
}

fn fixed(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    table: &PeriodTable,
    length_s: u64,
    anchor: Option<Anchor>,
) -> PeriodRule {
    for (field, given) in [("zone", table.zone.is_some()), ("week_start", table.week_start.is_some())] {
        if given {
            report.name(&at.key(field), "a fixed length follows no calendar; leave this out");
        }
    }
    let fits = u32::try_from(length_s).ok().filter(|&s| s <= MAX_DURATION_S).and_then(NonZeroU32::new);
    let Some(length_s) = fits else {
        report.value(&at.key("length_s"), format!("a length is 1 to {MAX_DURATION_S} seconds"));
        return PeriodRule::Known(Period::Lifetime);
    };
    match anchor {
        Some(Anchor::PlanStart) => PeriodRule::FixedFromPlanStart { length_s },
        Some(Anchor::At(anchor)) => PeriodRule::Known(Period::Fixed { length_s, anchor }),
        None => PeriodRule::Known(Period::Fixed { length_s, anchor: Timestamp::EPOCH }),
    }
}

fn anchor(report: &mut Report<'_, '_>, at: &At<'_>, text: &str, in_plan: bool) -> Option<Anchor> {
    if text == "plan_start" {
        if !in_plan {
            report.value(at, "this limit belongs to no plan; anchor it at an instant");
        }
        return Some(Anchor::PlanStart);
    }
    // A bare date is an end elsewhere in a policy; here it would be a beginning, so it is not accepted.
    let instant = Timestamp::parse(text).filter(|_| text.len() > 10);
    if instant.is_none() {
        let message = format!(
            "`{}` is no anchor; use `plan_start` or an instant such as `2026-01-01T00:00:00Z`",
            short(text)
        );
        report.value(at, message);
    }
    instant.map(Anchor::At)
}

fn zone(report: &mut Report<'_, '_>, at: &At<'_>, name: Option<&str>) -> Zone {
    let Some(name) = name else { return Zone::utc() };
    Zone::new(name).unwrap_or_else(|_| {
        let message = format!("`{}` is no time zone; use an IANA name such as `Europe/Berlin`", short(name));
        report.value(at, message);
        Zone::utc()
    })
}

fn weekday(word: Option<WeekdayWord>) -> Weekday {
    match word {
        None | Some(WeekdayWord::Monday) => Weekday::Monday,
        Some(WeekdayWord::Tuesday) => Weekday::Tuesday,
        Some(WeekdayWord::Wednesday) => Weekday::Wednesday,
        Some(WeekdayWord::Thursday) => Weekday::Thursday,
        Some(WeekdayWord::Friday) => Weekday::Friday,
        Some(WeekdayWord::Saturday) => Weekday::Saturday,
        Some(WeekdayWord::Sunday) => Weekday::Sunday,
    }
}
