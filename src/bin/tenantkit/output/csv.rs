//! Comma-separated values, safe to open in a spreadsheet.

use super::{Column, Style};
use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value;

/// A head line and one line per item.
pub(super) fn of_items<T>(items: &[T], columns: &[Column<T>], style: &Style) -> Result<Vec<u8>, Failure> {
    let head: Vec<String> = columns.iter().map(|column| column.head.replace(' ', "_")).collect();
    let rows = items.iter().map(|item| {
        columns.iter().map(|column| (column.cell)(item, style).plain().to_owned()).collect::<Vec<_>>()
    });
    write(head, rows)
}

/// The members of an object as one line; what is not text, number or truth value stands as JSON.
pub(super) fn of_object<T: Serialize>(item: &T) -> Result<Vec<u8>, Failure> {
    let value = serde_json::to_value(item).map_err(|e| Failure::internal(&e))?;
    let Value::Object(members) = value else {
        return write(vec!["value".to_owned()], [vec![value.to_string()]]);
    };
    let (head, row) = members.into_iter().map(|(name, value)| (name, plain(value))).unzip();
    write(head, [row])
}

fn plain(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn write(head: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Failure> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(&head).map_err(|e| Failure::internal(&e))?;
    for row in rows {
        writer.write_record(row.iter().map(|field| guarded(field))).map_err(|e| Failure::internal(&e))?;
    }
    writer.into_inner().map_err(|e| Failure::internal(&e))
}

/// A field that a spreadsheet would take for a formula begins with a quote instead.
fn guarded(field: &str) -> String {
    if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{field}") } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Cell;
    use tenantkit::Timestamp;

    #[test]
    fn no_field_is_a_formula() {
        let style = Style { color: false, unicode: false, width: None, now: Timestamp::EPOCH };
        let columns = [Column::<&str>::new("last name", |item, _| Cell::new(item))];
        let text =
            of_items(&["=1+1", "+1", "-1", "@a", "\tb", "a=b", "x,\"y\"", ""], &columns, &style).unwrap();
        let expected = "last_name\n'=1+1\n'+1\n'-1\n'@a\n'\tb\na=b\n\"x,\"\"y\"\"\"\n\"\"\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn an_object_is_one_line() {
        let item = serde_json::json!({ "a": "x", "b": [1, 2], "c": null, "d": true });
        assert_eq!(of_object(&item).unwrap(), b"a,b,c,d\nx,\"[1,2]\",,true\n");
    }
}
