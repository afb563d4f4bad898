//! Who asks: a key, or a person that the host has authenticated itself. Both are judged by one authoriser.

use crate::domain::DomainClaim;
use crate::key::id::KeyId;
use crate::permission::PermissionSet;
use crate::policy::{Kind, Policy, ResourceCount};
use crate::records::{KeyEntry, PlanInForce, Restrictions, Slots, TenantEntry};
use crate::tenant::{Bindings, OrgId};

/// The one whose rights are judged.
pub(super) struct Principal<'g> {
    pub(super) id: KeyId,
    /// `None` for a person.
    pub(super) kind: Option<&'g Kind>,
    pub(super) environment: u16,
    pub(super) environment_name: &'g str,
    pub(super) bindings: &'g Bindings,
    pub(super) account: &'g TenantEntry,
    /// The one org of a key with a fixed one.
    pub(super) fixed_org: Option<&'g TenantEntry>,
    pub(super) plan: Option<&'g PlanInForce>,
    pub(super) restrictions: Option<&'g Restrictions>,
    /// Names the count of limits with subject `key`.
    pub(super) lineage: Option<KeyId>,
    pub(super) slots: Option<&'g Slots>,
    permissions: Permissions<'g>,
}

/// What it may do.
#[derive(Clone, Copy)]
pub(super) enum Permissions<'g> {
    /// The same wherever it acts.
    Everywhere(&'g PermissionSet),
    /// By the role it has in each org, and what it has in all.
    ByOrg(&'g PermissionSet, &'g [(OrgId, PermissionSet)]),
}

impl<'g> Principal<'g> {
    /// A key.
    pub(super) fn of_key(entry: &'g KeyEntry, policy: &'g Policy) -> Self {
        Self {
            id: entry.id,
            kind: policy.kinds().at(entry.kind),
            environment: entry.environment,
            environment_name: policy.environments().at(entry.environment).map_or("", |e| &*e.name),
            bindings: &entry.bindings,
            account: &entry.account,
            fixed_org: entry.org.as_deref(),
            plan: entry.plan.as_ref(),
            restrictions: entry.restrictions.as_deref(),
            lineage: Some(entry.lineage),
            slots: Some(&entry.slots),
            permissions: Permissions::Everywhere(&entry.permissions),
        }
    }

    /// A person with these rights.
    pub(super) fn of_person(
        account: &'g TenantEntry,
        environment: u16,
        environment_name: &'g str,
        bindings: &'g Bindings,
        everywhere: &'g PermissionSet,
        by_org: &'g [(OrgId, PermissionSet)],
    ) -> Self {
        Self {
            id: KeyId::from_bytes([0; 16]),
            kind: None,
            environment,
            environment_name,
            bindings,
            account,
            fixed_org: None,
            plan: None,
            restrictions: None,
            lineage: None,
            slots: None,
            permissions: Permissions::ByOrg(everywhere, by_org),
        }
    }

    /// Nobody in particular: to read a tenant's own counts.
    pub(super) fn of_tenant(account: &'g TenantEntry, environment: u16, environment_name: &'g str) -> Self {
        static NOBODY: std::sync::LazyLock<Bindings> = std::sync::LazyLock::new(Bindings::nobody);
        let nothing = &PermissionSet::EMPTY;
        Self::of_person(account, environment, environment_name, &NOBODY, nothing, &[])
    }

    /// Its permissions in the org that was resolved. Where there is none, as in operations of account level, what it holds
    /// in each of its orgs, so that a member of one org is judged as a key of it is (row MS-07).
    pub(super) fn permissions_in(&self, org_id: Option<&str>) -> PermissionSet {
        match (self.permissions, org_id) {
            (Permissions::Everywhere(set), _) => *set,
            (Permissions::ByOrg(everywhere, roles), Some(org_id)) => roles
                .iter()
                .filter(|(org, _)| org.as_str() == org_id)
                .fold(*everywhere, |held, (_, set)| held.union(set)),
            (Permissions::ByOrg(everywhere, roles), None) => {
                let in_each = roles.iter().map(|(_, set)| *set).reduce(|held, set| held.intersection(&set));
                in_each.map_or(*everywhere, |held| held.union(everywhere))
            }
        }
    }

    /// For whom the domains of its origins were verified: its org, and the one resource it is bound to.
    pub(super) fn domain_claim(&self) -> DomainClaim {
        let one = self.kind.is_some_and(|kind| kind.resources.count == ResourceCount::One);
        let resource = self.restrictions.and_then(|bound| bound.resources.iter().next()).filter(|_| one);
        DomainClaim {
            account_id: self.account.key().account_id.clone(),
            org_id: self.fixed_org.and_then(|org| org.key().org_id.clone()),
            resource: resource.cloned(),
        }
    }

    /// Whether its kind is bound to resources, so that none means none.
    pub(super) fn is_bound_to_resources(&self) -> bool {
        self.kind.is_some_and(|kind| kind.resources.count != ResourceCount::None)
    }
}
