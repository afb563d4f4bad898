//! Reading columns in order. What does not fit its type makes the whole row an error that names the row and the column.

use super::failure::corrupt;
use crate::clock::Timestamp;
use crate::key::digest::KeyDigest;
use crate::key::id::KeyId;
use crate::store::StoreError;
use rusqlite::Row;
use rusqlite::types::{FromSql, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The columns of a row, one after another.
pub(super) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    table: &'static str,
    next: usize,
}

impl<'r, 's> Columns<'r, 's> {
    pub(super) fn of(table: &'static str, row: &'r Row<'s>) -> Self {
        Self { row, table, next: 0 }
    }

    /// The next column as a number, a text, a blob, or one of these where it is not null.
    pub(super) fn take<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let at = self.next;
        self.next += 1;
        self.row.get(at).map_err(|e| self.damaged(at, e))
    }

    /// A number that is never negative.
    pub(super) fn unsigned(&mut self) -> Result<u64, StoreError> {
        let number: i64 = self.take()?;
        u64::try_from(number).map_err(|e| self.damaged(self.next - 1, e))
    }

    pub(super) fn text(&mut self) -> Result<Box<str>, StoreError> {
        self.take::<String>().map(String::into_boxed_str)
    }

    pub(super) fn text_or_null(&mut self) -> Result<Option<Box<str>>, StoreError> {
        Ok(self.take::<Option<String>>()?.map(String::into_boxed_str))
    }

    pub(super) fn instant(&mut self) -> Result<Timestamp, StoreError> {
        self.take().map(Timestamp::from_micros)
    }

    pub(super) fn instant_or_null(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.take::<Option<i64>>()?.map(Timestamp::from_micros))
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let at = self.next;
        let bytes: Vec<u8> = self.take()?;
        bytes.try_into().map_err(|_| self.damaged(at, format_args!("not {N} bytes")))
    }

    pub(super) fn digest_or_null(&mut self) -> Result<Option<KeyDigest>, StoreError> {
        let at = self.next;
        let bytes: Option<Vec<u8>> = self.take()?;
        let digest = |bytes: Vec<u8>| bytes.try_into().map(KeyDigest::from_bytes);
        bytes.map(digest).transpose().map_err(|_| self.damaged(at, "not 32 bytes"))
    }

    pub(super) fn key_id(&mut self) -> Result<KeyId, StoreError> {
        let at = self.next;
        self.text()?.parse().map_err(|e| self.damaged(at, e))
    }

    pub(super) fn key_id_or_null(&mut self) -> Result<Option<KeyId>, StoreError> {
        let at = self.next;
        self.text_or_null()?.map(|text| text.parse()).transpose().map_err(|e| self.damaged(at, e))
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let at = self.next;
        let text: String = self.take()?;
        serde_json::from_str(&text).map_err(|e| self.damaged(at, e))
    }

    pub(super) fn json_or_null<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let at = self.next;
        let text: Option<String> = self.take()?;
        text.map(|text| serde_json::from_str(&text)).transpose().map_err(|e| self.damaged(at, e))
    }

    /// The error for the column that was taken last.
    pub(super) fn unknown(&self, word: &str) -> StoreError {
        self.damaged(self.next.saturating_sub(1), format_args!("unknown word `{word}`"))
    }

    fn damaged(&self, at: usize, why: impl std::fmt::Display) -> StoreError {
        let column = self.row.as_ref().column_name(at).unwrap_or("?");
        corrupt(format_args!("a row of `{}` is damaged: column `{column}`: {why}", self.table))
    }
}

/// A value as JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Value, StoreError> {
    serde_json::to_string(value).map(Value::Text).map_err(|e| corrupt(format_args!("encoding a column: {e}")))
}

pub(super) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub(super) fn text_or_null(value: Option<&str>) -> Value {
    value.map_or(Value::Null, text)
}

pub(super) fn instant(value: Timestamp) -> Value {
    Value::Integer(value.as_micros())
}

pub(super) fn instant_or_null(value: Option<Timestamp>) -> Value {
    value.map_or(Value::Null, instant)
}

pub(super) fn blob(value: &[u8]) -> Value {
    Value::Blob(value.to_vec())
}
