//! Running one listed statement: prepared once per connection, parameters bound, errors in the store's terms.

use super::failure::store_error;
use crate::store::StoreError;
use rusqlite::{Connection, Params, Row};

/// The first row, decoded, if there is one.
pub(super) fn first<T, P: Params>(
    connection: &Connection,
    sql: &'static str,
    parameters: P,
    decode: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let failed = |e| store_error("reading", &e);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(parameters).map_err(failed)?;
    rows.next().map_err(failed)?.map(decode).transpose()
}

/// The rows one after another, until `visit` has seen enough.
pub(super) fn each<P: Params>(
    connection: &Connection,
    sql: &'static str,
    parameters: P,
    mut visit: impl FnMut(&Row<'_>) -> Result<Visit, StoreError>,
) -> Result<(), StoreError> {
    let failed = |e| store_error("reading", &e);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(parameters).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        if visit(row)? == Visit::Enough {
            break;
        }
    }
    Ok(())
}

/// Whether [`each`] goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    More,
    Enough,
}

/// All rows, decoded.
pub(super) fn all<T, P: Params>(
    connection: &Connection,
    sql: &'static str,
    parameters: P,
    decode: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    each(connection, sql, parameters, |row| {
        found.push(decode(row)?);
        Ok(Visit::More)
    })?;
    Ok(found)
}

/// A statement that writes; how many rows it changed.
pub(super) fn write<P: Params>(
    connection: &Connection,
    sql: &'static str,
    parameters: P,
) -> Result<usize, StoreError> {
    let failed = |e| store_error("writing", &e);
    connection.prepare_cached(sql).map_err(failed)?.execute(parameters).map_err(failed)
}
