//! Records that are read and never written: with `--dry-run` the engine does all its work on them, so what it says of a
//! change is what it would say, and then the change is dropped.

use std::sync::Arc;
use tenantkit::Timestamp;
use tenantkit::audit::{AuditDraft, AuditEntry, ChainHead};
use tenantkit::domain::VerifiedDomain;
use tenantkit::key::digest::KeyDigest;
use tenantkit::key::id::KeyId;
use tenantkit::store::{
    Applied, Change, Changes, CheckLine, Freshness, Generation, KeyPage, KeyQuery, OperationRecord,
    RecordStore, StoreError, StoredKey, TenantCount, TenantKey, TenantPage, TenantQuery, TenantRecord, Touch,
};
use tenantkit::tenant::id::AccountId;

/// A store whose writes end here.
pub(crate) struct DryRecords {
    inner: Arc<dyn RecordStore>,
}

impl DryRecords {
    pub(crate) fn new(inner: Arc<dyn RecordStore>) -> Self {
        Self { inner }
    }
}

impl RecordStore for DryRecords {
    fn key_by_digest(&self, digest: &KeyDigest) -> Result<Option<StoredKey>, StoreError> {
        self.inner.key_by_digest(digest)
    }

    fn key_by_id(&self, account: &AccountId, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.inner.key_by_id(account, id)
    }

    fn account_of(&self, id: &KeyId) -> Result<Option<AccountId>, StoreError> {
        self.inner.account_of(id)
    }

    fn keys(&self, query: &KeyQuery) -> Result<KeyPage, StoreError> {
        self.inner.keys(query)
    }

    fn tenant(&self, key: &TenantKey) -> Result<Option<TenantRecord>, StoreError> {
        self.inner.tenant(key)
    }

    fn tenants(&self, query: &TenantQuery) -> Result<TenantPage, StoreError> {
        self.inner.tenants(query)
    }

    fn tenant_count(
        &self,
        account: &AccountId,
        environment: &str,
        what: TenantCount<'_>,
    ) -> Result<u64, StoreError> {
        self.inner.tenant_count(account, environment, what)
    }

    fn domains(&self, account: &AccountId) -> Result<Vec<VerifiedDomain>, StoreError> {
        self.inner.domains(account)
    }

    fn freshness(&self) -> Result<Freshness, StoreError> {
        self.inner.freshness()
    }

    fn changes_since(&self, since: Generation) -> Result<Changes, StoreError> {
        self.inner.changes_since(since)
    }

    fn apply(&self, _: &Change) -> Result<Applied, StoreError> {
        Ok(Applied::Done(Generation::default()))
    }

    fn operation(
        &self,
        account: &AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<OperationRecord>, StoreError> {
        self.inner.operation(account, id, now)
    }

    fn touch(&self, _: &[Touch]) -> Result<(), StoreError> {
        Ok(())
    }

    fn append_audit(&self, _: &[AuditDraft]) -> Result<(), StoreError> {
        Ok(())
    }

    fn audit(&self, account: &AccountId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.inner.audit(account, from, limit)
    }

    fn audit_head(&self, account: &AccountId) -> Result<Option<ChainHead>, StoreError> {
        self.inner.audit_head(account)
    }

    fn policy_revision(&self, _: &[u8; 32]) -> Result<u32, StoreError> {
        Ok(1)
    }

    fn clock_mark(&self, _: Option<Timestamp>) -> Result<Timestamp, StoreError> {
        self.inner.clock_mark(None)
    }

    fn reset_clock_mark(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    fn erase(&self, _: &TenantKey, _: AuditDraft) -> Result<Generation, StoreError> {
        Ok(Generation::default())
    }

    fn maintain(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&self) -> Vec<CheckLine> {
        self.inner.check()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
}
