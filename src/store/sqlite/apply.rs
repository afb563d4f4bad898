//! A change of records inside the write transaction: versions are looked at before anything is written, guards after.

use super::sql::{first, write};
use super::tenant_row::{
    AUDIT_COLUMNS, audit_values, read_head, read_operation, tenant_key_values, tenant_values,
};
use super::transaction::Transaction;
use super::{columns, guard, key_row};
use crate::audit::{AuditDraft, AuditEntry};
use crate::domain::VerifiedDomain;
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::key::record::KeyRecord;
use crate::store::{
    Applied, Change, Conflict, DomainWrite, Expected, Generation, KeyWrite, OperationRecord, StoreError,
    TenantKey, TenantRecord, TenantWrite,
};
use crate::tenant::id::{AccountId, OrgId};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use std::sync::LazyLock;

/// Writes all of `change`; the caller undoes what was written unless the answer is `Done`.
///
/// # Errors
/// Those of SQLite, and of rows that can't be read.
pub(super) fn apply(transaction: &mut Transaction<'_>, change: &Change) -> Result<Applied, StoreError> {
    let connection = transaction.connection;
    if let Some(operation) = &change.operation
        && let Some(record) = find_operation(connection, &operation.account_id, &operation.id)?
        && record.expires_at > change.at
    {
        return Ok(Applied::Replayed(record));
    }
    if let Some(conflict) = expect(connection, change)? {
        return Ok(Applied::Conflict(conflict));
    }
    let mut writes = Writes::begin(transaction)?;
    for key in &change.keys {
        writes.key(key)?;
    }
    for tenant in &change.tenants {
        writes.tenant(tenant)?;
    }
    for (i, guard) in change.guards.iter().enumerate() {
        if !guard::holds(connection, guard, change.at)? {
            return Ok(Applied::Conflict(Conflict::Guard(i)));
        }
    }
    for domain in &change.domains {
        writes.domain(domain)?;
    }
    for draft in &change.audit {
        append_audit(connection, draft)?;
    }
    if let Some(operation) = &change.operation {
        put_operation(connection, operation)?;
    }
    Ok(Applied::Done(Generation(writes.generation)))
}

/// The record of an operation id, expired or not.
///
/// # Errors
/// Those of SQLite, and of a row that can't be read.
pub(super) fn find_operation(
    connection: &Connection,
    account: &AccountId,
    id: &str,
) -> Result<Option<OperationRecord>, StoreError> {
    let sql = "SELECT account_id, id, fingerprint, answer, expires_at FROM tk_operation
               WHERE account_id = ?1 AND id = ?2";
    first(connection, sql, [account.as_str(), id], read_operation)
}

fn put_operation(connection: &Connection, record: &OperationRecord) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO tk_operation (account_id, id, fingerprint, answer, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let expires_at = record.expires_at.as_micros();
    let values =
        params![record.account_id.as_str(), &*record.id, &record.fingerprint, &record.answer, expires_at];
    write(connection, sql, values).map(|_| ())
}

/// Appends a line to its account's chain.
///
/// # Errors
/// Those of SQLite, and of a head that can't be read.
pub(super) fn append_audit(connection: &Connection, draft: &AuditDraft) -> Result<(), StoreError> {
    static INSERT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "INSERT INTO tk_audit ({AUDIT_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        )
    });
    let head = "SELECT number, hash FROM tk_audit_head WHERE account_id = ?1";
    let head = first(connection, head, [draft.account_id.as_str()], read_head)?;
    let entry = AuditEntry::append(head.as_ref(), draft);
    write(connection, INSERT.as_str(), params_from_iter(audit_values(&entry)?))?;
    let sql = "INSERT OR REPLACE INTO tk_audit_head (account_id, number, hash) VALUES (?1, ?2, ?3)";
    let number = i64::try_from(entry.number).unwrap_or(i64::MAX);
    write(connection, sql, params![draft.account_id.as_str(), number, entry.hash.as_bytes()]).map(|_| ())
}

