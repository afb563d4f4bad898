//! From a request to the record of a new key: every attribute checked, everything wrong collected, nothing beyond the
//! caller's own rights, the policy or what the host says exists.

use super::act::{Act, Draft};
use super::attributes::{Permissions, Rules};
use super::bind::{Binder, Wish};
use super::new_key::NewKey;
use super::problems::{Problems, listed, unknown_word};
use crate::authority::hooks::ResourceQuestion;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::domain::DomainClaim;
use crate::error::Error;
use crate::key::digest::{DigestScheme, KeyDigest};
use crate::key::format::KeyDisplay;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Lineage, Owner};
use crate::policy::knobs::{self, PlanOn};
use crate::policy::model::{Environment, Kind, ResourceCount};
use crate::records::fixed_org;
use crate::resource::Resource;
use crate::store::{Guard, TenantKey, TenantRecord, TenantState, TenantWrite};
use crate::tenant::binding::{Bindings, OrgBinding, UserBinding};
use crate::tenant::id::{AccountId, OrgId, UserId};
use crate::tenant::{ScopeUser, TenantScope};
use std::collections::BTreeSet;

impl Act<'_> {
    /// The record that `new` asks for, still without text, digest and id. `base` is the key it is to be like.
    pub(super) fn compose(&self, new: &NewKey, base: Option<&KeyRecord>) -> Result<KeyRecord, Error> {
        let mut problems = Problems::default();
        let kind = self.kind_of(new, base, &mut problems);
        let environment = self.environment_of(new, base, &mut problems);
        let record = match (kind, environment) {
            (Some(kind), Some(environment)) => {
                let base = base.filter(|base| *base.kind == *kind.name);
                self.attributes(new, kind, environment, base, &mut problems)
            }
            _ => None,
        };
        problems.finish()?;
        // Whatever leaves no record leaves a problem; this is the end of a call that found neither.
        let record = record.ok_or_else(|| Error::refused(Code::ValidationError))?;
        self.check_new(&record)?;
        Ok(record)
    }

    /// What is refused although the request is well formed.
    fn check_new(&self, record: &KeyRecord) -> Result<(), Error> {
        if !self.rights.may_own(&record.owner) {
            let error = Error::refused(Code::GrantExceedsCreator);
            return Err(error.with_detail("keys made by this caller belong to the caller"));
        }
        self.rights.check_grant(record, self.policy())?;
        self.rights.check_lifetime(record.expires_at)?;
        if let Some(plan) = &record.plan {
            self.check_plan_choice(&plan.plan)?;
        }
        self.check_resources(record)?;
        self.check_domains(record)
    }

    fn kind_of(&self, new: &NewKey, base: Option<&KeyRecord>, problems: &mut Problems) -> Option<&Kind> {
        let Some(name) = new.kind.as_deref().or(base.map(|base| &*base.kind)) else {
            return self.policy().default_kind();
        };
        let kind = self.policy().kind(name);
        if kind.is_none() {
            problems.field(
                "kind",
                unknown_word(name, self.policy().kinds().names().collect::<Vec<_>>().into_iter()),
            );
        }
        kind
    }

    fn environment_of(
        &self,
        new: &NewKey,
        base: Option<&KeyRecord>,
        problems: &mut Problems,
    ) -> Option<&Environment> {
        let names = || self.policy().environments().names().collect::<Vec<_>>().into_iter();
        let Some(name) = new.environment.as_deref().or(base.map(|base| &*base.environment)) else {
            let default = self.policy().default_environment();
            if default.is_none() {
                problems.field("environment", format!("is needed; allowed: {}", listed(names())));
            }
            return default;
        };
        let environment = self.policy().environment(name);
        if environment.is_none() {
            problems.field("environment", unknown_word(name, names()));
        }
        environment
    }

    fn attributes(
        &self,
        new: &NewKey,
        kind: &Kind,
        environment: &Environment,
        base: Option<&KeyRecord>,
        problems: &mut Problems,
    ) -> Option<KeyRecord> {
        let rules = Rules { policy: self.policy(), kind, now: self.now };
        let name = match new.name.as_deref().or(base.map(|base| &*base.name)) {
            Some(name) => rules.name(name, problems),
            None => {
                problems.field("name", "is needed");
                "".into()
            }
        };
        let wish = Wish {
            preset: new.preset.as_deref(),
            org_id: new.org_id.as_deref(),
            user_id: new.user_id.as_deref(),
            org: new.org.as_ref(),
            user: new.user.as_ref(),
        };
        let binder = Binder::new(self.policy(), kind, &self.rights, &wish, problems);
        let bindings = match base {
            Some(base) if !wish.is_some() => Some(base.bindings.clone()),
            _ => binder.bindings(&wish, problems),
        };
        let role = rules.role(self.wished_role(new, base, &rules, problems), problems);
        let permissions = self.wished_permissions(new, base, &rules, problems);
        let resources = match base {
            Some(base) if new.resources.is_none() => base.resources.clone(),
            _ => rules.resources(new.resources.as_ref(), problems),
        };
        let origins = match base {
            Some(base) if new.origins.is_none() => base.origins.clone(),
            _ => rules.origins(new.origins.as_deref(), problems),
        };
        let ip_allow = match base {
            Some(base) if new.ip_allow.is_absent() => base.ip_allow.clone(),
            _ => rules.networks(&new.ip_allow, problems),
        };
        let labels = match base {
            Some(base) if new.labels.is_empty() => base.labels.clone(),
            _ => rules.labels(&new.labels, problems),
        };
        let expires_at = rules.expiry(&new.expires_at, self.now, problems);
        let plan = self.wished_plan(new, base, &rules, problems);
        let bindings = bindings?;
        let owner = self.owner(new, base, &bindings, binder.issued_for().user.as_ref());
        let id = KeyId::generate(&*self.inner.entropy, self.now);
        let id = id.map_err(|e| problems.error("id", &e)).ok()?;
        Some(KeyRecord {
            id,
            account_id: self.account.clone(),
            kind: kind.name.clone(),
            environment: environment.name.clone(),
            name,
            digest: KeyDigest::from_bytes([0; 32]),
            scheme: DigestScheme::Sha256,
            display: KeyDisplay::default(),
            sealed: None,
            owner,
            bindings,
            role,
            permissions: permissions.names,
            template: permissions.template,
            resources,
            origins,
            ip_allow,
            plan: plan.map(|plan| self.new_assignment(plan)),
            labels,
            created_at: self.now,
            created_by: self.rights.actor.clone(),
            updated_at: self.now,
            expires_at,
            disabled_at: None,
            revoked: None,
            lineage: Lineage { id, predecessor: None, successor: None },
            parent: None,
            secret_at: self.now,
        })
    }

    /// `role` and `roleKey` are one member under two names; they may not differ (row A-20).
    fn wished_role<'w>(
        &self,
        new: &'w NewKey,
        base: Option<&'w KeyRecord>,
        rules: &'w Rules<'w>,
        problems: &mut Problems,
    ) -> Option<&'w str> {
        match (new.role.as_deref(), new.role_key.as_deref()) {
            (Some(role), Some(key)) if role != key => {
                problems.field("roleKey", "differs from `role`; give one of them");
                Some(role)
            }
            (Some(role), _) | (None, Some(role)) => Some(role),
            (None, None) => base.map_or_else(|| rules.default_role(), |base| base.role.as_deref()),
        }
    }

    fn wished_permissions(
        &self,
        new: &NewKey,
        base: Option<&KeyRecord>,
        rules: &Rules<'_>,
        problems: &mut Problems,
    ) -> Permissions {
        match base {
            Some(base) if new.permissions.is_none() && new.template.is_none() => {
                Permissions { names: base.permissions.clone(), template: base.template.clone() }
            }
            _ => rules.permissions(new.permissions.as_deref(), new.template.as_deref(), problems),
        }
    }

    /// The plan that the key itself carries: where plans are on keys always one, else only an exception that was asked
    /// for.
    fn wished_plan<'w>(
        &'w self,
        new: &'w NewKey,
        base: Option<&'w KeyRecord>,
        rules: &Rules<'_>,
        problems: &mut Problems,
    ) -> Option<&'w str> {
        let of_base = || base.and_then(|base| base.plan.as_ref()).map(|plan| &*plan.plan);
        let asked = new.plan.as_deref().or_else(of_base);
        if let Some(plan) = asked {
            rules.plan(plan, problems);
            return self.policy().plan(plan).map(|plan| &*plan.name);
        }
        if self.policy().usage().plan_on == PlanOn::Key {
            super::plan::default_plan(self.policy())
        } else {
            None
        }
    }

    /// The owner is the one asked for, else what the policy says: the org, or the person the key is issued for.
    fn owner(
        &self,
        new: &NewKey,
        base: Option<&KeyRecord>,
        bindings: &Bindings,
        user: Option<&UserId>,
    ) -> Owner {
        if let Some(owner) = new.owner.clone().or_else(|| base.map(|base| base.owner.clone())) {
            return owner;
        }
        let bound_user = match bindings.user() {
            UserBinding::Fixed(user) => Some(user),
            _ => None,
        };
        let person = bound_user.or(user).filter(|_| self.policy().lifecycle().owner == knobs::Owner::User);
        match (person, fixed_org(bindings)) {
            (Some(user), _) => Owner::User(user.clone()),
            (None, Some(org)) => Owner::Org(org.clone()),
            (None, None) => Owner::Account,
        }
    }

    /// The host says whether a resource exists; a foreign one does not (row MS-14).
    pub(super) fn check_resources(&self, record: &KeyRecord) -> Result<(), Error> {
        let Some(hook) = &self.inner.hooks.resource else { return Ok(()) };
        for resource in record.resources.iter() {
            let question = ResourceQuestion {
                account_id: self.account.as_str(),
                environment: &record.environment,
                org_id: fixed_org(&record.bindings).map(OrgId::as_str),
                resource,
            };
            if !hook(&question)? {
                return Err(Error::refused(Code::ResourceNotFound));
            }
        }
        Ok(())
    }

    /// Every origin lies in a domain that is verified for the key's org and resource (row MS-13).
    pub(super) fn check_domains(&self, record: &KeyRecord) -> Result<(), Error> {
        let Some(kind) = self.policy().kind(&record.kind) else { return Ok(()) };
        if !kind.origins.verified {
            return Ok(());
        }
        let domains = self.inner.store.domains(&self.account)?;
        let rules = Rules { policy: self.policy(), kind, now: self.now };
        let unverified = rules.unverified(&record.origins, &domain_claim(record, kind), &domains);
        if unverified.is_empty() {
            return Ok(());
        }
        let names = listed(unverified.into_iter());
        Err(Error::refused(Code::DomainNotVerified).with_detail(format!("no verified domain covers {names}")))
    }
}

