//! Changing the attributes of a key. What narrows the key holds in every process when the call returns; what widens it
//! holds from the next request.

use super::act::{Act, Draft, Step};
use super::attributes::Rules;
use super::bind::{Binder, Wish};
use super::compose::{guard_name, register_tenants, tenant_of};
use super::edit::KeyEdit;
use super::plan::PlanChange;
use super::problems::Problems;
use super::rights::networks_are_within;
use super::spec::Chosen;
use super::view::KeyView;
use super::{Caller, KeyWarning};
use crate::authority::Authority;
use crate::code::Code;
use crate::error::{Error, ErrorKind};
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, PlanAssignment, Standing};
use crate::limit::Units;
use crate::policy::Policy;
use crate::policy::knobs::EmptyOrigins;
use crate::policy::model::{Kind, LimitDef};
use crate::records::granted_permissions;
use crate::store::{Expected, KeyWrite, StoredKey};
use serde::Serialize;
use serde_json::{Value, json};

/// A key after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyChanged {
    /// The key as it is now.
    pub key: KeyView,
    /// The attributes that changed; none where all was so already.
    pub changed: Vec<&'static str>,
    /// Whether the key may do less in some way. No process accepts what it could do before.
    pub narrowed: bool,
    /// Whether the key may do more in some way.
    pub widened: bool,
    /// What deserves a word although it is allowed.
    pub warnings: Vec<KeyWarning>,
}

impl KeyChanged {
    /// Nothing had to be done.
    pub(super) fn unchanged(key: KeyView) -> Self {
        Diff::default().answer(key, Vec::new())
    }

    /// The key was disabled or enabled.
    pub(super) fn switched(key: KeyView, narrowed: bool) -> Self {
        Self { changed: vec!["disabled_at"], narrowed, widened: !narrowed, ..Self::unchanged(key) }
    }
}

impl Authority {
    /// Changes attributes of a key; secret, id and counts stay. The key may not have more rights than the caller, neither
    /// before nor after, and no key changes itself.
    ///
    /// # Errors
    /// As [`issue`](Self::issue); `key_not_found` also for a revoked key; `version_conflict` where
    /// [`Caller::if_version`] says another version.
    pub fn update(
        &self,
        caller: &Caller,
        account_id: &str,
        id: &KeyId,
        edit: &KeyEdit,
    ) -> Result<KeyChanged, Error> {
        self.act(caller, account_id, "key.update", |act| {
            act.edit_key(id, edit, |act, record| act.apply_edit(record, edit))
        })
    }

    /// Puts a key on another plan, or agrees on other amounts for it alone; secret and counts stay (row RS-27).
    ///
    /// # Errors
    /// `unknown_plan`, `plan_not_allowed`, `validation_error` about an amount, `key_not_found`.
    pub fn set_key_plan(
        &self,
        caller: &Caller,
        account_id: &str,
        id: &KeyId,
        change: &PlanChange,
    ) -> Result<KeyChanged, Error> {
        self.act(caller, account_id, "key.plan", |act| {
            act.edit_key(id, change, |act, record| {
                let mut problems = Problems::default();
                act.apply_plan(record, change, &mut problems)?;
                problems.finish()
            })
        })
    }

    /// Gives a key the permissions that its template has now; nothing else does so (row A-35).
    ///
    /// # Errors
    /// `validation_error` for a key without a template, or whose template is gone; as [`update`](Self::update).
    pub fn reapply_template(
        &self,
        caller: &Caller,
        account_id: &str,
        id: &KeyId,
    ) -> Result<KeyChanged, Error> {
        self.act(caller, account_id, "key.reapply_template", |act| {
            act.edit_key(id, &(), |act, record| {
                let Some(template) = record.template.clone() else {
                    return Err(Error::invalid_field("template", "this key was not made from a template"));
                };
                let mut problems = Problems::default();
                let kind = act.kind(record)?;
                let rules = Rules { policy: act.policy(), kind, now: act.now };
                let permissions = rules.template(&template.name, &mut problems);
                problems.finish()?;
                (record.permissions, record.template) = (permissions.names, permissions.template);
                Ok(())
            })
        })
    }
}

