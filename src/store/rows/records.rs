//! [`RecordStore`] on rows.

use super::RowStore;
use super::intent::{self, RowWrite, Standing, commit, finish_pending, read, scan_all, update};
use super::layout::{self, KeyRow, decode};
use super::plan::Plan;
use crate::audit::{AuditEntry, ChainHead};
use crate::clock::Timestamp;
use crate::domain::VerifiedDomain;
use crate::entropy::{Entropy, OsEntropy};
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::store::{
    Applied, AuditDraft, Change, Changes, CheckLine, CheckState, Freshness, Generation, KeyPage, KeyQuery,
    OperationRecord, RecordStore, StoreError, StoreErrorKind, StoredKey, TenantCount, TenantKey, TenantPage,
    TenantQuery, TenantRecord, Touch,
};
use crate::tenant::id::AccountId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// Keys, tenants and the audit trail in the rows of a custom store. Every check reads the store: a row store tells
/// nobody what changed.
pub struct RowRecords {
    rows: Arc<dyn RowStore>,
}

/// What is written beside a key's record, by itself.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TouchRow {
    last_used_at: Option<Timestamp>,
    exercised: Vec<Box<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyRow {
    revision: u32,
    digest: [u8; 32],
}

impl RowRecords {
    /// Records in `rows`, finishing what a crash may have left.
    ///
    /// # Errors
    /// Those of the rows.
    pub fn open(rows: Arc<dyn RowStore>) -> Result<Self, StoreError> {
        finish_pending(&*rows)?;
        Ok(Self { rows })
    }

    fn value<T: DeserializeOwned>(&self, what: &str, key: &[u8]) -> Result<Option<T>, StoreError> {
        value(&*self.rows, what, key)
    }

    fn stored(&self, row: KeyRow) -> Result<StoredKey, StoreError> {
        let touch: TouchRow =
            self.value("touch", &layout::touch(&row.record.account_id, &row.record.id))?.unwrap_or_default();
        Ok(StoredKey {
            record: row.record,
            version: row.version,
            last_used_at: touch.last_used_at,
            exercised: touch.exercised,
        })
    }

    fn commit(
        &self,
        plan: impl FnMut(u64) -> Result<Result<Vec<RowWrite>, Applied>, StoreError>,
    ) -> Result<Applied, StoreError> {
        let outcome = commit(&*self.rows, intent_id, plan)?;
        Ok(outcome.map_or_else(|answer| answer, |generation| Applied::Done(Generation(generation))))
    }
}

/// The decoded value of a row, unless it is absent or removed.
pub(super) fn value<T: DeserializeOwned>(
    rows: &dyn RowStore,
    what: &str,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    read(rows, key)?.value.map(|bytes| decode(what, &bytes)).transpose()
}

fn intent_id() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    OsEntropy
        .fill(&mut bytes)
        .map_err(|_| StoreError::new(StoreErrorKind::Unavailable, "the random source failed"))?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

impl RecordStore for RowRecords {
    fn key_by_digest(&self, digest: &KeyDigest) -> Result<Option<StoredKey>, StoreError> {
        match self.value::<(AccountId, KeyId)>("digest", &layout::digest(digest))? {
            Some((account, id)) => self.key_by_id(&account, &id),
            None => Ok(None),
        }
    }

    fn key_by_id(&self, account: &AccountId, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        let row = self.value::<KeyRow>("key", &layout::key(account, id))?;
        row.map(|row| self.stored(row)).transpose()
    }

    fn account_of(&self, id: &KeyId) -> Result<Option<AccountId>, StoreError> {
        self.value("key account", &layout::account_of(id))
    }

    fn keys(&self, query: &KeyQuery) -> Result<KeyPage, StoreError> {
        let mut page = KeyPage::default();
        let after = query.after.map(|id| layout::key(&query.account_id, &id));
        let prefix = layout::keys_of(&query.account_id);
        for row_key in scan_all(&*self.rows, &prefix)? {
            if after.as_ref().is_some_and(|after| row_key <= *after) {
                continue;
            }
            let Some(id) = layout::key_id_of(&row_key) else { continue };
            let Some(key) = self.key_by_id(&query.account_id, &id)? else { continue };
            if !query.filter.matches(&key, query.now) {
                continue;
            }
            if page.keys.len() == query.limit as usize {
                page.more = true;
                break;
            }
            page.keys.push(key);
        }
        Ok(page)
    }

    fn tenant(&self, key: &TenantKey) -> Result<Option<TenantRecord>, StoreError> {
        self.value("tenant", &layout::tenant(key))
    }

    fn tenants(&self, query: &TenantQuery) -> Result<TenantPage, StoreError> {
        let mut page = TenantPage::default();
        for row_key in scan_all(&*self.rows, &layout::tenants_of(&query.account_id))? {
            let Some(tenant) = self.value::<TenantRecord>("tenant", &row_key)? else { continue };
            if !query.matches(&tenant) {
                continue;
            }
            if page.tenants.len() == query.limit as usize {
                page.more = true;
                break;
            }
            page.tenants.push(tenant);
        }
        Ok(page)
    }

