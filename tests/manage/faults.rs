//! A store that fails at any call: the act fails, and its retry under the same operation id completes it once.

use crate::support::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenantkit::audit::{AuditEntry, ChainHead};
use tenantkit::domain::VerifiedDomain;
use tenantkit::key::digest::KeyDigest;
use tenantkit::key::id::KeyId;
use tenantkit::store::memory::{MemoryRecords, MemoryUsage};
use tenantkit::store::{
    Applied, AuditDraft, Change, Changes, CheckLine, Freshness, Generation, KeyFilter, KeyPage, KeyQuery,
    OperationRecord, RecordStore, StandingFilter, StoreError, StoreErrorKind, StoredKey, TenantCount,
    TenantKey, TenantPage, TenantQuery, TenantRecord, Touch,
};
use tenantkit::tenant::AccountId;
use tenantkit::{Caller, Error, ErrorKind, KeyEdit, Rotation, TenantName, Timestamp};

/// Fails one call: the one that brings the counter to 0. A write may have happened by then, or not.
struct Faulty {
    inner: MemoryRecords,
    left: AtomicUsize,
    after_effect: bool,
}

const NEVER: usize = usize::MAX;

impl Faulty {
    fn fails(&self) -> bool {
        let left = self.left.load(Ordering::SeqCst);
        if left != NEVER {
            self.left.store(left.wrapping_sub(1), Ordering::SeqCst);
        }
        left == 0
    }

    fn call<T>(&self, call: impl FnOnce(&MemoryRecords) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.fails() {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "injected"));
        }
        call(&self.inner)
    }

    fn write<T>(&self, call: impl FnOnce(&MemoryRecords) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if !self.fails() {
            return call(&self.inner);
        }
        if self.after_effect {
            call(&self.inner)?;
        }
        Err(StoreError::new(StoreErrorKind::OutcomeUnknown, "injected"))
    }
}

impl RecordStore for Faulty {
    fn key_by_digest(&self, digest: &KeyDigest) -> Result<Option<StoredKey>, StoreError> {
        self.call(|s| s.key_by_digest(digest))
    }
    fn key_by_id(&self, account: &AccountId, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.call(|s| s.key_by_id(account, id))
    }
    fn account_of(&self, id: &KeyId) -> Result<Option<AccountId>, StoreError> {
        self.call(|s| s.account_of(id))
    }
    fn keys(&self, query: &KeyQuery) -> Result<KeyPage, StoreError> {
        self.call(|s| s.keys(query))
    }
    fn tenant(&self, key: &TenantKey) -> Result<Option<TenantRecord>, StoreError> {
        self.call(|s| s.tenant(key))
    }
    fn tenants(&self, query: &TenantQuery) -> Result<TenantPage, StoreError> {
        self.call(|s| s.tenants(query))
    }
    fn tenant_count(&self, a: &AccountId, e: &str, what: TenantCount<'_>) -> Result<u64, StoreError> {
        self.call(|s| s.tenant_count(a, e, what))
    }
    fn domains(&self, account: &AccountId) -> Result<Vec<VerifiedDomain>, StoreError> {
        self.call(|s| s.domains(account))
    }
    fn freshness(&self) -> Result<Freshness, StoreError> {
        self.inner.freshness()
    }
    fn changes_since(&self, since: Generation) -> Result<Changes, StoreError> {
        self.inner.changes_since(since)
    }
    fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        self.write(|s| s.apply(change))
    }
    fn operation(
        &self,
        account: &AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<OperationRecord>, StoreError> {
        self.call(|s| s.operation(account, id, now))
    }
    fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        self.inner.touch(touches)
    }
    fn append_audit(&self, drafts: &[AuditDraft]) -> Result<(), StoreError> {
        self.inner.append_audit(drafts)
    }
    fn audit(&self, account: &AccountId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.call(|s| s.audit(account, from, limit))
    }
    fn audit_head(&self, account: &AccountId) -> Result<Option<ChainHead>, StoreError> {
        self.call(|s| s.audit_head(account))
    }
    fn policy_revision(&self, digest: &[u8; 32]) -> Result<u32, StoreError> {
        self.inner.policy_revision(digest)
    }
    fn clock_mark(&self, at_least: Option<Timestamp>) -> Result<Timestamp, StoreError> {
        self.inner.clock_mark(at_least)
    }
    fn reset_clock_mark(&self, to: Timestamp) -> Result<(), StoreError> {
        self.inner.reset_clock_mark(to)
    }
    fn erase(&self, tenant: &TenantKey, audit: AuditDraft) -> Result<Generation, StoreError> {
        self.inner.erase(tenant, audit)
    }
    fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        self.inner.maintain(now)
    }
    fn check(&self) -> Vec<CheckLine> {
        self.inner.check()
    }
    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