impl Act<'_> {
    /// Changes one key by `edit`, within the caller's rights.
    fn edit_key(
        &self,
        id: &KeyId,
        request: &impl Serialize,
        edit: impl Fn(&Self, &mut KeyRecord) -> Result<(), Error>,
    ) -> Result<KeyChanged, Error> {
        self.commit(
            &(id, request),
            || {
                let stored = self.changeable(id)?;
                let mut record = stored.record.clone();
                edit(self, &mut record)?;
                let diff = Diff::of(&stored.record, &record, self.policy())?;
                if diff.changed.is_empty() {
                    return Ok(Step::Done(diff.answer(self.view(&stored), Vec::new())));
                }
                self.check_edited(&stored.record, &record)?;
                record.updated_at = self.now;
                let after = StoredKey { record, version: stored.version + 1, ..stored.clone() };
                let mut draft = Draft::new(
                    id,
                    diff.answer(self.view(&after), self.warnings(&stored.record, &after.record)),
                );
                draft.tenant = tenant_of(&after.record);
                draft.detail("name", &after.record.name);
                draft.detail("changes", &diff.changes);
                draft.detail("narrowed", diff.narrowed);
                if stored.record.name != after.record.name {
                    guard_name(self, &mut draft, &after.record);
                }
                if stored.record.bindings != after.record.bindings {
                    register_tenants(&mut draft, &after.record, self.now);
                }
                let expected = Expected::Version(stored.version);
                draft.keys.push(KeyWrite::Put { record: Box::new(after.record), expected });
                Ok(draft.write())
            },
            |id| Ok(KeyChanged::unchanged(self.view(&self.key(&id.parse::<KeyId>()?)?))),
        )
    }

    /// A key that can still be changed, by someone else than itself: no key renews itself (INV-10).
    pub(super) fn changeable(&self, id: &KeyId) -> Result<StoredKey, Error> {
        let stored = self.target(id)?;
        if stored.record.standing(self.now) == Standing::Revoked {
            return Err(Error::refused(Code::KeyNotFound));
        }
        if self.rights.is_own(&stored.record) {
            return Err(Error::refused(Code::GrantExceedsCreator).with_detail("a key does not change itself"));
        }
        Ok(stored)
    }

    /// The kind of a record.
    pub(super) fn kind(&self, record: &KeyRecord) -> Result<&Kind, Error> {
        self.policy().kind(&record.kind).ok_or_else(|| {
            let text = "a key's kind is not in the policy; put it back, or end the key";
            Error::new(ErrorKind::StoreCorrupt, text).with_detail(record.id.to_string())
        })
    }

    fn apply_edit(&self, record: &mut KeyRecord, edit: &KeyEdit) -> Result<(), Error> {
        let mut problems = Problems::default();
        let rules = Rules { policy: self.policy(), kind: self.kind(record)?, now: self.now };
        if let Some(name) = &edit.name {
            record.name = rules.name(name, &mut problems);
        }
        if let Some(labels) = &edit.labels {
            record.labels = rules.labels(labels, &mut problems);
        }
        match &edit.role {
            Chosen::Absent => {}
            Chosen::Null => record.role = rules.role(None, &mut problems),
            Chosen::Value(role) => record.role = rules.role(Some(role), &mut problems),
        }
        if edit.permissions.is_some() || edit.template.is_some() {
            let permissions =
                rules.permissions(edit.permissions.as_deref(), edit.template.as_deref(), &mut problems);
            (record.permissions, record.template) = (permissions.names, permissions.template);
        }
        if edit.resources.is_some() {
            record.resources = rules.resources(edit.resources.as_ref(), &mut problems);
        }
        if edit.origins.is_some() {
            record.origins = rules.origins(edit.origins.as_deref(), &mut problems);
        }
        if !edit.ip_allow.is_absent() {
            record.ip_allow = rules.networks(&edit.ip_allow, &mut problems);
        }
        if !edit.expires_at.is_absent() {
            if record.standing(self.now) == Standing::Expired {
                problems.field("expires_at", "can't be moved once it has passed; make a new key");
            }
            record.expires_at = rules.expiry(&edit.expires_at, record.created_at, &mut problems);
        }
        self.apply_bindings(record, edit, rules.kind, &mut problems);
        if let Some(change) = edit.plan_change() {
            self.apply_plan(record, &change, &mut problems)?;
        }
        problems.finish()
    }

    fn apply_bindings(&self, record: &mut KeyRecord, edit: &KeyEdit, kind: &Kind, problems: &mut Problems) {
        let preset = record.bindings.preset().name();
        let wish = Wish {
            preset: edit.preset.as_deref(),
            org_id: edit.org_id.as_deref(),
            user_id: edit.user_id.as_deref(),
            org: edit.org.as_ref(),
            user: edit.user.as_ref(),
        };
        if !wish.is_some() {
            return;
        }
        let wish = Wish { preset: wish.preset.or(Some(preset)), ..wish };
        let binder = Binder::new(self.policy(), kind, &self.rights, &wish, problems);
        if let Some(bindings) = binder.rebound(&record.bindings, &wish, problems) {
            record.bindings = bindings;
        }
    }

    fn apply_plan(
        &self,
        record: &mut KeyRecord,
        change: &PlanChange,
        problems: &mut Problems,
    ) -> Result<(), Error> {
        if let (Some(plan), Ok(kind)) = (&change.plan, self.kind(record)) {
            Rules { policy: self.policy(), kind, now: self.now }.plan(plan, problems);
        }
        if problems.is_empty()
            && let Some(plan) = self.change_plan(record.plan.as_ref(), change)?
        {
            record.plan = Some(plan);
        }
        Ok(())
    }

    /// What the key may do after the edit lies within the caller's rights and within what exists.
    fn check_edited(&self, before: &KeyRecord, after: &KeyRecord) -> Result<(), Error> {
        self.rights.check_grant(after, self.policy())?;
        let is_prolonged = match (before.expires_at, after.expires_at) {
            (Some(before), Some(after)) => after > before,
            (before, after) => before.is_some() && after.is_none(),
        };
        if is_prolonged {
            self.rights.check_lifetime(after.expires_at)?;
        }
        if before.resources != after.resources {
            self.check_resources(after)?;
        }
        if before.origins != after.origins
            || before.bindings != after.bindings
            || before.resources != after.resources
        {
            self.check_domains(after)?;
        }
        Ok(())
    }

    fn warnings(&self, before: &KeyRecord, after: &KeyRecord) -> Vec<KeyWarning> {
        let role = after.role.as_deref().filter(|_| before.role != after.role);
        let rules = self.kind(after).map(|kind| Rules { policy: self.policy(), kind, now: self.now });
        rules.map_or_else(|_| Vec::new(), |rules| rules.warnings(role))
    }
}