/// For whom a key's domains must be verified: its org, and its resource where it has exactly one.
pub(super) fn domain_claim(record: &KeyRecord, kind: &Kind) -> DomainClaim {
    let only: Option<&Resource> =
        if kind.resources.count == ResourceCount::One { record.resources.iter().next() } else { None };
    DomainClaim {
        account_id: record.account_id.clone(),
        org_id: fixed_org(&record.bindings).cloned(),
        resource: only.cloned(),
    }
}

/// Registers the org and user that the key is bound to or falls back to, so that they can be listed and suspended; what
/// is registered already stays as it is. Lists are the issuer's word and need no registration.
pub(super) fn register_tenants<T>(draft: &mut Draft<T>, record: &KeyRecord, now: Timestamp) {
    let create = |key| TenantWrite::Create { record: Box::new(new_tenant(key, now)) };
    draft.tenants.extend(home_tenants(record).into_iter().map(create));
}

/// Nothing is issued for a tenant that is not in use.
pub(super) fn demand_active_tenants<T>(draft: &mut Draft<T>, record: &KeyRecord) {
    home_tenants(record).into_iter().for_each(|key| draft.demand_active(key));
}

fn home_tenants(record: &KeyRecord) -> BTreeSet<TenantKey> {
    let (account, environment) = (&record.account_id, &*record.environment);
    let org_key = |org: &OrgId| TenantKey::org(account.clone(), environment, org.clone());
    let home = match record.bindings.org() {
        OrgBinding::Fixed(org) => Some(org),
        OrgBinding::List { default, .. } | OrgBinding::Open { default, .. } => default.as_ref(),
        OrgBinding::None => None,
    };
    let user = match (record.bindings.user(), record.bindings.org()) {
        (UserBinding::Fixed(user), OrgBinding::Fixed(_) | OrgBinding::None) => Some((home, user)),
        (UserBinding::Open { default: Some(entry), .. }, _) => {
            Some((entry.org.as_ref().or(home), &entry.user))
        }
        _ => None,
    };
    let mut keys = BTreeSet::from([TenantKey::account(account.clone())]);
    keys.extend(home.map(org_key));
    if let Some((org, user)) = user {
        keys.extend(org.map(org_key));
        keys.insert(TenantKey::user(account.clone(), environment, org.cloned(), user.clone()));
    }
    keys
}

