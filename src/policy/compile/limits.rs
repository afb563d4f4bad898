//! Limits and rates.

use super::bounds;
use super::names::{self, MAX_NAME_BYTES};
use super::operations::Operations;
use super::period;
use super::plans::Context;
use super::report::Report;
use crate::limit::Units;
use crate::limit::gcra::Rate;
use crate::limit::period::Period;
use crate::policy::document::{LimitDoc, LimitModeWord, RateDoc, SlowDoc, ThresholdDoc};
use crate::policy::knobs::{ThresholdAction, Who};
use crate::policy::model::{Dimension, Filter, LimitDef, LimitMode, PeriodRule, RateDef, Threshold};
use crate::policy::text::{At, Place};
use crate::tenant::Level;

/// The longest delay of a slow limit, in seconds.
const MAX_DELAY_S: u32 = 3_600;
/// The longest name of a threshold's state, in bytes.
const MAX_STATE_BYTES: usize = 32;

/// The limit at `at`, of a plan or of none. `None` only with a fault in the report.
pub(super) fn limit(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    document: &LimitDoc,
    plan: Option<u16>,
    exhausted_status: u16,
    context: &Context<'_>,
) -> Option<LimitDef> {
    let name = name(report, at, document.name.as_deref());
    let meter = meter(report, at, document.meter.as_deref(), context);
    let subject = subject(report, &at.key("subject"), &document.subject, context);
    if let Some(meter) = meter {
        check_counted(report, at, meter, &subject, document.meter.is_some(), context);
    }
    let amount = units(report, &at.key("amount"), document.amount);
    let mode = mode(report, at, document, amount);
    let thresholds = thresholds(report, &at.key("thresholds"), document, amount, mode);
    let period = match &document.period {
        Some(document) => period::compile(report, &at.key("period"), document, plan.is_some()),
        None => {
            report.missing(
                at,
                "period",
                "say what time it counts over: `lifetime`, `month`, `{ length_s = 18000 }`",
            );
            PeriodRule::Known(Period::Lifetime)
        }
    };
    Some(LimitDef {
        index: 0,
        name: name?.into(),
        plan,
        meter: meter?,
        subject,
        period,
        amount,
        mode,
        thresholds,
        filter: filter(report, at, &document.kinds, &document.environments, document.who, context),
        overridable: document.overridable,
        expose: document.expose,
        exhausted_status,
        basis: document.basis.into(),
        rearm: document.rearm.into(),
        on_plan_change: document.on_plan_change,
        on_hold_timeout: document.on_hold_timeout,
        overrun: document.overrun,
    })
}

/// The rate at `at`, of a plan or of none. `None` only with a fault in the report.
pub(super) fn rate(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    document: &RateDoc,
    plan: Option<u16>,
    context: &Context<'_>,
) -> Option<RateDef> {
    let name = name(report, at, document.name.as_deref());
    let meter = document.meter.as_deref().map(|_| meter(report, at, document.meter.as_deref(), context));
    let subject = subject(report, &at.key("subject"), &document.subject, context);
    if let Some(Some(meter)) = meter {
        check_counted(report, at, meter, &subject, true, context);
    }
    let filter = filter(report, at, &document.kinds, &document.environments, document.who, context);
    let Some(text) = document.rate.as_deref() else {
        report.missing(at, "rate", "write units per time, such as `200/10s`");
        return None;
    };
    let burst = units(report, &at.key("burst"), document.burst);
    let rate = parse_rate(report, &at.key("rate"), text)?;
    let rate = match burst.map(|burst| rate.with_burst(burst)) {
        None => rate,
        Some(Ok(rate)) => rate,
        Some(Err(e)) => {
            report.value(&at.key("burst"), e.detail().unwrap_or(e.message()));
            return None;
        }
    };
    Some(RateDef {
        index: 0,
        name: name?.into(),
        plan,
        meter: meter.flatten(),
        subject,
        rate,
        mode: document.mode,
        filter,
        expose: document.expose,
    })
}

fn name<'d>(report: &mut Report<'_, '_>, at: &At<'_>, name: Option<&'d str>) -> Option<&'d str> {
    match name {
        Some(name) => names::check_name(report, &at.key("name"), Place::Value, name, MAX_NAME_BYTES),
        None => report.missing(at, "name", "give it a name; it is part of the identity of the count"),
    }
    name
}

