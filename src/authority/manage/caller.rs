//! Who makes a management call.

use crate::decision::Grant;
use crate::key::id::KeyId;
use crate::tenant::id::AccountId;

/// Who makes a management call, and how the call is to be remembered.
///
/// The host has authenticated the caller already; this says what the engine holds it to. An administrator is the host's
/// own operator and may do all that the policy allows. A key or a person grants nothing beyond its own rights.
///
/// ```
/// # use tenantkit::Caller;
/// let caller = Caller::admin("alice").operation_id("req-7f3a").reason("left the team");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Caller {
    pub(super) who: Who,
    pub(super) operation_id: Option<Box<str>>,
    pub(super) reason: Box<str>,
    pub(super) if_version: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) enum Who {
    /// The host's operator, by the name that audit lines show.
    Admin(Box<str>),
    /// A proved key.
    Key { account_id: AccountId, key_id: KeyId },
    /// A signed-in human.
    Person(Person),
}

/// A signed-in human of one account, with the memberships that the host vouches for. Without any of the calls below the
/// person has no permission, no role and belongs to no org: absence never means power.
#[derive(Clone, Debug)]
#[must_use]
pub struct Person {
    pub(crate) account_id: Box<str>,
    pub(crate) user_id: Box<str>,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) permissions: Vec<Box<str>>,
}

/// Where a person belongs, and as what.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    /// `None`: the account as a whole.
    pub(crate) org_id: Option<Box<str>>,
    pub(crate) role: Option<Box<str>>,
}

impl Caller {
    /// The host's own operator; `name` is what audit lines show, 1 to 255 bytes.
    pub fn admin(name: impl Into<Box<str>>) -> Self {
        Self::new(Who::Admin(name.into()))
    }

    /// The key that was allowed to make this call. Its record is read again: it acts in its own account only, and
    /// grants nothing beyond its own permissions, role and bindings. Needs a policy in which keys manage keys.
    pub fn key(grant: &Grant) -> Self {
        Self::new(Who::Key { account_id: AccountId::from_stored(grant.account_id()), key_id: grant.key_id() })
    }

    /// A person of an account, judged by the same rules as a key with the same role.
    pub fn person(person: Person) -> Self {
        Self::new(Who::Person(person))
    }

    fn new(who: Who) -> Self {
        Self { who, operation_id: None, reason: "".into(), if_version: None }
    }

    /// The caller's id of this act, 1 to 255 bytes, unique in the account and the same on every retry. A repeated call
    /// has no second effect and gets the first one's record, without a secret; the id is kept for 24 hours. Under it
    /// anything else is refused with `operation_conflict`.
    pub fn operation_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.operation_id = Some(id.into());
        self
    }

    /// Why, for the audit trail; at most 1,024 bytes.
    pub fn reason(mut self, reason: impl Into<Box<str>>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Changes the record only if it still has this version, as read before; otherwise `version_conflict`.
    pub fn if_version(mut self, version: u64) -> Self {
        self.if_version = Some(version);
        self
    }

    /// The name that audit lines show.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.who {
            Who::Admin(name) => name.to_string(),
            Who::Key { key_id, .. } => key_id.to_string(),
            Who::Person(person) => person.user_id.to_string(),
        }
    }
}

impl Person {
    /// The person `user_id` of `account_id`.
    pub fn new(account_id: impl Into<Box<str>>, user_id: impl Into<Box<str>>) -> Self {
        Self {
            account_id: account_id.into(),
            user_id: user_id.into(),
            memberships: Vec::new(),
            permissions: Vec::new(),
        }
    }

    /// A member of this org, with a role there.
    pub fn member_of(self, org_id: impl Into<Box<str>>, role: impl Into<Box<str>>) -> Self {
        self.member(Some(org_id.into()), Some(role.into()))
    }

    /// A member of this org, in a policy without roles.
    pub fn in_org(self, org_id: impl Into<Box<str>>) -> Self {
        self.member(Some(org_id.into()), None)
    }

    /// A role in the account as a whole: in every org of it.
    pub fn role(self, role: impl Into<Box<str>>) -> Self {
        self.member(None, Some(role.into()))
    }

    /// A member of the account as a whole, in a policy without roles.
    pub fn whole_account(self) -> Self {
        self.member(None, None)
    }

    /// A permission besides those of the roles, wherever the person belongs; `*` is all.
    pub fn permission(mut self, permission: impl Into<Box<str>>) -> Self {
        self.permissions.push(permission.into());
        self
    }

    fn member(mut self, org_id: Option<Box<str>>, role: Option<Box<str>>) -> Self {
        self.memberships.push(Membership { org_id, role });
        self
    }
}
