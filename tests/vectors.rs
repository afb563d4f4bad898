//! The shared vectors against this library: on every store, with and without caches.

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "vectors/rows.rs"]
mod rows;

use std::path::PathBuf;
use std::process::Command;
use tenantkit::Mode;
use tenantkit::vectors::{Setup, Store, rows as rows_of, run};

/// The fewest vectors that may be left: scenarios, and cases of pure rules.
const VECTORS_MIN: usize = 600;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn check(setup: Setup) {
    let report = run(&[folder()], setup).unwrap();
    assert!(report.is_ok(), "{setup:?}\n{report}");
    assert!(report.passed >= VECTORS_MIN, "only {} vectors", report.passed);
}

#[test]
fn inv_12_every_vector_holds_on_memory_from_the_cache() {
    check(Setup { store: Store::Memory, mode: Mode::Fenced });
}

#[test]
fn inv_12_every_vector_holds_on_memory_from_the_store() {
    check(Setup { store: Store::Memory, mode: Mode::Strict });
}

#[cfg(feature = "sqlite")]
#[test]
fn inv_12_every_vector_holds_on_sqlite_from_the_cache() {
    check(Setup { store: Store::Sqlite, mode: Mode::Fenced });
}

#[cfg(feature = "sqlite")]
#[test]
fn inv_12_every_vector_holds_on_sqlite_from_the_store() {
    check(Setup { store: Store::Sqlite, mode: Mode::Strict });
}

#[test]
fn every_row_has_a_vector_or_says_where_it_is_tested() {
    let covered = rows_of(&[folder()]).unwrap();
    let mut complaints = Vec::new();
    for row in rows::all() {
        let has_vector = covered.contains(&row);
        match (has_vector, rows::elsewhere(&row)) {
            (false, None) => complaints.push(format!("{row} has no vector")),
            (true, Some(place)) => {
                complaints.push(format!("{row} has a vector, and is said to be tested by {place}"))
            }
            _ => {}
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn no_vector_names_a_row_that_does_not_exist() {
    let known = rows::all();
    let wrong: Vec<String> = rows_of(&[folder()])
        .unwrap()
        .into_iter()
        .filter(|row| !known.contains(row) && !rows::is_promise(row))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The files are what their generator writes. It needs Python 3; where there is none, nothing can be said here.
#[test]
fn the_files_are_fresh() {
    let check = Command::new("python3").arg(folder().join("generate.py")).arg("--check").output();
    let Ok(output) = check else {
        eprintln!("python3 can't be started: whether the vectors are fresh was not checked");
        return;
    };
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "run tests/vectors/generate.py:\n{listed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A vector in a folder of its own, which is removed afterwards.
fn failures_of(name: &str, text: &str) -> Vec<String> {
    let folder = std::env::temp_dir().join(format!("tenantkit-vector-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(self::folder().join("policies/tenancy.toml"), folder.join("tenancy.toml")).unwrap();
    let file = folder.join(format!("{name}.json"));
    std::fs::write(&file, text).unwrap();
    let report = run(&[&file], Setup::default()).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    report.failures.iter().map(|failure| failure.what.clone()).collect()
}

fn scenario(name: &str, steps: &str) -> Vec<String> {
    failures_of(
        name,
        &format!(
            r#"{{"version":1,"id":"{name}","title":"t","rows":[],"policy":"tenancy.toml","now":"2026-03-10T12:00:00Z",
               "steps":[{steps}]}}"#
        ),
    )
}

const ISSUE: &str = r#"{"do":"issue","as":"a","account":"acme","body":{"name":"a","preset":"solo","org":"none",
    "user":{"fixed":"u"}},"expect":{"ok":true}}"#;

#[test]
fn a_good_vector_passes_and_a_wrong_expectation_fails() {
    let allow = r#"{"do":"authorize","key":"$key:a","operation":"user.read","expect":{"allowed":true,"user_id":"u"}}"#;
    assert_eq!(scenario("good", &format!("{ISSUE},{allow}")), Vec::<String>::new());
    let wrong = allow.replace("\"user_id\":\"u\"", "\"user_id\":\"v\"");
    assert_eq!(scenario("wrong", &format!("{ISSUE},{wrong}")), ["`user_id` should be \"v\", is \"u\""]);
}

#[test]
fn the_runner_is_strict() {
    let step = |step: &str| format!("{ISSUE},{step}");
    let cases = [
        (
            "member",
            step(
                r#"{"do":"authorize","key":"$key:a","operation":"user.read","colour":1,"expect":{"allowed":true}}"#,
            ),
        ),
        (
            "expectation",
            step(r#"{"do":"authorize","key":"$key:a","operation":"user.read","expect":{"alowed":true}}"#),
        ),
        ("nothing", step(r#"{"do":"authorize","key":"$key:a","operation":"user.read"}"#)),
        ("empty", step(r#"{"do":"authorize","key":"$key:a","operation":"user.read","expect":{}}"#)),
        ("silent", step(r#"{"do":"restart","expect":{"ok":true}}"#)),
        ("verb", step(r#"{"do":"dance","expect":{"ok":true}}"#)),
        (
            "placeholder",
            step(r#"{"do":"authorize","key":"$key:b","operation":"user.read","expect":{"allowed":true}}"#),
        ),
        ("only-silence", r#"{"do":"restart"}"#.to_owned()),
        ("no-steps", String::new()),
    ];
    for (name, steps) in cases {
        assert!(!scenario(name, &steps).is_empty(), "{name} should fail");
    }
    let rule = r#"{"version":1,"id":"case","title":"t","rows":[],"rule":"key_digest","cases":[CASE]}"#;
    for case in
        [r#"{"text":"a"}"#, r#"{"text":"a","expect":{}}"#, r#"{"text":"a","x":1,"expect":{"sha256":""}}"#, ""]
    {
        assert!(!failures_of("case", &rule.replace("CASE", case)).is_empty(), "{case} should fail");
    }
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"rows\":[]", "\"rows\":[],\"more\":1"),
        ("\"id\":\"case\"", "\"id\":\"x\""),
    ] {
        let good = rule.replace("CASE", r#"{"text":"a","expect":{"sha256":"x"}}"#);
        assert!(!failures_of("case", &good.replace(from, to)).is_empty(), "{to} should fail");
    }
}