fn meter(report: &mut Report<'_, '_>, at: &At<'_>, name: Option<&str>, context: &Context<'_>) -> Option<u16> {
    let meters = &context.words.meters;
    match (name, context.words.only_meter()) {
        (Some(name), _) => names::position(report, &at.key("meter"), name, "meter", meters.names()),
        (None, Some(only)) => Some(only),
        (None, None) if meters.is_empty() => {
            report.value(at, "the policy has no meter to bound; add one, such as `[meters.requests]`");
            None
        }
        (None, None) => {
            report.missing(at, "meter", "the policy has more than one, so say which");
            None
        }
    }
}

/// The parts of a subject in their canonical order, so that the order in which they are listed means nothing.
fn subject(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    words: &[String],
    context: &Context<'_>,
) -> Box<[Dimension]> {
    let mut subject = Vec::new();
    for (i, word) in names::at_most(report, at, words, bounds::SUBJECT).iter().enumerate() {
        let here = at.index(i);
        let known = context.words.dimension_names().chain(context.words.resource_type_names());
        let dimension = match word.as_str() {
            "key" => Dimension::Key,
            "user" => Dimension::User,
            "org" => Dimension::Org,
            "account" => Dimension::Account,
            name if known.clone().any(|dimension| dimension == name) => Dimension::Named(name.into()),
            name => {
                let words = ["key", "user", "org", "account"].into_iter().chain(known);
                report.unknown(&here, Place::Value, "subject or dimension", name, words);
                continue;
            }
        };
        if subject.contains(&dimension) {
            report.value(&here, format!("`{word}` is part of the subject already; name it once"));
        }
        subject.push(dimension);
    }
    if words.is_empty() {
        if report.source().has(at) {
            report.value(at, "say whose count it is: `key`, `user`, `org`, `account` or a dimension");
        } else if let At::Key(parent, field) = at {
            report.missing(
                parent,
                field,
                "say whose count it is: `key`, `user`, `org`, `account` or a dimension",
            );
        }
    }
    subject.sort();
    // The account is part of every subject; said besides others it adds nothing.
    if subject.len() > 1 {
        subject.retain(|dimension| *dimension != Dimension::Account);
    }
    subject.into()
}

/// A bound that no call can meet is a mistake: nothing counts on the meter, or nothing that does has such a subject.
fn check_counted(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    meter: u16,
    subject: &[Dimension],
    named: bool,
    context: &Context<'_>,
) {
    let Operations { table, .. } = context.operations;
    let mut counting =
        table.iter().filter(|operation| operation.costs.iter().any(|cost| cost.meter == meter)).peekable();
    if counting.peek().is_none() {
        let meter = context.words.meters.at(meter).map_or("", |meter| &meter.name);
        let message =
            format!("no operation counts on `{meter}`, so this could never refuse; give one a `cost`");
        let here = at.key("meter");
        report.value(if named { &here } else { at }, message);
        return;
    }
    for dimension in subject {
        let reached = counting.clone().any(|operation| match dimension {
            Dimension::Named(name) => {
                operation.dimensions.contains(name) || operation.resource.as_ref() == Some(name)
            }
            Dimension::Org | Dimension::User => operation.level != Level::Account,
            Dimension::Key | Dimension::Account => true,
        });
        if !reached {
            let what = match dimension {
                Dimension::Named(name) => format!("passes the dimension or resource `{name}`"),
                _ => "acts for an org or user".to_owned(),
            };
            let message = format!("no operation that counts here {what}, so this could never refuse");
            report.value(&at.key("subject"), message);
        }
    }
}

fn units(report: &mut Report<'_, '_>, at: &At<'_>, amount: Option<u64>) -> Option<Units> {
    let amount = amount?;
    let units = Units::new(amount);
    if units.is_none() {
        report.value(at, format!("an amount is at most {} (2^53 - 1)", Units::MAX));
    }
    units
}

fn mode(report: &mut Report<'_, '_>, at: &At<'_>, document: &LimitDoc, amount: Option<Units>) -> LimitMode {
    let default = if document.slow.is_some() { LimitModeWord::Slow } else { LimitModeWord::Hard };
    let mode = document.mode.unwrap_or(default);
    if mode != LimitModeWord::Soft && document.overage_cap.is_some() {
        report
            .name(&at.key("overage_cap"), "only a soft limit goes on over its amount; set `mode = \"soft\"`");
    }
    if mode != LimitModeWord::Slow && document.slow.is_some() {
        report
            .name(&at.key("slow"), "only a slow limit goes on slowly; set `mode = \"slow\"` or leave it out");
    }
    if mode != LimitModeWord::Hard && document.amount.is_none() {
        report.missing(at, "amount", "without an amount nothing changes there");
    }
    match mode {
        LimitModeWord::Hard => LimitMode::Hard,
        LimitModeWord::Soft => {
            let here = at.key("overage_cap");
            let overage_cap = units(report, &here, document.overage_cap);
            if overage_cap.zip(amount).is_some_and(|(cap, amount)| cap < amount) {
                report.value(&here, "the cap lies below `amount`; it bounds all units of the period");
            }
            LimitMode::Soft { overage_cap }
        }
        LimitModeWord::Slow => slow(report, at, document.slow.as_ref()),
    }
}

