//! Row keys and values. Ids hold no NUL, so a NUL ends each part and byte order of the keys is the order of their parts.

use super::ROW_VALUE_LEN_MAX;
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::key::record::KeyRecord;
use crate::store::{StoreError, StoreErrorKind, TenantKey};
use crate::tenant::id::AccountId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Serializes all changes: its version is compared and set by each commit.
pub(super) const HEAD: &[u8] = b"r/head";
/// The one change on its way.
pub(super) const INTENT: &[u8] = b"r/intent";
/// The policy's revision.
pub(super) const POLICY: &[u8] = b"r/policy";
/// The latest instant noted.
pub(super) const CLOCK: &[u8] = b"r/clock";

fn joined(kind: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut key = kind.to_vec();
    for part in parts {
        key.extend_from_slice(part);
        key.push(0);
    }
    key
}

pub(super) fn keys_of(account: &AccountId) -> Vec<u8> {
    joined(b"r/k/", &[account.as_str().as_bytes()])
}

pub(super) fn key(account: &AccountId, id: &KeyId) -> Vec<u8> {
    let mut key = keys_of(account);
    key.extend_from_slice(id.as_bytes());
    key
}

pub(super) fn key_id_of(row_key: &[u8]) -> Option<KeyId> {
    row_key.last_chunk::<16>().map(|bytes| KeyId::from_bytes(*bytes))
}

pub(super) fn touch(account: &AccountId, id: &KeyId) -> Vec<u8> {
    let mut key = joined(b"r/u/", &[account.as_str().as_bytes()]);
    key.extend_from_slice(id.as_bytes());
    key
}

pub(super) fn digest(digest: &KeyDigest) -> Vec<u8> {
    [b"r/d/", digest.as_bytes().as_slice()].concat()
}

pub(super) fn account_of(id: &KeyId) -> Vec<u8> {
    [b"r/x/", id.as_bytes().as_slice()].concat()
}

pub(super) fn tenants_of(account: &AccountId) -> Vec<u8> {
    joined(b"r/t/", &[account.as_str().as_bytes()])
}

/// An absent part is shorter than any id, so it sorts first, as `None` does.
pub(super) fn tenant(tenant: &TenantKey) -> Vec<u8> {
    let mut key = tenants_of(&tenant.account_id);
    key.extend_from_slice(tenant.environment.as_bytes());
    key.push(0);
    for part in [tenant.org_id.as_ref().map(|id| id.as_str()), tenant.user_id.as_ref().map(|id| id.as_str())]
    {
        if let Some(part) = part {
            key.push(1);
            key.extend_from_slice(part.as_bytes());
        }
        key.push(0);
    }
    key
}

pub(super) fn domains(account: &AccountId) -> Vec<u8> {
    joined(b"r/m/", &[account.as_str().as_bytes()])
}

pub(super) fn operations_of(account: &AccountId) -> Vec<u8> {
    joined(b"r/o/", &[account.as_str().as_bytes()])
}

pub(super) fn operation(account: &AccountId, id: &str) -> Vec<u8> {
    let mut key = operations_of(account);
    key.extend_from_slice(id.as_bytes());
    key
}

pub(super) fn audit_of(account: &AccountId) -> Vec<u8> {
    joined(b"r/a/", &[account.as_str().as_bytes()])
}

pub(super) fn audit(account: &AccountId, number: u64) -> Vec<u8> {
    let mut key = audit_of(account);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn audit_head(account: &AccountId) -> Vec<u8> {
    joined(b"r/h/", &[account.as_str().as_bytes()])
}

/// A key's row.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRow {
    pub(super) record: KeyRecord,
    pub(super) version: u64,
}

/// Every value begins with the version of its form.
const FORM: u8 = 1;

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![FORM];
    serde_json::to_writer(&mut bytes, value)
        .map_err(|e| StoreError::new(StoreErrorKind::TooLarge, format!("a row could not be written: {e}")))?;
    if bytes.len() > ROW_VALUE_LEN_MAX {
        let text = format!("a row of {} bytes is over the {ROW_VALUE_LEN_MAX} a row may have", bytes.len());
        return Err(StoreError::new(StoreErrorKind::TooLarge, text));
    }
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORM, json)) => serde_json::from_slice(json).map_err(|e| {
            StoreError::new(StoreErrorKind::Corrupt, format!("a {what} row cannot be read: {e}"))
        }),
        Some((form, _)) if *form > FORM => Err(StoreError::new(
            StoreErrorKind::Schema,
            format!("a {what} row has form {form}, newer than {FORM}"),
        )),
        _ => Err(StoreError::new(StoreErrorKind::Corrupt, format!("a {what} row has no known form"))),
    }
}
