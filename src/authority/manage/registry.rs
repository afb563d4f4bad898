//! Rows of the tenant registry: named, checked, changed and shown.

use super::act::{Act, Draft, Step, tenant_code};
use super::compose::{new_tenant, place};
use super::problems::{Problems, listed};
use super::tenants::TenantName;
use super::view::{PlanView, rfc3339};
use crate::clock::Timestamp;
use crate::code::Code;
use crate::error::Error;
use crate::store::{Expected, TenantKey, TenantLevel, TenantRecord, TenantState, TenantWrite};
use crate::tenant::id::{IdError, OrgId, UserId};
use serde::Serialize;
use std::collections::BTreeMap;

/// Labels of one tenant.
const LABELS_MAX: usize = 16;
/// Bytes of a label's name.
const LABEL_NAME_MAX: usize = 64;
/// Characters of a label's value.
const LABEL_VALUE_MAX: usize = 255;
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
            let names = listed(self.policy().environments().names());
            Error::invalid_field("environment", format!("is needed; allowed: {names}"))
        })?;
        Ok(TenantKey { environment: environment.name.clone(), ..key })
    }

    /// The tenant that a name means, if the caller may manage it.
    pub(super) fn managed_tenant(&self, name: &TenantName) -> Result<TenantKey, Error> {
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

    pub(super) fn tenant_draft<T>(&self, key: &TenantKey, answer: T) -> Draft<T> {
        let mut draft = Draft::new(object_of(key), answer);
        draft.tenant = place(&key.account_id, &key.environment, key.org_id.as_ref(), key.user_id.as_ref());
        draft
    }

    pub(super) fn deleted_tenant(&self, key: &TenantKey) -> Result<TenantRecord, Error> {
        let record = self.inner.store.tenant(key)?.ok_or_else(|| not_found(key))?;
        if record.state == TenantState::Deleted {
            return Ok(record);
        }
        Err(Error::refused(Code::ValidationError).with_detail("the tenant is not deleted; delete it first"))
    }

    /// The row, or for an account the one it would have: accounts need not be registered.
    pub(super) fn registered(
        &self,
        key: &TenantKey,
        before: Option<&TenantRecord>,
    ) -> Result<TenantRecord, Error> {
        match before {
            Some(record) => Ok(record.clone()),
            None if key.level() == TenantLevel::Account => Ok(new_tenant(key.clone(), self.now)),
            None => Err(not_found(key)),
        }
    }

    pub(super) fn check_not_deleted(&self, before: Option<&TenantRecord>) -> Result<(), Error> {
        if before.is_some_and(|record| record.state == TenantState::Deleted) {
            return Err(Error::refused(Code::TenantDeleted));
        }
        Ok(())
    }

    pub(super) fn check_in_use(&self, before: Option<&TenantRecord>) -> Result<(), Error> {
        match before {
            Some(record) if record.state == TenantState::Deleted => {
                Err(Error::refused(tenant_code(record.key.level(), Some(record.state))))
            }
            _ => Ok(()),
        }
    }
}

/// Labels of a tenant are the host's own words, within bounds.
pub(super) fn check_labels(labels: Option<&BTreeMap<Box<str>, Box<str>>>) -> Result<(), Error> {
    let Some(labels) = labels else { return Ok(()) };
    let mut problems = Problems::default();
    if labels.len() > LABELS_MAX {
        problems.field("labels", format!("may have at most {LABELS_MAX}"));
    }
    let is_plain = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    let fits = |name: &str, value: &str| {
        is_plain(name)
            && name.len() <= LABEL_NAME_MAX
            && is_plain(value)
            && value.chars().count() <= LABEL_VALUE_MAX
    };
    if !labels.iter().all(|(name, value)| fits(name, value)) {
        problems.field("labels", "must have names of 1 to 64 bytes and values of 1 to 255 characters");
    }
    problems.finish()
}

fn object_of(key: &TenantKey) -> String {
    match (&key.org_id, &key.user_id) {
        (None, None) => "account".to_owned(),
        (Some(org), None) => format!("org {org}"),
        (Some(org), Some(user)) => format!("user {org}/{user}"),
        (None, Some(user)) => format!("user {user}"),
    }
}

pub(super) fn not_found(key: &TenantKey) -> Error {
    Error::refused(match key.level() {
        TenantLevel::Account => Code::ResourceNotFound,
        TenantLevel::Org => Code::OrgNotFound,
        TenantLevel::User => Code::UserNotFound,
    })
}

pub(super) fn bad_id(field: &str, error: IdError) -> Error {
    Error::invalid_field(field, error.to_string())
}
