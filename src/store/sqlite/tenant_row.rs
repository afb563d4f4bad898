//! Tenants, domains, operation ids and audit entries as rows.

use super::columns::{Columns, blob, instant, json, text};
use super::failure::corrupt;
use crate::audit::{AuditDraft, AuditEntry, ChainHash, ChainHead};
use crate::store::{OperationRecord, StoreError, TenantKey, TenantRecord, TenantState};
use crate::tenant::id::{AccountId, OrgId, UserId};
use rusqlite::Row;
use rusqlite::types::Value;

pub(super) const TENANT_COLUMNS: &str = "account_id, environment, org_id, user_id, state, created_at, updated_at, plan, \
     proof_secret, labels, version";
pub(super) const AUDIT_COLUMNS: &str =
    "account_id, number, previous, at, actor, act, object, tenant, outcome, operation_id, details, hash";

/// The four columns that name a tenant.
pub(super) fn tenant_key_values(key: &TenantKey) -> [&str; 4] {
    [
        key.account_id.as_str(),
        &*key.environment,
        key.org_id.as_ref().map_or("", OrgId::as_str),
        key.user_id.as_ref().map_or("", UserId::as_str),
    ]
}

pub(super) fn read_tenant_key(c: &mut Columns<'_, '_>) -> Result<TenantKey, StoreError> {
    let some = |id: Box<str>| (!id.is_empty()).then_some(id);
    Ok(TenantKey {
        account_id: AccountId::from_stored(&c.text()?),
        environment: c.text()?,
        org_id: some(c.text()?).map(|id| OrgId::from_stored(&id)),
        user_id: some(c.text()?).map(|id| UserId::from_stored(&id)),
    })
}

/// Reads a row of [`TENANT_COLUMNS`].
pub(super) fn read_tenant(row: &Row<'_>) -> Result<TenantRecord, StoreError> {
    let mut c = Columns::of("tk_tenant", row);
    Ok(TenantRecord {
        key: read_tenant_key(&mut c)?,
        state: {
            let word = c.text()?;
            state_of(&word).ok_or_else(|| c.unknown(&word))?
        },
        created_at: c.instant()?,
        updated_at: c.instant()?,
        plan: c.json_or_null()?,
        proof_secret: c.take()?,
        labels: c.json()?,
        version: c.unsigned()?,
    })
}

/// The columns after the key's four, up to the version.
pub(super) fn tenant_values(record: &TenantRecord) -> Result<Vec<Value>, StoreError> {
    let TenantRecord { key, state, created_at, updated_at, plan, proof_secret, labels, version: _ } = record;
    let mut values: Vec<Value> = tenant_key_values(key).into_iter().map(text).collect();
    values.extend([
        text(state_word(*state)),
        instant(*created_at),
        instant(*updated_at),
        plan.as_ref().map_or(Ok(Value::Null), json)?,
        proof_secret.as_ref().map_or(Value::Null, |bytes| blob(bytes)),
        json(labels)?,
    ]);
    Ok(values)
}

const STATES: [(TenantState, &str); 3] = [
    (TenantState::Active, "active"),
    (TenantState::Suspended, "suspended"),
    (TenantState::Deleted, "deleted"),
];

fn state_of(word: &str) -> Option<TenantState> {
    STATES.iter().find(|(_, w)| *w == word).map(|(state, _)| *state)
}

fn state_word(state: TenantState) -> &'static str {
    STATES.iter().find(|(s, _)| *s == state).map_or("", |(_, word)| word)
}

/// Reads `account_id, id, fingerprint, answer, expires_at`.
pub(super) fn read_operation(row: &Row<'_>) -> Result<OperationRecord, StoreError> {
    let mut c = Columns::of("tk_operation", row);
    Ok(OperationRecord {
        account_id: AccountId::from_stored(&c.text()?),
        id: c.text()?,
        fingerprint: c.bytes()?,
        answer: c.take()?,
        expires_at: c.instant()?,
    })
}

/// Reads a row of [`AUDIT_COLUMNS`].
pub(super) fn read_audit(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    let mut c = Columns::of("tk_audit", row);
    let account_id = AccountId::from_stored(&c.text()?);
    let (number, previous) = (c.unsigned()?, ChainHash::from_bytes(c.bytes()?));
    let draft = AuditDraft {
        account_id,
        at: c.instant()?,
        actor: c.text()?,
        act: c.text()?,
        object: c.text()?,
        tenant: c.text()?,
        outcome: c.text()?,
        operation_id: c.text()?,
        details: c.text()?,
    };
    Ok(AuditEntry { number, previous, draft, hash: ChainHash::from_bytes(c.bytes()?) })
}

pub(super) fn audit_values(entry: &AuditEntry) -> Result<Vec<Value>, StoreError> {
    let AuditEntry { number, previous, draft, hash } = entry;
    let AuditDraft { account_id, at, actor, act, object, tenant, outcome, operation_id, details } = draft;
    let number = i64::try_from(*number).map_err(corrupt)?;
    Ok(vec![
        text(account_id.as_str()),
        Value::Integer(number),
        blob(previous.as_bytes()),
        instant(*at),
        text(actor),
        text(act),
        text(object),
        text(tenant),
        text(outcome),
        text(operation_id),
        text(details),
        blob(hash.as_bytes()),
    ])
}

/// Reads `number, hash`.
pub(super) fn read_head(row: &Row<'_>) -> Result<ChainHead, StoreError> {
    let mut c = Columns::of("tk_audit_head", row);
    Ok(ChainHead { number: c.unsigned()?, hash: ChainHash::from_bytes(c.bytes()?) })
}
