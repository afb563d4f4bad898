//! Which limits and rates a call can meet, worked out beforehand for each plan and operation.

use super::bounds::LIMITS_PER_CALL;
use super::kinds::Kinds;
use super::operations::Operations;
use super::plans::Plans;
use super::report::Report;
use super::vocabulary::Vocabulary;
use crate::policy::knobs::{Block, Who};
use crate::policy::model::{Charge, ChargeRow, Charges, Dimension, Filter, LimitMode, Operation, RateCharge};
use crate::policy::text::At;

pub(super) fn compile(
    report: &mut Report<'_, '_>,
    operations: &Operations,
    plans: &Plans,
    kinds: &Kinds,
    words: &Vocabulary,
    block: Block,
) -> Charges {
    let root = At::Root;
    let plans_at = root.key("plans");
    let none = std::iter::once(None);
    let mut rows = Vec::new();
    for plan in none.chain(plans.table.iter().map(Some)) {
        let mut complained = false;
        for operation in &operations.table {
            let row = row(operation, plan.map(|plan| plan.index), plans, block);
            if !complained && let Some(message) = too_many(operation, &row, plans, kinds, words) {
                let (at, place) = match plan {
                    Some(plan) => (plans_at.key(&plan.name), format!("under plan `{}` ", plan.name)),
                    None => (root.key("limits"), String::new()),
                };
                report.name(&at, format!("a call of `{}` {place}{message}", operation.name));
                complained = true;
            }
            rows.push(row);
        }
    }
    Charges::new(rows, operations.table.len())
}

fn row(operation: &Operation, plan: Option<u16>, plans: &Plans, block: Block) -> ChargeRow {
    let cost_of = |meter: u16| {
        let position = operation.costs.iter().position(|cost| cost.meter == meter)?;
        u16::try_from(position).ok()
    };
    let holds = |of: Option<u16>| of.is_none() || of == plan;
    let mut limits = Vec::new();
    for limit in plans.limits.iter().filter(|limit| holds(limit.plan) && provides(operation, &limit.subject))
    {
        let cost = cost_of(limit.meter);
        let watched = block == Block::All && limit.mode == LimitMode::Hard && limit.amount.is_some();
        if cost.is_some() || watched {
            limits.push((narrowness(&limit.subject), &limit.name, Charge { limit: limit.index, cost }));
        }
    }
    limits.sort_by_key(|(narrowness, name, _)| (*narrowness, *name));
    let mut rates = Vec::new();
    for rate in plans.rates.iter().filter(|rate| holds(rate.plan) && provides(operation, &rate.subject)) {
        let cost = rate.meter.map(cost_of);
        if cost != Some(None) {
            rates.push((
                narrowness(&rate.subject),
                &rate.name,
                RateCharge { rate: rate.index, cost: cost.flatten() },
            ));
        }
    }
    rates.sort_by_key(|(narrowness, name, _)| (*narrowness, *name));
    ChargeRow {
        limits: limits.into_iter().map(|(_, _, charge)| charge).collect(),
        rates: rates.into_iter().map(|(_, _, charge)| charge).collect(),
    }
}

/// Whether a call of the operation has all the dimensions of the subject. Its org and user are known only at the call.
fn provides(operation: &Operation, subject: &[Dimension]) -> bool {
    subject.iter().all(|dimension| match dimension {
        Dimension::Named(name) => {
            operation.dimensions.contains(name) || operation.resource.as_ref() == Some(name)
        }
        Dimension::Key | Dimension::User | Dimension::Org | Dimension::Account => true,
    })
}

/// Dimensions are narrower than keys, keys than users, users than orgs, orgs than the account.
fn narrowness(subject: &[Dimension]) -> u8 {
    let rank = |dimension: &Dimension| match dimension {
        Dimension::Named(_) => 0,
        Dimension::Key => 1,
        Dimension::User => 2,
        Dimension::Org => 3,
        Dimension::Account => 4,
    };
    subject.iter().map(rank).min().unwrap_or(4)
}

/// Says how many limits and rates one call could meet, if that is more than are judged together.
fn too_many(
    operation: &Operation,
    row: &ChargeRow,
    plans: &Plans,
    kinds: &Kinds,
    words: &Vocabulary,
) -> Option<String> {
    if row.limits.len() + row.rates.len() <= LIMITS_PER_CALL {
        return None;
    }
    let limits = row.limits.iter().filter_map(|charge| plans.limits.get(usize::from(charge.limit)));
    let rates = row.rates.iter().filter_map(|charge| plans.rates.get(usize::from(charge.rate)));
    let filters: Vec<Filter> =
        limits.map(|limit| limit.filter).chain(rates.map(|rate| rate.filter)).collect();
    let callers = kinds.table.iter().filter(|kind| operation.accepts(kind.bit()));
    let callers = std::iter::once(None).chain(callers.map(Some));
    for kind in callers {
        for environment in &words.environments {
            let met = |who: Who| {
                let kind_bit = kind.map(|kind| kind.bit());
                filters.iter().filter(|f| f.who == who && f.matches(kind_bit, environment.bit())).count()
            };
            // A user is named or anonymous, never both.
            let most = met(Who::Any) + met(Who::Named).max(met(Who::Anonymous));
            if most > LIMITS_PER_CALL {
                let caller = kind
                    .map_or_else(|| "a person".to_owned(), |kind| format!("a key of kind `{}`", kind.name));
                return Some(format!(
                    "by {caller} would meet {most} limits and rates; at most {LIMITS_PER_CALL} are judged together"
                ));
            }
        }
    }
    None
}
