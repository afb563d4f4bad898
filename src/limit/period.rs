//! Which window of time a count belongs to.
//!
//! Windows tile: each ends where the next begins, and every instant lies in exactly one. Clock changes are met by two
//! rules for days and longer units: a boundary that the clocks skip moves to the end of the gap, and of a boundary that
//! comes twice the first counts (so a day may have 23 or 25 hours). Minutes and hours are short enough to follow the
//! clock itself: a repeated hour is an hour of its own.

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp as Instant};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::OnceLock;

const SECOND_US: i64 = 1_000_000;

/// The time that a limit counts over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Period {
    /// One window, for ever.
    Lifetime,
    /// Windows of a fixed length, one of which begins at `anchor`.
    Fixed {
        /// The length in seconds.
        length_s: NonZeroU32,
        /// Where one of them begins.
        anchor: Timestamp,
    },
    /// Calendar units in a zone.
    Calendar {
        /// Which unit.
        unit: CalendarUnit,
        /// Whose clock.
        zone: Zone,
        /// The first day of a week.
        week_start: Weekday,
    },
    /// Months or years from an instant: boundary k is k units after the anchor's own day and time of day in the zone, cut
    /// to the month's end where there is no such day (31 January, 28 February, 31 March).
    Anchored {
        /// Which unit.
        unit: AnchorUnit,
        /// Where window 0 begins.
        anchor: Timestamp,
        /// Whose calendar.
        zone: Zone,
    },
}

/// A unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum CalendarUnit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A unit that can be counted from an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum AnchorUnit {
    Month,
    Year,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Weekday {
    #[default]
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// One window: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Window {
    /// The only window of a lifetime.
    pub const LIFETIME: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether it never ends.
    #[must_use]
    pub fn is_lifetime(&self) -> bool {
        self.end == Timestamp::MAX
    }

    /// Whether `t` lies in it.
    #[must_use]
    pub fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && t < self.end
    }
}

impl Period {
    /// The window that `t` lies in. Instants outside the years 1 to 9999 count as the nearest one inside, and windows are
    /// cut there.
    #[must_use]
    pub fn window_at(&self, t: Timestamp) -> Window {
        let t = t.clamp(Timestamp::MIN, Timestamp::MAX.plus_micros(-1));
        match self {
            Self::Lifetime => Window::LIFETIME,
            Self::Fixed { length_s, anchor } => fixed_window(i64::from(length_s.get()), *anchor, t),
            Self::Calendar { unit: CalendarUnit::Minute, zone, .. } => zone.clock_window(60, t),
            Self::Calendar { unit: CalendarUnit::Hour, zone, .. } => zone.clock_window(3_600, t),
            Self::Calendar { unit, zone, week_start } => {
                let index = calendar_index(*unit, *week_start, zone.local(t).date());
                search(t, index, |k| {
                    zone.instant(calendar_date(*unit, *week_start, k)?.to_datetime(MIDNIGHT))
                })
            }
            Self::Anchored { unit, anchor, zone } => {
                let months = match unit {
                    AnchorUnit::Month => 1,
                    AnchorUnit::Year => 12,
                };
                let anchor = (*anchor).clamp(Timestamp::MIN, Timestamp::MAX.plus_micros(-1));
                let from = zone.local(anchor);
                let index =
                    (month_number(zone.local(t).date()) - month_number(from.date())).div_euclid(months);
                search(t, index, |k| {
                    let span = Span::new().try_months(k.checked_mul(months)?).ok()?;
                    zone.instant(from.checked_add(span).ok()?)
                })
            }
        }
    }
}

const MIDNIGHT: jiff::civil::Time = jiff::civil::Time::midnight();

fn fixed_window(length_s: i64, anchor: Timestamp, t: Timestamp) -> Window {
    let length = i128::from(length_s) * i128::from(SECOND_US);
    let offset = i128::from(t.as_micros()) - i128::from(anchor.as_micros());
    let start = i128::from(t.as_micros()) - offset.rem_euclid(length);
    let cut = |us: i128| {
        let bounded = us.clamp(Timestamp::MIN.as_micros().into(), Timestamp::MAX.as_micros().into());
        Timestamp::from_micros(i64::try_from(bounded).unwrap_or_default())
    };
    Window { start: cut(start), end: cut(start + length) }
}

/// The window between the last boundary at or before `t` and the first after it. Boundaries never fall with k, and
/// `guess` is a step or two from the right one. A boundary that cannot be written as a date is cut off.
fn search(t: Timestamp, guess: i64, boundary: impl Fn(i64) -> Option<Timestamp>) -> Window {
    let start_of = |k| boundary(k).unwrap_or(Timestamp::MIN);
    let end_of = |k| boundary(k + 1).unwrap_or(Timestamp::MAX);
    let mut k = guess;
    while start_of(k) > t {
        k -= 1;
    }
    while end_of(k) <= t {
        k += 1;
    }
    Window { start: start_of(k), end: end_of(k) }
}

