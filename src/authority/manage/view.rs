//! A key as listings and answers show it: everything but its text and its digest.

use crate::clock::Timestamp;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Lineage, Owner, Revocation, Standing, TemplateUse};
use crate::limit::Units;
use crate::policy::Policy;
use crate::policy::model::{Dimension, LimitDef};
use crate::resource::ResourceBinding;
use crate::store::StoredKey;
use crate::tenant::binding::{OrgBinding, UserBinding};
use crate::tenant::preset::Preset;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Seconds before its end at which a key is shown as expiring soon: 7 days.
const EXPIRES_SOON_S: i64 = 7 * DAY_S;
/// Seconds without use after which a key is shown as unused: 30 days.
const UNUSED_S: i64 = 30 * DAY_S;
const DAY_S: i64 = 86_400;

/// A key, for people and programs that manage it. Holds no secret, no digest and no sealed text; dates are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyView {
    /// The public id.
    pub id: KeyId,
    /// The account.
    pub account_id: Box<str>,
    /// The kind.
    pub kind: Box<str>,
    /// The environment; `default` where the policy has none.
    pub environment: Box<str>,
    /// The owner's name for it.
    pub name: Box<str>,
    /// The first characters of its text, as the kind's display rule keeps them.
    pub key_prefix: Box<str>,
    /// Its text with `...` for what is not shown.
    pub masked: Box<str>,
    /// The whole text, of publishable kinds that are always shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<str>>,
    /// Who it belongs to.
    pub owner: Owner,
    /// The tenancy preset.
    pub preset: Preset,
    /// The orgs it may act for.
    pub org: OrgBinding,
    /// The users it may act for.
    pub user: UserBinding,
    /// Its role.
    pub role: Option<Box<str>>,
    /// Its own permissions, besides the role's.
    pub permissions: Vec<Box<str>>,
    /// The template the permissions were taken from.
    pub template: Option<TemplateUse>,
    /// The resources it is bound to: `null`, `"all"` or a list.
    pub resources: ResourceBinding,
    /// Origins it may be used from.
    pub origins: Vec<Box<str>>,
    /// Networks it may be used from; `null` is any.
    pub ip_allow: Option<Vec<Box<str>>>,
    /// The plan assigned to the key itself.
    pub plan: Option<PlanView>,
    /// Labels.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// When it was issued.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
    /// Who issued it.
    pub created_by: Box<str>,
    /// When the record last changed.
    #[serde(serialize_with = "rfc3339")]
    pub updated_at: Timestamp,
    /// When it ends; `null` never.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, as the policy counts use; a few seconds late.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub last_used_at: Option<Timestamp>,
    /// When it was disabled.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub disabled_at: Option<Timestamp>,
    /// How it was ended, or when its rotation ends it.
    pub revoked: Option<RevocationView>,
    /// Whether it may be used now.
    pub standing: Standing,
    /// What to tell people about it.
    pub status: KeyStatus,
    /// Full days since its text was made.
    pub age_days: u32,
    /// Whether the policy's reminder is due.
    pub rotation_due: bool,
    /// Its place among the keys that replaced each other.
    pub lineage: Lineage,
    /// The key it was narrowed from.
    pub parent: Option<KeyId>,
    /// Rises with each change; for [`Caller::if_version`](crate::Caller::if_version).
    pub version: u64,
}

/// A plan as assigned to a key or tenant, with the limits that follow from the policy in force (row RS-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlanView {
    /// The plan's name; `null` where only amounts of its own are agreed, under the plan of a tenant above.
    pub name: Option<Box<str>>,
    /// Since when.
    #[serde(serialize_with = "rfc3339")]
    pub since: Timestamp,
    /// The features it includes.
    pub entitlements: Vec<Box<str>>,
    /// Its limits; what was agreed for this subject alone is worked in.
    pub limits: Vec<PlanLimit>,
}

/// One limit of a plan, without counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlanLimit {
    /// Its name.
    pub name: Box<str>,
    /// What is counted.
    pub meter: Box<str>,
    /// Whose count it is, such as `key` or `org`.
    pub subject: Vec<Box<str>>,
    /// Units per period; `null` is unlimited.
    pub amount: Option<u64>,
    /// Whether the amount was agreed for this subject alone.
    pub overridden: bool,
}

/// The end of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RevocationView {
    /// From when on it is refused; in the future while a rotation runs.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// Who ended it.
    pub by: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

/// The one thing to tell people about a key: the first that holds, from the top. Worked out, never stored. Counts of
/// limits are judged apart, with usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyStatus {
    /// Ended for good.
    Revoked,
    /// Past its end.
    Expired,
    /// Switched off; enable it to use it again.
    Disabled,
    /// Ends within 7 days; rotate it.
    ExpiresSoon,
    /// A successor exists; move its users there before the overlap ends.
    BeingReplaced,
    /// Older than the policy's reminder; rotate it.
    RotationDue,
    /// Not used for 30 days; end it if nobody needs it.
    Unused,
    /// In use.
    Active,
}