    fn tenant_count(
        &self,
        account: &AccountId,
        environment: &str,
        what: TenantCount<'_>,
    ) -> Result<u64, StoreError> {
        Plan::new(&*self.rows, Timestamp::EPOCH).count_tenants(account, environment, what)
    }

    fn domains(&self, account: &AccountId) -> Result<Vec<VerifiedDomain>, StoreError> {
        Ok(self.value("domains", &layout::domains(account))?.unwrap_or_default())
    }

    fn freshness(&self) -> Result<Freshness, StoreError> {
        Ok(Freshness::ReadStore)
    }

    fn changes_since(&self, _since: Generation) -> Result<Changes, StoreError> {
        intent::generation(&*self.rows).map(|generation| Changes::all(Generation(generation)))
    }

    fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        self.commit(|_| Plan::new(&*self.rows, change.at).change(change))
    }

    fn operation(
        &self,
        account: &AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<OperationRecord>, StoreError> {
        let record: Option<OperationRecord> = self.value("operation", &layout::operation(account, id))?;
        Ok(record.filter(|record| record.expires_at > now))
    }

    fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        for touch in touches {
            // A deleted key is not brought back by its last use: touches are rows of their own.
            if self.value::<KeyRow>("key", &layout::key(&touch.account_id, &touch.id))?.is_none() {
                continue;
            }
            let key = layout::touch(&touch.account_id, &touch.id);
            update(&*self.rows, &key, "touch", |row: Option<TouchRow>| {
                let mut row = row.unwrap_or_default();
                row.last_used_at = row.last_used_at.max(Some(touch.at));
                for permission in &touch.permissions {
                    if !row.exercised.contains(permission) {
                        row.exercised.push(permission.clone());
                    }
                }
                (Some(row), ())
            })?;
        }
        Ok(())
    }

    fn append_audit(&self, drafts: &[AuditDraft]) -> Result<(), StoreError> {
        let at = drafts.iter().map(|draft| draft.at).max().unwrap_or_default();
        self.commit(|_| {
            let mut plan = Plan::new(&*self.rows, at);
            drafts.iter().try_for_each(|draft| plan.append(draft))?;
            Ok(Ok(plan.finish()))
        })
        .map(drop)
    }

    fn audit(&self, account: &AccountId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let mut entries = Vec::new();
        for number in from.max(1)..from.max(1).saturating_add(u64::from(limit)) {
            match self.value("audit", &layout::audit(account, number))? {
                Some(entry) => entries.push(entry),
                None => break,
            }
        }
        Ok(entries)
    }

    fn audit_head(&self, account: &AccountId) -> Result<Option<ChainHead>, StoreError> {
        self.value("audit head", &layout::audit_head(account))
    }

    fn policy_revision(&self, digest: &[u8; 32]) -> Result<u32, StoreError> {
        update(&*self.rows, layout::POLICY, "policy", |row: Option<PolicyRow>| match row {
            Some(row) if row.digest == *digest => (None, row.revision),
            row => {
                let revision = row.map_or(0, |row| row.revision) + 1;
                (Some(PolicyRow { revision, digest: *digest }), revision)
            }
        })
    }

    fn clock_mark(&self, at_least: Option<Timestamp>) -> Result<Timestamp, StoreError> {
        update(&*self.rows, layout::CLOCK, "clock", |row: Option<Timestamp>| {
            let mark = row.unwrap_or_default();
            match at_least {
                Some(at) if at > mark => (Some(at), at),
                _ => (None, mark),
            }
        })
    }

    fn reset_clock_mark(&self, to: Timestamp) -> Result<(), StoreError> {
        update(&*self.rows, layout::CLOCK, "clock", |_: Option<Timestamp>| (Some(to), ()))
    }

    fn erase(&self, tenant: &TenantKey, audit: AuditDraft) -> Result<Generation, StoreError> {
        let applied = self.commit(|_| Plan::new(&*self.rows, audit.at).erase(tenant, &audit))?;
        match applied {
            Applied::Done(generation) => Ok(generation),
            _ => Err(StoreError::new(StoreErrorKind::Corrupt, "an erasure met a conflict")),
        }
    }

    fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        finish_pending(&*self.rows)?;
        // Bounded: the next call goes on where rows are left.
        for key in self.rows.scan(b"r/o/", None, 200)? {
            let Standing { version: Some(version), value: Some(bytes) } = read(&*self.rows, &key)? else {
                continue;
            };
            let record: OperationRecord = decode("operation", &bytes)?;
            if record.expires_at <= now {
                self.rows.delete_if_version(&key, version)?;
            }
        }
        Ok(())
    }

    fn check(&self) -> Vec<CheckLine> {
        vec![match intent::generation(&*self.rows) {
            Ok(generation) => {
                CheckLine::new(CheckState::Ok, "row store", format!("reachable, at generation {generation}"))
            }
            Err(error) => CheckLine::new(CheckState::Fail, "row store", format!("does not answer: {error}")),
        }]
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
