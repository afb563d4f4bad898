//! How much was used: per limit the count, what bounds it, and the state that the policy's thresholds give it.

use super::call::{Call, Judged, Want};
use super::principal::Principal;
use super::{Authority, Caller, Inner, Request, TenantName};
use crate::clock::Timestamp;
use crate::code::Code;
use crate::decision::Identity;
use crate::error::Error;
use crate::key::id::KeyId;
use crate::limit::Units;
use crate::policy::{Dimension, LimitDef, Threshold};
use crate::records::{KeyEntry, Noted, fixed_org};
use crate::store::{TenantKey, TenantLevel};
use crate::tenant::row::Row;
use crate::tenant::{AccountId, OrgId, ScopeUser, TenantScope, UserBinding, UserId};
use serde::Serialize;

/// One limit of one subject, in the period that runs now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UsageLine {
    /// The limit's name.
    pub limit: Box<str>,
    /// The meter it counts.
    pub meter: Box<str>,
    /// Units reported as used, this process's unreported ones included: what pages and bills show.
    pub count: u64,
    /// Units used, or out with a process that may still use them: what the limit is enforced on.
    pub charged: u64,
    /// Units out with live processes.
    pub outstanding: u64,
    /// Units of dead processes, charged until they are settled or the period ends.
    pub forfeited: u64,
    /// Units used beyond a reservation.
    pub overrun: u64,
    /// What the plan includes; `None` is unlimited.
    pub included: Option<u64>,
    /// The most that can be admitted; `None` is unlimited.
    pub cap: Option<u64>,
    /// Units used beyond what is included.
    pub overage: u64,
    /// `count` in percent of what is included, rounded down; `None` when unlimited.
    pub percent: Option<u16>,
    /// The state of the highest threshold reached, or `normal`.
    pub state: Box<str>,
    /// Whether the limit refuses now.
    pub exhausted: bool,
    /// When the period began; `None` for a lifetime.
    pub period_start: Option<Timestamp>,
    /// When it ends and the count begins anew; `None` for a lifetime.
    pub resets_at: Option<Timestamp>,
    /// The instant this was read at.
    pub as_of: Timestamp,
}

impl Authority {
    /// The limits of a key: those counted for its lineage, and those of the tenants it is bound to alone. Limits counted
    /// by a dimension that hosts pass with calls are shown where `dimensions` gives its value.
    ///
    /// # Errors
    /// `key_not_found`, or the store does not answer.
    pub fn key_usage(
        &self,
        caller: &Caller,
        account_id: &str,
        id: &KeyId,
        dimensions: &[(&str, &str)],
    ) -> Result<Vec<UsageLine>, Error> {
        // Who may see the key may see its usage.
        self.key(caller, account_id, id)?;
        let account = AccountId::from_stored(account_id);
        let stored =
            self.inner.store.key_by_id(&account, id)?.ok_or_else(|| Error::refused(Code::KeyNotFound))?;
        let engine = self.inner.engine.load();
        let entry = engine
            .records
            .load_key(stored.record.scheme, &stored.record.digest, Noted::Nothing)?
            .ok_or_else(|| Error::refused(Code::KeyNotFound))?;
        let request = Request { dimensions, ..Request::default() };
        let Some(call) = Call::outside(&engine, &request, self.now()) else { return Ok(Vec::new()) };
        let user = match entry.bindings.user() {
            UserBinding::Fixed(user) => Some(user.clone()),
            _ => None,
        };
        let judged = self.inner.judged_key(&call, &entry, user.as_ref())?;
        let environment = call.policy().environments().at(entry.environment).map_or(0, |e| e.bit());
        let kind = call.policy().kinds().at(entry.kind).map(crate::policy::Kind::bit);
        let known = |limit: &&LimitDef| {
            let told = |dimension: &Dimension| match dimension {
                Dimension::User => user.is_some(),
                Dimension::Org => fixed_org(&entry.bindings).is_some(),
                Dimension::Named(name) => dimensions.iter().any(|(given, _)| **given == **name),
                Dimension::Key | Dimension::Account => true,
            };
            limit.filter.matches(kind, environment) && limit.subject.iter().all(told)
        };
        let limits = call.policy().limits_under(call.plan_index(&judged)).filter(known);
        self.inner.usage_lines(&call, &judged, limits)
    }