fn slow(report: &mut Report<'_, '_>, at: &At<'_>, document: Option<&SlowDoc>) -> LimitMode {
    let Some(slow) = document else {
        report.missing(at, "slow", "say how it goes on, as in `slow = { rate = \"10/hour\", delay_s = 10 }`");
        return LimitMode::Hard;
    };
    let here = at.key("slow");
    if slow.delay_s > MAX_DELAY_S {
        report.value(&here.key("delay_s"), format!("a delay is at most {MAX_DELAY_S} seconds"));
    }
    let Some(text) = &slow.rate else {
        report.missing(&here, "rate", "write units per time, such as `10/hour`");
        return LimitMode::Hard;
    };
    match parse_rate(report, &here.key("rate"), text) {
        Some(rate) => LimitMode::Slow { rate, delay_s: slow.delay_s },
        None => LimitMode::Hard,
    }
}

fn parse_rate(report: &mut Report<'_, '_>, at: &At<'_>, text: &str) -> Option<Rate> {
    Rate::parse(text).map_err(|e| report.value(at, e.detail().unwrap_or(e.message()))).ok()
}

fn thresholds(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    document: &LimitDoc,
    amount: Option<Units>,
    mode: LimitMode,
) -> Box<[Threshold]> {
    let listed = names::at_most(report, at, &document.thresholds, bounds::THRESHOLDS);
    if !listed.is_empty()
        && amount.is_none_or(|amount| amount == Units::ZERO)
        && document.amount.is_none_or(|a| a == 0)
    {
        report.value(at, "percentages need an `amount` above 0");
    }
    let most = if matches!(mode, LimitMode::Soft { .. }) { 1_000 } else { 100 };
    let mut thresholds: Vec<Threshold> = Vec::new();
    for (i, ThresholdDoc { at: percent, state, action }) in listed.iter().enumerate() {
        let here = at.index(i);
        if state.is_none() {
            report.missing(&here, "state", "give the state from here on, such as `yellow`");
        }
        let Some(percent) = *percent else {
            report.missing(&here, "at", "give a percentage, such as 80");
            continue;
        };
        let spot = here.key("at");
        if !(1..=most).contains(&percent) {
            report.value(&spot, format!("a threshold of this limit is at 1 to {most} percent"));
        } else if thresholds.iter().any(|known| known.at == percent) {
            report.value(&spot, format!("there is a threshold at {percent} percent already"));
        }
        if let Some(state) = state {
            names::check_name(report, &here.key("state"), Place::Value, state, MAX_STATE_BYTES);
        }
        if *action == ThresholdAction::Block && (percent != 100 || mode != LimitMode::Hard) {
            report.value(
                &here.key("action"),
                "a limit blocks at 100 percent if it is hard; use another action here",
            );
        }
        let state = state.as_deref().unwrap_or_default().into();
        thresholds.push(Threshold { at: percent, state, action: *action });
    }
    thresholds.sort_by_key(|threshold| threshold.at);
    thresholds.into()
}

fn filter(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    kinds: &Option<Vec<String>>,
    environments: &Option<Vec<String>>,
    who: Who,
    context: &Context<'_>,
) -> Filter {
    let mut set = |field: &str, list: &[String], what: &str, known: Vec<&str>| {
        let here = at.key(field);
        if list.is_empty() && !report.source().has_members(&here) {
            report.value(&here, "an empty list applies to nothing; leave the field out for all");
        }
        names::bits(report, &here, list, what, known.iter().copied())
    };
    let table = &context.kinds.table;
    let kinds = kinds.as_deref().map(|list| set("kinds", list, "kind", table.names().collect()));
    let known = context.words.environments.names().collect();
    let environments =
        environments.as_deref().map_or(u64::MAX, |list| set("environments", list, "environment", known));
    if who == Who::Anonymous && !table.iter().any(|kind| kind.is_publishable()) {
        let message = "only callers of publishable keys are anonymous, and the policy has no such kind";
        report.value(&at.key("who"), message);
    }
    Filter { kinds, environments, who }
}
