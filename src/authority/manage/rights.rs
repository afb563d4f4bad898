//! What a caller may grant, change and see: the one place where "nobody grants more than they have" is judged.
//!
//! An administrator has no bounds but the policy. A key is held to its own record, read anew for this call; a person to
//! the memberships, roles and permissions that the host vouches for. Both are judged by the same code (row MS-07).

use super::caller::{Caller, Person, Who};
use super::problems::listed;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::error::{Error, ErrorKind};
use crate::key::record::{KeyRecord, Owner, Standing};
use crate::permission::{Excess, Holding, PermissionSet, Rank};
use crate::policy::Policy;
use crate::policy::knobs;
use crate::policy::model::Role;
use crate::records::{fixed_org, granted_permissions};
use crate::resource::ResourceBinding;
use crate::store::RecordStore;
use crate::tenant::binding::{OrgBinding, UserBinding};
use crate::tenant::id::{AccountId, OrgId, UserId};
use ipnet::IpNet;

/// The rights of one caller for one call.
pub(super) struct Rights {
    /// The name in audit lines.
    pub(super) actor: Box<str>,
    holder: Holder,
}

enum Holder {
    Admin,
    Key { record: Box<KeyRecord>, holding: Holding },
    Person(Box<Member>),
}

/// A person's memberships, resolved.
struct Member {
    user_id: UserId,
    /// What the person may do wherever it belongs.
    base: Holding,
    /// Membership of the account as a whole.
    everywhere: Option<Holding>,
    orgs: Vec<(OrgId, Holding)>,
}

impl Rights {
    /// The rights of `caller` in `account`; `foreign` is the answer to a caller of another account.
    pub(super) fn of(
        store: &dyn RecordStore,
        policy: &Policy,
        caller: &Caller,
        account: &AccountId,
        foreign: Code,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let holder = match &caller.who {
            Who::Admin(_) => Holder::Admin,
            Who::Key { account_id, .. } if account_id != account => return Err(Error::refused(foreign)),
            Who::Person(person) if *person.account_id != *account.as_str() => {
                return Err(Error::refused(foreign));
            }
            Who::Key { account_id, key_id } => {
                let stored = store.key_by_id(account_id, key_id)?;
                let record =
                    stored.map(|stored| stored.record).filter(|r| r.standing(now) == Standing::Active);
                let record = record.ok_or_else(|| Error::refused(Code::InvalidKey))?;
                let holding = held_by(&record, policy)?;
                Holder::Key { record: Box::new(record), holding }
            }
            Who::Person(person) => Holder::Person(Box::new(Member::of(person, policy)?)),
        };
        Ok(Self { actor: caller.name().into(), holder })
    }

    /// Refuses keys in a policy where keys do not manage keys, and publishable keys in every policy.
    pub(super) fn check_may_manage(&self, policy: &Policy) -> Result<(), Error> {
        self.check_is_secret(policy)?;
        if matches!(self.holder, Holder::Key { .. }) && !policy.lifecycle().keys_manage_keys {
            return Err(
                Error::refused(Code::KindNotAllowed).with_detail("keys of this policy do not manage keys")
            );
        }
        Ok(())
    }

    /// Refuses publishable keys: everybody can read them.
    pub(super) fn check_is_secret(&self, policy: &Policy) -> Result<(), Error> {
        let Holder::Key { record, .. } = &self.holder else { return Ok(()) };
        if policy.kind(&record.kind).is_some_and(|kind| !kind.is_publishable()) {
            return Ok(());
        }
        Err(Error::refused(Code::KindNotAllowed).with_detail("publishable keys manage nothing"))
    }

    /// Whether the caller is the host's own operator.
    pub(super) fn is_admin(&self) -> bool {
        matches!(self.holder, Holder::Admin)
    }

    /// Refuses everybody but the host's own operator.
    pub(super) fn check_admin(&self) -> Result<(), Error> {
        if self.is_admin() { Ok(()) } else { Err(exceeds("this call is for administrators")) }
    }

    /// Whether the key lies where the caller reaches; another one does not exist for it.
    pub(super) fn sees(&self, record: &KeyRecord, policy: &Policy) -> bool {
        match &self.holder {
            Holder::Admin => true,
            Holder::Key { record: own, .. } => {
                record.environment == own.environment && record.bindings.is_within(&own.bindings)
            }
            Holder::Person(member) if policy.lifecycle().owner == knobs::Owner::User => {
                record.owner == Owner::User(member.user_id.clone())
            }
            Holder::Person(member) => match record.bindings.org() {
                _ if member.everywhere.is_some() => true,
                OrgBinding::Fixed(org) => member.is_in(org),
                OrgBinding::List { orgs, .. } => orgs.iter().all(|org| member.is_in(org)),
                OrgBinding::Open { .. } => false,
                OrgBinding::None => *record.bindings.user() == UserBinding::Fixed(member.user_id.clone()),
            },
        }
    }

