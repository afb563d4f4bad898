//! The registry: accounts, orgs and users, put in and out of use.

use super::Page;
use super::act::Act;
use super::caller::Caller;
use super::compose::new_tenant;
use super::plan::PlanChange;
use super::registry::{TenantView, bad_id, check_labels, not_found};
use crate::authority::Authority;
use crate::error::Error;
use crate::policy::knobs::PlanOn;
use crate::store::{Generation, TenantKey, TenantLevel, TenantQuery, TenantRecord, TenantState, TenantWrite};
use crate::tenant::id::OrgId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tenants of one page.
const PAGE_MAX: u32 = 200;

/// Which tenant: an account, an org of it, or a user.
///
/// ```
/// # use tenantkit::TenantName;
/// let org = TenantName::org("acme", "org_1").environment("live");
/// let user = TenantName::user("acme", Some("org_1"), "u1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct TenantName {
    pub(crate) account_id: Box<str>,
    pub(crate) environment: Option<Box<str>>,
    pub(crate) org_id: Option<Box<str>>,
    pub(crate) user_id: Option<Box<str>>,
}

/// A change of a tenant's attributes. What is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantEdit {
    /// These labels in place of all that it has: at most 16, names of 1 to 64 bytes, values of 1 to 255 characters.
    pub labels: Option<BTreeMap<Box<str>, Box<str>>>,
}

impl TenantName {
    /// An account, over all environments.
    pub fn account(account_id: impl Into<Box<str>>) -> Self {
        Self { account_id: account_id.into(), environment: None, org_id: None, user_id: None }
    }

    /// An org.
    pub fn org(account_id: impl Into<Box<str>>, org_id: impl Into<Box<str>>) -> Self {
        Self { org_id: Some(org_id.into()), ..Self::account(account_id) }
    }

    /// A user of an org, or of the account where the policy has no orgs.
    pub fn user(account_id: impl Into<Box<str>>, org_id: Option<&str>, user_id: impl Into<Box<str>>) -> Self {
        Self { org_id: org_id.map(Into::into), user_id: Some(user_id.into()), ..Self::account(account_id) }
    }

    /// In this environment; where the policy has one default it need not be named.
    pub fn environment(mut self, environment: impl Into<Box<str>>) -> Self {
        self.environment = Some(environment.into());
        self
    }
}

impl Authority {
    /// One tenant.
    ///
    /// # Errors
    /// `org_not_found`, `user_not_found`, or for an account `resource_not_found`, when it is not registered.
    pub fn tenant(&self, caller: &Caller, name: &TenantName) -> Result<TenantView, Error> {
        self.look(caller, &name.account_id, "tenant.get", |act| {
            let key = act.tenant_key(name)?;
            let record = act.inner.store.tenant(&key)?.ok_or_else(|| not_found(&key))?;
            Ok(act.tenant_view(&record))
        })
    }

    /// The tenant that a name means, for a caller who may look at it.
    pub(in crate::authority) fn named_tenant(
        &self,
        caller: &Caller,
        name: &TenantName,
    ) -> Result<TenantKey, Error> {
        self.look(caller, &name.account_id, "usage.get", |act| act.tenant_key(name))
    }