impl KeyView {
    pub(super) fn new(stored: &StoredKey, policy: &Policy, now: Timestamp) -> Self {
        let record = &stored.record;
        Self {
            id: record.id,
            account_id: record.account_id.as_str().into(),
            kind: record.kind.clone(),
            environment: record.environment.clone(),
            name: record.name.clone(),
            key_prefix: record.display.first().into(),
            masked: record.display.to_string().into(),
            value: None,
            owner: record.owner.clone(),
            preset: record.bindings.preset(),
            org: record.bindings.org().clone(),
            user: record.bindings.user().clone(),
            role: record.role.clone(),
            permissions: record.permissions.clone(),
            template: record.template.clone(),
            resources: record.resources.clone(),
            origins: record.origins.clone(),
            ip_allow: record.ip_allow.clone(),
            plan: record.plan.as_ref().map(|plan| PlanView::new(plan, policy)),
            labels: record.labels.clone(),
            created_at: record.created_at,
            created_by: record.created_by.clone(),
            updated_at: record.updated_at,
            expires_at: record.expires_at,
            last_used_at: stored.last_used_at,
            disabled_at: record.disabled_at,
            revoked: record.revoked.as_ref().map(RevocationView::new),
            standing: record.standing(now),
            status: status(stored, policy, now),
            age_days: age_days(record, now),
            rotation_due: is_rotation_due(record, policy, now),
            lineage: record.lineage.clone(),
            parent: record.parent,
            version: stored.version,
        }
    }

    /// The amount of the first limit that is counted for this key: `None` without such a limit, `Some(None)` for an
    /// unlimited one (row RS-21).
    #[must_use]
    pub fn usage_limit(&self) -> Option<Option<u64>> {
        let limits = &self.plan.as_ref()?.limits;
        limits.iter().find(|limit| limit.subject.iter().any(|d| &**d == "key")).map(|limit| limit.amount)
    }
}

impl PlanView {
    pub(super) fn new(assignment: &crate::key::record::PlanAssignment, policy: &Policy) -> Self {
        let plan = policy.plan(&assignment.plan);
        let bits = plan.map_or(0, |plan| plan.entitlements);
        // Under another record's plan, only what was agreed here is this subject's own.
        let limits: Vec<&LimitDef> = match plan {
            Some(plan) => policy.limits_under(Some(plan.index)).collect(),
            None => policy.limits().iter().filter(|l| assignment.overrides.contains_key(&l.name)).collect(),
        };
        let entitlements = policy.entitlements().iter().enumerate();
        let limit = |limit: &LimitDef| {
            let agreed = assignment.overrides.get(&limit.name);
            PlanLimit {
                name: limit.name.clone(),
                meter: policy.meters().at(limit.meter).map_or_else(|| "".into(), |meter| meter.name.clone()),
                subject: limit.subject.iter().map(dimension_name).collect(),
                amount: agreed.copied().unwrap_or_else(|| limit.amount.map(Units::get)),
                overridden: agreed.is_some(),
            }
        };
        Self {
            name: Some(assignment.plan.clone()).filter(|name| !name.is_empty()),
            since: assignment.since,
            entitlements: entitlements
                .filter(|(i, _)| bits >> i & 1 == 1)
                .map(|(_, name)| name.clone())
                .collect(),
            limits: limits.into_iter().map(limit).collect(),
        }
    }
}

impl RevocationView {
    fn new(revocation: &Revocation) -> Self {
        Self { at: revocation.at, by: revocation.by.clone(), reason: revocation.reason.clone() }
    }
}

fn dimension_name(dimension: &Dimension) -> Box<str> {
    match dimension {
        Dimension::Named(name) => name.clone(),
        Dimension::Key => "key".into(),
        Dimension::User => "user".into(),
        Dimension::Org => "org".into(),
        Dimension::Account => "account".into(),
    }
}

fn status(stored: &StoredKey, policy: &Policy, now: Timestamp) -> KeyStatus {
    let record = &stored.record;
    match record.standing(now) {
        Standing::Revoked => return KeyStatus::Revoked,
        Standing::Expired => return KeyStatus::Expired,
        Standing::Disabled => return KeyStatus::Disabled,
        Standing::Active => {}
    }
    let seconds_since = |instant: Timestamp| now.micros_since(instant) / 1_000_000;
    if record.expires_at.is_some_and(|at| -seconds_since(at) <= EXPIRES_SOON_S) {
        KeyStatus::ExpiresSoon
    } else if record.is_being_replaced(now) {
        KeyStatus::BeingReplaced
    } else if is_rotation_due(record, policy, now) {
        KeyStatus::RotationDue
    } else if seconds_since(stored.last_used_at.unwrap_or(record.created_at)) >= UNUSED_S {
        KeyStatus::Unused
    } else {
        KeyStatus::Active
    }
}

fn age_days(record: &KeyRecord, now: Timestamp) -> u32 {
    let seconds = now.micros_since(record.secret_at) / 1_000_000;
    u32::try_from(seconds / DAY_S).unwrap_or(0)
}

pub(super) fn is_rotation_due(record: &KeyRecord, policy: &Policy, now: Timestamp) -> bool {
    let reminder_s = policy.lifecycle().rotation.reminder_s;
    reminder_s.is_some_and(|seconds| now >= record.secret_at.plus_seconds(i64::from(seconds)))
}

/// An instant as text.
pub(super) fn rfc3339<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(instant)
}

/// An instant as text, or `null`.
pub(super) fn rfc3339_or_null<S: Serializer>(
    instant: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match instant {
        Some(instant) => serializer.collect_str(instant),
        None => serializer.serialize_none(),
    }
}