    /// Whether a person or administrator belongs to an org, or without one to the account as a whole. Keys manage no
    /// tenants.
    pub(super) fn reaches(&self, org: Option<&OrgId>) -> bool {
        match &self.holder {
            Holder::Admin => true,
            Holder::Key { .. } => false,
            Holder::Person(member) => member.everywhere.is_some() || org.is_some_and(|org| member.is_in(org)),
        }
    }

    /// Whether the key is the caller itself.
    pub(super) fn is_own(&self, record: &KeyRecord) -> bool {
        matches!(&self.holder, Holder::Key { record: own, .. } if own.id == record.id)
    }

    /// Refuses a key with more rights than the caller's own: to be made, and to be changed (INV-10).
    pub(super) fn check_grant(&self, record: &KeyRecord, policy: &Policy) -> Result<(), Error> {
        if self.is_admin() {
            return Ok(());
        }
        if !self.sees(record, policy) {
            return Err(exceeds("its environment, org or user lies outside the creator's own"));
        }
        let granted = held_by(record, policy)?;
        for held in self.holdings(record.bindings.org()) {
            match held.excess_of(&granted) {
                None => {}
                Some(Excess::Role) => return Err(exceeds("its role ranks above the creator's own")),
                Some(Excess::Permissions(lacking)) => {
                    let names = policy.permissions().names(&lacking);
                    return Err(exceeds(format!(
                        "the creator lacks {}",
                        listed(names.iter().map(|name| &**name))
                    )));
                }
            }
        }
        self.check_restrictions(record)
    }

    /// Refuses a key that would outlive the one that makes, renews or prolongs it.
    pub(super) fn check_lifetime(&self, expires_at: Option<Timestamp>) -> Result<(), Error> {
        let Holder::Key { record, .. } = &self.holder else { return Ok(()) };
        let Some(own) = record.expires_at else { return Ok(()) };
        if expires_at.is_some_and(|at| at <= own) {
            return Ok(());
        }
        Err(exceeds(format!("the creator expires at {own}; give `expires_at` no later than that")))
    }

    /// What a creator key is restricted to, its keys are too.
    fn check_restrictions(&self, record: &KeyRecord) -> Result<(), Error> {
        let Holder::Key { record: own, .. } = &self.holder else { return Ok(()) };
        let is_listed = matches!(own.resources, ResourceBinding::List(_));
        if is_listed && !record.resources.is_within(&own.resources) {
            return Err(exceeds("its resources lie outside the creator's own"));
        }
        if !networks_are_within(record.ip_allow.as_deref(), own.ip_allow.as_deref()) {
            return Err(exceeds("it could be used from addresses that the creator can't be used from"));
        }
        Ok(())
    }

    /// The org that a new key is issued for when none is named: the caller's own, if there is exactly one.
    pub(super) fn own_org(&self) -> Option<&OrgId> {
        match &self.holder {
            Holder::Admin => None,
            Holder::Key { record, .. } => fixed_org(&record.bindings),
            Holder::Person(member) => match &*member.orgs {
                [(only, _)] if member.everywhere.is_none() => Some(only),
                _ => None,
            },
        }
    }

    /// The user that a new key is issued for when none is named: the person, or the key's own user.
    pub(super) fn own_user(&self) -> Option<&UserId> {
        match &self.holder {
            Holder::Admin => None,
            Holder::Person(member) => Some(&member.user_id),
            Holder::Key { record, .. } => match record.bindings.user() {
                UserBinding::Fixed(user) => Some(user),
                _ => None,
            },
        }
    }

    /// Whether keys may belong to this owner: for callers with bounds, to themselves (INV-09).
    pub(super) fn may_own(&self, owner: &Owner) -> bool {
        match (&self.holder, owner) {
            (Holder::Admin, _) => true,
            (Holder::Person(member), Owner::User(user)) => *user == member.user_id,
            (Holder::Person(_), Owner::Org(org)) => self.reaches(Some(org)),
            (Holder::Person(_), Owner::Account) => self.reaches(None),
            (Holder::Key { record, .. }, owner) => {
                *owner == record.owner || matches!(owner, Owner::Org(org) if self.own_org() == Some(org))
            }
        }
    }

