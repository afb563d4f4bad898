//! Answers of steps and cases: flat JSON objects, and what they are put together from.

use crate::clock::Timestamp;
use crate::error::Error;
use serde_json::{Map, Value, json};

/// What a step or case answers.
pub(super) type Answer = Map<String, Value>;

/// The answer of a call that only succeeds or fails.
pub(super) fn done(result: Result<(), Error>) -> Answer {
    match result {
        Ok(()) => object(json!({ "ok": true })),
        Err(error) => failed(&error),
    }
}

/// The answer of a management call that was refused or failed.
pub(super) fn failed(error: &Error) -> Answer {
    let fields: Vec<&str> = error.fields().iter().map(|field| field.field.as_str()).collect();
    object(json!({
        "ok": false,
        "code": error.code().name(),
        "status": error.http_status(),
        "fields": fields,
    }))
}

/// The members of a JSON object.
pub(super) fn object(value: Value) -> Answer {
    match value {
        Value::Object(members) => members,
        _ => Answer::new(),
    }
}

/// An RFC 3339 instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| format!("`{text}` is no instant"))
}

/// An instant as answers show it.
pub(super) fn shown(instant: Option<Timestamp>) -> Value {
    instant.map_or(Value::Null, |at| json!(at.to_string()))
}