    /// The limits counted for a tenant itself: those whose narrowest subject is an account, an org or a user.
    ///
    /// # Errors
    /// `validation_error` for a name that is none; the store does not answer.
    pub fn tenant_usage(&self, caller: &Caller, name: &TenantName) -> Result<Vec<UsageLine>, Error> {
        let key = self.named_tenant(caller, name)?;
        self.with_tenant_limits(&key, |call, judged, limits| {
            self.inner.usage_lines(call, judged, limits.into_iter())
        })
    }

    /// Removes the counts of a tenant itself, for its erasure.
    pub(super) fn erase_usage(&self, key: &TenantKey) -> Result<(), Error> {
        let ids = self.with_tenant_limits(key, |call, judged, limits| {
            limits.into_iter().map(|limit| Ok(call.quota_use(limit, Units::ONE, judged)?.limit_id)).collect()
        })?;
        self.inner.ledger.erase(&ids)
    }

    fn with_tenant_limits<T>(
        &self,
        key: &TenantKey,
        act: impl FnOnce(&Call<'_>, &Judged<'_>, Vec<&LimitDef>) -> Result<Vec<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        let engine = self.inner.engine.load();
        let records = &engine.records;
        let account = records.tenant(TenantKey::account(key.account_id.clone()), Noted::Nothing)?;
        let environment = match key.level() {
            TenantLevel::Account => {
                engine.policy.default_environment().map(|e| e.name.clone()).unwrap_or_default()
            }
            TenantLevel::Org | TenantLevel::User => key.environment.clone(),
        };
        let read = |key: Option<TenantKey>| key.map(|key| records.tenant(key, Noted::Nothing)).transpose();
        let org = key.org_id.clone().map(|org| TenantKey::org(key.account_id.clone(), &environment, org));
        let user = key.user_id.clone();
        let user =
            user.map(|user| TenantKey::user(key.account_id.clone(), &environment, key.org_id.clone(), user));
        let (org, user) = (read(org)?, read(user)?);
        let request = Request::default();
        let Some(call) = Call::outside(&engine, &request, self.now()) else { return Ok(Vec::new()) };
        let index = engine.policy.environments().index(&environment).unwrap_or(0);
        let scope_user = key.user_id.as_ref().map_or(ScopeUser::None, |user| ScopeUser::Named(user.as_str()));
        let org_id = key.org_id.as_ref().map(OrgId::as_str);
        let scope = TenantScope::new(key.account_id.as_str(), &environment, org_id, scope_user);
        let judged = Judged {
            principal: Principal::of_tenant(&account, index, &environment),
            identity: Identity::new(KeyId::from_bytes([0; 16]), scope, None),
            org: org.map(super::registry::Held::Shared),
            user: user.map(super::registry::Held::Shared),
            entitlements: 0,
            create_org: false,
            create_user: false,
            warning: None,
            row: Row::LEVEL,
        };
        let level = key.level();
        let bit = engine.policy.environments().at(index).map_or(0, |e| e.bit());
        let own = |limit: &&LimitDef| {
            limit.filter.environments & bit != 0 && level_of(&limit.subject) == Some(level)
        };
        let limits = engine.policy.limits_under(call.plan_index(&judged)).filter(own).collect();
        act(&call, &judged, limits)
    }
}

