//! Plans, limits and rates, as the document has them.

use crate::policy::knobs::{
    BasisWord, OnHoldTimeout, OnPlanChange, Overrun, RateMode, RearmWord, ThresholdAction, Who,
};
use serde::Deserialize;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};
use std::fmt;

/// A contract: entitlements and limits.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Plan"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PlanDoc {
    /// What people see. Left out: the name.
    pub(crate) label: Option<String>,
    /// The features it includes; from `entitlements`.
    pub(crate) entitlements: Vec<String>,
    /// The status of its exhausted limits: 429, 402 or 403. Left out: `usage.exhausted_status`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = [429, 402, 403])))]
    pub(crate) exhausted_status: Option<u16>,
    /// Its limits.
    pub(crate) limits: Vec<LimitDoc>,
    /// Its rates.
    pub(crate) rates: Vec<RateDoc>,
}

/// One bound on the units of one meter, for one subject, in one period.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Limit", extend("required" = ["name", "subject", "period"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitDoc {
    /// Its name, 1 to 64 bytes, part of the identity of the count: a renamed limit starts at 0. Required.
    pub(crate) name: Option<String>,
    /// What is counted. Left out: the policy's only meter.
    pub(crate) meter: Option<String>,
    /// Whose count it is: `key`, `user`, `org`, `account` and dimensions, always with the account. Required.
    pub(crate) subject: Vec<String>,
    /// The time counted over. Required.
    pub(crate) period: Option<PeriodDoc>,
    /// Units, 0 to 9007199254740991. Left out: counted without a bound.
    pub(crate) amount: Option<u64>,
    /// What happens at the amount. Default `hard`, with `slow` given: `slow`.
    pub(crate) mode: Option<LimitModeWord>,
    /// With `mode = "soft"`: the most units in the period, at least `amount`. Left out: no bound.
    pub(crate) overage_cap: Option<u64>,
    /// With `mode = "slow"`: how the limit goes on after its amount.
    pub(crate) slow: Option<SlowDoc>,
    /// States and actions on the way. At most 8.
    pub(crate) thresholds: Vec<ThresholdDoc>,
    /// Keys of these kinds only. Left out: every key, and people.
    pub(crate) kinds: Option<Vec<String>>,
    /// In these environments only. Left out: in all.
    pub(crate) environments: Option<Vec<String>>,
    /// For which users.
    pub(crate) who: Who,
    /// Whether a key, user, org or account may be given another amount of its own.
    pub(crate) overridable: bool,
    /// Whether callers whose key reaches less than the subject see what remains.
    pub(crate) expose: bool,
    /// What thresholds, pages and bills go by.
    pub(crate) basis: BasisWord,
    /// Whether thresholds fire again in one period.
    pub(crate) rearm: RearmWord,
    /// What a plan change does to the count.
    pub(crate) on_plan_change: OnPlanChange,
    /// What becomes of a reservation held for longer than 5 minutes.
    pub(crate) on_hold_timeout: OnHoldTimeout,
    /// What happens to units used beyond a reservation.
    pub(crate) overrun: Overrun,
}

/// What happens at a limit's amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "LimitMode"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitModeWord {
    /// Refuse.
    #[default]
    Hard,
    /// Go on up to `overage_cap`, marked as over the included amount.
    Soft,
    /// Go on slowly, as `slow` says.
    Slow,
}

/// How a slow limit goes on after its amount.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Slow", extend("required" = ["rate"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SlowDoc {
    /// Units per time, such as `10/hour`. Required.
    pub(crate) rate: Option<String>,
    /// How long the host delays each call, in seconds, 0 to 3600. Default 0.
    pub(crate) delay_s: u32,
}

/// A percentage that means something.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Threshold", extend("required" = ["at", "state"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ThresholdDoc {
    /// Percent of the amount, reached means at least: 1 to 100, for soft limits to 1000. Required.
    pub(crate) at: Option<u16>,
    /// The state from here on, such as `yellow`. Required.
    pub(crate) state: Option<String>,
    /// What else happens.
    pub(crate) action: ThresholdAction,
}

/// One bound on how fast a subject may go on.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Rate", extend("required" = ["name", "subject", "rate"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RateDoc {
    /// Its name, 1 to 64 bytes. Required.
    pub(crate) name: Option<String>,
    /// What is bounded. Left out: calls, free ones too.
    pub(crate) meter: Option<String>,
    /// Whose rate it is: `key`, `user`, `org`, `account` and dimensions, always with the account. Required.
    pub(crate) subject: Vec<String>,
    /// Units per time: `200/10s`, `10/hour`, `2/s`. Required.
    pub(crate) rate: Option<String>,
    /// The most units at once. Left out: the units of the rate.
    pub(crate) burst: Option<u64>,
    /// Per process, or over all of them.
    pub(crate) mode: RateMode,
    /// Keys of these kinds only. Left out: every key, and people.
    pub(crate) kinds: Option<Vec<String>>,
    /// In these environments only. Left out: in all.
    pub(crate) environments: Option<Vec<String>>,
    /// For which users.
    pub(crate) who: Who,
    /// Whether callers whose key reaches less than the subject see what remains.
    pub(crate) expose: bool,
}

/// The time counted over: a word, or a table.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Period", untagged))]
pub(crate) enum PeriodDoc {
    /// `lifetime`, or a calendar unit in UTC.
    Word(PeriodWord),
    /// A calendar unit in a time zone or from an anchor, or a fixed length.
    Table(PeriodTable),
}

/// The time counted over, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeriodWord {
    /// Never begins anew.
    Lifetime,
    /// Calendar minute, UTC.
    Minute,
    /// Calendar hour, UTC.
    Hour,
    /// Calendar day, UTC.
    Day,
    /// Calendar week, UTC, from Monday.
    Week,
    /// Calendar month, UTC.
    Month,
    /// Calendar year, UTC.
    Year,
}

/// The time counted over: `every` with `zone` or `anchor`, or `length_s` with `anchor`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PeriodTable {
    /// A calendar unit.
    pub(crate) every: Option<Every>,
    /// The IANA time zone of the calendar, such as `Europe/Berlin`. Default `UTC`.
    pub(crate) zone: Option<String>,
    /// With `every = "week"`: the first day, such as `sunday`. Default `monday`.
    pub(crate) week_start: Option<WeekdayWord>,
    /// Where periods begin: `plan_start` or an instant, for `every = "month"` and `"year"` and for `length_s`.
    pub(crate) anchor: Option<String>,
    /// A fixed length in seconds, 1 to 3153600000, instead of `every`.
    pub(crate) length_s: Option<u64>,
}

/// A calendar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Every {
    /// From the full minute.
    Minute,
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From midnight of its first day.
    Week,
    /// From midnight of the 1st, or from the anchor's day.
    Month,
    /// From midnight of 1 January, or from the anchor's day.
    Year,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Weekday"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum WeekdayWord {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl<'de> Deserialize<'de> for PeriodDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Period;

        impl<'de> Visitor<'de> for Period {
            type Value = PeriodDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a word such as `lifetime` or `month` in quotes, or a table with `every` or `length_s`",
                )
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<PeriodDoc, E> {
                PeriodWord::deserialize(word.into_deserializer()).map(PeriodDoc::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<PeriodDoc, A::Error> {
                PeriodTable::deserialize(de::value::MapAccessDeserializer::new(members)).map(PeriodDoc::Table)
            }
        }

        deserializer.deserialize_any(Period)
    }
}
