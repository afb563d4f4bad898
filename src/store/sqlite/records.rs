//! [`RecordStore`] on SQLite.

use super::apply::{Writes, append_audit, apply, find_operation};
use super::columns::Columns;
use super::queue::Verdict;
use super::sql::{Visit, all, each, first, write};
use super::tenant_row::{
    AUDIT_COLUMNS, TENANT_COLUMNS, read_audit, read_head, read_tenant, read_tenant_key, tenant_key_values,
};
use super::transaction::Transaction;
use super::{SqliteStore, check, guard, key_row, schema};
use crate::audit::{AuditDraft, AuditEntry, ChainHead};
use crate::clock::Timestamp;
use crate::domain::VerifiedDomain;
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::store::{
    Applied, Change, Changed, Changes, CheckLine, CheckState, Freshness, Generation, KeyPage, KeyQuery,
    OperationRecord, RecordStore, StoreError, StoreErrorKind, StoredKey, TenantCount, TenantKey, TenantLevel,
    TenantPage, TenantQuery, TenantRecord, Touch,
};
use crate::tenant::id::{AccountId, OrgId, UserId};
use rusqlite::{Connection, Row, params};
use std::sync::LazyLock;

/// How many generations are remembered one by one; a cache that is further behind is emptied.
const REMEMBERED_GENERATIONS: i64 = 4_096;
/// How many rows one call of `maintain` removes of each kind.
const MAINTAIN_ROWS: i64 = 1_000;
/// Policy revisions end before this.
const REVISIONS: i64 = 1 << 20;

impl RecordStore for SqliteStore {
    fn key_by_digest(&self, digest: &KeyDigest) -> Result<Option<StoredKey>, StoreError> {
        self.read(|c| first(c, key_row::BY_DIGEST, [digest.as_bytes()], key_row::read))
    }

    fn key_by_id(&self, account: &AccountId, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.read(|c| first(c, key_row::BY_ID, [account.as_str(), &id.to_string()], key_row::read))
    }

    fn account_of(&self, id: &KeyId) -> Result<Option<AccountId>, StoreError> {
        let sql = "SELECT account_id FROM tk_key WHERE id = ?1";
        self.read(|c| {
            first(c, sql, [id.to_string()], |row| {
                Columns::of("tk_key", row).text().map(|account| AccountId::from_stored(&account))
            })
        })
    }

    fn keys(&self, query: &KeyQuery) -> Result<KeyPage, StoreError> {
        let after = query.after.map_or_else(String::new, |id| id.to_string());
        let limit = query.limit as usize;
        self.read(|c| {
            let mut page = KeyPage::default();
            each(c, key_row::PAGE, [query.account_id.as_str(), &after], |row| {
                let key = key_row::read(row)?;
                if !query.filter.matches(&key, query.now) {
                    return Ok(Visit::More);
                }
                if page.keys.len() == limit {
                    page.more = true;
                    return Ok(Visit::Enough);
                }
                page.keys.push(key);
                Ok(Visit::More)
            })?;
            Ok(page)
        })
    }

    fn tenant(&self, key: &TenantKey) -> Result<Option<TenantRecord>, StoreError> {
        static SQL: LazyLock<String> = LazyLock::new(|| {
            format!(
                "SELECT {TENANT_COLUMNS} FROM tk_tenant
                 WHERE account_id = ?1 AND environment = ?2 AND org_id = ?3 AND user_id = ?4"
            )
        });
        self.read(|c| first(c, SQL.as_str(), tenant_key_values(key), read_tenant))
    }

    fn tenants(&self, query: &TenantQuery) -> Result<TenantPage, StoreError> {
        self.read(|c| tenants(c, query))
    }

    fn tenant_count(
        &self,
        account: &AccountId,
        environment: &str,
        what: TenantCount<'_>,
    ) -> Result<u64, StoreError> {
        self.read(|c| guard::count_tenants(c, account, environment, what))
    }

    fn domains(&self, account: &AccountId) -> Result<Vec<VerifiedDomain>, StoreError> {
        let sql = "SELECT record FROM tk_domain WHERE account_id = ?1";
        self.read(|c| all(c, sql, [account.as_str()], |row| Columns::of("tk_domain", row).json()))
    }

    fn freshness(&self) -> Result<Freshness, StoreError> {
        self.fresh()
    }