impl Inner {
    /// A key as it would be judged for its own fixed tenants.
    fn judged_key<'g>(
        &self,
        call: &Call<'g>,
        entry: &'g KeyEntry,
        user: Option<&UserId>,
    ) -> Result<Judged<'g>, Error> {
        let principal = Principal::of_key(entry, call.policy());
        let org_id = fixed_org(&entry.bindings);
        let account = &entry.account.key().account_id;
        let held_user = user
            .map(|user| {
                TenantKey::user(account.clone(), principal.environment_name, org_id.cloned(), user.clone())
            })
            .map(|key| call.engine.records.tenant(key, Noted::Nothing))
            .transpose()?;
        let scope_user = user.map_or(ScopeUser::None, |user| ScopeUser::Named(user.as_str()));
        let scope = TenantScope::new(
            account.as_str(),
            principal.environment_name,
            org_id.map(OrgId::as_str),
            scope_user,
        );
        Ok(Judged {
            identity: Identity::new(entry.id, scope, None),
            org: entry.org.clone().map(super::registry::Held::Shared),
            user: held_user.map(super::registry::Held::Shared),
            entitlements: 0,
            create_org: false,
            create_user: false,
            warning: None,
            row: Row::LEVEL,
            principal,
        })
    }

    fn usage_lines<'l>(
        &self,
        call: &Call<'_>,
        judged: &Judged<'_>,
        limits: impl Iterator<Item = &'l LimitDef>,
    ) -> Result<Vec<UsageLine>, Error> {
        limits.map(|limit| self.usage_line(call, judged, limit)).collect()
    }

    fn usage_line(&self, call: &Call<'_>, judged: &Judged<'_>, limit: &LimitDef) -> Result<UsageLine, Error> {
        let quota = call.quota_use(limit, Units::ONE, judged)?;
        let window = quota.period.window_at(call.now);
        let rows = self.ledger.read(&[quota.limit_id], window.start, window.start.plus_micros(1))?;
        let row =
            rows.iter().find(|(row, _)| row.key.epoch == quota.epoch && row.key.period_start == window.start);
        let number = |units: i64| Units::clamped(units).get();
        let (bucket, unreported) =
            row.map_or((None, 0), |(row, unreported)| (Some(&row.bucket), *unreported));
        let count = number(bucket.map_or(0, |bucket| bucket.confirmed) + unreported);
        let charged = number(bucket.map_or(0, |bucket| bucket.charged));
        let included = quota.terms.included.map(Units::get);
        let cap = quota.terms.cap.map(|cap| number(cap.signed() + bucket.map_or(0, |bucket| bucket.bonus)));
        let whole = included.or(cap);
        let percent = whole.map(|whole| match whole {
            0 => 100,
            whole => u16::try_from(u128::from(count) * 100 / u128::from(whole)).unwrap_or(u16::MAX),
        });
        let lifetime = window.is_lifetime();
        Ok(UsageLine {
            limit: limit.name.clone(),
            meter: call
                .policy()
                .meters()
                .at(limit.meter)
                .map_or_else(Box::default, |meter| meter.name.clone()),
            count,
            charged,
            outstanding: number(bucket.map_or(0, |bucket| bucket.outstanding())),
            forfeited: number(bucket.map_or(0, |bucket| bucket.forfeited)),
            overrun: number(bucket.map_or(0, |bucket| bucket.overrun)),
            included,
            cap,
            overage: included.map_or(0, |included| count.saturating_sub(included)),
            percent,
            state: state_of(&limit.thresholds, percent),
            exhausted: cap.is_some_and(|cap| charged >= cap),
            period_start: (!lifetime).then_some(window.start),
            resets_at: (!lifetime).then_some(window.end),
            as_of: call.now,
        })
    }
}

/// The state of the highest threshold that is reached; reached means at least.
fn state_of(thresholds: &[Threshold], percent: Option<u16>) -> Box<str> {
    let reached = |threshold: &&Threshold| percent.is_some_and(|percent| percent >= threshold.at);
    thresholds.iter().rev().find(reached).map_or_else(|| "normal".into(), |threshold| threshold.state.clone())
}

/// Whose record a subject is, unless it names keys or dimensions.
fn level_of(subject: &[Dimension]) -> Option<TenantLevel> {
    if subject.iter().any(|dimension| matches!(dimension, Dimension::Key | Dimension::Named(_))) {
        None
    } else if subject.contains(&Dimension::User) {
        Some(TenantLevel::User)
    } else if subject.contains(&Dimension::Org) {
        Some(TenantLevel::Org)
    } else {
        Some(TenantLevel::Account)
    }
}

impl<'c> Call<'c> {
    /// A call that stands for no request: to work out limits. `None` in a policy without operations.
    pub(super) fn outside(
        engine: &'c super::Engine,
        request: &'c Request<'c>,
        now: Timestamp,
    ) -> Option<Self> {
        let operation = engine.policy.operations().first()?;
        Some(Self { engine, request, operation, want: Want::Inspect, now, seal_key: None })
    }
}
