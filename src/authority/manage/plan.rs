//! Plans of keys and tenants: who may choose one, and what a change does to the counts.

use super::act::Act;
use super::problems::{Problems, unknown_word};
use crate::authority::hooks::PlanQuestion;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::error::Error;
use crate::key::record::PlanAssignment;
use crate::limit::Units;
use crate::limit::period::Period;
use crate::policy::Policy;
use crate::policy::knobs::{OnPlanChange, PlanChoice};
use crate::policy::model::{LimitDef, PeriodRule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Another plan, or other amounts, for a key or a tenant.
///
/// ```
/// # use tenantkit::PlanChange;
/// let upgrade = PlanChange::to("STARTER");
/// let agreed = PlanChange::default().amount("executions", Some(500));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct PlanChange {
    pub(crate) plan: Option<Box<str>>,
    pub(crate) amounts: BTreeMap<Box<str>, Option<u64>>,
    pub(crate) standard: Vec<Box<str>>,
}

impl PlanChange {
    /// Puts the subject on this plan. Amounts agreed for it before stay, where the new plan has a limit of that name.
    pub fn to(plan: impl Into<Box<str>>) -> Self {
        Self { plan: Some(plan.into()), ..Self::default() }
    }

    /// Agrees on another amount of one limit for this subject alone; `None` is unlimited.
    pub fn amount(mut self, limit: impl Into<Box<str>>, units: Option<u64>) -> Self {
        self.amounts.insert(limit.into(), units);
        self
    }

    /// Takes back what was agreed on one limit: the plan's own amount holds again.
    pub fn standard(mut self, limit: impl Into<Box<str>>) -> Self {
        self.standard.push(limit.into());
        self
    }

    fn changes_amounts(&self) -> bool {
        !self.amounts.is_empty() || !self.standard.is_empty()
    }
}

impl Act<'_> {
    /// Refuses a plan that this caller may not choose (row A-07). The default is everybody's; any other is the
    /// administrator's, everybody's or the host's to grant, as the policy says.
    pub(super) fn check_plan_choice(&self, plan: &str) -> Result<(), Error> {
        let usage = self.policy().usage();
        let default = usage.default_plan.and_then(|index| self.policy().plans().at(index));
        if default.is_some_and(|default| *default.name == *plan) {
            return Ok(());
        }
        let may = match usage.plan_choice {
            PlanChoice::Admin => self.rights.is_admin(),
            PlanChoice::Any => true,
            PlanChoice::Hook => match &self.inner.hooks.plan {
                Some(hook) => hook(&PlanQuestion {
                    account_id: self.account.as_str(),
                    actor: &self.rights.actor,
                    plan,
                })?,
                None => false,
            },
        };
        if may { Ok(()) } else { Err(Error::refused(Code::PlanNotAllowed)) }
    }

    /// The assignment after `change`, if the caller may make it; `None` where all is so already. A subject that has no
    /// plan of its own may still have amounts of its own: its plan is then the empty name.
    pub(super) fn change_plan(
        &self,
        before: Option<&PlanAssignment>,
        change: &PlanChange,
    ) -> Result<Option<PlanAssignment>, Error> {
        if change.changes_amounts() && !self.rights.is_admin() {
            let error = Error::refused(Code::PlanNotAllowed);
            return Err(error.with_detail("amounts are agreed by administrators"));
        }
        let policy = self.policy();
        let own = before.map(|assignment| &*assignment.plan).filter(|plan| !plan.is_empty());
        let plan = change.plan.as_deref().or(own).unwrap_or_default();
        let mut problems = Problems::default();
        if !plan.is_empty() && policy.plan(plan).is_none() {
            let plans: Vec<&str> = policy.plans().names().collect();
            problems.coded(Code::UnknownPlan, "plan", unknown_word(plan, plans.into_iter()));
        }
        check_amounts(&limits_of(policy, plan), change, &mut problems);
        problems.finish()?;
        if change.plan.is_some() && own.or_else(|| default_plan(policy)) != Some(plan) {
            self.check_plan_choice(plan)?;
        }
        let after = assign(policy, self.engine.revision, before, plan, change, self.now);
        let is_same =
            |before: &PlanAssignment| before.plan == after.plan && before.overrides == after.overrides;
        let says_nothing = before.is_none() && after.plan.is_empty() && after.overrides.is_empty();
        let is_news = !says_nothing && before.is_none_or(|before| !is_same(before));
        Ok(is_news.then_some(after))
    }

    /// The assignment of a new key that carries its own plan.
    pub(super) fn new_assignment(&self, plan: &str) -> PlanAssignment {
        assign(self.policy(), self.engine.revision, None, plan, &PlanChange::default(), self.now)
    }
}

