//! Comparing bindings: whether a child key stays inside its parent, and whether an edit takes something away.

use crate::tenant::binding::{Bindings, OrgBinding, UserBinding, UserEntry};
use crate::tenant::id::{OrgId, UserId};
use crate::tenant::scope::ScopeUser;

impl Bindings {
    /// Whether every scope that these bindings can resolve to is one that `parent` can resolve to: the subset rule for
    /// child keys (row X-13). Where that cannot be told, the answer is no.
    ///
    /// An id that a fixed or list binding names lies inside an open binding of `parent`. If that one is open for known
    /// ids only, the caller still has to see that the id is registered.
    #[must_use]
    pub fn is_within(&self, parent: &Self) -> bool {
        org_is_within(self.org(), parent.org(), Known::Assumed)
            && self.users_are_within(parent, Known::Assumed)
    }

    /// Whether a request that these bindings answer may be refused, or answered for another tenant, once they are
    /// replaced by `new`: such an edit must hold in every process before it returns. In doubt it may.
    #[must_use]
    pub fn is_narrowed_by(&self, new: &Self) -> bool {
        let kept = org_is_within(self.org(), new.org(), Known::Doubted)
            && self.users_are_within(new, Known::Doubted);
        let same_default = match absent_org(self.org()) {
            Absent::Refused => true,
            given => given == absent_org(new.org()),
        } && match absent_user(self.user()) {
            Absent::Refused => true,
            given => given == absent_user(new.user()),
        };
        !(kept && same_default)
    }

    /// Whether the scope of `org` and `user` lies inside these bindings, registered or not. The anonymous user lies
    /// inside every user binding: it has nothing that is anybody's.
    #[must_use]
    pub fn contains(&self, org: Option<&str>, user: ScopeUser<'_>) -> bool {
        let org_lies_inside = match (self.org(), org) {
            (OrgBinding::None, org) => org.is_none(),
            (_, None) => false,
            (OrgBinding::Fixed(fixed), Some(org)) => fixed == org,
            (OrgBinding::List { orgs, .. }, Some(org)) => lists_org(orgs, org),
            (OrgBinding::Open { .. }, Some(_)) => true,
        };
        org_lies_inside
            && match (self.user(), user) {
                (_, ScopeUser::Anonymous) => true,
                (UserBinding::None | UserBinding::Optional { .. }, ScopeUser::None) => true,
                (_, ScopeUser::None) | (UserBinding::None, _) => false,
                (UserBinding::Fixed(fixed), ScopeUser::Named(user)) => fixed == user,
                (UserBinding::List { entries, .. }, ScopeUser::Named(user)) => lists_user(entries, org, user),
                (UserBinding::Open { .. } | UserBinding::Optional { .. }, ScopeUser::Named(_)) => true,
            }
    }

    fn users_are_within(&self, parent: &Self, known: Known) -> bool {
        use UserBinding as B;
        match (self.user(), parent.user()) {
            (B::None, B::None | B::Optional { .. }) => true,
            (B::Optional { create: ours }, B::Optional { create: theirs })
            | (
                B::Open { create: ours, .. },
                B::Open { create: theirs, .. } | B::Optional { create: theirs },
            ) => ours <= theirs,
            (B::Fixed(_) | B::List { .. }, B::Open { create, .. } | B::Optional { create }) => {
                *create || known == Known::Assumed
            }
            (B::Fixed(user), _) => self.names_are_within(None, user, parent.user()),
            (B::List { entries, .. }, _) => {
                entries.iter().all(|e| self.names_are_within(e.org.as_ref(), &e.user, parent.user()))
            }
            (B::None | B::Open { .. } | B::Optional { .. }, _) => false,
        }
    }

    /// Whether `parent` names `user`, in `org` or, without one, in every org that these bindings reach.
    fn names_are_within(&self, org: Option<&OrgId>, user: &UserId, parent: &UserBinding) -> bool {
        let entries = match parent {
            UserBinding::Fixed(fixed) => return fixed == user,
            UserBinding::List { entries, .. } => entries,
            UserBinding::None | UserBinding::Open { .. } | UserBinding::Optional { .. } => return false,
        };
        let has = |org: Option<&OrgId>| lists_user(entries, org.map(OrgId::as_str), user.as_str());
        match (org, self.org()) {
            (Some(org), _) | (None, OrgBinding::Fixed(org)) => has(Some(org)),
            (None, OrgBinding::List { orgs, .. }) => orgs.iter().all(|org| has(Some(org))),
            (None, OrgBinding::None | OrgBinding::Open { .. }) => has(None),
        }
    }
}

/// Whether a list of orgs, sorted as in every [`Bindings`], has this one.
pub(crate) fn lists_org(orgs: &[OrgId], org: &str) -> bool {
    orgs.binary_search_by(|listed| listed.as_str().cmp(org)).is_ok()
}

/// Whether a list of users has this one, in every resolved org or in `org`.
pub(crate) fn lists_user(entries: &[UserEntry], org: Option<&str>, user: &str) -> bool {
    let has = |org: Option<&str>| {
        let order = |e: &UserEntry| (e.org.as_ref().map(OrgId::as_str), e.user.as_str()).cmp(&(org, user));
        entries.binary_search_by(order).is_ok()
    };
    has(None) || (org.is_some() && has(org))
}

/// Whether an id that a binding names counts as registered when the other binding takes registered ids only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Assumed,
    Doubted,
}

fn org_is_within(child: &OrgBinding, parent: &OrgBinding, known: Known) -> bool {
    use OrgBinding as B;
    match (child, parent) {
        (B::None, B::None) => true,
        (B::Open { create: ours, .. }, B::Open { create: theirs, .. }) => ours <= theirs,
        (B::Fixed(_) | B::List { .. }, B::Open { create, .. }) => *create || known == Known::Assumed,
        (B::Fixed(org), B::Fixed(fixed)) => org == fixed,
        (B::Fixed(org), B::List { orgs, .. }) => orgs.binary_search(org).is_ok(),
        (B::List { orgs, .. }, B::Fixed(fixed)) => orgs.iter().all(|org| org == fixed),
        (B::List { orgs, .. }, B::List { orgs: theirs, .. }) => {
            orgs.iter().all(|org| theirs.binary_search(org).is_ok())
        }
        (B::None | B::Open { .. }, _) | (B::Fixed(_) | B::List { .. }, B::None) => false,
    }
}

/// What a binding makes of an absent parameter.
#[derive(PartialEq, Eq)]
enum Absent<'a, T> {
    Refused,
    /// The axis stays empty.
    Nobody,
    Id(&'a T),
    /// The default user of one org.
    InOrg(&'a UserEntry),
}

fn absent_org(binding: &OrgBinding) -> Absent<'_, OrgId> {
    match binding {
        OrgBinding::None => Absent::Nobody,
        OrgBinding::Fixed(org) => Absent::Id(org),
        OrgBinding::List { default, .. } | OrgBinding::Open { default, .. } => {
            default.as_ref().map_or(Absent::Refused, Absent::Id)
        }
    }
}

fn absent_user(binding: &UserBinding) -> Absent<'_, UserId> {
    match binding {
        UserBinding::None | UserBinding::Optional { .. } => Absent::Nobody,
        UserBinding::Fixed(user) => Absent::Id(user),
        UserBinding::List { default, .. } | UserBinding::Open { default, .. } => match default {
            None => Absent::Refused,
            Some(UserEntry { org: None, user }) => Absent::Id(user),
            Some(entry) => Absent::InOrg(entry),
        },
    }
}

#[cfg(test)]
pub(in crate::tenant) mod tests;