    /// A page of the account's tenants: at most `limit` (1 to 200) in this environment (all if `None`), of this org (all
    /// if `None`), in this state (any if `None`), after the one that ended the page before.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn tenants(
        &self,
        caller: &Caller,
        name: &TenantName,
        state: Option<TenantState>,
        after: Option<TenantKey>,
        limit: u32,
    ) -> Result<Page<TenantView, TenantKey>, Error> {
        self.look(caller, &name.account_id, "tenant.list", |act| {
            let org_id =
                name.org_id.as_deref().map(|org| OrgId::parse(org, &act.policy().tenancy().id_syntax));
            let query = TenantQuery {
                account_id: act.account.clone(),
                environment: name.environment.clone(),
                org_id: org_id.transpose().map_err(|e| bad_id("org_id", e))?,
                state,
                after,
                limit: limit.clamp(1, PAGE_MAX),
            };
            let page = act.inner.store.tenants(&query)?;
            let next = page.tenants.last().filter(|_| page.more).map(|tenant| tenant.key.clone());
            let visible = page.tenants.iter().filter(|tenant| {
                tenant.key.account_id == act.account && act.rights.reaches(tenant.key.org_id.as_ref())
            });
            Ok(Page { items: visible.map(|tenant| act.tenant_view(tenant)).collect(), next })
        })
    }

    /// Registers a tenant, or changes what is known of it.
    ///
    /// # Errors
    /// `tenant_deleted` for a deleted one, or below one that is not in use; `validation_error`; `version_conflict`.
    pub fn put_tenant(
        &self,
        caller: &Caller,
        name: &TenantName,
        edit: &TenantEdit,
    ) -> Result<TenantView, Error> {
        self.tenant_act(caller, name, "tenant.put", edit, |act, key, before| {
            check_labels(edit.labels.as_ref())?;
            act.check_in_use(before)?;
            let mut after = before.cloned().unwrap_or_else(|| new_tenant(key.clone(), act.now));
            after.labels = edit.labels.clone().unwrap_or(after.labels);
            Ok(after)
        })
    }

    /// Refuses all requests for the tenant and everything below it, in every process, until it is resumed.
    ///
    /// # Errors
    /// `org_not_found` or `user_not_found`, and `tenant_deleted`.
    pub fn suspend_tenant(&self, caller: &Caller, name: &TenantName) -> Result<TenantView, Error> {
        self.tenant_act(caller, name, "tenant.suspend", &(), |act, key, before| {
            act.check_not_deleted(before)?;
            let known = act.registered(key, before)?;
            Ok(TenantRecord { state: TenantState::Suspended, ..known })
        })
    }

    /// Puts a suspended tenant into use again.
    ///
    /// # Errors
    /// As [`suspend_tenant`](Self::suspend_tenant).
    pub fn resume_tenant(&self, caller: &Caller, name: &TenantName) -> Result<TenantView, Error> {
        self.tenant_act(caller, name, "tenant.resume", &(), |act, key, before| {
            act.check_not_deleted(before)?;
            let known = act.registered(key, before)?;
            Ok(TenantRecord { state: TenantState::Active, ..known })
        })
    }

    /// Ends a tenant and everything below it. Its id stays taken, so that no request brings it back by itself, until it
    /// is released (row X-07).
    ///
    /// # Errors
    /// `org_not_found` or `user_not_found`.
    pub fn delete_tenant(&self, caller: &Caller, name: &TenantName) -> Result<TenantView, Error> {
        self.tenant_act(caller, name, "tenant.delete", &(), |act, key, before| {
            let known = act.registered(key, before)?;
            Ok(TenantRecord { state: TenantState::Deleted, ..known })
        })
    }

    /// Puts a tenant on another plan, or agrees on other amounts for it alone; counts stay. Amounts can be agreed for
    /// every org, user and account that a limit counts for; plans are where the policy puts them.
    ///
    /// # Errors
    /// `unknown_plan`, `plan_not_allowed`, `validation_error` about an amount or where the policy's plans are on others
    /// than this tenant.
    pub fn set_tenant_plan(
        &self,
        caller: &Caller,
        name: &TenantName,
        change: &PlanChange,
    ) -> Result<TenantView, Error> {
        self.tenant_act(caller, name, "tenant.plan", change, |act, key, before| {
            let carries_plan = match act.policy().usage().plan_on {
                PlanOn::Key => false,
                PlanOn::Org => key.level() == TenantLevel::Org,
                PlanOn::Account => key.level() == TenantLevel::Account,
            };
            if change.plan.is_some() && !carries_plan {
                let on = act.policy().usage().plan_on.word();
                let text = format!("is not this tenant's: plans of this policy are on the {on}");
                return Err(Error::invalid_field("plan", text));
            }
            act.check_in_use(before)?;
            let mut after = before.cloned().unwrap_or_else(|| new_tenant(key.clone(), act.now));
            if let Some(plan) = act.change_plan(after.plan.as_ref(), change)? {
                after.plan = Some(plan);
            }
            Ok(after)
        })
    }

    /// Frees the id of a deleted tenant: the next one of that name is a new one. What lies below it stays as it is; to
    /// remove that too, use [`erase_tenant`](Self::erase_tenant).
    ///
    /// # Errors
    /// `validation_error` for a tenant that is not deleted; `org_not_found` or `user_not_found`.
    pub fn release_tenant(&self, caller: &Caller, name: &TenantName) -> Result<(), Error> {
        self.act(caller, &name.account_id, "tenant.release", |act| {
            let key = act.managed_tenant(name)?;
            act.commit(
                name,
                || {
                    let record = act.deleted_tenant(&key)?;
                    let mut draft = act.tenant_draft(&key, ());
                    draft.tenants.push(TenantWrite::Delete { key: key.clone(), expected: record.version });
                    Ok(draft.write())
                },
                |_| Ok(()),
            )
        })
    }

    /// Removes a deleted tenant for good, with everything below it: keys that are bound to it alone, orgs, users,
    /// domains (row N-15). The audit trail stays.
    ///
    /// # Errors
    /// `grant_exceeds_creator` for anybody but administrators; `validation_error` for a tenant that is not deleted.
    pub fn erase_tenant(&self, caller: &Caller, name: &TenantName) -> Result<Generation, Error> {
        self.act(caller, &name.account_id, "tenant.erase", |act| {
            act.rights.check_admin()?;
            let key = act.managed_tenant(name)?;
            act.deleted_tenant(&key)?;
            let draft = act.tenant_draft(&key, ());
            let line = act.audit(&draft.object, &draft.tenant, "ok", draft.details);
            self.erase_usage(&key)?;
            let generation = act.inner.store.erase(&key, line)?;
            act.tell(&draft.object);
            Ok(generation)
        })
    }

    /// Runs a change of one tenant.
    fn tenant_act(
        &self,
        caller: &Caller,
        name: &TenantName,
        what: &'static str,
        request: &impl Serialize,
        edit: impl Fn(&Act<'_>, &TenantKey, Option<&TenantRecord>) -> Result<TenantRecord, Error>,
    ) -> Result<TenantView, Error> {
        self.act(caller, &name.account_id, what, |act| {
            let key = act.managed_tenant(name)?;
            act.commit(
                &(name, request),
                || act.change_tenant(&key, |before| edit(act, &key, before)),
                |_| {
                    let record = act.inner.store.tenant(&key)?.ok_or_else(|| not_found(&key))?;
                    Ok(act.tenant_view(&record))
                },
            )
        })
    }
}