/// What differs between two versions of a record.
#[derive(Default)]
struct Diff {
    changed: Vec<&'static str>,
    /// Before and after, for the audit trail.
    changes: serde_json::Map<String, Value>,
    narrowed: bool,
    widened: bool,
}

impl Diff {
    fn of(before: &KeyRecord, after: &KeyRecord, policy: &Policy) -> Result<Self, Error> {
        let mut diff = Self::default();
        diff.note("name", &before.name, &after.name);
        diff.note("labels", &before.labels, &after.labels);
        diff.note("bindings", &before.bindings, &after.bindings);
        diff.note("role", &before.role, &after.role);
        diff.note("permissions", &before.permissions, &after.permissions);
        diff.note("template", &before.template, &after.template);
        diff.note("resources", &before.resources, &after.resources);
        diff.note("origins", &before.origins, &after.origins);
        diff.note("ip_allow", &before.ip_allow, &after.ip_allow);
        diff.note(
            "expires_at",
            &before.expires_at.map(|t| t.to_string()),
            &after.expires_at.map(|t| t.to_string()),
        );
        diff.note("plan", &before.plan, &after.plan);
        diff.narrowed = may_do_more(before, after, policy)?;
        diff.widened = may_do_more(after, before, policy)?;
        Ok(diff)
    }

