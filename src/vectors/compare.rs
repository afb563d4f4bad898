//! Expectations against what came.

use serde_json::{Map, Value};

/// Members that are compared whole: nothing besides what is expected may be there.
const WHOLE: [&str; 2] = ["headers", "body"];

/// What differs. Each expected member must be there and equal; objects inside are compared in the same way, lists
/// element by element, and `headers` and `body` whole. A member that the answer does not have is an unknown expectation.
pub(super) fn differences(expected: &Map<String, Value>, actual: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    compare_members("", expected, actual, &mut found);
    found
}

fn compare_members(
    at: &str,
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
    found: &mut Vec<String>,
) {
    for (name, wanted) in expected {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match actual.get(name) {
            None => found.push(format!("`{path}` is not something that can be expected here")),
            Some(value) if WHOLE.contains(&name.as_str()) => compare_whole(&path, wanted, value, found),
            Some(value) => compare(&path, wanted, value, found),
        }
    }
}

fn compare(path: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => compare_members(path, expected, actual, found),
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{path}[{index}]"), expected, actual, found);
            }
        }
        _ => compare_whole(path, expected, actual, found),
    }
}

fn compare_whole(path: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    if expected != actual {
        found.push(format!("`{path}` should be {expected}, is {actual}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn count(expected: Value, actual: Value) -> usize {
        let (Value::Object(expected), Value::Object(actual)) = (expected, actual) else { unreachable!() };
        differences(&expected, &actual).len()
    }

    #[test]
    fn what_is_not_expected_may_be_anything_but_what_is_must_be_there() {
        let cases = [
            (json!({"a": 1}), json!({"a": 1, "b": 2}), 0),
            (json!({"a": 1}), json!({"a": 2}), 1),
            (json!({"a": null}), json!({"a": null}), 0),
            (json!({"a": null}), json!({}), 1),
            (json!({"a": {"x": 1}}), json!({"a": {"x": 1, "y": 2}}), 0),
            (json!({"a": {"z": 1}}), json!({"a": {"x": 1}}), 1),
            (json!({"a": [{"x": 1}]}), json!({"a": [{"x": 1, "y": 2}]}), 0),
            (json!({"a": [1]}), json!({"a": [1, 2]}), 1),
            (json!({"a": []}), json!({"a": []}), 0),
            (json!({"headers": {"x": "1"}}), json!({"headers": {"x": "1", "y": "2"}}), 1),
            (json!({"http": {"body": {"x": 1}}}), json!({"http": {"body": {"x": 1, "y": 2}}}), 1),
        ];
        for (expected, actual, differences) in cases {
            assert_eq!(count(expected.clone(), actual.clone()), differences, "{expected} against {actual}");
        }
    }
}
