//! Which limits a call meets, for whose count, and with which configuration.

use super::call::{Call, Judged, Want};
use crate::error::Error;
use crate::key::record::PlanAssignment;
use crate::ledger::{Ledger, QuotaUse, SlowUse};
use crate::limit::{ConfigVersion, LimitId, Mark, OperationScope, Terms, Units};
use crate::policy::{
    Cost, Dimension, Filter, Kind, LimitDef, LimitMode, OnHoldTimeout, Overrun, RateDef, RateMode, Threshold,
    Who,
};
use crate::records::Slot;
use crate::tenant::{OrgBinding, ScopeUser, UserBinding};
use std::borrow::Cow;
use std::sync::Arc;

/// Suffix of the identity of a quota's slow source.
const SLOW: &str = "/slow";

impl<'c> Call<'c> {
    /// The rates of the plan and operation that apply to this caller.
    pub(super) fn rates<'j>(
        &'j self,
        judged: &'j Judged<'_>,
    ) -> impl Iterator<Item = (&'c RateDef, Units)> + 'j {
        let policy = self.policy();
        policy.rate_charges(self.plan_index(judged), self.operation).iter().filter_map(move |charge| {
            let rate = policy.rates().get(usize::from(charge.rate))?;
            let units = charge.cost.map_or(Units::ONE, |cost| self.units(cost));
            (units > Units::ZERO && self.applies(&rate.filter, judged)).then_some((rate, units))
        })
    }

    /// The quotas of the plan and operation that apply to this caller. Units are 0 where the limit only has to be open.
    pub(super) fn quotas<'j>(
        &'j self,
        judged: &'j Judged<'_>,
    ) -> impl Iterator<Item = (&'c LimitDef, Units)> + 'j {
        let policy = self.policy();
        policy.charges(self.plan_index(judged), self.operation).iter().filter_map(move |charge| {
            let limit = policy.limits().get(usize::from(charge.limit))?;
            let units = charge.cost.map_or(Units::ZERO, |cost| self.units(cost));
            let blocks = charge.cost.is_none();
            ((units > Units::ZERO || blocks) && self.applies(&limit.filter, judged)).then_some((limit, units))
        })
    }

    pub(super) fn plan_index(&self, judged: &Judged<'_>) -> Option<u16> {
        self.plan(&judged.principal, judged.org.as_ref()).and_then(|plan| plan.index)
    }

    /// Units of the cost at this place; one that the call gives replaces that of the variable meter.
    fn units(&self, index: u16) -> Units {
        let given = match self.want {
            Want::Reserve(max) => Some(max),
            Want::Charge | Want::Inspect => self.request.cost.and_then(Units::new),
        };
        let fixed = self.operation.costs.get(usize::from(index)).map(|cost: &Cost| cost.units);
        match given {
            Some(units) if self.operation.variable == Some(index) => units,
            _ => fixed.and_then(Units::new).unwrap_or(Units::ZERO),
        }
    }

    fn applies(&self, filter: &Filter, judged: &Judged<'_>) -> bool {
        let principal = &judged.principal;
        let environment = 1_u64.checked_shl(u32::from(principal.environment)).unwrap_or(0);
        let anonymous = judged.identity.scope.is_anonymous();
        let who = match filter.who {
            Who::Any => true,
            Who::Named => !anonymous,
            Who::Anonymous => anonymous,
        };
        who && filter.matches(principal.kind.map(Kind::bit), environment)
    }

    /// Whose count it is: names and values of the subject, always with the account. Users come with their org.
    pub(super) fn subject<'s>(
        &'s self,
        dimensions: &'s [Dimension],
        judged: &'s Judged<'_>,
    ) -> Result<Vec<(&'s str, Cow<'s, str>)>, Error> {
        let scope = &judged.identity.scope;
        let org = || ("org", Cow::Borrowed(scope.org_id().unwrap_or("")));
        let mut subject = vec![("account", Cow::Borrowed(scope.account_id()))];
        for dimension in dimensions {
            match dimension {
                Dimension::Account => {}
                Dimension::Key => match judged.principal.lineage {
                    Some(lineage) => subject.push(("key", Cow::Owned(lineage.to_string()))),
                    None => subject.push(("person", Cow::Borrowed(scope.user_id().unwrap_or("")))),
                },
                Dimension::Org => subject.push(org()),
                Dimension::User => {
                    subject.push(org());
                    subject.push(match scope.user() {
                        ScopeUser::Named(user) => ("user", Cow::Borrowed(user)),
                        ScopeUser::Anonymous => ("anonymous", Cow::Borrowed("")),
                        ScopeUser::None => ("nobody", Cow::Borrowed("")),
                    });
                }
                Dimension::Named(name) => subject.push((name, Cow::Borrowed(self.dimension(name)?))),
            }
        }
        Ok(subject)
    }

    /// A dimension the host passed, or the operation's resource if it has this type.
    fn dimension(&self, name: &str) -> Result<&'c str, Error> {
        if let Some((_, value)) = self.request.dimensions.iter().find(|(given, _)| *given == name) {
            return Ok(value);
        }
        let resource = self.request.resource.and_then(|resource| resource.split_once(':'));
        match resource {
            Some((kind, id)) if kind == name => Ok(id),
            _ => {
                let text =
                    format!("operation `{}` is counted by `{name}`; pass its value", self.operation.name);
                Err(Error::invalid_field("dimensions", text))
            }
        }
    }

    fn limit_id(
        &self,
        subject: &[Dimension],
        judged: &Judged<'_>,
        meter: &str,
        name: &str,
    ) -> Result<LimitId, Error> {
        let subject = self.subject(subject, judged)?;
        let borrowed: Vec<(&str, &str)> = subject.iter().map(|(name, value)| (*name, &**value)).collect();
        Ok(LimitId::new(judged.identity.scope.environment(), &borrowed, meter, name))
    }

    /// The identity and local state of a rate, remembered with the narrowest record of its subject where there is one.
    pub(super) fn rate_slot<'j, T>(
        &'j self,
        rate: &RateDef,
        judged: &'j Judged<'_>,
        ledger: &Ledger,
        with: impl FnOnce(&Slot) -> T,
    ) -> Result<T, Error> {
        let meter =
            rate.meter.and_then(|meter| self.policy().meters().at(meter)).map_or("", |meter| &*meter.name);
        let make = || -> Result<Slot, Error> {
            let limit_id = self.limit_id(&rate.subject, judged, meter, &rate.name)?;
            let local = rate.mode == RateMode::Local;
            Ok(Slot { limit_id, rate: local.then(|| ledger.rate(limit_id, self.now)) })
        };
        let Some(slots) = owner_of(&rate.subject, judged) else { return make().map(|slot| with(&slot)) };
        // Rates come after the limits among an owner's slots.
        let (limits, rates) = (self.policy().limits().len(), self.policy().rates().len());
        match slots.at(limits + usize::from(rate.index), limits + rates, make)? {
            Some(slot) => Ok(with(slot)),
            None => make().map(|slot| with(&slot)),
        }
    }

    /// A quota as the ledger takes it.
    pub(super) fn quota_use(
        &self,
        limit: &LimitDef,
        units: Units,
        judged: &Judged<'_>,
    ) -> Result<QuotaUse, Error> {
        let meter = self.policy().meters().at(limit.meter).map_or("", |meter| &*meter.name);
        let make = || -> Result<Slot, Error> {
            Ok(Slot { limit_id: self.limit_id(&limit.subject, judged, meter, &limit.name)?, rate: None })
        };
        let slots = self.policy().limits().len() + self.policy().rates().len();
        let limit_id = match owner_of(&limit.subject, judged) {
            Some(owner) => owner.at(usize::from(limit.index), slots, make)?.map(|slot| slot.limit_id),
            None => Some(make()?.limit_id),
        };
        let limit_id = limit_id.unwrap_or_default();
        let terms = self.terms(limit, judged)?;
        let assignment = self.assignment(judged);
        let epoch = assignment.and_then(|plan| plan.epochs.get(&limit.name)).copied().unwrap_or(0);
        let since = assignment.map_or(crate::clock::Timestamp::EPOCH, |plan| plan.since);
        let slow = match limit.mode {
            LimitMode::Slow { rate, delay_s } => Some(SlowUse {
                limit_id: self.limit_id(&limit.subject, judged, meter, &format!("{}{SLOW}", limit.name))?,
                rate,
                ver: terms.ver,
                delay_ms: u64::from(delay_s) * 1_000,
            }),
            _ => None,
        };
        let epoch = ConfigVersion::from_raw(epoch);
        let period = limit.period.of(since).into_owned();
        let record_overrun = limit.overrun == Overrun::Record;
        let commit_overdue = limit.on_hold_timeout == OnHoldTimeout::Commit;
        // Without a variable meter what is reserved is the fixed cost, all or nothing.
        let variable = self.operation.variable.map(|cost| self.operation.costs.get(usize::from(cost)));
        let follows_commit = variable.is_none_or(|cost| cost.is_some_and(|cost| cost.meter == limit.meter));
        Ok(QuotaUse {
            limit_id,
            epoch,
            period,
            terms,
            units,
            slow,
            record_overrun,
            commit_overdue,
            follows_commit,
        })
    }

    /// The plan assignment in force, if the plan was assigned to somebody.
    fn assignment<'j>(&'j self, judged: &'j Judged<'_>) -> Option<&'j PlanAssignment> {
        self.plan(&judged.principal, judged.org.as_ref()).and_then(|plan| plan.assignment.as_deref())
    }

    /// The configuration of a limit for this subject: the plan's, or what was agreed for the subject alone.
    fn terms(&self, limit: &LimitDef, judged: &Judged<'_>) -> Result<Terms, Error> {
        let plan = self.assignment(judged);
        let own = self.override_of(limit, judged);
        let generation = plan.map_or(0, |plan| plan.generation)
            + own
                .filter(|own| plan.is_none_or(|plan| !std::ptr::eq(plan, *own)))
                .map_or(0, |own| own.generation);
        let ver = ConfigVersion::new(self.engine.revision, generation).ok_or_else(|| {
            Error::invalid_field("policy", "has been loaded in more than 1,048,575 revisions")
        })?;
        let agreed = own.and_then(|own| own.overrides.get(&limit.name)).filter(|_| limit.overridable);
        let (included, cap) = match agreed {
            Some(amount) => {
                let amount = amount.and_then(Units::new);
                let cap = match limit.mode {
                    // What is agreed is what is included; the room above it stays as the policy has it.
                    LimitMode::Soft { overage_cap } => overage_cap.map(|cap| cap.max(amount.unwrap_or(cap))),
                    LimitMode::Hard | LimitMode::Slow { .. } => amount,
                };
                (amount, cap)
            }
            None => (limit.amount, limit.cap()),
        };
        let base = included.or(cap);
        let marks: Vec<Mark> = base.map_or_else(Vec::new, |base| {
            let mark = |threshold: &Threshold| Mark {
                basis: limit.basis,
                rearm: limit.rearm,
                ..Mark::new(base, threshold.at)
            };
            limit.thresholds.iter().map(mark).collect()
        });
        Ok(Terms { ver, cap, included, marks: Arc::from(marks) })
    }

    /// The record that may carry another amount: that of the subject's narrowest dimension.
    fn override_of<'j>(&'j self, limit: &LimitDef, judged: &'j Judged<'_>) -> Option<&'j PlanAssignment> {
        let subject = &limit.subject;
        let plan = if subject.contains(&Dimension::Key) {
            judged.principal.plan
        } else if subject.contains(&Dimension::User) {
            judged.user.as_ref().and_then(|user| user.plan.as_ref())
        } else if subject.contains(&Dimension::Org) {
            judged.org.as_ref().and_then(|org| org.plan.as_ref())
        } else {
            judged.principal.account.plan.as_ref()
        };
        plan.and_then(|plan| plan.assignment.as_deref()).filter(|plan| !plan.overrides.is_empty())
    }

    /// Where operation ids of this call are unique: the subject of its primary limit, or the account.
    pub(super) fn operation_scope(
        &self,
        primary: Option<&LimitDef>,
        judged: &Judged<'_>,
    ) -> Result<OperationScope, Error> {
        let subject = self.subject(primary.map_or(&[], |limit| &limit.subject), judged)?;
        let borrowed: Vec<(&str, &str)> = subject.iter().map(|(name, value)| (*name, &**value)).collect();
        Ok(OperationScope::new(judged.identity.scope.environment(), &borrowed))
    }
}

