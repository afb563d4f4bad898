//! One JSON-RPC message, as far as a guard must understand it.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The largest body that is read, in bytes.
pub const BODY_MAX: usize = 1 << 20;

/// A JSON-RPC message of the Model Context Protocol.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Request, notification or response.
    pub kind: MessageKind,
    /// The method; empty for a response.
    pub method: String,
    /// What the method is about, for the three methods that name something: the tool, the prompt, the resource's URI.
    pub name: Option<String>,
    /// The protocol version that the message itself declares.
    pub protocol_version: Option<String>,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageKind {
    /// A request with this id, a string or an integer.
    Request(Value),
    /// A notification, which nobody answers.
    Notification,
    /// The client's answer to a request of the server.
    Response,
}

/// Why a body is not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It is longer than [`BODY_MAX`].
    #[error("the body is longer than 1 MiB")]
    TooLong,
    /// It is not JSON, or nested deeper than 127 levels.
    #[error("the body is not JSON")]
    NotJson,
    /// Some object has a key twice, which two programs could read differently.
    #[error("an object of the body has a key twice")]
    DuplicateKey,
    /// It is a batch.
    #[error("the body is an array; send one message per request")]
    Batch,
    /// It is JSON, but no message.
    #[error("the body is not a JSON-RPC 2.0 message")]
    NotMessage,
}

/// The methods that name what they are about, and the parameter that holds the name.
const NAMED: [(&str, &str); 3] = [("tools/call", "name"), ("prompts/get", "name"), ("resources/read", "uri")];

/// Where a message of the stateless protocol declares its version.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

impl Message {
    /// Reads the body of a POST.
    ///
    /// # Errors
    /// The body is too long, not JSON, ambiguous, a batch or no message.
    pub fn parse(body: &[u8]) -> Result<Self, MessageError> {
        if body.len() > BODY_MAX {
            return Err(MessageError::TooLong);
        }
        match strict_json(body)? {
            Value::Object(members) => Self::from_members(members),
            Value::Array(_) => Err(MessageError::Batch),
            _ => Err(MessageError::NotMessage),
        }
    }

    /// Whether the method names what it is about.
    #[must_use]
    pub fn is_named(&self) -> bool {
        NAMED.iter().any(|(method, _)| *method == self.method)
    }

    /// The id to answer, for a request.
    #[must_use]
    pub fn id(&self) -> Option<&Value> {
        match &self.kind {
            MessageKind::Request(id) => Some(id),
            MessageKind::Notification | MessageKind::Response => None,
        }
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, MessageError> {
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(MessageError::NotMessage);
        }
        let is_answer = members.contains_key("result") || members.contains_key("error");
        let (kind, method) = match (members.remove("method"), members.remove("id"), is_answer) {
            (Some(Value::String(method)), None, false) => (MessageKind::Notification, method),
            (Some(Value::String(method)), Some(id), false) if is_id(&id) => {
                (MessageKind::Request(id), method)
            }
            (None, Some(_), true) => (MessageKind::Response, String::new()),
            _ => return Err(MessageError::NotMessage),
        };
        let params = members.remove("params");
        let member = |key: &str| params.as_ref().and_then(|params| params.get(key));
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let name_key = NAMED.iter().find(|(named, _)| *named == method).map(|(_, key)| *key);
        let name = text(name_key.and_then(member));
        let declared = member("_meta").and_then(|meta| meta.get(VERSION_KEY));
        Ok(Self { kind, method, name, protocol_version: text(declared) })
    }
}

/// Larger numbers and fractions do not come back from every JSON program as they went in.
fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

/// Any JSON value without duplicate keys.
fn strict_json(body: &[u8]) -> Result<Value, MessageError> {
    let mut repeated = false;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Strict { repeated: &mut repeated }.deserialize(&mut deserializer);
    match (value, repeated) {
        (_, true) => Err(MessageError::DuplicateKey),
        (Ok(value), false) if deserializer.end().is_ok() => Ok(value),
        _ => Err(MessageError::NotJson),
    }
}

/// Builds a value and notes whether a key stood twice in one object.
struct Strict<'a> {
    repeated: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Strict { repeated: self.repeated })? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict { repeated: self.repeated })?;
            if object.insert(key, value).is_some() {
                *self.repeated = true;
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> MessageError {
        Message::parse(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn requests_notifications_and_responses() {
        let call = Message::parse(
            br#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"search","arguments":{"name":"x"},
                "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        );
        let call = call.unwrap();
        assert_eq!((call.id(), call.method.as_str()), (Some(&Value::from("a")), "tools/call"));
        assert_eq!(
            (call.name.as_deref(), call.protocol_version.as_deref()),
            (Some("search"), Some("2026-07-28"))
        );

        let read = Message::parse(
            br#"{"jsonrpc":"2.0","id":-7,"method":"resources/read","params":{"uri":"file:///x"}}"#,
        );
        assert_eq!(read.unwrap().name.as_deref(), Some("file:///x"));
        let list = Message::parse(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"x"}}"#)
            .unwrap();
        assert_eq!((list.name.as_deref(), list.is_named()), (None, false));

        let note = Message::parse(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).unwrap();
        assert_eq!(
            (note.kind, note.method.as_str()),
            (MessageKind::Notification, "notifications/initialized")
        );
        for body in [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, r#"{"jsonrpc":"2.0","id":1,"error":{}}"#] {
            assert_eq!(Message::parse(body.as_bytes()).unwrap().kind, MessageKind::Response);
        }
    }

    #[test]
    fn ambiguous_bodies_are_refused() {
        let duplicates = [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"free","name":"dear"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":[{"a":1,"a":1}]}}"#,
        ];
        for body in duplicates {
            assert_eq!(error(body), MessageError::DuplicateKey, "{body}");
        }
        assert_eq!(error(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), MessageError::Batch);
        assert_eq!(error("[]"), MessageError::Batch);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let not_json = [
            "",
            "{",
            "{}x",
            "{\"a\":1}{\"a\":1}",
            "\u{feff}{}",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",}",
        ];
        for body in not_json {
            assert_eq!(error(body), MessageError::NotJson, "{body}");
        }
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(error(&deep), MessageError::NotJson);
        let not_utf8 = Message::parse(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}");
        assert_eq!(not_utf8, Err(MessageError::NotJson));

        let no_message = [
            "null",
            "\"ping\"",
            "{}",
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        ];
        for body in no_message {
            assert_eq!(error(body), MessageError::NotMessage, "{body}");
        }
    }

    #[test]
    fn the_bound_is_one_mebibyte() {
        let body = |len: usize| {
            let frame = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":""}}"#;
            let (head, tail) = frame.split_at(frame.len() - 3);
            format!("{head}{}{tail}", "y".repeat(len - frame.len()))
        };
        assert!(Message::parse(body(BODY_MAX).as_bytes()).is_ok());
        assert_eq!(error(&body(BODY_MAX + 1)), MessageError::TooLong);
    }
}
