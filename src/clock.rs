//! Time is passed in: a [`Timestamp`] is a value, a [`Clock`] says which one it is now, and tests turn a
//! [`ManualClock`] by hand.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// An instant: microseconds since the Unix epoch, UTC. Negative before 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The latest instant that can be written as a date: the end of the year 9999.
    pub const MAX: Self = Self(253_402_207_200_999_999);
    /// The earliest instant that can be written as a date: the start of the year 1.
    pub const MIN: Self = Self(-62_135_596_800_000_000);

    /// The instant `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant `millis` milliseconds after the epoch; saturates.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The instant `seconds` seconds after the epoch; saturates.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant moved by `micros`; saturates.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// This instant moved by `seconds`; saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Microseconds from `earlier` to `self`, negative if it is later; saturates.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads an RFC 3339 instant, or a bare date (`2026-12-31`), which means the end of that day in UTC (row A-37).
    /// `None` when the text is neither, or lies outside the years 1 to 9999.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(date) = text.parse::<jiff::civil::Date>()
            && text.len() == 10
        {
            let next = date.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            return Some(Self(next.timestamp().as_microsecond()));
        }
        // jiff reads other forms of ISO 8601 as well, and offsets of more than a day.
        if text.len() > 40 || !has_rfc_3339_form(text) {
            return None;
        }
        let instant = text.parse::<jiff::Timestamp>().ok()?;
        let timestamp = Self(instant.as_microsecond());
        (timestamp >= Self::MIN && timestamp <= Self::MAX).then_some(timestamp)
    }
}

/// Whether every character stands where RFC 3339 wants one of its kind; whether the numbers make sense is left open.
fn has_rfc_3339_form(text: &str) -> bool {
    let fits = |part: &str, form: &str| {
        let fits = |byte: u8, wanted: u8| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte.to_ascii_uppercase() == wanted,
        };
        part.len() == form.len() && part.bytes().zip(form.bytes()).all(|(byte, wanted)| fits(byte, wanted))
    };
    let Some((date_and_time, rest)) = text.split_at_checked(19) else { return false };
    let offset = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => match fraction.trim_start_matches(|c: char| c.is_ascii_digit()) {
            whole if whole.len() == fraction.len() => return false,
            offset => offset,
        },
    };
    let is_offset = fits(offset, "+00:00") || fits(offset, "-00:00");
    fits(date_and_time, "0000-00-00T00:00:00")
        && (fits(offset, "Z") || is_offset && offset.get(1..3).is_some_and(|hours| hours < "24"))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many sub-second digits as there are (`2026-11-21T23:14:34Z`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "{} us since the epoch", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Serialized as the integer number of microseconds since the epoch, as stored records keep it.
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self)
    }
}

/// Tells what time it is.
///
/// # Contract
/// `now` may step in either direction: the engine never relies on it for safety, only for what an instant means
/// (expiry, periods). It must not block.
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The system's wall clock, read from the kernel's coarse clock (resolution 1 to 4 ms, a few nanoseconds a read).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::RealtimeCoarse;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Realtime;
        let t = rustix::time::clock_gettime(id);
        Timestamp(t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1_000))
    }
}

/// A clock that stands still until it is turned: for tests, simulations and vectors.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }

    /// Moves the clock by `micros`, which may be negative.
    pub fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Moves the clock by `seconds`, which may be negative.
    pub fn advance_seconds(&self, seconds: i64) {
        self.advance_micros(seconds.saturating_mul(1_000_000));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// Microseconds on a clock that never steps and counts the time the machine was suspended. For deadlines and leases;
/// only differences mean anything.
#[must_use]
pub fn monotonic_micros() -> i64 {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let t = rustix::time::clock_gettime(id);
    t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_date_is_the_end_of_that_day() {
        assert_eq!(Timestamp::parse("2026-12-31"), Timestamp::parse("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn instants_are_rfc_3339() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T00:00:00.000001Z", Some(1)),
            ("2026-02-30T00:00:00Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01T00:00:00+25:00", None),
            ("1970-01-01T00:00:00Z[UTC]", None),
            ("1970-01-01t00:00:00z", Some(0)),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00Z", None),
            ("19700101T000000Z", None),
            ("1970-01-01T00:00:00+0000", None),
            ("10000-01-01T00:00:00Z", None),
            ("", None),
            ("tomorrow", None),
        ];
        for (text, micros) in cases {
            assert_eq!(Timestamp::parse(text).map(Timestamp::as_micros), micros, "{text}");
        }
    }

    #[test]
    fn the_manual_clock_goes_both_ways() {
        let clock = ManualClock::new(Timestamp::from_seconds(10));
        clock.advance_seconds(-4);
        assert_eq!(clock.now(), Timestamp::from_seconds(6));
    }
}
