//! The JSON Schema of the document, for editors: draft-07, because editors that know TOML know no later one.

use super::Document;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The JSON Schema of policy documents, draft-07, pretty-printed with a final newline.
#[must_use]
pub fn json_schema() -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    drop_nulls(&mut schema);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// TOML has no null: a field is there or it is not. Takes out what `Option` leaves of it.
fn drop_nulls(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, value| !(name == "default" && value.is_null()));
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [only] = choices.as_slice() {
                    let reference = only.get("$ref").cloned();
                    if let Some(reference) = reference {
                        members.remove("anyOf");
                        members.insert(
                            "allOf".to_owned(),
                            Value::Array(vec![serde_json::json!({ "$ref": reference })]),
                        );
                    }
                }
            }
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