/// The record that holds a subject's slots: the narrowest one that says all of the subject.
fn owner_of<'j>(subject: &[Dimension], judged: &'j Judged<'_>) -> Option<&'j crate::records::Slots> {
    let has = |dimension: &Dimension| subject.contains(dimension);
    if subject.iter().any(|dimension| matches!(dimension, Dimension::Named(_))) {
        return None;
    }
    let (key, user, org) = (has(&Dimension::Key), has(&Dimension::User), has(&Dimension::Org));
    let principal = &judged.principal;
    if key {
        let fixed_org = matches!(principal.bindings.org(), OrgBinding::Fixed(_) | OrgBinding::None);
        let fixed_user = matches!(principal.bindings.user(), UserBinding::Fixed(_) | UserBinding::None);
        let says_all = (!user || (fixed_org && fixed_user)) && (!org || fixed_org);
        return principal.slots.filter(|_| says_all);
    }
    if user {
        let named = matches!(judged.identity.scope.user(), ScopeUser::Named(_));
        return judged.user.as_ref().filter(|_| named).map(|user| &user.slots);
    }
    if org {
        return judged.org.as_ref().map(|org| &org.slots);
    }
    Some(&principal.account.slots)
}

/// Whether everyone whom the key may act for shares the subject, so that its numbers are the caller's own.
pub(super) fn is_own(subject: &[Dimension], judged: &Judged<'_>) -> bool {
    let bindings = judged.principal.bindings;
    let narrow =
        |dimension: &Dimension| matches!(dimension, Dimension::Key | Dimension::User | Dimension::Named(_));
    if subject.iter().any(narrow) {
        return true;
    }
    if subject.contains(&Dimension::Org) {
        return !matches!(bindings.user(), UserBinding::Fixed(_));
    }
    matches!(bindings.org(), OrgBinding::Open { .. })
}