/// A tenant as it is first registered.
pub(super) fn new_tenant(key: TenantKey, now: Timestamp) -> TenantRecord {
    TenantRecord {
        key,
        state: TenantState::Active,
        created_at: now,
        updated_at: now,
        plan: None,
        proof_secret: None,
        labels: Default::default(),
        version: 0,
    }
}

/// Bounds that the policy sets on the keys of an account.
pub(super) fn guard_keys<T>(act: &Act<'_>, draft: &mut Draft<T>, record: &KeyRecord) {
    let lifecycle = act.policy().lifecycle();
    if let Some(max) = lifecycle.max_keys {
        draft.guard(Guard::Keys { account_id: act.account.clone(), max }, Code::KeyLimitReached);
    }
    guard_name(act, draft, record);
}

/// Where names are unique, this one must be.
pub(super) fn guard_name<T>(act: &Act<'_>, draft: &mut Draft<T>, record: &KeyRecord) {
    if act.policy().lifecycle().unique_names {
        let guard =
            Guard::UniqueName { account_id: act.account.clone(), id: record.id, name: record.name.clone() };
        draft.guard(guard, Code::NameConflict);
    }
}

/// The org and user of a key, as audit lines show them.
pub(super) fn tenant_of(record: &KeyRecord) -> String {
    let user = match record.bindings.user() {
        UserBinding::Fixed(user) => Some(user),
        _ => None,
    };
    place(&record.account_id, &record.environment, fixed_org(&record.bindings), user)
}

/// A tenant as audit lines show it: the text that stands for it and for no other.
pub(super) fn place(
    account: &AccountId,
    environment: &str,
    org: Option<&OrgId>,
    user: Option<&UserId>,
) -> String {
    let user = user.map_or(ScopeUser::None, |user| ScopeUser::Named(user.as_str()));
    TenantScope::new(account.as_str(), environment, org.map(OrgId::as_str), user).namespace()
}
