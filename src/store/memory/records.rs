//! Records in memory: maps behind one lock, gone when the process ends. Short enough to be read as the definition of
//! [`RecordStore`]; every other store is compared with it.

use crate::audit::{AuditEntry, ChainHead};
use crate::clock::Timestamp;
use crate::domain::VerifiedDomain;
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::key::record::Standing;
use crate::store::{
    Applied, AuditDraft, Change, Changed, Changes, CheckLine, CheckState, Conflict, DomainWrite, Expected,
    Freshness, Generation, Guard, KeyPage, KeyQuery, KeyWrite, OperationRecord, RecordStore, StoreError,
    StoredKey, TenantCount, TenantKey, TenantPage, TenantQuery, TenantRecord, TenantState, TenantWrite,
    Touch,
};
use crate::tenant::id::AccountId;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many changes are remembered one by one; a cache that is further behind is emptied.
const REMEMBERED_CHANGES: usize = 4_096;

/// The memory record store.
#[derive(Default)]
pub struct MemoryRecords {
    state: Mutex<State>,
    /// A copy of `state.generation` that the hot path reads without the lock.
    generation: AtomicU64,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<(AccountId, KeyId), StoredKey>,
    digests: HashMap<KeyDigest, (AccountId, KeyId)>,
    tenants: BTreeMap<TenantKey, TenantRecord>,
    domains: BTreeMap<AccountId, Vec<VerifiedDomain>>,
    operations: HashMap<(AccountId, Box<str>), OperationRecord>,
    audit: HashMap<AccountId, Vec<AuditEntry>>,
    generation: u64,
    changes: Vec<(u64, Changed)>,
    forgotten_upto: u64,
    policy: (u32, [u8; 32]),
    clock_mark: Timestamp,
}

/// What stood before a change whose guards may yet fail.
struct Undo {
    keys: Vec<((AccountId, KeyId), Option<StoredKey>)>,
    tenants: Vec<(TenantKey, Option<TenantRecord>)>,
    changes: usize,
}

impl MemoryRecords {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl RecordStore for MemoryRecords {
    fn key_by_digest(&self, digest: &KeyDigest) -> Result<Option<StoredKey>, StoreError> {
        let state = self.state.lock();
        Ok(state.digests.get(digest).and_then(|at| state.keys.get(at)).cloned())
    }

    fn key_by_id(&self, account: &AccountId, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.state.lock().keys.get(&(account.clone(), *id)).cloned())
    }

    fn account_of(&self, id: &KeyId) -> Result<Option<AccountId>, StoreError> {
        Ok(self.state.lock().keys.keys().find(|(_, key)| key == id).map(|(account, _)| account.clone()))
    }

    fn keys(&self, query: &KeyQuery) -> Result<KeyPage, StoreError> {
        let state = self.state.lock();
        let start = match query.after {
            Some(id) => Bound::Excluded((query.account_id.clone(), id)),
            None => Bound::Included((query.account_id.clone(), KeyId::from_bytes([0; 16]))),
        };
        let mut found = state
            .keys
            .range((start, Bound::Unbounded))
            .take_while(|((account, _), _)| *account == query.account_id)
            .filter(|(_, key)| query.filter.matches(key, query.now))
            .map(|(_, key)| key.clone());
        let keys: Vec<_> = found.by_ref().take(query.limit as usize).collect();
        Ok(KeyPage { keys, more: found.next().is_some() })
    }

    fn tenant(&self, key: &TenantKey) -> Result<Option<TenantRecord>, StoreError> {
        Ok(self.state.lock().tenants.get(key).cloned())
    }

    fn tenants(&self, query: &TenantQuery) -> Result<TenantPage, StoreError> {
        let state = self.state.lock();
        let mut found = state.tenants.values().filter(|tenant| query.matches(tenant)).cloned();
        let tenants: Vec<_> = found.by_ref().take(query.limit as usize).collect();
        Ok(TenantPage { tenants, more: found.next().is_some() })
    }

    fn tenant_count(
        &self,
        account: &AccountId,
        environment: &str,
        what: TenantCount<'_>,
    ) -> Result<u64, StoreError> {
        Ok(self.state.lock().count_tenants(account, environment, what))
    }

