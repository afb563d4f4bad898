//! Listing: filters that every store applies through one predicate, and pages.

use super::{TenantRecord, TenantState};
use crate::clock::Timestamp;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Standing};
use crate::tenant::binding::OrgBinding;
use crate::tenant::id::{AccountId, OrgId};
use serde::{Deserialize, Serialize};

/// A key with what the store keeps beside its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The record.
    pub record: KeyRecord,
    /// Rises with each write of the record.
    pub version: u64,
    /// When it was last used, as the policy's `last_used_on` counts use; up to a few seconds late.
    pub last_used_at: Option<Timestamp>,
    /// Permissions that were needed by an allowed call so far.
    pub exercised: Vec<Box<str>>,
}

/// One use of a key, to be merged into what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The account.
    pub account_id: AccountId,
    /// The key.
    pub id: KeyId,
    /// When it was used.
    pub at: Timestamp,
    /// Permissions that were needed.
    pub permissions: Vec<Box<str>>,
}

/// Which keys to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyQuery {
    /// Keys of this account only. There is no listing across accounts.
    pub account_id: AccountId,
    /// Which of them.
    pub filter: KeyFilter,
    /// The instant that standings are judged at.
    pub now: Timestamp,
    /// Only keys with a greater id: the last one of the page before.
    pub after: Option<KeyId>,
    /// At most this many, 1 to 200.
    pub limit: u32,
}

/// Which keys of an account: all conditions given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyFilter {
    /// This kind.
    pub kind: Option<Box<str>>,
    /// This environment.
    pub environment: Option<Box<str>>,
    /// Keys that are bound to this org alone.
    pub org_id: Option<OrgId>,
    /// This role.
    pub role: Option<Box<str>>,
    /// This plan.
    pub plan: Option<Box<str>>,
    /// Names that begin so, case as it is.
    pub name_prefix: Option<Box<str>>,
    /// Texts that begin so: display prefix search.
    pub display_prefix: Option<Box<str>>,
    /// A label with this value.
    pub label: Option<(Box<str>, Box<str>)>,
    /// Standing.
    pub standing: StandingFilter,
    /// Not used since this instant (never used and issued before it counts as unused).
    pub unused_since: Option<Timestamp>,
    /// Whose text was last replaced before this instant.
    pub secret_before: Option<Timestamp>,
    /// That expire before this instant, and have not yet.
    pub expires_before: Option<Timestamp>,
    /// Children narrowed from this key.
    pub parent: Option<KeyId>,
    /// Keys of this rotation chain.
    pub lineage: Option<KeyId>,
}

/// Which standings a listing shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingFilter {
    /// Active and disabled keys: what a key page shows (row MS-09).
    #[default]
    Present,
    /// Only keys that may be used now.
    Active,
    /// Every key that has a record.
    All,
}

impl KeyFilter {
    /// Whether the key is to be listed. Stores may narrow by index first but always ask this.
    #[must_use]
    pub fn matches(&self, key: &StoredKey, now: Timestamp) -> bool {
        let record = &key.record;
        let is = |wanted: &Option<Box<str>>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        let begins =
            |wanted: &Option<Box<str>>, value: &str| wanted.as_deref().is_none_or(|w| value.starts_with(w));
        is(&self.kind, &record.kind)
            && is(&self.environment, &record.environment)
            && is(&self.role, record.role.as_deref().unwrap_or(""))
            && is(&self.plan, record.plan.as_ref().map_or("", |p| &p.plan))
            && begins(&self.name_prefix, &record.name)
            && begins(&self.display_prefix, record.display.first())
            && self.label.as_ref().is_none_or(|(name, value)| record.labels.get(name) == Some(value))
            && self.org_id.as_ref().is_none_or(|org| *record.bindings.org() == OrgBinding::Fixed(org.clone()))
            && self.parent.as_ref().is_none_or(|parent| record.parent.as_ref() == Some(parent))
            && self.lineage.as_ref().is_none_or(|lineage| &record.lineage.id == lineage)
            && self.standing_matches(record, now)
            && self.unused_since.is_none_or(|since| key.last_used_at.unwrap_or(record.created_at) < since)
            && self.secret_before.is_none_or(|before| record.secret_at < before)
            && self
                .expires_before
                .is_none_or(|before| record.expires_at.is_some_and(|at| at > now && at < before))
    }

    fn standing_matches(&self, record: &KeyRecord, now: Timestamp) -> bool {
        match self.standing {
            StandingFilter::All => true,
            StandingFilter::Active => record.standing(now) == Standing::Active,
            StandingFilter::Present => matches!(record.standing(now), Standing::Active | Standing::Disabled),
        }
    }
}

/// A page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, in the order of their ids.
    pub keys: Vec<StoredKey>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// Which tenants to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantQuery {
    /// Tenants of this account only.
    pub account_id: AccountId,
    /// In this environment; all if absent.
    pub environment: Option<Box<str>>,
    /// Users of this org; else orgs and users alike.
    pub org_id: Option<OrgId>,
    /// In this state.
    pub state: Option<TenantState>,
    /// Rows after this one.
    pub after: Option<super::TenantKey>,
    /// At most this many, 1 to 200.
    pub limit: u32,
}

impl TenantQuery {
    /// Whether the tenant is to be listed.
    #[must_use]
    pub fn matches(&self, tenant: &TenantRecord) -> bool {
        tenant.key.account_id == self.account_id
            && self.environment.as_ref().is_none_or(|e| tenant.key.environment == *e)
            && self.org_id.as_ref().is_none_or(|o| tenant.key.org_id.as_ref() == Some(o))
            && self.state.is_none_or(|s| tenant.state == s)
            && self.after.as_ref().is_none_or(|after| tenant.key > *after)
    }
}

/// A page of tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantPage {
    /// The tenants, in byte order of their keys.
    pub tenants: Vec<TenantRecord>,
    /// Whether there are more after the last one.
    pub more: bool,
}
