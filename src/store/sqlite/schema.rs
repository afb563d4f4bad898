//! The schema and its migrations. Each runs once, in one transaction under the write lock, so two starters can't race
//! and a death at any statement leaves the schema as it was.
//!
//! # Compatibility
//! A library runs on its own schema and on the next one: each migration keeps what the release before it needs, and
//! says from which schema version on a library can work on its result (`oldest`). A schema that is newer than that, or
//! whose text differs from what this library knows, is refused.

use super::failure::store_error;
use crate::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// Marks the file as ours in its header ("tkit").
pub(super) const APPLICATION_ID: i32 = 0x746b_6974;
/// Between two statements of a migration.
const SEPARATOR: &str = "\n--;\n";

/// One step of the schema.
struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
    /// The oldest schema version whose library still works after this step: at most `version - 1`, but for the first.
    oldest: u32,
}

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "first",
    sql: include_str!("../schema/sqlite_0001_first.sql"),
    oldest: 1,
}];

const MIGRATIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS tk_migrations (
  version           INTEGER PRIMARY KEY,
  name              TEXT    NOT NULL,
  checksum          TEXT    NOT NULL,
  oldest            INTEGER NOT NULL,
  applied_at        TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT";

const FIRST_ROW: &str =
    "INSERT INTO tk_store (one, database_id, generation, forgotten_upto, writing, policy_revision,
  policy_digest, clock_mark)
  SELECT 1, randomblob(16), 1, 0, 0, 0, x'', 0 WHERE NOT EXISTS (SELECT 1 FROM tk_store)";

/// The version of the schema that this library writes.
pub(super) fn version() -> u32 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// Everything that [`migrate`] would run on an empty file, as a script for `sqlite3`: for sites where the program may
/// not change the schema itself.
pub(super) fn script() -> String {
    let mut script =
        format!("PRAGMA journal_mode = WAL;\nPRAGMA application_id = {APPLICATION_ID};\nBEGIN IMMEDIATE;\n");
    script.push_str(MIGRATIONS_TABLE);
    script.push_str(";\n");
    for migration in MIGRATIONS {
        for statement in migration.statements() {
            script.push_str(statement.trim_end());
            script.push('\n');
        }
        script.push_str(&migration.record());
        script.push_str(";\n");
    }
    script.push_str(FIRST_ROW);
    script.push_str(";\nCOMMIT;\n");
    script
}

/// How the schema in the file relates to this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is this library's own.
    Current,
    /// The next release's, on which this one works too.
    NewerButCompatible,
    /// Migrations are due; the number is the schema's version, 0 for none.
    Behind(u32),
}