    fn domains(&self, account: &AccountId) -> Result<Vec<VerifiedDomain>, StoreError> {
        Ok(self.state.lock().domains.get(account).cloned().unwrap_or_default())
    }

    fn freshness(&self) -> Result<Freshness, StoreError> {
        Ok(Freshness::At(Generation(self.generation.load(Ordering::Acquire))))
    }

    fn changes_since(&self, since: Generation) -> Result<Changes, StoreError> {
        let state = self.state.lock();
        let upto = Generation(state.generation);
        if since.0 < state.forgotten_upto {
            return Ok(Changes::all(upto));
        }
        let after = state.changes.iter().filter(|(generation, _)| *generation > since.0);
        Ok(Changes { upto, changed: Some(after.map(|(_, changed)| changed.clone()).collect()) })
    }

    fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        let mut state = self.state.lock();
        if let Some(operation) = &change.operation
            && let Some(record) = state.operations.get(&(operation.account_id.clone(), operation.id.clone()))
            && record.expires_at > change.at
        {
            return Ok(Applied::Replayed(record.clone()));
        }
        if let Err(conflict) = state.write(change) {
            return Ok(Applied::Conflict(conflict));
        }
        self.generation.store(state.generation, Ordering::Release);
        Ok(Applied::Done(Generation(state.generation)))
    }

    fn operation(
        &self,
        account: &AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<OperationRecord>, StoreError> {
        let state = self.state.lock();
        let record = state.operations.get(&(account.clone(), id.into()));
        Ok(record.filter(|record| record.expires_at > now).cloned())
    }

    fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        for touch in touches {
            if let Some(key) = state.keys.get_mut(&(touch.account_id.clone(), touch.id)) {
                key.last_used_at = key.last_used_at.max(Some(touch.at));
                for permission in &touch.permissions {
                    if !key.exercised.contains(permission) {
                        key.exercised.push(permission.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn append_audit(&self, drafts: &[AuditDraft]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        drafts.iter().for_each(|draft| state.append(draft));
        Ok(())
    }

    fn audit(&self, account: &AccountId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let state = self.state.lock();
        let chain = state.audit.get(account).map_or(&[][..], Vec::as_slice);
        Ok(chain.iter().filter(|entry| entry.number >= from).take(limit as usize).cloned().collect())
    }

    fn audit_head(&self, account: &AccountId) -> Result<Option<ChainHead>, StoreError> {
        Ok(self.state.lock().audit.get(account).and_then(|chain| chain.last()).map(AuditEntry::head))
    }

    fn policy_revision(&self, digest: &[u8; 32]) -> Result<u32, StoreError> {
        let mut state = self.state.lock();
        if state.policy.0 == 0 || state.policy.1 != *digest {
            state.policy = (state.policy.0 + 1, *digest);
        }
        Ok(state.policy.0)
    }

    fn clock_mark(&self, at_least: Option<Timestamp>) -> Result<Timestamp, StoreError> {
        let mut state = self.state.lock();
        state.clock_mark = state.clock_mark.max(at_least.unwrap_or(state.clock_mark));
        Ok(state.clock_mark)
    }

    fn reset_clock_mark(&self, to: Timestamp) -> Result<(), StoreError> {
        self.state.lock().clock_mark = to;
        Ok(())
    }

    fn erase(&self, tenant: &TenantKey, audit: AuditDraft) -> Result<Generation, StoreError> {
        let mut state = self.state.lock();
        state.erase(tenant);
        state.append(&audit);
        self.generation.store(state.generation, Ordering::Release);
        Ok(Generation(state.generation))
    }

    fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        self.state.lock().operations.retain(|_, record| record.expires_at > now);
        Ok(())
    }

    fn check(&self) -> Vec<CheckLine> {
        let what = "memory store";
        vec![CheckLine::new(
            CheckState::Ok,
            what,
            "records end with the process; use `sqlite:PATH` to keep them",
        )]
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl State {
    /// All of `change`, or nothing: versions are looked at before anything is written, and what a failing guard finds
    /// written is put back.
    fn write(&mut self, change: &Change) -> Result<(), Conflict> {
        self.expect(change)?;
        let undo = self.undo_of(change);
        self.generation += 1;
        change.keys.iter().for_each(|write| self.write_key(write));
        change.tenants.iter().for_each(|write| self.write_tenant(write));
        if let Some(failing) = change.guards.iter().position(|guard| !self.holds(guard, change.at)) {
            self.restore(undo);
            return Err(Conflict::Guard(failing));
        }
        change.domains.iter().for_each(|write| self.write_domain(write));
        change.audit.iter().for_each(|draft| self.append(draft));
        if let Some(operation) = &change.operation {
            self.operations.insert((operation.account_id.clone(), operation.id.clone()), operation.clone());
        }
        Ok(())
    }

    fn expect(&self, change: &Change) -> Result<(), Conflict> {
        for (i, write) in change.keys.iter().enumerate() {
            let (at, expected) = match write {
                KeyWrite::Put { record, expected } => ((record.account_id.clone(), record.id), *expected),
                KeyWrite::Delete { account_id, id, expected } => {
                    ((account_id.clone(), *id), Expected::Version(*expected))
                }
            };
            if !expected.is_met_by(self.keys.get(&at).map(|key| key.version)) {
                return Err(Conflict::Key(i));
            }
            if let KeyWrite::Put { record, .. } = write
                && self.digests.get(&record.digest).is_some_and(|holder| *holder != at)
            {
                return Err(Conflict::Digest);
            }
        }
        for (i, write) in change.tenants.iter().enumerate() {
            let (key, expected) = match write {
                TenantWrite::Create { .. } => continue,
                TenantWrite::Put { record, expected } => (&record.key, *expected),
                TenantWrite::Delete { key, expected } => (key, Expected::Version(*expected)),
            };
            if !expected.is_met_by(self.tenants.get(key).map(|tenant| tenant.version)) {
                return Err(Conflict::Tenant(i));
            }
        }
        Ok(())
    }

    fn undo_of(&self, change: &Change) -> Undo {
        let keys = change.keys.iter().map(|write| match write {
            KeyWrite::Put { record, .. } => (record.account_id.clone(), record.id),
            KeyWrite::Delete { account_id, id, .. } => (account_id.clone(), *id),
        });
        let tenants = change.tenants.iter().map(|write| match write {
            TenantWrite::Create { record } | TenantWrite::Put { record, .. } => record.key.clone(),
            TenantWrite::Delete { key, .. } => key.clone(),
        });
        Undo {
            keys: keys.map(|at| (at.clone(), self.keys.get(&at).cloned())).collect(),
            tenants: tenants.map(|key| (key.clone(), self.tenants.get(&key).cloned())).collect(),
            changes: self.changes.len(),
        }
    }

    fn restore(&mut self, undo: Undo) {
        for (at, before) in undo.keys {
            if let Some(written) = self.keys.remove(&at) {
                self.digests.remove(&written.record.digest);
            }
            if let Some(before) = before {
                self.digests.insert(before.record.digest, at.clone());
                self.keys.insert(at, before);
            }
        }
        for (key, before) in undo.tenants {
            match before {
                Some(before) => self.tenants.insert(key, before),
                None => self.tenants.remove(&key),
            };
        }
        self.changes.truncate(undo.changes);
        self.generation -= 1;
    }

    fn write_key(&mut self, write: &KeyWrite) {
        match write {
            KeyWrite::Put { record, .. } => {
                let at = (record.account_id.clone(), record.id);
                let before = self.keys.get(&at).cloned();
                let mut digests = vec![record.digest];
                if let Some(before) = before.as_ref().filter(|before| before.record.digest != record.digest) {
                    self.digests.remove(&before.record.digest);
                    digests.push(before.record.digest);
                }
                self.digests.insert(record.digest, at.clone());
                let key = StoredKey {
                    record: (**record).clone(),
                    version: before.as_ref().map_or(0, |key| key.version) + 1,
                    last_used_at: before.as_ref().and_then(|key| key.last_used_at),
                    exercised: before.map_or_else(Vec::new, |key| key.exercised),
                };
                self.keys.insert(at, key);
                self.note(Changed::Key { id: record.id, digests });
            }
            KeyWrite::Delete { account_id, id, .. } => self.remove_key(&(account_id.clone(), *id)),
        }
    }

    fn remove_key(&mut self, at: &(AccountId, KeyId)) {
        if let Some(key) = self.keys.remove(at) {
            self.digests.remove(&key.record.digest);
            self.note(Changed::Key { id: at.1, digests: vec![key.record.digest] });
        }
    }

    fn write_tenant(&mut self, write: &TenantWrite) {
        match write {
            TenantWrite::Create { record } if self.tenants.contains_key(&record.key) => {}
            TenantWrite::Create { record } | TenantWrite::Put { record, .. } => self.put_tenant(record),
            TenantWrite::Delete { key, .. } => {
                self.tenants.remove(key);
                self.note(Changed::Tenant(key.clone()));
            }
        }
    }

    fn put_tenant(&mut self, record: &TenantRecord) {
        let version = self.tenants.get(&record.key).map_or(0, |tenant| tenant.version) + 1;
        self.tenants.insert(record.key.clone(), TenantRecord { version, ..record.clone() });
        self.note(Changed::Tenant(record.key.clone()));
    }

    fn write_domain(&mut self, write: &DomainWrite) {
        let (DomainWrite::Put(domain) | DomainWrite::Delete(domain)) = write;
        let account = domain.account_id().clone();
        let domains = self.domains.entry(account.clone()).or_default();
        domains.retain(|held| !held.is_same_claim(domain));
        if matches!(write, DomainWrite::Put(_)) {
            domains.push((**domain).clone());
        }
        self.note(Changed::Domain(account));
    }

    fn holds(&self, guard: &Guard, now: Timestamp) -> bool {
        let present = |key: &&StoredKey| key.record.standing(now) != Standing::Revoked;
        match guard {
            Guard::Orgs { account_id, environment, max } => {
                self.count_tenants(account_id, environment, TenantCount::Orgs) <= *max
            }
            Guard::Users { account_id, environment, org_id, max } => {
                self.count_tenants(account_id, environment, TenantCount::Users(org_id.as_ref())) <= *max
            }
            Guard::Keys { account_id, max } => {
                let of_account = self.keys.values().filter(|key| key.record.account_id == *account_id);
                u64::try_from(of_account.filter(present).count()).is_ok_and(|count| count <= *max)
            }
            Guard::UniqueName { account_id, id, name } => !self
                .keys
                .values()
                .filter(|key| key.record.account_id == *account_id && key.record.id != *id)
                .filter(present)
                .any(|key| key.record.name == *name),
            Guard::Active { key } => self.tenants.get(key).is_none_or(|t| t.state == TenantState::Active),
        }
    }

    /// The account's tenants of one environment stand together in the map.
    fn count_tenants(&self, account: &AccountId, environment: &str, what: TenantCount<'_>) -> u64 {
        let first = TenantKey {
            account_id: account.clone(),
            environment: environment.into(),
            org_id: None,
            user_id: None,
        };
        let counted = self
            .tenants
            .range(first..)
            .take_while(|(key, _)| key.account_id == *account && *key.environment == *environment)
            .filter(|(key, tenant)| tenant.state != TenantState::Deleted && what.counts(key));
        counted.count() as u64
    }

    fn erase(&mut self, tenant: &TenantKey) {
        self.generation += 1;
        let below: Vec<TenantKey> = self.tenants.keys().filter(|key| tenant.covers(key)).cloned().collect();
        for key in below {
            self.tenants.remove(&key);
            self.note(Changed::Tenant(key));
        }
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, key)| tenant.covers_key(&key.record))
            .map(|(at, _)| at.clone())
            .collect();
        keys.iter().for_each(|at| self.remove_key(at));
        if tenant.org_id.is_none() && tenant.user_id.is_none() {
            self.domains.remove(&tenant.account_id);
            self.operations.retain(|(account, _), _| *account != tenant.account_id);
            self.note(Changed::Domain(tenant.account_id.clone()));
        }
    }

    fn append(&mut self, draft: &AuditDraft) {
        let chain = self.audit.entry(draft.account_id.clone()).or_default();
        let head = chain.last().map(AuditEntry::head);
        chain.push(AuditEntry::append(head.as_ref(), draft));
    }

    fn note(&mut self, changed: Changed) {
        self.changes.push((self.generation, changed));
        if self.changes.len() > REMEMBERED_CHANGES {
            let dropped = self.changes.len() - REMEMBERED_CHANGES / 2;
            let upto = self.changes.get(dropped - 1).map_or(self.generation, |(generation, _)| *generation);
            self.changes.retain(|(generation, _)| *generation > upto);
            self.forgotten_upto = upto;
        }
    }
}
