//! The bounds of a change, asked of the rows as they are after it.

use super::sql::first;
use super::tenant_row::tenant_key_values;
use crate::clock::Timestamp;
use crate::store::{Guard, StoreError, TenantCount};
use crate::tenant::id::{AccountId, OrgId};
use rusqlite::{Connection, Row, params};

/// Whether the bound holds.
///
/// # Errors
/// Those of SQLite.
pub(super) fn holds(connection: &Connection, guard: &Guard, at: Timestamp) -> Result<bool, StoreError> {
    match guard {
        Guard::Orgs { account_id, environment, max } => {
            Ok(count_tenants(connection, account_id, environment, TenantCount::Orgs)? <= *max)
        }
        Guard::Users { account_id, environment, org_id, max } => {
            Ok(count_tenants(connection, account_id, environment, TenantCount::Users(org_id.as_ref()))?
                <= *max)
        }
        Guard::Keys { account_id, max } => {
            let sql = "SELECT count(*) FROM tk_key
                       WHERE account_id = ?1 AND (revoked_at IS NULL OR revoked_at > ?2)";
            Ok(first(connection, sql, params![account_id.as_str(), at.as_micros()], count)?.unwrap_or(0)
                <= *max)
        }
        Guard::UniqueName { account_id, id, name } => {
            let sql = "SELECT 1 FROM tk_key
                       WHERE account_id = ?1 AND name = ?2 AND id <> ?3 AND (revoked_at IS NULL OR revoked_at > ?4)";
            let values = params![account_id.as_str(), &**name, id.to_string(), at.as_micros()];
            Ok(first(connection, sql, values, |_| Ok(()))?.is_none())
        }
        Guard::Active { key } => {
            let sql = "SELECT 1 FROM tk_tenant WHERE account_id = ?1 AND environment = ?2 AND org_id = ?3
                       AND user_id = ?4 AND state <> 'active'";
            Ok(first(connection, sql, tenant_key_values(key), |_| Ok(()))?.is_none())
        }
    }
}

/// How many tenants that are not deleted there are.
///
/// # Errors
/// Those of SQLite.
pub(super) fn count_tenants(
    connection: &Connection,
    account: &AccountId,
    environment: &str,
    what: TenantCount<'_>,
) -> Result<u64, StoreError> {
    let found = match what {
        TenantCount::Orgs => {
            let sql = "SELECT count(*) FROM tk_tenant WHERE account_id = ?1 AND environment = ?2
                       AND org_id <> '' AND user_id = '' AND state <> 'deleted'";
            first(connection, sql, [account.as_str(), environment], count)
        }
        TenantCount::Users(org) => {
            let sql =
                "SELECT count(*) FROM tk_tenant WHERE account_id = ?1 AND environment = ?2 AND org_id = ?3
                       AND user_id <> '' AND state <> 'deleted'";
            first(connection, sql, [account.as_str(), environment, org.map_or("", OrgId::as_str)], count)
        }
    };
    Ok(found?.unwrap_or(0))
}

fn count(row: &Row<'_>) -> Result<u64, StoreError> {
    super::columns::Columns::of("a count", row).unsigned()
}