/// The first write that meets another version than it names.
fn expect(connection: &Connection, change: &Change) -> Result<Option<Conflict>, StoreError> {
    for (i, key) in change.keys.iter().enumerate() {
        let (account, id, expected) = match key {
            KeyWrite::Put { record, expected } => (&record.account_id, record.id, *expected),
            KeyWrite::Delete { account_id, id, expected } => (account_id, *id, Expected::Version(*expected)),
        };
        let sql = "SELECT version FROM tk_key WHERE account_id = ?1 AND id = ?2";
        let found = first(connection, sql, [account.as_str(), &id.to_string()], read_version)?;
        if !expected.is_met_by(found) {
            return Ok(Some(Conflict::Key(i)));
        }
        if let KeyWrite::Put { record, .. } = key
            && is_digest_of_another(connection, record)?
        {
            return Ok(Some(Conflict::Digest));
        }
    }
    for (i, tenant) in change.tenants.iter().enumerate() {
        let (key, expected) = match tenant {
            TenantWrite::Create { .. } => continue,
            TenantWrite::Put { record, expected } => (&record.key, *expected),
            TenantWrite::Delete { key, expected } => (key, Expected::Version(*expected)),
        };
        let sql = "SELECT version FROM tk_tenant
                   WHERE account_id = ?1 AND environment = ?2 AND org_id = ?3 AND user_id = ?4";
        if !expected.is_met_by(first(connection, sql, tenant_key_values(key), read_version)?) {
            return Ok(Some(Conflict::Tenant(i)));
        }
    }
    Ok(None)
}

fn is_digest_of_another(connection: &Connection, record: &KeyRecord) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM tk_key WHERE digest = ?1 AND NOT (account_id = ?2 AND id = ?3)";
    let values = params![record.digest.as_bytes(), record.account_id.as_str(), record.id.to_string()];
    Ok(first(connection, sql, values, |_| Ok(()))?.is_some())
}

fn read_version(row: &rusqlite::Row<'_>) -> Result<u64, StoreError> {
    columns::Columns::of("the version", row).unsigned()
}

/// The writes of one change: each is noted for the caches, under the change's generation.
pub(super) struct Writes<'a> {
    connection: &'a Connection,
    pub(super) generation: u64,
    noted: i64,
}

