//! What holds for the sources as a whole: promises have tests, modules point one way, files stay short, every code is
//! explained, and what must be rare is where it is allowed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod tidy {
    pub(crate) mod codes;
    pub(crate) mod promises;
}

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, with its path from the root and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((shown(&path), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// The lines of a text that are code, with their numbers: comments are left out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn complain(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_promise_within_reach_has_a_test_with_its_number() {
    let tested: BTreeSet<u8> = ["src", "tests"]
        .into_iter()
        .flat_map(sources)
        .flat_map(|(_, text)| tidy::promises::numbers_in_test_names(&text))
        .collect();
    let missing: Vec<String> = tidy::promises::WITHIN_REACH
        .iter()
        .filter(|(number, _)| !tested.contains(number))
        .map(|(number, what)| format!("INV-{number:02}: {what}"))
        .collect();
    complain("no test is called after these promises", &missing);
    let early: Vec<String> = tidy::promises::WAITING
        .iter()
        .filter(|(number, _)| tested.contains(number))
        .map(|(number, what)| format!("INV-{number:02} has a test, and is said to wait for {what}"))
        .collect();
    complain("move these promises to the list of those that are tested", &early);
}

#[test]
fn every_promise_is_on_one_of_the_three_lists() {
    let here = tidy::promises::WITHIN_REACH.iter().chain(tidy::promises::OPEN).map(|(number, _)| *number);
    let numbers: Vec<u8> = here.chain(tidy::promises::WAITING.iter().map(|(number, _)| *number)).collect();
    let unique: BTreeSet<u8> = numbers.iter().copied().collect();
    assert_eq!((unique.len(), numbers.len()), (64, 64));
    assert_eq!(unique, (1..=64).collect());
}

/// How high a module stands. A module uses what stands no higher than itself; within one height they are neighbours.
const HEIGHTS: [(u8, &[&str]); 6] = [
    (0, &["clock", "code", "entropy", "error"]),
    (
        1,
        &[
            "address",
            "audit",
            "credential",
            "decision",
            "domain",
            "headers",
            "key",
            "limit",
            "observer",
            "origin",
            "permission",
            "policy",
            "resource",
            "seal",
            "tenant",
        ],
    ),
    (2, &["store"]),
    (3, &["ledger", "records"]),
    (4, &["authority"]),
    (5, &["aio", "bindings", "ffi", "http", "server", "vectors"]),
];

fn height(module: &str) -> Option<u8> {
    HEIGHTS.iter().find(|(_, modules)| modules.contains(&module)).map(|(height, _)| *height)
}

#[test]
fn modules_point_from_top_to_bottom() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let Some(own) = path.strip_prefix("src/").and_then(|rest| rest.split(['/', '.']).next()) else {
            continue;
        };
        if ["lib", "bin"].contains(&own) {
            continue;
        }
        let Some(own_height) = height(own) else {
            wrong.push(format!("`{own}` has no height: {path}"));
            continue;
        };
        // Tests at the end of a file may look around.
        let product = text.split("#[cfg(test)]").next().unwrap();
        for (line, code) in code_lines(product) {
            for used in code.split("crate::").skip(1) {
                let used: String =
                    used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if height(&used).is_some_and(|height| height > own_height) {
                    wrong.push(format!("{path}:{line} uses `{used}`"));
                }
            }
        }
    }
    complain("these modules use what stands above them", &wrong);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources("src")
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 600)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    complain("split these files", &long);
}

#[test]
fn the_reference_model_stays_small_and_shares_nothing() {
    for (path, text) in sources("tests/model") {
        assert!(text.lines().count() <= 600, "{path} is longer than 600 lines");
        assert!(!text.contains("tenantkit::"), "{path} uses the library that it is to check");
    }
}

/// Where `unsafe` may stand: the mapped generation file alone.
const UNSAFE_ALLOWED: [&str; 1] = ["src/store/sqlite/mapped.rs"];

#[test]
fn unsafe_stands_only_where_it_is_allowed() {
    let word = concat!("un", "safe");
    let is_word =
        |code: &str| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|token| token == word);
    let found: Vec<String> = sources("src")
        .into_iter()
        .filter(|(path, _)| !UNSAFE_ALLOWED.contains(&path.as_str()))
        .flat_map(|(path, text)| {
            code_lines(&text)
                .filter(|(_, code)| is_word(code))
                .map(|(line, _)| format!("{path}:{line}"))
                .collect::<Vec<_>>()
        })
        .collect();
    complain("unsafe code outside its places", &found);
}

/// Who reads the text of a key, in code that ships. Whoever joins this list says why in its module.
const REVEALS: [&str; 8] = [
    "src/authority/manage/find.rs",
    "src/authority/manage/issue.rs",
    "src/bin/tenantkit/secrets.rs",
    "src/key/format/display.rs",
    "src/vectors/manage.rs",
    "src/vectors/manage/keys.rs",
    "src/vectors/rules/keys.rs",
    "src/vectors/world.rs",
];

#[test]
fn the_text_of_a_key_is_read_only_by_those_on_the_list() {
    let found: BTreeSet<String> = sources("src")
        .into_iter()
        .filter(|(path, _)| !path.contains("/tests") && path != "src/key/secret.rs")
        .filter(|(_, text)| {
            let product = text.split("#[cfg(test)]").next().unwrap();
            code_lines(product).any(|(_, code)| code.contains(".reveal()"))
        })
        .map(|(path, _)| path)
        .collect();
    let listed: BTreeSet<String> = REVEALS.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(found, listed, "left: who reads it, right: who is on the list");
}

#[test]
fn nothing_is_left_undone() {
    let words = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[ig", "nore"),
        concat!("FIX", "ME"),
    ];
    let found: Vec<String> = ["src", "tests", "examples", "benches"]
        .into_iter()
        .flat_map(sources)
        .flat_map(|(path, text)| {
            let lines =
                text.lines().enumerate().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
            lines.map(|(i, _)| format!("{path}:{}", i + 1)).collect::<Vec<_>>()
        })
        .collect();
    complain("finish these", &found);
}

#[test]
fn every_code_is_explained() {
    tidy::codes::check(&root().join("docs/codes.md"));
}
