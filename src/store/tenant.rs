//! The registry of accounts, orgs and users.

use crate::clock::Timestamp;
use crate::key::record::{KeyRecord, PlanAssignment};
use crate::tenant::binding::{OrgBinding, UserBinding};
use crate::tenant::id::{AccountId, OrgId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which tenant: an account, an org of it in one environment, or a user in that org (or of the account, where the
/// policy has no orgs). Equal org ids of two accounts or two environments are two tenants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantKey {
    /// The account.
    pub account_id: AccountId,
    /// The environment; empty for the account itself, which spans them all.
    #[serde(default)]
    pub environment: Box<str>,
    /// The org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

/// What a [`TenantKey`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantLevel {
    /// The account.
    Account,
    /// An org.
    Org,
    /// A user.
    User,
}

impl TenantKey {
    /// The account itself.
    #[must_use]
    pub fn account(account_id: AccountId) -> Self {
        Self { account_id, environment: "".into(), org_id: None, user_id: None }
    }

    /// An org of the account.
    #[must_use]
    pub fn org(account_id: AccountId, environment: &str, org_id: OrgId) -> Self {
        Self { account_id, environment: environment.into(), org_id: Some(org_id), user_id: None }
    }

    /// A user of the org, or of the account where `org_id` is `None`.
    #[must_use]
    pub fn user(account_id: AccountId, environment: &str, org_id: Option<OrgId>, user_id: UserId) -> Self {
        Self { account_id, environment: environment.into(), org_id, user_id: Some(user_id) }
    }

    /// What the key names.
    #[must_use]
    pub fn level(&self) -> TenantLevel {
        match (&self.org_id, &self.user_id) {
            (_, Some(_)) => TenantLevel::User,
            (Some(_), None) => TenantLevel::Org,
            (None, None) => TenantLevel::Account,
        }
    }
}

/// Whether a tenant may be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    /// In use.
    Active,
    /// Refused until resumed; flows down to everything below.
    Suspended,
    /// Gone; the id stays taken until an administrator releases it, which removes the row.
    Deleted,
}

/// One row of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRecord {
    /// Which tenant.
    pub key: TenantKey,
    /// Whether it may be acted on.
    pub state: TenantState,
    /// When it was created, by first use or by an administrator.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its plan, where the policy assigns plans to tenants, and amounts agreed for it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanAssignment>,
    /// The secret that signs user ids, sealed; on accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_secret: Option<Vec<u8>>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Rises with each write of this row; 0 before the first.
    #[serde(default)]
    pub version: u64,
}

impl TenantKey {
    /// Whether `other` is this tenant or lies below it: an account covers its orgs, an org its users.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let same_place = self.account_id == other.account_id
            && (self.level() == TenantLevel::Account || self.environment == other.environment);
        match self.level() {
            TenantLevel::Account => same_place,
            TenantLevel::Org => same_place && self.org_id == other.org_id,
            TenantLevel::User => self == other,
        }
    }

    /// Whether a key can act for nobody outside this tenant, so that it goes when the tenant is erased.
    #[must_use]
    pub fn covers_key(&self, record: &KeyRecord) -> bool {
        if self.account_id != record.account_id {
            return false;
        }
        if self.level() != TenantLevel::Account && self.environment != record.environment {
            return false;
        }
        let org = |org: &OrgId| *record.bindings.org() == OrgBinding::Fixed(org.clone());
        let user = |user: &UserId| *record.bindings.user() == UserBinding::Fixed(user.clone());
        match (&self.org_id, &self.user_id) {
            (None, None) => true,
            (Some(o), None) => org(o),
            (Some(o), Some(u)) => org(o) && user(u),
            (None, Some(u)) => *record.bindings.org() == OrgBinding::None && user(u),
        }
    }
}
