//! The registry of accounts, orgs and users.

use crate::clock::Timestamp;
use crate::key::record::{KeyRecord, PlanAssignment};
use crate::tenant::binding::{OrgBinding, UserBinding};
use crate::tenant::id::{AccountId, OrgId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which tenant: an account, an org of it in one environment, or a user in that org (or of the account, where the
/// policy has no orgs). Equal org ids of two accounts or two environments are two tenants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// A [`TenantKey`] that borrows its ids: what a look-up needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantRef<'a> {
    /// The account.
    pub account_id: &'a str,
    /// The environment; empty for the account itself.
    pub environment: &'a str,
    /// The org.
    pub org_id: Option<&'a str>,
    /// The user.
    pub user_id: Option<&'a str>,
}

impl TenantRef<'_> {
    /// The same, owning its ids.
    #[must_use]
    pub fn to_key(&self) -> TenantKey {
        TenantKey {
            account_id: AccountId::from_stored(self.account_id),
            environment: self.environment.into(),
            org_id: self.org_id.map(OrgId::from_stored),
            user_id: self.user_id.map(UserId::from_stored),
        }
    }
}

/// As its [`TenantRef`] does, so that a map finds one by the other.
impl std::hash::Hash for TenantKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

impl papaya::Equivalent<TenantKey> for TenantRef<'_> {
    fn equivalent(&self, key: &TenantKey) -> bool {
        *self == key.borrowed()
    }
}

/// Which tenants to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantCount<'a> {
    /// Orgs of the account.
    Orgs,
    /// Users of the org, or of the account without one.
    Users(Option<&'a OrgId>),
}

impl TenantCount<'_> {
    /// Whether the tenant is one of those.
    #[must_use]
    pub fn counts(self, key: &TenantKey) -> bool {
        match self {
            Self::Orgs => key.org_id.is_some() && key.user_id.is_none(),
            Self::Users(org_id) => key.user_id.is_some() && key.org_id.as_ref() == org_id,
        }
    }
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

    /// The key with borrowed ids.
    #[must_use]
    pub fn borrowed(&self) -> TenantRef<'_> {
        TenantRef {
            account_id: self.account_id.as_str(),
            environment: &self.environment,
            org_id: self.org_id.as_ref().map(OrgId::as_str),
            user_id: self.user_id.as_ref().map(UserId::as_str),
        }
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
