//! Works a change out against the rows that stand: which rows are to be written, or why it cannot be made.

use super::RowStore;
use super::intent::{RowWrite, read, scan_all};
use super::layout::{self, KeyRow, decode};
use super::records::value;
use crate::audit::{AuditEntry, ChainHead};
use crate::clock::Timestamp;
use crate::domain::VerifiedDomain;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Standing};
use crate::store::{
    Applied, AuditDraft, Change, Conflict, DomainWrite, Expected, Guard, KeyWrite, OperationRecord,
    StoreError, TenantCount, TenantKey, TenantRecord, TenantState, TenantWrite,
};
use crate::tenant::id::AccountId;
use std::collections::BTreeMap;

/// The rows as they would be, over the rows that stand.
pub(super) struct Plan<'a> {
    rows: &'a dyn RowStore,
    now: Timestamp,
    writes: Vec<RowWrite>,
    /// Keys and tenants as this plan leaves them: guards look here first.
    keys: BTreeMap<(AccountId, KeyId), Option<KeyRecord>>,
    tenants: BTreeMap<TenantKey, Option<TenantRecord>>,
    chains: BTreeMap<AccountId, ChainHead>,
}

type Planned = Result<Result<Vec<RowWrite>, Applied>, StoreError>;

impl<'a> Plan<'a> {
    pub(super) fn new(rows: &'a dyn RowStore, now: Timestamp) -> Self {
        let (keys, tenants, chains) = Default::default();
        Self { rows, now, writes: Vec::new(), keys, tenants, chains }
    }

    /// All of `change`, or the reason why not.
    pub(super) fn change(mut self, change: &Change) -> Planned {
        if let Some(operation) = &change.operation {
            let key = layout::operation(&operation.account_id, &operation.id);
            let before = read(self.rows, &key)?;
            if let Some(bytes) = &before.value {
                let record: OperationRecord = decode("operation", bytes)?;
                if record.expires_at > change.at {
                    return Ok(Err(Applied::Replayed(record)));
                }
            }
            self.writes.push(RowWrite::put(key, &before, operation)?);
        }
        let conflict = |conflict| Ok(Err(Applied::Conflict(conflict)));
        for (i, write) in change.keys.iter().enumerate() {
            if let Some(found) = self.write_key(write, i)? {
                return conflict(found);
            }
        }
        for (i, write) in change.tenants.iter().enumerate() {
            if !self.write_tenant(write)? {
                return conflict(Conflict::Tenant(i));
            }
        }
        self.write_domains(&change.domains)?;
        for (i, guard) in change.guards.iter().enumerate() {
            if !self.holds(guard)? {
                return conflict(Conflict::Guard(i));
            }
        }
        change.audit.iter().try_for_each(|draft| self.append(draft))?;
        Ok(Ok(self.finish()))
    }

    /// The tenant and everything below it.
    pub(super) fn erase(mut self, tenant: &TenantKey, audit: &AuditDraft) -> Planned {
        for row_key in scan_all(self.rows, &layout::tenants_of(&tenant.account_id))? {
            let before = read(self.rows, &row_key)?;
            let Some(bytes) = &before.value else { continue };
            if tenant.covers(&decode::<TenantRecord>("tenant", bytes)?.key) {
                self.writes.push(RowWrite::remove(row_key, &before, self.now));
            }
        }
        for row_key in scan_all(self.rows, &layout::keys_of(&tenant.account_id))? {
            let before = read(self.rows, &row_key)?;
            let Some(bytes) = &before.value else { continue };
            let row: KeyRow = decode("key", bytes)?;
            if tenant.covers_key(&row.record) {
                self.remove_key(&row.record, row_key)?;
            }
        }
        if tenant.org_id.is_none() && tenant.user_id.is_none() {
            let account = &tenant.account_id;
            self.remove_if_there(layout::domains(account))?;
            for row_key in scan_all(self.rows, &layout::operations_of(account))? {
                self.remove_if_there(row_key)?;
            }
        }
        self.append(audit)?;
        Ok(Ok(self.finish()))
    }

    pub(super) fn finish(self) -> Vec<RowWrite> {
        self.writes
    }