impl<'a> Writes<'a> {
    /// Takes the next generation.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn begin(transaction: &mut Transaction<'a>) -> Result<Self, StoreError> {
        Ok(Self { connection: transaction.connection, generation: transaction.next_generation()?, noted: 0 })
    }

    fn key(&mut self, write: &KeyWrite) -> Result<(), StoreError> {
        match write {
            KeyWrite::Put { record, .. } => self.put_key(record),
            KeyWrite::Delete { account_id, id, .. } => self.remove_key(account_id, id),
        }
    }

    fn put_key(&mut self, record: &KeyRecord) -> Result<(), StoreError> {
        static UPSERT: LazyLock<String> = LazyLock::new(|| {
            let names: Vec<&str> = key_row::WRITTEN.split(", ").collect();
            let marks: Vec<String> = (1..=names.len()).map(|i| format!("?{i}")).collect();
            let sets: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
            format!(
                "INSERT INTO tk_key ({}, version) VALUES ({}, 1)
                 ON CONFLICT (account_id, id) DO UPDATE SET {}, version = version + 1",
                key_row::WRITTEN,
                marks.join(", "),
                sets.join(", ")
            )
        });
        let before = self.digest_of(&record.account_id, &record.id)?;
        write(self.connection, UPSERT.as_str(), params_from_iter(key_row::values(record)?))?;
        self.note_key(&record.account_id, &record.id, &record.digest, before.filter(|d| *d != record.digest))
    }

    /// Removes a key, if it is there.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn remove_key(&mut self, account: &AccountId, id: &KeyId) -> Result<(), StoreError> {
        let Some(digest) = self.digest_of(account, id)? else { return Ok(()) };
        let sql = "DELETE FROM tk_key WHERE account_id = ?1 AND id = ?2";
        write(self.connection, sql, [account.as_str(), &id.to_string()])?;
        self.note_key(account, id, &digest, None)
    }

    fn digest_of(&self, account: &AccountId, id: &KeyId) -> Result<Option<KeyDigest>, StoreError> {
        let sql = "SELECT digest FROM tk_key WHERE account_id = ?1 AND id = ?2";
        first(self.connection, sql, [account.as_str(), &id.to_string()], |row| {
            columns::Columns::of("tk_key", row).bytes().map(KeyDigest::from_bytes)
        })
    }

    fn tenant(&mut self, write: &TenantWrite) -> Result<(), StoreError> {
        match write {
            TenantWrite::Put { record, .. } => self.put_tenant(record),
            TenantWrite::Create { record } => self.create_tenant(record),
            TenantWrite::Delete { key, .. } => self.remove_tenant(key),
        }
    }

    fn put_tenant(&mut self, record: &TenantRecord) -> Result<(), StoreError> {
        let sql = "INSERT INTO tk_tenant (account_id, environment, org_id, user_id, state, created_at, updated_at, plan,
                     proof_secret, labels, version)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)
                   ON CONFLICT DO UPDATE SET state = excluded.state, created_at = excluded.created_at,
                     updated_at = excluded.updated_at, plan = excluded.plan, proof_secret = excluded.proof_secret,
                     labels = excluded.labels, version = version + 1";
        write(self.connection, sql, params_from_iter(tenant_values(record)?))?;
        self.note_tenant(&record.key)
    }

    fn create_tenant(&mut self, record: &TenantRecord) -> Result<(), StoreError> {
        let sql = "INSERT INTO tk_tenant (account_id, environment, org_id, user_id, state, created_at, updated_at, plan,
                     proof_secret, labels, version)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)
                   ON CONFLICT DO NOTHING";
        match write(self.connection, sql, params_from_iter(tenant_values(record)?))? {
            0 => Ok(()),
            _ => self.note_tenant(&record.key),
        }
    }

    /// Removes a tenant's row.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn remove_tenant(&mut self, key: &TenantKey) -> Result<(), StoreError> {
        let sql = "DELETE FROM tk_tenant WHERE account_id = ?1 AND environment = ?2 AND org_id = ?3 AND user_id = ?4";
        write(self.connection, sql, tenant_key_values(key))?;
        self.note_tenant(key)
    }

    fn domain(&mut self, change: &DomainWrite) -> Result<(), StoreError> {
        let (DomainWrite::Put(domain) | DomainWrite::Delete(domain)) = change;
        let [org, resource, name] = domain_key(domain);
        let account = domain.account_id().as_str();
        match change {
            DomainWrite::Put(domain) => {
                let sql = "INSERT OR REPLACE INTO tk_domain (account_id, org_id, resource, domain, record)
                           VALUES (?1, ?2, ?3, ?4, ?5)";
                write(self.connection, sql, params![account, org, resource, name, columns::json(domain)?])?;
            }
            DomainWrite::Delete(_) => {
                let sql = "DELETE FROM tk_domain
                           WHERE account_id = ?1 AND org_id = ?2 AND resource = ?3 AND domain = ?4";
                write(self.connection, sql, params![account, org, resource, name])?;
            }
        }
        self.note_domains(domain.account_id())
    }

    fn note_key(
        &mut self,
        account: &AccountId,
        id: &KeyId,
        digest: &KeyDigest,
        before: Option<KeyDigest>,
    ) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO tk_change (generation, number, what, account_id, key_id, digest, digest_before)
                   VALUES (?1, ?2, 'key', ?3, ?4, ?5, ?6)";
        let before = before.map(|digest| Value::Blob(digest.as_bytes().to_vec()));
        let (generation, number) = self.next_note();
        let values = params![generation, number, account.as_str(), id.to_string(), digest.as_bytes(), before];
        write(self.connection, sql, values).map(|_| ())
    }

    fn note_tenant(&mut self, key: &TenantKey) -> Result<(), StoreError> {
        let sql = "INSERT INTO tk_change (generation, number, what, account_id, environment, org_id, user_id)
                   VALUES (?1, ?2, 'tenant', ?3, ?4, ?5, ?6)";
        let [account, environment, org, user] = tenant_key_values(key);
        let (generation, number) = self.next_note();
        write(self.connection, sql, params![generation, number, account, environment, org, user]).map(|_| ())
    }

    /// Notes that the account's domains changed.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn note_domains(&mut self, account: &AccountId) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO tk_change (generation, number, what, account_id) VALUES (?1, ?2, 'domain', ?3)";
        let (generation, number) = self.next_note();
        write(self.connection, sql, params![generation, number, account.as_str()]).map(|_| ())
    }

    fn next_note(&mut self) -> (i64, i64) {
        self.noted += 1;
        (self.generation.cast_signed(), self.noted)
    }
}

fn domain_key(domain: &VerifiedDomain) -> [String; 3] {
    let claim = domain.claim();
    [
        claim.org_id.as_ref().map_or("", OrgId::as_str).to_owned(),
        claim.resource.as_ref().map_or_else(String::new, ToString::to_string),
        domain.domain().to_string(),
    ]
}
