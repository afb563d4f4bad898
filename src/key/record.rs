//! The stored key: everything the engine knows of an issued key, never its text. And its [`Standing`], a function of
//! the record and the time.

use crate::clock::Timestamp;
use crate::key::digest::{DigestScheme, KeyDigest};
use crate::key::format::KeyDisplay;
use crate::key::id::KeyId;
use crate::resource::ResourceBinding;
use crate::tenant::binding::Bindings;
use crate::tenant::id::{AccountId, OrgId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An issued key as the store keeps it.
///
/// Names of the policy (kind, environment, role, permissions, plan) are kept as text and resolved when the record is
/// loaded, so a record outlives any edit of the policy. Absent, empty and "all" are three different values everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The public id, in every listing, log and audit line.
    pub id: KeyId,
    /// The account the key belongs to; nothing a request says changes it.
    pub account_id: AccountId,
    /// The key kind of the policy.
    pub kind: Box<str>,
    /// The environment of the policy; `default` where the policy has none.
    pub environment: Box<str>,
    /// The owner's own name for the key, 1 to 255 characters; never used to authorize.
    pub name: Box<str>,
    /// Digest of the whole key text.
    pub digest: KeyDigest,
    /// How the digest was made.
    #[serde(default)]
    pub scheme: DigestScheme,
    /// What listings show of the text: its first and last characters, as the kind's display rule says.
    pub display: KeyDisplay,
    /// The text itself, sealed, for kinds that may be shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Vec<u8>>,
    /// Who the key belongs to.
    pub owner: Owner,
    /// Its tenancy: the preset, and which orgs and users it may act for.
    pub bindings: Bindings,
    /// Its role, for policies with roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Box<str>>,
    /// Its own permissions, besides those of the role. Empty is none.
    #[serde(default)]
    pub permissions: Vec<Box<str>>,
    /// The template the permissions were taken from, with its version then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateUse>,
    /// The resources it is bound to.
    pub resources: ResourceBinding,
    /// Browser origins it may be used from, normalised; for publishable kinds.
    #[serde(default)]
    pub origins: Vec<Box<str>>,
    /// Networks it may be used from in CIDR notation; `None` is any address, an empty list is no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allow: Option<Vec<Box<str>>>,
    /// Its plan, where the policy assigns plans to keys, or an exception to the tenant's plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanAssignment>,
    /// Free labels for grouping, such as `client`, `env` or `member`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Who issued it: the actor of the management call.
    pub created_by: Box<str>,
    /// When its record last changed.
    pub updated_at: Timestamp,
    /// Valid while `now < expires_at`; `None` never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was disabled; `None` while it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// When and why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
    /// Its place in a chain of rotations.
    pub lineage: Lineage,
    /// The key it was narrowed from, which ends it when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<KeyId>,
    /// When the text was last replaced: at issue, by a rotation or by `regenerate`. Reminders count from here.
    pub secret_at: Timestamp,
}

/// Who a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Owner {
    /// The account itself.
    Account,
    /// An org of the account.
    Org(OrgId),
    /// A person.
    User(UserId),
}

/// A template as it was when its permissions were frozen into a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateUse {
    /// The template's name.
    pub name: Box<str>,
    /// Its version in the policy then.
    pub version: u32,
}

/// Which plan, since when, and how often it has been assigned anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanAssignment {
    /// The plan's name in the policy.
    pub plan: Box<str>,
    /// Rises with each assignment or override; limits carry it as part of their configuration version.
    pub generation: u32,
    /// When the plan began: the anchor of periods that count from `plan_start`.
    pub since: Timestamp,
    /// Amounts agreed for this subject alone, by limit name; `None` as amount is unlimited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<Box<str>, Option<u64>>,
    /// By limit name, the configuration version at which its count last began anew.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub epochs: BTreeMap<Box<str>, u64>,
}

/// The end of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// From when on it is refused; in the future while the grace of a rotation runs.
    pub at: Timestamp,
    /// Who ended it.
    pub by: Box<str>,
    /// Why, in the actor's words; empty if not said.
    #[serde(default)]
    pub reason: Box<str>,
}

/// A key's place among the keys that replaced each other. Counts of subject `key` belong to the lineage, so a rotation
/// neither loses nor frees usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The id of the first key of the chain, which names the chain.
    pub id: KeyId,
    /// The key this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<KeyId>,
    /// The key that replaces this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<KeyId>,
}

/// Whether a key may be used at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may be used.
    Active,
    /// An administrator has switched it off for the time being.
    Disabled,
    /// Its end has come.
    Expired,
    /// It was ended for good.
    Revoked,
}

impl Standing {
    /// Revoked beats disabled beats expired: what an administrator decided is what counts (row A-42).
    #[must_use]
    pub fn at(
        now: Timestamp,
        revoked_at: Option<Timestamp>,
        disabled_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> Self {
        if revoked_at.is_some_and(|at| now >= at) {
            Self::Revoked
        } else if disabled_at.is_some() {
            Self::Disabled
        } else if expires_at.is_some_and(|at| now >= at) {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

impl KeyRecord {
    /// The key's standing at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        Standing::at(now, self.revoked.as_ref().map(|r| r.at), self.disabled_at, self.expires_at)
    }

    /// Whether a rotation away from this key is under way: it has a successor and its own grace still runs.
    #[must_use]
    pub fn is_being_replaced(&self, now: Timestamp) -> bool {
        self.lineage.successor.is_some() && self.standing(now) != Standing::Revoked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_by_edges_and_precedence() {
        let t = Timestamp::from_seconds;
        let cases = [
            (t(9), None, None, Some(t(10)), Standing::Active),
            (t(10), None, None, Some(t(10)), Standing::Expired),
            (t(9), Some(t(10)), None, None, Standing::Active),
            (t(10), Some(t(10)), None, None, Standing::Revoked),
            (t(10), Some(t(5)), Some(t(4)), Some(t(3)), Standing::Revoked),
            (t(10), None, Some(t(4)), Some(t(3)), Standing::Disabled),
            (t(10), None, None, None, Standing::Active),
        ];
        for (now, revoked, disabled, expires, standing) in cases {
            assert_eq!(
                Standing::at(now, revoked, disabled, expires),
                standing,
                "{now} {revoked:?} {disabled:?} {expires:?}"
            );
        }
    }
}