/// The name of the policy's default plan.
pub(super) fn default_plan(policy: &Policy) -> Option<&str> {
    policy.usage().default_plan.and_then(|index| policy.plans().at(index)).map(|plan| &*plan.name)
}

/// The limits that a subject's own amounts can be for: those of its plan, or all where the plan is another record's.
fn limits_of<'p>(policy: &'p Policy, plan: &str) -> Vec<&'p LimitDef> {
    match policy.plan(plan) {
        Some(plan) => policy.limits_under(Some(plan.index)).collect(),
        None => policy.limits().iter().collect(),
    }
}

fn check_amounts(limits: &[&LimitDef], change: &PlanChange, problems: &mut Problems) {
    let named = |name: &str| limits.iter().find(|limit| *limit.name == *name);
    let amounts = change.amounts.iter().map(|(name, units)| (name, *units));
    for (name, units) in amounts.chain(change.standard.iter().map(|name| (name, None))) {
        match named(name) {
            None => problems.field("amounts", unknown_word(name, limits.iter().map(|limit| &*limit.name))),
            Some(limit) if !limit.overridable => {
                problems.field(
                    format!("amounts.{name}"),
                    "is the same for every subject; the policy lets nobody agree on another amount",
                );
            }
            Some(_) if units.is_some_and(|units| Units::new(units).is_none()) => {
                let message = format!("must be at most {}, or `null` for unlimited", Units::MAX.get());
                problems.field(format!("amounts.{name}"), message);
            }
            Some(_) => {}
        }
    }
}

/// The assignment of `plan` after `before`. Its generation rises; counts go on, unless a limit of the new plan says that
/// it begins anew with a change of plan, or counts over other periods than before.
fn assign(
    policy: &Policy,
    revision: u32,
    before: Option<&PlanAssignment>,
    plan: &str,
    change: &PlanChange,
    now: Timestamp,
) -> PlanAssignment {
    let generation = before.map_or(0, |assignment| assignment.generation).saturating_add(1);
    let is_other_plan = before.is_none_or(|before| *before.plan != *plan);
    let limits = limits_of(policy, plan);
    let mut overrides = before.map_or_else(BTreeMap::new, |assignment| assignment.overrides.clone());
    overrides.extend(change.amounts.clone());
    overrides
        .retain(|name, _| !change.standard.contains(name) && limits.iter().any(|limit| limit.name == *name));
    let mut epochs = before.map_or_else(BTreeMap::new, |assignment| assignment.epochs.clone());
    if is_other_plan && !plan.is_empty() {
        // Until now the subject counted under its assignment, or under the default plan.
        let own = before.map(|before| &*before.plan).filter(|plan| !plan.is_empty());
        let old_limits =
            own.or_else(|| default_plan(policy)).map_or_else(Vec::new, |old| limits_of(policy, old));
        let version = config_version(revision, generation);
        for limit in limits {
            let old = old_limits.iter().find(|old| old.name == limit.name);
            if old.is_some_and(|old| begins_anew(old, limit)) {
                epochs.insert(limit.name.clone(), version);
            }
        }
    }
    PlanAssignment {
        plan: plan.into(),
        generation,
        since: before.filter(|_| !is_other_plan).map_or(now, |before| before.since),
        overrides,
        epochs,
    }
}

/// Whether the count under `new` must not meet the one under `old`. Windows of two periods may begin at one instant; that
/// of a lifetime begins with no other, so a lifetime's count outlives a change of plan and back again.
fn begins_anew(old: &LimitDef, new: &LimitDef) -> bool {
    let is_lifetime = |limit: &LimitDef| limit.period == PeriodRule::Known(Period::Lifetime);
    let counts_from_plan_start = !matches!(new.period, PeriodRule::Known(_));
    let other_windows = new.period != old.period && !is_lifetime(old) && !is_lifetime(new);
    new.on_plan_change == OnPlanChange::Fresh || other_windows || counts_from_plan_start
}

/// A configuration version: the policy's revision in the upper, the assignment's generation in the lower 32 bits.
fn config_version(revision: u32, generation: u32) -> u64 {
    u64::from(revision) << 32 | u64::from(generation)
}