    /// `Some` when it conflicts.
    fn write_key(&mut self, write: &KeyWrite, index: usize) -> Result<Option<Conflict>, StoreError> {
        let (account, id, expected) = match write {
            KeyWrite::Put { record, expected } => (&record.account_id, record.id, *expected),
            KeyWrite::Delete { account_id, id, expected } => (account_id, *id, Expected::Version(*expected)),
        };
        let row_key = layout::key(account, &id);
        let before = read(self.rows, &row_key)?;
        let row = before.value.as_ref().map(|bytes| decode::<KeyRow>("key", bytes)).transpose()?;
        if !expected.is_met_by(row.as_ref().map(|row| row.version)) {
            return Ok(Some(Conflict::Key(index)));
        }
        match write {
            KeyWrite::Put { record, .. } => {
                let digest_key = layout::digest(&record.digest);
                let holder = read(self.rows, &digest_key)?;
                let held_by: Option<(AccountId, KeyId)> =
                    holder.value.as_ref().map(|bytes| decode("digest", bytes)).transpose()?;
                if held_by.is_some_and(|(a, k)| a != *account || k != id) {
                    return Ok(Some(Conflict::Digest));
                }
                if let Some(old) = row.as_ref().filter(|row| row.record.digest != record.digest) {
                    self.remove_if_there(layout::digest(&old.record.digest))?;
                }
                self.writes.push(RowWrite::put(digest_key, &holder, &(account, id))?);
                let index_key = layout::account_of(&id);
                let index_row = read(self.rows, &index_key)?;
                self.writes.push(RowWrite::put(index_key, &index_row, account)?);
                let version = row.map_or(0, |row| row.version) + 1;
                let value = KeyRow { record: (**record).clone(), version };
                self.writes.push(RowWrite::put(row_key, &before, &value)?);
                self.keys.insert((account.clone(), id), Some(value.record));
            }
            KeyWrite::Delete { .. } => {
                if let Some(row) = row {
                    self.remove_key(&row.record, row_key)?;
                }
            }
        }
        Ok(None)
    }

    fn remove_key(&mut self, record: &KeyRecord, row_key: Vec<u8>) -> Result<(), StoreError> {
        self.remove_if_there(layout::digest(&record.digest))?;
        self.remove_if_there(layout::account_of(&record.id))?;
        self.remove_if_there(layout::touch(&record.account_id, &record.id))?;
        self.remove_if_there(row_key)?;
        self.keys.insert((record.account_id.clone(), record.id), None);
        Ok(())
    }

    fn remove_if_there(&mut self, row_key: Vec<u8>) -> Result<(), StoreError> {
        let before = read(self.rows, &row_key)?;
        if before.value.is_some() {
            self.writes.push(RowWrite::remove(row_key, &before, self.now));
        }
        Ok(())
    }

    /// Whether it could be planned.
    fn write_tenant(&mut self, write: &TenantWrite) -> Result<bool, StoreError> {
        let key = match write {
            TenantWrite::Create { record } | TenantWrite::Put { record, .. } => &record.key,
            TenantWrite::Delete { key, .. } => key,
        };
        let row_key = layout::tenant(key);
        let before = read(self.rows, &row_key)?;
        let row = before.value.as_ref().map(|bytes| decode::<TenantRecord>("tenant", bytes)).transpose()?;
        let version = row.as_ref().map(|row| row.version);
        let record = match write {
            TenantWrite::Create { .. } if version.is_some() => return Ok(true),
            TenantWrite::Create { record } => record,
            TenantWrite::Put { expected, .. } if !expected.is_met_by(version) => return Ok(false),
            TenantWrite::Put { record, .. } => record,
            TenantWrite::Delete { expected, .. } => {
                if version != Some(*expected) {
                    return Ok(false);
                }
                self.writes.push(RowWrite::remove(row_key, &before, self.now));
                self.tenants.insert(key.clone(), None);
                return Ok(true);
            }
        };
        let value = TenantRecord { version: version.unwrap_or(0) + 1, ..(**record).clone() };
        self.writes.push(RowWrite::put(row_key, &before, &value)?);
        self.tenants.insert(key.clone(), Some(value));
        Ok(true)
    }

