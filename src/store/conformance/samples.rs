//! Records to write.

use crate::audit::AuditDraft;
use crate::clock::Timestamp;
use crate::key::digest::{DigestScheme, KeyDigest};
use crate::key::format::KeyDisplay;
use crate::key::id::KeyId;
use crate::key::record::{KeyRecord, Lineage, Owner};
use crate::resource::ResourceBinding;
use crate::store::{
    Applied, Change, Expected, Generation, KeyWrite, RecordStore, TenantKey, TenantRecord, TenantState,
    TenantWrite,
};
use crate::tenant::{AccountId, Bindings, OrgBinding, OrgId, Preset, UserBinding, UserId};

pub(super) fn account(name: &str) -> AccountId {
    AccountId::from_stored(name)
}

pub(super) fn org(name: &str) -> OrgId {
    OrgId::from_stored(name)
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

pub(super) fn id(n: u8) -> KeyId {
    KeyId::from_bytes([n; 16])
}

pub(super) fn digest(n: u8) -> KeyDigest {
    KeyDigest::sha256(&[n])
}

/// A key of `account_name`, solo and without orgs.
pub(super) fn key(account_name: &str, n: u8) -> KeyRecord {
    let user = UserId::from_stored("u0");
    KeyRecord {
        id: id(n),
        account_id: account(account_name),
        kind: "api".into(),
        environment: "live".into(),
        name: format!("key {n}").into(),
        digest: digest(n),
        scheme: DigestScheme::Sha256,
        display: KeyDisplay::new("tk_live_", ""),
        sealed: None,
        owner: Owner::Account,
        bindings: Bindings::new(Preset::Solo, OrgBinding::None, UserBinding::Fixed(user)).unwrap(),
        role: None,
        permissions: Vec::new(),
        template: None,
        resources: ResourceBinding::None,
        origins: Vec::new(),
        ip_allow: None,
        plan: None,
        labels: std::collections::BTreeMap::new(),
        created_at: at(i64::from(n)),
        created_by: "suite".into(),
        updated_at: at(i64::from(n)),
        expires_at: None,
        disabled_at: None,
        revoked: None,
        lineage: Lineage { id: id(n), predecessor: None, successor: None },
        parent: None,
        secret_at: at(i64::from(n)),
    }
}

pub(super) fn tenant(key: TenantKey) -> TenantRecord {
    TenantRecord {
        key,
        state: TenantState::Active,
        created_at: at(0),
        updated_at: at(0),
        plan: None,
        proof_secret: None,
        labels: std::collections::BTreeMap::new(),
        version: 0,
    }
}

pub(super) fn org_key(account_name: &str, name: &str) -> TenantKey {
    TenantKey::org(account(account_name), "live", org(name))
}

pub(super) fn user_key(account_name: &str, org_name: &str, name: &str) -> TenantKey {
    TenantKey::user(account(account_name), "live", Some(org(org_name)), UserId::from_stored(name))
}

pub(super) fn draft(account_name: &str, act: &str) -> AuditDraft {
    AuditDraft {
        account_id: account(account_name),
        at: at(0),
        actor: "suite".into(),
        act: act.into(),
        object: "".into(),
        tenant: "".into(),
        outcome: "ok".into(),
        operation_id: "".into(),
        details: "{}".into(),
    }
}

pub(super) fn put(record: KeyRecord, expected: Expected) -> Change {
    Change {
        at: at(0),
        keys: vec![KeyWrite::Put { record: Box::new(record), expected }],
        ..Change::default()
    }
}

pub(super) fn put_tenant(record: TenantRecord, expected: Expected) -> Change {
    let write = TenantWrite::Put { record: Box::new(record), expected };
    Change { at: at(0), tenants: vec![write], ..Change::default() }
}

/// Applies a change that must stand.
#[track_caller]
pub(super) fn done(store: &dyn RecordStore, change: &Change) -> Generation {
    match store.apply(change).unwrap() {
        Applied::Done(generation) => generation,
        other => panic!("the change should stand, but: {other:?}"),
    }
}
