//! The registry: accounts, orgs and users, put in and out of use.

use super::Page;
use super::act::{Act, Draft, Step, tenant_code};
use super::caller::Caller;
use super::compose::new_tenant;
use super::plan::PlanChange;
use super::problems::Problems;
use super::view::{PlanView, rfc3339};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::error::Error;
use crate::policy::knobs::PlanOn;
use crate::store::{
    Expected, Generation, TenantKey, TenantLevel, TenantQuery, TenantRecord, TenantState, TenantWrite,
};
use crate::tenant::id::{IdError, OrgId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Labels of one tenant.
const LABELS_MAX: usize = 16;
/// Bytes of a label's name.
const LABEL_NAME_MAX: usize = 64;
/// Characters of a label's value.
const LABEL_VALUE_MAX: usize = 255;
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

/// A tenant, for people and programs that manage it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TenantView {
    /// The account.
    pub account_id: Box<str>,
    /// The environment; empty for the account itself.
    pub environment: Box<str>,
    /// The org.
    pub org_id: Option<Box<str>>,
    /// The user.
    pub user_id: Option<Box<str>>,
    /// What it is.
    pub level: TenantLevel,
    /// Whether it may be acted on.
    pub state: TenantState,
    /// Its plan.
    pub plan: Option<PlanView>,
    /// Labels.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Whether the account has a secret that signs user ids.
    pub has_user_proof_secret: bool,
    /// When it was registered.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(serialize_with = "rfc3339")]
    pub updated_at: Timestamp,
    /// Rises with each change; for [`Caller::if_version`].
    pub version: u64,
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
            let mut problems = Problems::default();
            check_labels(edit.labels.iter().flatten(), &mut problems);
            problems.finish()?;
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

    /// Puts a tenant on another plan, or agrees on other amounts for it alone; counts stay.
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
            let wanted = match act.policy().usage().plan_on {
                PlanOn::Key => None,
                PlanOn::Org => Some(TenantLevel::Org),
                PlanOn::Account => Some(TenantLevel::Account),
            };
            if wanted != Some(key.level()) {
                let on = act.policy().usage().plan_on.word();
                return Err(Error::invalid_field(
                    "plan",
                    format!("is not this tenant's: plans of this policy are on the {on}"),
                ));
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

impl Act<'_> {
    /// The tenant that a name means. Accounts span all environments.
    pub(super) fn tenant_key(&self, name: &TenantName) -> Result<TenantKey, Error> {
        let syntax = &self.policy().tenancy().id_syntax;
        let org_id = name.org_id.as_deref().map(|org| OrgId::parse(org, syntax)).transpose();
        let user_id = name.user_id.as_deref().map(|user| UserId::parse(user, syntax)).transpose();
        let (org_id, user_id) =
            (org_id.map_err(|e| bad_id("org_id", e))?, user_id.map_err(|e| bad_id("user_id", e))?);
        let key = TenantKey { account_id: self.account.clone(), environment: "".into(), org_id, user_id };
        if key.level() == TenantLevel::Account {
            return Ok(key);
        }
        let environment = match &name.environment {
            Some(name) => self.policy().environment(name),
            None => self.policy().default_environment(),
        };
        let environment = environment.ok_or_else(|| {
            let names = super::problems::listed(self.policy().environments().names());
            Error::invalid_field("environment", format!("is needed; allowed: {names}"))
        })?;
        Ok(TenantKey { environment: environment.name.clone(), ..key })
    }

    /// The tenant that a name means, if the caller may manage it.
    fn managed_tenant(&self, name: &TenantName) -> Result<TenantKey, Error> {
        let key = self.tenant_key(name)?;
        if self.rights.reaches(key.org_id.as_ref()) {
            return Ok(key);
        }
        let error = Error::refused(Code::GrantExceedsCreator);
        Err(error.with_detail("the tenant lies outside what the caller belongs to"))
    }

    pub(super) fn tenant_view(&self, record: &TenantRecord) -> TenantView {
        let key = &record.key;
        TenantView {
            account_id: key.account_id.as_str().into(),
            environment: key.environment.clone(),
            org_id: key.org_id.as_ref().map(|org| org.as_str().into()),
            user_id: key.user_id.as_ref().map(|user| user.as_str().into()),
            level: key.level(),
            state: record.state,
            plan: record.plan.as_ref().map(|plan| PlanView::new(plan, self.policy())),
            labels: record.labels.clone(),
            has_user_proof_secret: record.proof_secret.is_some(),
            created_at: record.created_at,
            updated_at: record.updated_at,
            version: record.version,
        }
    }

    /// The draft of a change of one tenant by `edit`.
    pub(super) fn change_tenant(
        &self,
        key: &TenantKey,
        edit: impl Fn(Option<&TenantRecord>) -> Result<TenantRecord, Error>,
    ) -> Result<Step<TenantView>, Error> {
        let before = self.inner.store.tenant(key)?;
        let version = before.as_ref().map_or(0, |record| record.version);
        if self.caller.if_version.is_some_and(|wanted| wanted != version) {
            return Err(Error::refused(Code::VersionConflict));
        }
        let mut after = edit(before.as_ref())?;
        if before.as_ref() == Some(&after) {
            return Ok(Step::Done(self.tenant_view(&after)));
        }
        after.updated_at = self.now;
        after.version = version + 1;
        let mut draft = self.tenant_draft(key, self.tenant_view(&after));
        if before.is_none() {
            self.register_above(&mut draft, key);
        }
        let expected = before.map_or(Expected::Absent, |record| Expected::Version(record.version));
        draft.tenants.push(TenantWrite::Put { record: Box::new(after), expected });
        Ok(draft.write())
    }

    /// A new tenant's account and org are registered with it, and must be in use.
    fn register_above<T>(&self, draft: &mut Draft<T>, key: &TenantKey) {
        let account = TenantKey::account(self.account.clone());
        let org = key.org_id.clone().map(|org| TenantKey::org(self.account.clone(), &key.environment, org));
        for above in [Some(account), org].into_iter().flatten().filter(|above| above != key) {
            draft.demand_active(above.clone());
            draft.tenants.push(TenantWrite::Create { record: Box::new(new_tenant(above, self.now)) });
        }
    }

    fn tenant_draft<T>(&self, key: &TenantKey, answer: T) -> Draft<T> {
        let mut draft = Draft::new(object_of(key), answer);
        draft.tenant = draft.object.split_once(' ').map_or("", |(_, tenant)| tenant).to_owned();
        if key.level() != TenantLevel::Account {
            draft.detail("environment", &key.environment);
        }
        draft
    }

    fn deleted_tenant(&self, key: &TenantKey) -> Result<TenantRecord, Error> {
        let record = self.inner.store.tenant(key)?.ok_or_else(|| not_found(key))?;
        if record.state == TenantState::Deleted {
            return Ok(record);
        }
        Err(Error::refused(Code::ValidationError).with_detail("the tenant is not deleted; delete it first"))
    }

    /// The row, or for an account the one it would have: accounts need not be registered.
    fn registered(&self, key: &TenantKey, before: Option<&TenantRecord>) -> Result<TenantRecord, Error> {
        match before {
            Some(record) => Ok(record.clone()),
            None if key.level() == TenantLevel::Account => Ok(new_tenant(key.clone(), self.now)),
            None => Err(not_found(key)),
        }
    }

    fn check_not_deleted(&self, before: Option<&TenantRecord>) -> Result<(), Error> {
        if before.is_some_and(|record| record.state == TenantState::Deleted) {
            return Err(Error::refused(Code::TenantDeleted));
        }
        Ok(())
    }

    fn check_in_use(&self, before: Option<&TenantRecord>) -> Result<(), Error> {
        match before {
            Some(record) if record.state == TenantState::Deleted => {
                Err(Error::refused(tenant_code(record.key.level(), Some(record.state))))
            }
            _ => Ok(()),
        }
    }
}

fn check_labels<'a>(
    labels: impl Iterator<Item = (&'a Box<str>, &'a Box<str>)> + Clone,
    problems: &mut Problems,
) {
    if labels.clone().count() > LABELS_MAX {
        problems.field("labels", format!("may have at most {LABELS_MAX}"));
    }
    for (name, value) in labels {
        let bad_name = name.is_empty() || name.len() > LABEL_NAME_MAX || name.chars().any(char::is_control);
        let bad_value = value.is_empty()
            || value.chars().count() > LABEL_VALUE_MAX
            || value.chars().any(char::is_control);
        if bad_name || bad_value {
            problems.field(
                "labels",
                "has a label whose name is not 1 to 64 bytes or whose value is not 1 to 255 characters",
            );
        }
    }
}

fn object_of(key: &TenantKey) -> String {
    match (&key.org_id, &key.user_id) {
        (None, None) => "account".to_owned(),
        (Some(org), None) => format!("org {org}"),
        (Some(org), Some(user)) => format!("user {org}/{user}"),
        (None, Some(user)) => format!("user {user}"),
    }
}

fn not_found(key: &TenantKey) -> Error {
    Error::refused(match key.level() {
        TenantLevel::Account => Code::ResourceNotFound,
        TenantLevel::Org => Code::OrgNotFound,
        TenantLevel::User => Code::UserNotFound,
    })
}

fn bad_id(field: &str, error: IdError) -> Error {
    Error::invalid_field(field, error.to_string())
}