    fn write_domains(&mut self, writes: &[DomainWrite]) -> Result<(), StoreError> {
        let mut by_account: BTreeMap<AccountId, Vec<&DomainWrite>> = BTreeMap::new();
        for write in writes {
            let (DomainWrite::Put(domain) | DomainWrite::Delete(domain)) = write;
            by_account.entry(domain.account_id().clone()).or_default().push(write);
        }
        for (account, writes) in by_account {
            let row_key = layout::domains(&account);
            let before = read(self.rows, &row_key)?;
            let mut domains: Vec<VerifiedDomain> =
                before.value.as_ref().map(|bytes| decode("domains", bytes)).transpose()?.unwrap_or_default();
            for write in writes {
                let (DomainWrite::Put(domain) | DomainWrite::Delete(domain)) = write;
                domains.retain(|held| !held.is_same_claim(domain));
                if matches!(write, DomainWrite::Put(_)) {
                    domains.push((**domain).clone());
                }
            }
            self.writes.push(RowWrite::put(row_key, &before, &domains)?);
        }
        Ok(())
    }

    pub(super) fn append(&mut self, draft: &AuditDraft) -> Result<(), StoreError> {
        let account = &draft.account_id;
        let head = match self.chains.get(account) {
            Some(head) => Some(*head),
            None => value(self.rows, "audit head", &layout::audit_head(account))?,
        };
        let entry = AuditEntry::append(head.as_ref(), draft);
        let entry_key = layout::audit(account, entry.number);
        let before = read(self.rows, &entry_key)?;
        self.writes.push(RowWrite::put(entry_key, &before, &entry)?);
        let head_key = layout::audit_head(account);
        let before = read(self.rows, &head_key)?;
        self.writes.retain(|write| !write.is_of(&head_key));
        self.writes.push(RowWrite::put(head_key, &before, &entry.head())?);
        self.chains.insert(account.clone(), entry.head());
        Ok(())
    }

    fn holds(&self, guard: &Guard) -> Result<bool, StoreError> {
        Ok(match guard {
            Guard::Orgs { account_id, environment, max } => {
                self.count_tenants(account_id, environment, TenantCount::Orgs)? <= *max
            }
            Guard::Users { account_id, environment, org_id, max } => {
                self.count_tenants(account_id, environment, TenantCount::Users(org_id.as_ref()))? <= *max
            }
            Guard::Keys { account_id, max } => self.present_keys(account_id)?.len() as u64 <= *max,
            Guard::UniqueName { account_id, id, name } => {
                !self.present_keys(account_id)?.iter().any(|record| record.id != *id && record.name == *name)
            }
            Guard::Active { key } => {
                let tenant = match self.tenants.get(key) {
                    Some(planned) => planned.clone(),
                    None => value(self.rows, "tenant", &layout::tenant(key))?,
                };
                tenant.is_none_or(|tenant| tenant.state == TenantState::Active)
            }
        })
    }

    pub(super) fn count_tenants(
        &self,
        account: &AccountId,
        environment: &str,
        what: TenantCount<'_>,
    ) -> Result<u64, StoreError> {
        let mut tenants = BTreeMap::new();
        for row_key in scan_all(self.rows, &layout::tenants_of(account))? {
            if let Some(tenant) = value::<TenantRecord>(self.rows, "tenant", &row_key)? {
                tenants.insert(tenant.key.clone(), Some(tenant));
            }
        }
        tenants.extend(self.tenants.iter().map(|(key, tenant)| (key.clone(), tenant.clone())));
        let counted = tenants
            .values()
            .flatten()
            .filter(|tenant| tenant.key.account_id == *account && tenant.state != TenantState::Deleted)
            .filter(|tenant| *tenant.key.environment == *environment && what.counts(&tenant.key));
        Ok(counted.count() as u64)
    }

    fn present_keys(&self, account: &AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        let mut keys = BTreeMap::new();
        for row_key in scan_all(self.rows, &layout::keys_of(account))? {
            if let Some(row) = value::<KeyRow>(self.rows, "key", &row_key)? {
                keys.insert((account.clone(), row.record.id), Some(row.record));
            }
        }
        keys.extend(self.keys.iter().map(|(at, record)| (at.clone(), record.clone())));
        let present = keys
            .into_values()
            .flatten()
            .filter(|record| record.account_id == *account && record.standing(self.now) != Standing::Revoked);
        Ok(present.collect())
    }
}