type Deed = fn(&World, &Caller, &KeyId) -> Result<(), Error>;

/// What is done, and how many keys there are afterwards that work or will work again.
const DEEDS: [(&str, Deed, usize); 9] = [
    ("issue", |w, c, _| w.authority.issue(c, &service("new").role("admin")).map(drop), 2),
    ("like", |w, c, id| w.authority.issue(c, &tenantkit::NewKey::like(ACCOUNT, *id)).map(drop), 2),
    (
        "update",
        |w, c, id| w.authority.update(c, ACCOUNT, id, &KeyEdit::default().org_id("org_9")).map(drop),
        1,
    ),
    ("rotate", |w, c, id| w.authority.rotate(c, ACCOUNT, id, &Rotation::default().grace_s(60)).map(drop), 2),
    ("regenerate", |w, c, id| w.authority.regenerate(c, ACCOUNT, id).map(drop), 1),
    ("disable", |w, c, id| w.authority.disable(c, ACCOUNT, id).map(drop), 1),
    ("revoke", |w, c, id| w.authority.revoke(c, ACCOUNT, id).map(drop), 0),
    ("suspend", |w, c, _| w.authority.suspend_tenant(c, &TenantName::org(ACCOUNT, "org_1")).map(drop), 1),
    (
        "claim",
        |w, c, _| {
            w.authority.claim_domain(c, ACCOUNT, &tenantkit::DomainRequest::new("example.com")).map(drop)
        },
        1,
    ),
];

fn world(after_effect: bool) -> (World, Arc<Faulty>) {
    let inner = MemoryRecords::new();
    let faulty = Arc::new(Faulty { inner, left: AtomicUsize::new(NEVER), after_effect });
    let usage = Arc::new(MemoryUsage::new());
    let world = with(policy("mcpstack"), |builder| builder.stores(faulty.clone(), usage));
    (world, faulty)
}

#[test]
fn inv_16_inv_07_an_act_that_a_store_error_cut_is_completed_once_by_its_retry() {
    for after_effect in [false, true] {
        for (name, deed, present) in DEEDS {
            let mut cuts = 0;
            loop {
                let (world, faulty) = world(after_effect);
                let (_, key) = world.issue(service("old").role("developer"));
                let caller = admin().operation_id("the deed");
                faulty.left.store(cuts, Ordering::SeqCst);
                let first = deed(&world, &caller, &key.id);
                faulty.left.store(NEVER, Ordering::SeqCst);
                if let Err(error) = &first {
                    let kinds = [ErrorKind::StoreUnavailable, ErrorKind::OutcomeUnknown];
                    assert!(kinds.contains(&error.kind()), "{name} cut at {cuts}: {error:?}");
                    deed(&world, &caller, &key.id).unwrap_or_else(|e| panic!("{name} cut at {cuts}: {e:?}"));
                }
                let lines = world.audit_lines();
                assert_eq!(lines.len(), 2, "{name} cut at {cuts}: {lines:?}");
                let filter = KeyFilter { standing: StandingFilter::Present, ..KeyFilter::default() };
                let page = world.authority.keys(&admin(), ACCOUNT, &filter, None, 200).unwrap();
                assert_eq!(page.items.len(), present, "{name} cut at {cuts}");
                if first.is_ok() {
                    break;
                }
                cuts += 1;
            }
            assert!(cuts >= 2, "{name} was never cut");
        }
    }
}

#[test]
fn inv_07_a_failed_look_up_is_no_missing_key() {
    let (world, faulty) = world(false);
    let (_, key) = world.issue(service("a"));
    faulty.left.store(0, Ordering::SeqCst);
    let error = world.authority.key(&admin(), ACCOUNT, &key.id).unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::StoreUnavailable, 503));
    let caller_is_gone = Caller::person(tenantkit::Person::new(ACCOUNT, "ann").member_of("org_1", "admin"));
    faulty.left.store(0, Ordering::SeqCst);
    assert!(world.authority.keys(&caller_is_gone, ACCOUNT, &KeyFilter::default(), None, 1).is_err());
}
