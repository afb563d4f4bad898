//! Usage bars: never colour alone, always with words and numbers.

use super::{Cell, Style, Tone, time};
use tenantkit::{Timestamp, UsageLine};

/// Cells of a bar.
const LENGTH: u64 = 10;
/// From here on a limit without thresholds of its own is nearly spent, in percent.
const NEAR: u64 = 80;

/// A count and its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gauge {
    /// Units counted.
    pub(crate) used: u64,
    /// Units there are; `None` is unlimited.
    pub(crate) limit: Option<u64>,
    /// When the count begins anew; `None` for a lifetime.
    pub(crate) resets_at: Option<Timestamp>,
    /// The threshold that was reached, as the policy names it, and how far it stands from the top.
    pub(crate) state: Option<String>,
}

impl Gauge {
    pub(crate) fn new(line: &UsageLine) -> Self {
        let state = Some(line.state.to_string()).filter(|state| state != "normal");
        Self { used: line.count, limit: line.included, resets_at: line.resets_at, state }
    }

    /// Used in percent, rounded down, so that 79.9 % is not 80 %.
    pub(crate) fn percent(&self) -> Option<u64> {
        let limit = self.limit?;
        if limit == 0 {
            return Some(100);
        }
        u64::try_from(u128::from(self.used) * 100 / u128::from(limit)).ok()
    }

    /// `near limit`, `limit reached`, `over limit`, or nothing.
    pub(crate) fn words(&self) -> Option<&'static str> {
        let limit = self.limit?;
        if self.used > limit {
            Some("over limit")
        } else if self.used == limit {
            Some("limit reached")
        } else if self.state.is_some() || self.percent()? >= NEAR {
            Some("near limit")
        } else {
            None
        }
    }

    pub(crate) fn tone(&self) -> Tone {
        match self.words() {
            None => Tone::Plain,
            Some("near limit") => Tone::Warn,
            Some(_) => Tone::Bad,
        }
    }

    /// `[########--] 82 % near limit (8,210 / 10,000), resets in 3 d`.
    pub(crate) fn cell(&self, style: &Style) -> Cell {
        let Some(limit) = self.limit else {
            return Cell::new(format!("{} / unlimited", grouped(self.used))).exactly(self.used);
        };
        let percent = self.percent().unwrap_or(u64::MAX);
        let words = self.words().map_or(String::new(), |words| format!(" {words}"));
        let state = self.state.as_deref().map_or(String::new(), |state| format!(" [{state}]"));
        let counts = format!("{} / {}", grouped(self.used), grouped(limit));
        let reset = match self.resets_at {
            Some(at) => format!(", resets {}", time::relative(at, style.now)),
            None => String::new(),
        };
        let text = format!("{} {percent} %{words}{state} {counts}{reset}", drawn(percent, style.unicode));
        Cell::new(text).exactly(format!("{}/{limit}", self.used)).tone(self.tone())
    }
}

/// The bar alone: full only when everything is used.
fn drawn(percent: u64, unicode: bool) -> String {
    let full = (percent.min(100) * LENGTH / 100) as usize;
    let rest = LENGTH as usize - full;
    if unicode {
        format!("{}{}", "█".repeat(full), "░".repeat(rest))
    } else {
        format!("[{}{}]", "#".repeat(full), "-".repeat(rest))
    }
}

/// A number with a comma between each three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { color: false, unicode: false, width: None, now: Timestamp::EPOCH };

    fn gauge(used: u64, limit: Option<u64>) -> Gauge {
        Gauge { used, limit, resets_at: None, state: None }
    }

    #[test]
    fn a_state_is_reached_with_its_percentage_and_not_before() {
        let cases = [
            (0, 50, None),
            (39, 50, None),
            (799, 1_000, None),
            (40, 50, Some("near limit")),
            (800, 1_000, Some("near limit")),
            (49, 50, Some("near limit")),
            (50, 50, Some("limit reached")),
            (75, 50, Some("over limit")),
            (0, 0, Some("limit reached")),
            (u64::MAX, u64::MAX, Some("limit reached")),
        ];
        for (used, limit, words) in cases {
            assert_eq!(gauge(used, Some(limit)).words(), words, "{used}/{limit}");
        }
        assert_eq!(gauge(7, None).words(), None);
    }

    #[test]
    fn the_policys_threshold_beats_the_usual_one() {
        let early = Gauge { state: Some("yellow".to_owned()), ..gauge(5, Some(10)) };
        assert_eq!((early.words(), early.tone()), (Some("near limit"), Tone::Warn));
    }

    #[test]
    fn a_bar_says_everything_in_words() {
        let at = Some(Timestamp::from_seconds(3 * 86_400));
        let full = Gauge { resets_at: at, ..gauge(8_210, Some(10_000)) };
        let cell = full.cell(&STYLE);
        assert_eq!(cell.text, "[########--] 82 % near limit 8,210 / 10,000, resets in 3 d");
        assert_eq!(cell.plain(), "8210/10000");
        assert_eq!(gauge(25, Some(50)).cell(&STYLE).text, "[#####-----] 50 % 25 / 50");
        assert_eq!(gauge(1_234_567, None).cell(&STYLE).text, "1,234,567 / unlimited");
    }

    #[test]
    fn only_everything_fills_a_bar() {
        assert_eq!(drawn(99, false), "[#########-]");
        assert_eq!(drawn(100, false), "[##########]");
        assert_eq!(drawn(150, true), "██████████");
        assert_eq!(drawn(0, true), "░░░░░░░░░░");
    }
}