fn month_number(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// Days since 1970-01-01.
fn day_number(date: Date) -> i64 {
    let instant = TimeZone::UTC.to_timestamp(date.to_datetime(MIDNIGHT));
    instant.map_or(0, |t| t.as_second().div_euclid(86_400))
}

/// How many days after a Monday-based week's start the first week of 1970 begins: 1970-01-01 was a Thursday.
fn week_shift(week_start: Weekday) -> i64 {
    (week_start as i64 - Weekday::Thursday as i64).rem_euclid(7)
}

fn calendar_index(unit: CalendarUnit, week_start: Weekday, date: Date) -> i64 {
    match unit {
        CalendarUnit::Week => (day_number(date) - week_shift(week_start)).div_euclid(7),
        CalendarUnit::Month => month_number(date),
        CalendarUnit::Year => i64::from(date.year()),
        CalendarUnit::Day | CalendarUnit::Hour | CalendarUnit::Minute => day_number(date),
    }
}

fn calendar_date(unit: CalendarUnit, week_start: Weekday, index: i64) -> Option<Date> {
    let day = |number: i64| {
        let instant = Instant::from_second(number.checked_mul(86_400)?).ok()?;
        Some(TimeZone::UTC.to_datetime(instant).date())
    };
    let first =
        |year: i64, month: i64| Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok();
    match unit {
        CalendarUnit::Week => day(index * 7 + week_shift(week_start)),
        CalendarUnit::Month => first(index.div_euclid(12), index.rem_euclid(12) + 1),
        CalendarUnit::Year => first(index, 1),
        CalendarUnit::Day | CalendarUnit::Hour | CalendarUnit::Minute => day(index),
    }
}

/// A time zone of the IANA database inside the program, so that all processes of one build agree.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone with this IANA name, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when there is none.
    pub fn new(name: &str) -> Result<Self, Error> {
        database().get(name).map(Self).map_err(|_| {
            let message = "the time zone is not known; use an IANA name such as `Europe/Berlin`";
            Error::new(ErrorKind::InvalidArgument, message).with_detail(format!("`{}`", name.escape_debug()))
        })
    }

    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone's IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    fn local(&self, t: Timestamp) -> DateTime {
        self.0.to_datetime(to_instant(t))
    }

    fn offset_us(&self, t: Timestamp) -> i64 {
        i64::from(self.0.to_offset(to_instant(t)).seconds()) * SECOND_US
    }

    /// When the clock shows `local`: the first time if twice, the end of the gap if never. `None` outside the years 1 to
    /// 9999.
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        let skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let t = from_instant(ambiguous.earlier().ok()?);
        // For a time in a gap, `earlier` lies before the gap by as much as the time lies in it.
        let t = if skipped { self.next_change(t)? } else { t };
        (Timestamp::MIN..Timestamp::MAX).contains(&t).then_some(t)
    }

    /// The last change of the offset at or before `t`.
    fn last_change(&self, t: Timestamp) -> Option<Timestamp> {
        let mut changes = self.0.preceding(to_instant(t.plus_micros(1))).map(|c| from_instant(c.timestamp()));
        changes.find(|c| self.changes_offset(*c))
    }

    /// The first change of the offset after `t`.
    fn next_change(&self, t: Timestamp) -> Option<Timestamp> {
        let mut changes = self.0.following(to_instant(t)).map(|c| from_instant(c.timestamp()));
        changes.find(|c| self.changes_offset(*c))
    }

    fn changes_offset(&self, t: Timestamp) -> bool {
        self.offset_us(t) != self.offset_us(t.plus_micros(-1))
    }

    /// The window of `unit_s` seconds on the zone's clock. Its boundaries are all instants at which the clock shows a
    /// whole unit, and ends of gaps in which it would have.
    fn clock_window(&self, unit_s: i64, t: Timestamp) -> Window {
        let unit = unit_s * SECOND_US;
        let mut start = self.unit_start(unit, t);
        let mut change = self.last_change(t);
        while let Some(at) = change.filter(|at| start < *at) {
            if self.is_boundary(unit, at) {
                start = at;
                break;
            }
            let before = at.plus_micros(-1);
            start = self.unit_start(unit, before);
            change = self.last_change(before);
        }
        let mut end = self.unit_start(unit, t).plus_micros(unit);
        let mut change = self.next_change(t);
        while let Some(at) = change.filter(|at| *at <= end) {
            if self.is_boundary(unit, at) {
                end = at;
                break;
            }
            end = self.unit_start(unit, at).plus_micros(unit);
            change = self.next_change(at);
        }
        Window { start: start.max(Timestamp::MIN), end: end.min(Timestamp::MAX) }
    }

    /// When the whole unit that the clock shows at `t` began, had the offset always been that of `t`.
    fn unit_start(&self, unit: i64, t: Timestamp) -> Timestamp {
        let local = t.as_micros().saturating_add(self.offset_us(t));
        t.plus_micros(-local.rem_euclid(unit))
    }

    /// Whether a change of the offset begins a unit: the clock shows a whole one after it, or skipped one.
    fn is_boundary(&self, unit: i64, change: Timestamp) -> bool {
        let shown_after = change.as_micros() + self.offset_us(change);
        let shown_before = change.as_micros() + self.offset_us(change.plus_micros(-1));
        let next_whole = shown_before + (-shown_before).rem_euclid(unit);
        shown_after.rem_euclid(unit) == 0 || next_whole < shown_after
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

fn to_instant(t: Timestamp) -> Instant {
    Instant::from_microsecond(t.as_micros()).unwrap_or(Instant::MAX)
}

fn from_instant(t: Instant) -> Timestamp {
    Timestamp::from_micros(t.as_microsecond())
}

#[cfg(test)]
mod tests;
