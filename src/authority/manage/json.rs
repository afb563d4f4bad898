//! Request bodies: read whole or refused with every member that is wrong.

use super::problems::{Problems, unknown_word};
use crate::error::Error;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Bytes of a body: 64 KiB.
pub(super) const BODY_MAX: usize = 64 * 1024;

/// Reads an object whose members all have defaults. `members` lists them, each with what it must be.
///
/// # Errors
/// `validation_error` with one field error per member that is unknown or of the wrong type. No value is repeated.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], members: &[(&str, &str)]) -> Result<T, Error> {
    if body.len() > BODY_MAX {
        return Err(Error::invalid_field("body", "may have at most 64 KiB"));
    }
    // Serde also reads an object from a list of its members' values; a body is an object.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::invalid_field("body", "must be one JSON object"));
    }
    serde_json::from_slice(body).map_err(|_| explain::<T>(body, members))
}

/// Why a body was not read.
fn explain<T: DeserializeOwned>(body: &[u8], members: &[(&str, &str)]) -> Error {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Error::invalid_field("body", "must be one JSON object");
    };
    let Value::Object(object) = value else {
        return Error::invalid_field("body", "must be one JSON object");
    };
    let mut problems = Problems::default();
    for (name, value) in object {
        match members.iter().find(|(member, _)| *member == name) {
            None => {
                problems.field(shown(&name), unknown_word(&name, members.iter().map(|(member, _)| *member)))
            }
            Some((member, form)) => {
                let alone = Map::from_iter([(name, value)]);
                if serde_json::from_value::<T>(Value::Object(alone)).is_err() {
                    problems.field(*member, format!("must be {form}"));
                }
            }
        }
    }
    // What is right member by member was wrong as a whole: a member stood there twice.
    problems
        .finish()
        .err()
        .unwrap_or_else(|| Error::invalid_field("body", "has a member twice; give each once"))
}

/// The name of an unknown member as far as it is fit to be shown.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::super::new_key::{MEMBERS, NewKey};
    use super::*;
    use crate::code::Code;

    fn faults(body: &str) -> Vec<String> {
        let error = read::<NewKey>(body.as_bytes(), MEMBERS).unwrap_err();
        assert_eq!(error.code(), Code::ValidationError);
        error.fields().iter().map(|field| field.field.clone()).collect()
    }

    #[test]
    fn every_wrong_member_is_named_and_no_value_is_repeated() {
        assert_eq!(faults("not json"), ["body"]);
        assert_eq!(faults("[]"), ["body"]);
        assert_eq!(faults(r#"{"name":"a","name":"b"}"#), ["body"]);
        assert_eq!(faults(r#"{"nmae":"a","permissions":"x","role":3}"#), ["nmae", "permissions", "role"]);
        assert_eq!(faults(r#"{"account_id":"other"}"#), ["account_id"]);
        let secret = "rsk_5ecret5ecret5ecret";
        let error = read::<NewKey>(format!(r#"{{"labels":"{secret}"}}"#).as_bytes(), MEMBERS).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret));
        assert_eq!(faults(&format!("{{\"name\":\"{}\"}}", "x".repeat(BODY_MAX))), ["body"]);
    }

    #[test]
    fn a_near_miss_is_suggested() {
        let error = read::<NewKey>(br#"{"enviroment":"live"}"#, MEMBERS).unwrap_err();
        assert!(error.to_string().contains("did you mean `environment`?"), "{error}");
    }

    #[test]
    fn inv_15_absent_null_and_empty_are_three_values() {
        let network_lists: Vec<_> = ["{}", r#"{"ip_allow":null}"#, r#"{"ip_allow":[]}"#]
            .iter()
            .map(|body| read::<NewKey>(body.as_bytes(), MEMBERS).unwrap().ip_allow)
            .collect();
        assert_ne!(network_lists[0], network_lists[1]);
        assert_ne!(network_lists[1], network_lists[2]);
        assert_ne!(network_lists[0], network_lists[2]);
    }
}
