//! Plans, with the limits and rates of each, and those that hold whatever the plan.

use super::bounds;
use super::kinds::Kinds;
use super::limits;
use super::names::{self, MAX_NAME_BYTES};
use super::operations::Operations;
use super::report::Report;
use super::vocabulary::Vocabulary;
use crate::policy::document::{Document, LimitDoc, RateDoc};
use crate::policy::model::{LimitDef, Plan, RateDef, Table, UsageRules};
use crate::policy::text::read::short;
use crate::policy::text::{At, Place};

/// The contracts of a policy.
pub(super) struct Plans {
    pub(super) table: Table<Plan>,
    pub(super) limits: Vec<LimitDef>,
    pub(super) rates: Vec<RateDef>,
    pub(super) usage: UsageRules,
}

/// What a limit may name.
pub(super) struct Context<'a> {
    pub(super) words: &'a Vocabulary,
    pub(super) kinds: &'a Kinds,
    pub(super) operations: &'a Operations,
}

pub(super) fn compile(
    report: &mut Report<'_, '_>,
    document: &Document,
    words: &Vocabulary,
    kinds: &Kinds,
    operations: &Operations,
) -> Plans {
    let root = At::Root;
    let context = Context { words, kinds, operations };
    let mut all = Bounds::default();
    let usage_at = root.key("usage");
    let status =
        status(report, &usage_at.key("exhausted_status"), document.usage.exhausted_status).unwrap_or(429);
    all.add(report, &root, (&document.limits, &document.rates), None, status, &context);
    check_names(report, &root, (&document.limits, &document.rates), &[]);
    let limit_names = document.limits.iter().filter_map(|limit| limit.name.as_deref());
    let rate_names = document.rates.iter().filter_map(|rate| rate.name.as_deref());
    let common: Vec<&str> = limit_names.chain(rate_names).take(2 * bounds::LIMITS).collect();

    let at = root.key("plans");
    let mut plans = Vec::new();
    for (index, (name, plan)) in (0..).zip(names::in_order(report, &at, &document.plans, bounds::PLANS)) {
        let here = at.key(name);
        names::check_name(report, &here, Place::Name, name, MAX_NAME_BYTES);
        let own = self::status(report, &here.key("exhausted_status"), plan.exhausted_status);
        let entitlements = names::bits(
            report,
            &here.key("entitlements"),
            &plan.entitlements,
            "entitlement",
            words.entitlement_names(),
        );
        all.add(report, &here, (&plan.limits, &plan.rates), Some(index), own.unwrap_or(status), &context);
        check_names(report, &here, (&plan.limits, &plan.rates), &common);
        let label = names::label(report, &here, plan.label.as_deref(), name);
        plans.push(Plan { index, name: name.into(), label, entitlements });
    }
    let table = Table::new(plans);
    let usage = UsageRules {
        count_on: document.usage.count_on,
        block: document.usage.on_exhausted.block,
        plan_on: document.usage.plan_on,
        plan_choice: document.usage.plan_choice,
        default_plan: default_plan(report, document, &table),
    };
    Plans { table, limits: all.limits, rates: all.rates, usage }
}

fn default_plan(report: &mut Report<'_, '_>, document: &Document, plans: &Table<Plan>) -> Option<u16> {
    let root = At::Root;
    match &document.default_plan {
        Some(name) => names::position(report, &root.key("default_plan"), name, "plan", plans.names()),
        None => {
            if !plans.is_empty() {
                report.missing(&root, "default_plan", "name the plan of keys that are given none");
            }
            None
        }
    }
}

fn status(report: &mut Report<'_, '_>, at: &At<'_>, status: Option<u16>) -> Option<u16> {
    if let Some(status) = status.filter(|status| ![429, 402, 403].contains(status)) {
        report.value(at, format!("`{status}` is not 429, 402 or 403"));
    }
    status
}

/// The limits and rates of all plans, in one row.
#[derive(Default)]
struct Bounds {
    limits: Vec<LimitDef>,
    rates: Vec<RateDef>,
}

impl Bounds {
    fn add(
        &mut self,
        report: &mut Report<'_, '_>,
        at: &At<'_>,
        (limits, rates): (&[LimitDoc], &[RateDoc]),
        plan: Option<u16>,
        status: u16,
        context: &Context<'_>,
    ) {
        let limits_at = at.key("limits");
        for (i, limit) in names::at_most(report, &limits_at, limits, bounds::LIMITS).iter().enumerate() {
            if let Some(limit) = limits::limit(report, &limits_at.index(i), limit, plan, status, context) {
                let index = u16::try_from(self.limits.len()).unwrap_or(u16::MAX);
                self.limits.push(LimitDef { index, ..limit });
            }
        }
        let rates_at = at.key("rates");
        for (i, rate) in names::at_most(report, &rates_at, rates, bounds::LIMITS).iter().enumerate() {
            if let Some(rate) = limits::rate(report, &rates_at.index(i), rate, plan, context) {
                let index = u16::try_from(self.rates.len()).unwrap_or(u16::MAX);
                self.rates.push(RateDef { index, ..rate });
            }
        }
    }
}

/// Names tell the limits and rates of one call apart, so those of a plan differ from each other and from the `common`
/// ones that hold whatever the plan.
fn check_names(report: &mut Report<'_, '_>, at: &At<'_>, own: (&[LimitDoc], &[RateDoc]), common: &[&str]) {
    let mut seen = common.to_vec();
    let limits =
        own.0.iter().take(bounds::LIMITS).enumerate().map(|(i, limit)| ("limits", i, limit.name.as_deref()));
    let rates =
        own.1.iter().take(bounds::LIMITS).enumerate().map(|(i, rate)| ("rates", i, rate.name.as_deref()));
    for (field, i, name) in limits.chain(rates) {
        let Some(name) = name else { continue };
        if seen.contains(&name) {
            let list = at.key(field);
            let element = list.index(i);
            let message = format!("`{}` names another limit or rate of the same calls already", short(name));
            report.value(&element.key("name"), message);
        }
        seen.push(name);
    }
}