    fn changes_since(&self, since: Generation) -> Result<Changes, StoreError> {
        self.read(|c| {
            // Both statements must see one state, or rows that are being forgotten would go missing in between.
            let transaction =
                c.unchecked_transaction().map_err(|e| super::failure::store_error("reading", &e))?;
            changes_since(&transaction, since)
        })
    }

    fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        let change = change.clone();
        self.write(move |transaction| {
            Ok(match apply(transaction, &change)? {
                done @ Applied::Done(_) => Verdict::Keep(done),
                other => Verdict::Undo(other),
            })
        })
    }

    fn operation(
        &self,
        account: &AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<OperationRecord>, StoreError> {
        let record = self.read(|c| find_operation(c, account, id))?;
        Ok(record.filter(|record| record.expires_at > now))
    }

    fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        let touches = touches.to_vec();
        self.write(move |transaction| {
            touches.iter().try_for_each(|touch| write_touch(transaction.connection, touch)).map(Verdict::Keep)
        })
    }

    fn append_audit(&self, drafts: &[AuditDraft]) -> Result<(), StoreError> {
        let drafts = drafts.to_vec();
        self.write(move |transaction| {
            drafts.iter().try_for_each(|draft| append_audit(transaction.connection, draft)).map(Verdict::Keep)
        })
    }

    fn audit(&self, account: &AccountId, from: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        static SQL: LazyLock<String> = LazyLock::new(|| {
            format!(
                "SELECT {AUDIT_COLUMNS} FROM tk_audit WHERE account_id = ?1 AND number >= ?2 ORDER BY number LIMIT ?3"
            )
        });
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        self.read(|c| all(c, SQL.as_str(), params![account.as_str(), from, limit], read_audit))
    }

    fn audit_head(&self, account: &AccountId) -> Result<Option<ChainHead>, StoreError> {
        let sql = "SELECT number, hash FROM tk_audit_head WHERE account_id = ?1";
        self.read(|c| first(c, sql, [account.as_str()], read_head))
    }

    fn policy_revision(&self, digest: &[u8; 32]) -> Result<u32, StoreError> {
        let sql = "SELECT policy_revision FROM tk_store WHERE policy_digest = ?1";
        // A process that loads the policy in force writes nothing.
        if let Some(revision) = self.read(|c| first(c, sql, [digest], read_revision))? {
            return Ok(revision);
        }
        let digest = *digest;
        self.write(move |transaction| {
            let sql = "UPDATE tk_store SET policy_revision = policy_revision + (policy_digest <> ?1), policy_digest = ?1
                       WHERE policy_revision < ?2 - 1 RETURNING policy_revision";
            let revision = first(transaction.connection, sql, params![digest, REVISIONS], read_revision)?;
            revision.map(Verdict::Keep).ok_or_else(|| {
                StoreError::new(StoreErrorKind::Unavailable, "1,048,575 policies were loaded; no revision is left")
            })
        })
    }

    fn clock_mark(&self, at_least: Option<Timestamp>) -> Result<Timestamp, StoreError> {
        let sql = "SELECT clock_mark FROM tk_store";
        let mark = self
            .read(|c| first(c, sql, [], |row| Columns::of("tk_store", row).instant()))?
            .unwrap_or_default();
        match at_least {
            Some(at_least) if at_least > mark => self.write(move |transaction| {
                let sql = "UPDATE tk_store SET clock_mark = max(clock_mark, ?1) RETURNING clock_mark";
                let raised = first(transaction.connection, sql, [at_least.as_micros()], |row| {
                    Columns::of("tk_store", row).instant()
                })?;
                Ok(Verdict::Keep(raised.unwrap_or(at_least)))
            }),
            _ => Ok(mark),
        }
    }

    fn reset_clock_mark(&self, to: Timestamp) -> Result<(), StoreError> {
        self.write(move |transaction| {
            write(transaction.connection, "UPDATE tk_store SET clock_mark = ?1", [to.as_micros()])?;
            Ok(Verdict::Keep(()))
        })
    }

    fn erase(&self, tenant: &TenantKey, audit: AuditDraft) -> Result<Generation, StoreError> {
        let tenant = tenant.clone();
        self.write(move |transaction| erase(transaction, &tenant, &audit).map(Verdict::Keep))
    }

    fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |transaction| maintain(transaction.connection, now).map(Verdict::Keep))
    }

    fn check(&self) -> Vec<CheckLine> {
        let mut lines = check::before_open(self.path());
        let settings = self.read(|c| {
            let failed = |e| super::failure::store_error("looking at the settings", &e);
            let mode: String = c.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
            Ok((mode, schema::inspect(c)))
        });
        match settings {
            Ok((mode, standing)) => {
                // The writer's own setting was checked when it was opened, and nothing changes it.
                lines.extend(check::settings_lines(&mode, 2));
                lines.push(check::schema_line(&standing));
            }
            Err(e) => lines.push(CheckLine::new(CheckState::Fail, "store reachable", e.to_string())),
        }
        lines.push(self.fence_line());
        lines
    }

    fn close(&self) -> Result<(), StoreError> {
        self.shut()
    }
}