/// Looks at the schema without changing it.
///
/// # Errors
/// [`StoreErrorKind::Schema`] when it is too new, foreign, or not what this library knows under its number;
/// [`StoreErrorKind::Unsafe`] when the file belongs to another program.
pub(super) fn inspect(connection: &Connection) -> Result<Standing, StoreError> {
    let failed = |e| store_error("looking at the schema", &e);
    let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    let tables = "SELECT count(*), count(*) FILTER (WHERE name = 'tk_migrations') FROM sqlite_schema WHERE type = 'table'";
    let (tables, ours): (u32, u32) =
        connection.query_row(tables, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    if id != APPLICATION_ID && (id != 0 || (tables > 0 && ours == 0)) {
        let context = "the file belongs to another program; give the keys a file of their own";
        return Err(StoreError::new(StoreErrorKind::Unsafe, context));
    }
    if ours == 0 {
        return Ok(Standing::Behind(0));
    }
    for migration in MIGRATIONS {
        let applied = "SELECT checksum FROM tk_migrations WHERE version = ?1";
        let applied: Option<String> = connection
            .query_row(applied, [migration.version], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        match applied {
            None => return Ok(Standing::Behind(migration.version - 1)),
            Some(checksum) if checksum == migration.checksum() => {}
            Some(_) => {
                let text = format!(
                    "migration {} is not the one this version knows; restore the schema",
                    migration.version
                );
                return Err(StoreError::new(StoreErrorKind::Schema, text));
            }
        }
    }
    let newest = "SELECT max(version), max(oldest) FROM tk_migrations";
    let (newest, oldest): (u32, u32) =
        connection.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    if oldest > version() {
        let text = format!(
            "the schema has version {newest} and needs a newer release; this one knows {}",
            version()
        );
        return Err(StoreError::new(StoreErrorKind::Schema, text));
    }
    Ok(if newest > version() { Standing::NewerButCompatible } else { Standing::Current })
}

/// Brings the schema up to date. The caller holds the write lock, and commits.
///
/// # Errors
/// Those of [`inspect`] and of the statements; the caller rolls back.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let Standing::Behind(from) = inspect(connection)? else { return Ok(()) };
    let run = |statement: &str| {
        super::faults::point("migration statement");
        connection.execute_batch(statement).map_err(|e| store_error("migrating the schema", &e))
    };
    run(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    run(MIGRATIONS_TABLE)?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > from) {
        for statement in migration.statements() {
            run(statement)?;
        }
        run(&migration.record())?;
    }
    run(FIRST_ROW)
}

impl Migration {
    fn statements(&self) -> impl Iterator<Item = &'static str> {
        self.sql.split(SEPARATOR)
    }

    fn checksum(&self) -> String {
        data_encoding::HEXLOWER.encode(&Sha256::digest(self.sql.as_bytes()))
    }

    fn record(&self) -> String {
        format!(
            "INSERT INTO tk_migrations (version, name, checksum, oldest) VALUES ({}, '{}', '{}', {})",
            self.version,
            self.name,
            self.checksum(),
            self.oldest
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrated() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection).unwrap();
        connection
    }

    fn objects(connection: &Connection) -> Vec<(String, Option<String>)> {
        let mut statement =
            connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn a_migrated_file_is_current_and_stays_so() {
        let connection = migrated();
        assert_eq!(inspect(&connection).unwrap(), Standing::Current);
        let before = objects(&connection);
        migrate(&connection).unwrap();
        assert_eq!(objects(&connection), before);
        assert!(
            before.iter().all(|(name, _)| name.starts_with("tk_") || name.starts_with("sqlite_")),
            "{before:?}"
        );
    }

    #[test]
    fn the_printed_script_makes_the_same_schema() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&script()).unwrap();
        assert_eq!(inspect(&connection).unwrap(), Standing::Current);
        assert_eq!(objects(&connection), objects(&migrated()));
        let rows: u32 = connection.query_row("SELECT count(*) FROM tk_store", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn inv_39_the_release_before_works_on_the_next_schema_and_no_later_one() {
        let connection = migrated();
        let next = version() + 1;
        let add = "INSERT INTO tk_migrations (version, name, checksum, oldest) VALUES (?1, 'next', '', ?2)";
        connection.execute(add, [next, next - 1]).unwrap();
        assert_eq!(inspect(&connection).unwrap(), Standing::NewerButCompatible);
        connection.execute(add, [next + 1, next]).unwrap();
        assert_eq!(inspect(&connection).unwrap_err().kind(), StoreErrorKind::Schema);
    }

    #[test]
    fn a_migration_with_another_text_is_refused() {
        let connection = migrated();
        connection.execute("UPDATE tk_migrations SET checksum = 'x'", []).unwrap();
        assert_eq!(inspect(&connection).unwrap_err().kind(), StoreErrorKind::Schema);
    }

    #[test]
    fn files_of_other_programs_are_refused() {
        for sql in ["PRAGMA application_id = 1", "CREATE TABLE theirs (a)"] {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(sql).unwrap();
            assert_eq!(migrate(&connection).unwrap_err().kind(), StoreErrorKind::Unsafe, "{sql}");
        }
        let ours_with_theirs = migrated();
        ours_with_theirs.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert_eq!(inspect(&ours_with_theirs).unwrap(), Standing::Current);
    }

    #[test]
    fn migrations_are_numbered_without_gaps_and_keep_the_release_before() {
        for (i, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, i + 1);
            assert!(migration.oldest <= migration.version.saturating_sub(1).max(1), "{}", migration.name);
        }
    }
}
