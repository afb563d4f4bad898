//! The tenant registry as one request sees it: the cache, or the store where the request may go that far.

use super::call::Stop;
use crate::records::{Noted, PinnedTenants, Records, TenantEntry};
use crate::store::{TenantCount, TenantRef};
use crate::tenant::OrgId;
use crate::tenant::resolve::{Directory, TenantStatus};
use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

/// A tenant's entry: borrowed inside the map's guard, or held.
pub(super) enum Held<'g> {
    /// Borrowed.
    Guarded(&'g TenantEntry),
    /// Held over a store call.
    Shared(Arc<TenantEntry>),
}

impl Deref for Held<'_> {
    type Target = TenantEntry;

    fn deref(&self) -> &TenantEntry {
        match self {
            Self::Guarded(entry) => entry,
            Self::Shared(entry) => entry,
        }
    }
}

/// Where tenants are looked up.
#[derive(Clone, Copy)]
pub(super) enum Source<'g> {
    /// Only in the cache: what it lacks ends the judgement with [`Stop::NeedTenant`].
    Cache(&'g PinnedTenants<'g>),
    /// Also in the store.
    Store(&'g Records, Noted),
}

/// One account's tenants in one environment, and those that were found for this request.
pub(super) struct Registry<'g> {
    source: Source<'g>,
    account_id: &'g str,
    environment: &'g str,
    /// The one org of the key, which its entry holds already.
    fixed_org: Option<&'g TenantEntry>,
    max_orgs: Option<u64>,
    max_users_per_org: Option<u64>,
    org: RefCell<Option<Held<'g>>>,
    user: RefCell<Option<Held<'g>>>,
}

impl<'g> Registry<'g> {
    pub(super) fn new(
        source: Source<'g>,
        account: &'g TenantEntry,
        environment: &'g str,
        fixed_org: Option<&'g TenantEntry>,
        caps: (Option<u64>, Option<u64>),
    ) -> Self {
        Self {
            source,
            account_id: account.key().account_id.as_str(),
            environment,
            fixed_org,
            max_orgs: caps.0,
            max_users_per_org: caps.1,
            org: RefCell::new(None),
            user: RefCell::new(None),
        }
    }

    /// The org and user that were looked up last: those of the request, once it is resolved.
    pub(super) fn into_found(self) -> (Option<Held<'g>>, Option<Held<'g>>) {
        (self.org.into_inner(), self.user.into_inner())
    }

    fn look_up(&self, key: TenantRef<'_>) -> Result<Held<'g>, Stop> {
        match self.source {
            Source::Cache(tenants) => match tenants.get(&key) {
                Some(entry) => {
                    entry.touch();
                    Ok(Held::Guarded(entry))
                }
                None => Err(Stop::NeedTenant(Box::new(key.to_key()))),
            },
            Source::Store(records, noted) => Ok(Held::Shared(records.tenant(key.to_key(), noted)?)),
        }
    }

    fn is_full(&self, max: Option<u64>, what: TenantCount<'_>) -> Result<bool, Stop> {
        let Some(max) = max else { return Ok(false) };
        let Source::Store(records, _) = self.source else { return Err(Stop::NeedStore) };
        let account = crate::tenant::AccountId::from_stored(self.account_id);
        Ok(records.store.tenant_count(&account, self.environment, what)? >= max)
    }
}

impl Directory for Registry<'_> {
    type Error = Stop;

    fn org(&self, org_id: &str) -> Result<TenantStatus, Stop> {
        let fixed = self.fixed_org.filter(|org| org.key().org_id.as_ref().is_some_and(|id| id == org_id));
        let held = match fixed {
            Some(org) => Held::Guarded(org),
            None => self.look_up(TenantRef {
                account_id: self.account_id,
                environment: self.environment,
                org_id: Some(org_id),
                user_id: None,
            })?,
        };
        let status = held.status();
        self.org.replace(Some(held));
        Ok(status)
    }

    fn user(&self, org_id: Option<&str>, user_id: &str) -> Result<TenantStatus, Stop> {
        let held = self.look_up(TenantRef {
            account_id: self.account_id,
            environment: self.environment,
            org_id,
            user_id: Some(user_id),
        })?;
        let status = held.status();
        self.user.replace(Some(held));
        Ok(status)
    }

    fn org_cap_reached(&self) -> Result<bool, Stop> {
        self.is_full(self.max_orgs, TenantCount::Orgs)
    }

    fn user_cap_reached(&self, org_id: Option<&str>) -> Result<bool, Stop> {
        let org_id = org_id.map(OrgId::from_stored);
        self.is_full(self.max_users_per_org, TenantCount::Users(org_id.as_ref()))
    }
}