    /// Whether the caller may give this role to some key.
    pub(super) fn may_assign(&self, role: &Role) -> bool {
        self.may_give(&Holding { role: Some(Rank(role.index)), permissions: role.permissions })
    }

    /// Whether the caller may give these permissions to some key.
    pub(super) fn may_permit(&self, permissions: &PermissionSet) -> bool {
        self.may_give(&Holding { role: None, permissions: *permissions })
    }

    fn may_give(&self, granted: &Holding) -> bool {
        let may = |held: &Holding| held.excess_of(granted).is_none();
        match &self.holder {
            Holder::Admin => true,
            Holder::Key { holding, .. } => may(holding),
            Holder::Person(member) => {
                may(&member.holding_in(None))
                    || member.orgs.iter().any(|(org, _)| may(&member.holding_in(Some(org))))
            }
        }
    }

    /// What the caller holds in each of the orgs that a key is bound to; for a key without, wherever it belongs.
    fn holdings(&self, binding: &OrgBinding) -> Vec<Holding> {
        match &self.holder {
            Holder::Admin => Vec::new(),
            Holder::Key { holding, .. } => vec![*holding],
            Holder::Person(member) => match binding {
                OrgBinding::None | OrgBinding::Open { .. } => vec![member.holding_in(None)],
                named => named.ids().map(|org| member.holding_in(Some(org))).collect(),
            },
        }
    }
}

impl Member {
    fn of(person: &Person, policy: &Policy) -> Result<Self, Error> {
        let syntax = &policy.tenancy().id_syntax;
        let bad_id = |e: crate::tenant::id::IdError| {
            let text = "an id of the person who calls is not well formed";
            Error::new(ErrorKind::InvalidArgument, text).with_detail(e.to_string())
        };
        let own = policy.permissions().resolve_known(person.permissions.iter().map(|name| &**name));
        let base = Holding { role: None, permissions: own };
        let mut member = Self {
            user_id: UserId::parse(&person.user_id, syntax).map_err(bad_id)?,
            base,
            everywhere: None,
            orgs: Vec::new(),
        };
        for membership in &person.memberships {
            let mut held = member.base;
            if let Some(name) = &membership.role {
                let role = policy.role(name).ok_or_else(|| {
                    Error::refused(Code::UnknownRole)
                        .with_detail("a role of the person who calls is not in the policy")
                })?;
                held = both(held, Holding { role: Some(Rank(role.index)), permissions: role.permissions });
            }
            match &membership.org_id {
                None => member.everywhere = Some(member.everywhere.map_or(held, |known| both(known, held))),
                Some(org) => member.orgs.push((OrgId::parse(org, syntax).map_err(bad_id)?, held)),
            }
        }
        Ok(member)
    }

    fn is_in(&self, org: &OrgId) -> bool {
        self.everywhere.is_some() || self.orgs.iter().any(|(own, _)| own == org)
    }

    fn holding_in(&self, org: Option<&OrgId>) -> Holding {
        let here = self.orgs.iter().filter(|(own, _)| Some(own) == org).map(|(_, held)| held);
        self.everywhere.iter().chain(here).fold(self.base, |held, more| both(held, *more))
    }
}

/// What a key holds, with its role.
fn held_by(record: &KeyRecord, policy: &Policy) -> Result<Holding, Error> {
    let role = record.role.as_deref().and_then(|name| policy.role(name)).map(|role| Rank(role.index));
    Ok(Holding { role, permissions: granted_permissions(record, policy)? })
}

/// What somebody holds who holds both; of two roles the higher counts, which has the smaller number.
fn both(one: Holding, other: Holding) -> Holding {
    let role = match (one.role, other.role) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    Holding { role, permissions: one.permissions.union(&other.permissions) }
}

/// Whether every address of `child` is one of `parent`. `None` is any address; texts are in CIDR notation, as stored.
pub(super) fn networks_are_within(child: Option<&[Box<str>]>, parent: Option<&[Box<str>]>) -> bool {
    let Some(parent) = parent else { return true };
    let Some(child) = child else { return false };
    let parse = |text: &str| text.parse::<IpNet>().ok();
    let parent: Vec<IpNet> = parent.iter().filter_map(|text| parse(text)).collect();
    child.iter().all(|text| parse(text).is_some_and(|net| parent.iter().any(|outer| outer.contains(&net))))
}

fn exceeds(detail: impl Into<String>) -> Error {
    Error::refused(Code::GrantExceedsCreator).with_detail(detail)
}
