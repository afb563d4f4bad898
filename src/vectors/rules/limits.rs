//! Rules of limits and of time.

use crate::clock::Timestamp;
use crate::limit::gcra::{Rate, RateCell};
use crate::limit::period::{AnchorUnit, CalendarUnit, Period, Weekday, Zone};
use crate::limit::{ConfigVersion, Units};
use crate::policy::knobs::ThresholdAction;
use crate::policy::model::Threshold;
use crate::vectors::answer::{Answer, instant as parse_instant, object};
use serde::Deserialize;
use serde_json::{Value, json};
use std::num::NonZeroU32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateCase {
    rate: String,
    burst: Option<u64>,
    /// Instants in microseconds, and units.
    calls: Vec<(i64, u64)>,
}

/// What a rate admits, call by call.
pub(super) fn rate(case: &RateCase) -> Result<Answer, String> {
    let units = |units| Units::new(units).ok_or("more units than there are");
    let mut rate = Rate::parse(&case.rate).map_err(|e| e.to_string())?;
    if let Some(burst) = case.burst {
        rate = rate.with_burst(units(burst)?).map_err(|e| e.to_string())?;
    }
    let mut cell = RateCell::EMPTY;
    let mut answers = Vec::new();
    for &(at_us, amount) in &case.calls {
        // Somewhere in the middle of time: the epoch itself is when an empty cell was last looked at.
        let now = Timestamp::from_seconds(1_700_000_000).plus_micros(at_us);
        let verdict = cell.take(&rate, ConfigVersion::from_raw(1), units(amount)?, now);
        answers.push(json!({
            "fits": verdict.fits,
            "remaining": verdict.remaining.get(),
            "wait_us": verdict.wait_us,
        }));
    }
    Ok(object(json!({ "answers": answers })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeriodCase {
    period: PeriodForm,
    at: String,
}

/// As policies write it, in UTC.
#[derive(Deserialize)]
#[serde(untagged)]
enum PeriodForm {
    Unit(String),
    Length { length_s: NonZeroU32, anchor: String },
    Anchored { every: String, anchor: String },
}

/// The window of an instant.
pub(super) fn period(case: PeriodCase) -> Result<Answer, String> {
    let period = match case.period {
        PeriodForm::Unit(unit) => {
            let unit = match unit.as_str() {
                "minute" => CalendarUnit::Minute,
                "hour" => CalendarUnit::Hour,
                "day" => CalendarUnit::Day,
                "week" => CalendarUnit::Week,
                "month" => CalendarUnit::Month,
                "year" => CalendarUnit::Year,
                _ => return Err(format!("`{unit}` is no unit of the calendar")),
            };
            Period::Calendar { unit, zone: Zone::utc(), week_start: Weekday::Monday }
        }
        PeriodForm::Length { length_s, anchor } => {
            Period::Fixed { length_s, anchor: parse_instant(&anchor)? }
        }
        PeriodForm::Anchored { every, anchor } => {
            let unit = if every == "year" { AnchorUnit::Year } else { AnchorUnit::Month };
            Period::Anchored { unit, anchor: parse_instant(&anchor)?, zone: Zone::utc() }
        }
    };
    let window = period.window_at(parse_instant(&case.at)?);
    Ok(object(json!({ "start": window.start.to_string(), "end": window.end.to_string() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdCase {
    amount: u64,
    percent: u16,
}

/// The count at which a percentage is reached.
pub(super) fn threshold(case: &ThresholdCase) -> Result<Answer, String> {
    let threshold = Threshold { at: case.percent, state: "".into(), action: ThresholdAction::None };
    let amount = Units::new(case.amount).ok_or("more units than there are")?;
    Ok(object(json!({ "mark": threshold.mark(amount).get() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstantCase {
    text: String,
}

/// What an instant or date means.
pub(super) fn instant(case: &InstantCase) -> Result<Answer, String> {
    let micros = Timestamp::parse(&case.text).map_or(Value::Null, |at| json!(at.as_micros()));
    Ok(object(json!({ "micros": micros })))
}
