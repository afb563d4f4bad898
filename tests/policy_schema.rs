//! The committed JSON Schema is what the types say, and the reference names every field of it.
//! `TENANTKIT_BLESS=1 cargo test --features schema --test policy_schema` writes the schema anew.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn committed() -> String {
    std::fs::read_to_string(file("examples/policies/policy.schema.json")).unwrap()
}

#[cfg(feature = "schema")]
#[test]
fn the_committed_schema_is_fresh() {
    let generated = tenantkit::policy::json_schema();
    if std::env::var_os("TENANTKIT_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(file("examples/policies/policy.schema.json"), &generated).unwrap();
    }
    assert!(generated == committed(), "the schema is stale; run this test with TENANTKIT_BLESS=1");
}

#[test]
fn editors_can_read_it() {
    let schema: Value = serde_json::from_str(&committed()).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    for (name, table) in tables(&schema) {
        assert_eq!(table["additionalProperties"], Value::Bool(false), "`{name}` accepts unknown fields");
        for (field, property) in table["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "`{name}.{field}` is not described");
            assert!(
                !property.to_string().contains("null"),
                "`{name}.{field}` allows null, which TOML does not have"
            );
        }
    }
}

/// What the schema refers to is there, so that no editor stops at a dangling reference.
#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(&committed()).unwrap();
    let mut found = Vec::new();
    references(&schema, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(schema.pointer(pointer).is_some(), "{reference}");
    }
}

/// Every table of the document, and under it every field with its table's name, stands in the reference.
#[test]
fn the_reference_names_every_field() {
    let reference = std::fs::read_to_string(file("docs/policy.md")).unwrap();
    let schema: Value = serde_json::from_str(&committed()).unwrap();
    let sections: BTreeMap<&str, &str> = reference
        .split("\n## ")
        .flat_map(|chapter| chapter.split("\n### "))
        .filter_map(|section| section.split_once('\n'))
        .collect();
    for (name, table) in tables(&schema) {
        let heading = sections.keys().find(|heading| heading.contains(&format!("({name})")));
        let heading = heading.unwrap_or_else(|| panic!("no section of docs/policy.md is about ({name})"));
        for (field, property) in table["properties"].as_object().unwrap() {
            let row = sections[heading].lines().find(|line| line.starts_with(&format!("| `{field}` |")));
            let row = row.unwrap_or_else(|| panic!("`{field}` is missing under `{heading}`"));
            for word in words(&schema, property) {
                assert!(
                    row.contains(&format!("`{word}`")),
                    "`{field}` under `{heading}` does not tell `{word}`"
                );
            }
            let required =
                table["required"].as_array().is_some_and(|list| list.iter().any(|name| name == field));
            assert_eq!(required, row.contains("| **required** |"), "`{field}` under `{heading}`");
        }
    }
}

/// The words a field may have, where it has to be one of some.
fn words(schema: &Value, property: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let reference = property["allOf"][0]["$ref"].as_str().or(property["$ref"].as_str());
    let target =
        reference.and_then(|reference| schema.pointer(reference.trim_start_matches('#'))).unwrap_or(property);
    for list in ["oneOf", "anyOf", "items"] {
        let choices = match &target[list] {
            Value::Array(choices) => choices.iter().collect(),
            Value::Object(_) => vec![&target[list]],
            _ => Vec::new(),
        };
        for choice in choices {
            match choice["const"].as_str() {
                Some(word) => found.push(word.to_owned()),
                None if choice["properties"].is_null() => found.extend(words(schema, choice)),
                None => {}
            }
        }
    }
    found
}

/// The tables of the document by the name of their type.
fn tables(schema: &Value) -> Vec<(String, &Value)> {
    let definitions = schema["definitions"].as_object().unwrap();
    let nested = definitions.iter().filter(|(_, table)| table["properties"].is_object());
    let mut tables: Vec<_> = nested.map(|(name, table)| (name.clone(), table)).collect();
    tables.push(("Policy".to_owned(), schema));
    assert!(tables.len() > 25);
    tables
}