fn tenants(connection: &Connection, query: &TenantQuery) -> Result<TenantPage, StoreError> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {TENANT_COLUMNS} FROM tk_tenant
             WHERE account_id = ?1 AND (environment, org_id, user_id) >= (?2, ?3, ?4)
             ORDER BY environment, org_id, user_id"
        )
    });
    // The page begins at the row after which it was asked for, or where the environment and org begin.
    let floor = query.after.clone().unwrap_or_else(|| TenantKey {
        account_id: query.account_id.clone(),
        environment: query.environment.clone().unwrap_or_default(),
        org_id: query.org_id.clone().filter(|_| query.environment.is_some()),
        user_id: None,
    });
    let [_, environment, org, user] = tenant_key_values(&floor);
    let mut page = TenantPage::default();
    each(connection, SQL.as_str(), [query.account_id.as_str(), environment, org, user], |row| {
        let tenant = read_tenant(row)?;
        if !query.matches(&tenant) {
            return Ok(Visit::More);
        }
        if page.tenants.len() == query.limit as usize {
            page.more = true;
            return Ok(Visit::Enough);
        }
        page.tenants.push(tenant);
        Ok(Visit::More)
    })?;
    Ok(page)
}

fn changes_since(connection: &Connection, since: Generation) -> Result<Changes, StoreError> {
    let known = first(connection, "SELECT generation, forgotten_upto FROM tk_store", [], |row| {
        let mut c = Columns::of("tk_store", row);
        Ok((c.unsigned()?, c.unsigned()?))
    })?;
    let (upto, forgotten) = known.ok_or_else(|| super::failure::corrupt("`tk_store` has no row"))?;
    let upto = Generation(upto);
    if since.0 < forgotten || since > upto {
        return Ok(Changes::all(upto));
    }
    let sql =
        "SELECT what, account_id, digest, digest_before, key_id, environment, org_id, user_id FROM tk_change
               WHERE generation > ?1 ORDER BY generation, number";
    let changed = all(connection, sql, [since.0.cast_signed()], read_changed)?;
    Ok(Changes { upto, changed: Some(changed) })
}

fn read_changed(row: &Row<'_>) -> Result<Changed, StoreError> {
    let mut c = Columns::of("tk_change", row);
    let (what, account_id) = (c.text()?, AccountId::from_stored(&c.text()?));
    match &*what {
        "key" => {
            let digests = [c.digest_or_null()?, c.digest_or_null()?].into_iter().flatten().collect();
            Ok(Changed::Key { id: c.key_id()?, digests })
        }
        "tenant" => {
            let [_, _, _, environment, org, user] = [(); 6].map(|()| c.text_or_null());
            let some = |id: Option<Box<str>>| id.filter(|id| !id.is_empty());
            Ok(Changed::Tenant(TenantKey {
                account_id,
                environment: environment?.unwrap_or_default(),
                org_id: some(org?).map(|id| OrgId::from_stored(&id)),
                user_id: some(user?).map(|id| UserId::from_stored(&id)),
            }))
        }
        "domain" => Ok(Changed::Domain(account_id)),
        word => Err(super::failure::corrupt(format_args!(
            "a row of `tk_change` is damaged: unknown word `{word}`"
        ))),
    }
}

fn read_revision(row: &Row<'_>) -> Result<u32, StoreError> {
    Columns::of("tk_store", row).take()
}