    fn note<T: PartialEq + Serialize>(&mut self, name: &'static str, before: &T, after: &T) {
        if before != after {
            self.changed.push(name);
            self.changes.insert(name.to_owned(), json!([before, after]));
        }
    }

    fn answer(&self, key: KeyView, warnings: Vec<KeyWarning>) -> KeyChanged {
        KeyChanged {
            key,
            changed: self.changed.clone(),
            narrowed: self.narrowed,
            widened: self.widened,
            warnings,
        }
    }
}

/// Whether `one` may do something that `other` may not.
fn may_do_more(one: &KeyRecord, other: &KeyRecord, policy: &Policy) -> Result<bool, Error> {
    let (ours, theirs) = (granted_permissions(one, policy)?, granted_permissions(other, policy)?);
    let more_permissions = !theirs.contains_all(&ours);
    let ends_later = match (one.expires_at, other.expires_at) {
        (Some(ours), Some(theirs)) => ours > theirs,
        (ours, theirs) => ours.is_none() && theirs.is_some(),
    };
    Ok(more_permissions
        || ends_later
        || one.bindings.is_narrowed_by(&other.bindings)
        || one.resources.is_narrowed_by(&other.resources)
        || more_origins(one, other, policy)
        || !networks_are_within(one.ip_allow.as_deref(), other.ip_allow.as_deref())
        || more_plan(one.plan.as_ref(), other.plan.as_ref(), policy))
}

/// An empty list stands for any origin where the policy says so, else for none.
fn more_origins(one: &KeyRecord, other: &KeyRecord, policy: &Policy) -> bool {
    let kind = policy.kind(&one.kind);
    let empty_is_any = kind.is_some_and(|kind| kind.origins.empty == EmptyOrigins::AllowAny);
    match (one.origins.is_empty(), other.origins.is_empty()) {
        (true, true) => false,
        (true, false) => empty_is_any,
        (false, true) => !empty_is_any,
        (false, false) => one.origins.iter().any(|origin| !other.origins.contains(origin)),
    }
}

/// Whether the plan includes a feature that the other has not, or lets some count go further.
fn more_plan(one: Option<&PlanAssignment>, other: Option<&PlanAssignment>, policy: &Policy) -> bool {
    let plan = |assignment: Option<&PlanAssignment>| {
        assignment
            .map(|a| &*a.plan)
            .or_else(|| super::plan::default_plan(policy))
            .and_then(|name| policy.plan(name))
    };
    let (Some(our_plan), Some(their_plan)) = (plan(one), plan(other)) else { return false };
    let amount = |limit: &LimitDef, assignment: Option<&PlanAssignment>| {
        assignment
            .and_then(|a| a.overrides.get(&limit.name))
            .copied()
            .unwrap_or_else(|| limit.cap().map(Units::get))
    };
    let goes_further = policy.limits_under(Some(their_plan.index)).any(|theirs| {
        let Some(cap) = amount(theirs, other) else { return false };
        let ours = policy.limits_under(Some(our_plan.index)).find(|ours| ours.name == theirs.name);
        ours.is_none_or(|ours| amount(ours, one).is_none_or(|amount| amount > cap))
    });
    our_plan.entitlements & !their_plan.entitlements != 0 || goes_further
}