fn write_touch(connection: &Connection, touch: &Touch) -> Result<(), StoreError> {
    let sql = "UPDATE tk_key SET last_used_at = max(coalesce(last_used_at, ?3), ?3)
               WHERE account_id = ?1 AND id = ?2";
    let id = touch.id.to_string();
    let found = write(connection, sql, params![touch.account_id.as_str(), id, touch.at.as_micros()])?;
    if found == 0 || touch.permissions.is_empty() {
        return Ok(());
    }
    let sql = "SELECT exercised FROM tk_key WHERE account_id = ?1 AND id = ?2";
    let exercised = first(connection, sql, [touch.account_id.as_str(), &id], |row| {
        Columns::of("tk_key", row).json::<Vec<Box<str>>>()
    })?;
    let mut exercised = exercised.unwrap_or_default();
    let before = exercised.len();
    for permission in &touch.permissions {
        if !exercised.contains(permission) {
            exercised.push(permission.clone());
        }
    }
    if exercised.len() > before {
        let sql = "UPDATE tk_key SET exercised = ?3 WHERE account_id = ?1 AND id = ?2";
        write(connection, sql, params![touch.account_id.as_str(), id, super::columns::json(&exercised)?])?;
    }
    Ok(())
}

fn erase(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    audit: &AuditDraft,
) -> Result<Generation, StoreError> {
    let connection = transaction.connection;
    let account = tenant.account_id.as_str();
    let mut writes = Writes::begin(transaction)?;
    let sql = "SELECT account_id, environment, org_id, user_id FROM tk_tenant WHERE account_id = ?1";
    let below = all(connection, sql, [account], |row| read_tenant_key(&mut Columns::of("tk_tenant", row)))?;
    for key in below.iter().filter(|key| tenant.covers(key)) {
        writes.remove_tenant(key)?;
    }
    for id in keys_below(connection, tenant)? {
        writes.remove_key(&tenant.account_id, &id)?;
    }
    if tenant.level() == TenantLevel::Account {
        write(connection, "DELETE FROM tk_domain WHERE account_id = ?1", [account])?;
        write(connection, "DELETE FROM tk_operation WHERE account_id = ?1", [account])?;
        writes.note_domains(&tenant.account_id)?;
    }
    append_audit(connection, audit)?;
    Ok(Generation(writes.generation))
}

fn keys_below(connection: &Connection, tenant: &TenantKey) -> Result<Vec<KeyId>, StoreError> {
    let account = tenant.account_id.as_str();
    if tenant.level() == TenantLevel::Account {
        // All of them, even those that can't be read any more.
        let sql = "SELECT id FROM tk_key WHERE account_id = ?1";
        return all(connection, sql, [account], |row| Columns::of("tk_key", row).key_id());
    }
    let keys = all(connection, key_row::PAGE, [account, ""], key_row::read)?;
    Ok(keys.into_iter().filter(|key| tenant.covers_key(&key.record)).map(|key| key.record.id).collect())
}

fn maintain(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "DELETE FROM tk_operation WHERE (account_id, id) IN
                 (SELECT account_id, id FROM tk_operation WHERE expires_at <= ?1 LIMIT ?2)";
    write(connection, sql, params![now.as_micros(), MAINTAIN_ROWS])?;
    let sql = "UPDATE tk_store SET forgotten_upto = max(forgotten_upto, generation - ?1)";
    write(connection, sql, [REMEMBERED_GENERATIONS])?;
    let sql = "DELETE FROM tk_change WHERE (generation, number) IN
                 (SELECT generation, number FROM tk_change
                  WHERE generation <= (SELECT forgotten_upto FROM tk_store) LIMIT ?1)";
    write(connection, sql, [MAINTAIN_ROWS]).map(|_| ())
}

impl SqliteStore {
    fn fence_line(&self) -> CheckLine {
        let what = "generation file";
        match self.fresh() {
            Err(e) => CheckLine::new(CheckState::Fail, what, e.to_string()),
            Ok(_) if self.fence().is_mapped() => CheckLine::new(CheckState::Ok, what, "mapped"),
            Ok(_) => {
                let text =
                    "can't be mapped; each check asks the database, and changes take half a second to return";
                CheckLine::new(CheckState::Warn, what, text)
            }
        }
    }
}
