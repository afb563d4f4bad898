//! Keys to be taken over, as a table with one line per key.

use super::Caller;
use super::import::{ImportEvent, ImportOptions, ImportReport, Row};
use crate::authority::Authority;
use crate::error::{Error, ErrorKind};
use serde_json::{Map, Value};
use std::io::Read;

/// Members that hold lists; a cell separates its entries by `;`.
const LISTS: [&str; 4] = ["permissions", "resources", "origins", "ip_allow"];
/// Bytes of one record.
const RECORD_MAX: usize = 64 * 1024;

impl Authority {
    /// As [`import_jsonl`](Self::import_jsonl), from comma-separated values. The first line names the members; `label.x`
    /// is the label `x`, lists have `;` between their entries, and an empty cell is an absent member.
    ///
    /// # Errors
    /// As [`import_jsonl`](Self::import_jsonl).
    pub fn import_csv(
        &self,
        caller: &Caller,
        account_id: &str,
        reader: impl Read,
        options: &ImportOptions,
        on_event: impl FnMut(&ImportEvent),
    ) -> Result<ImportReport, Error> {
        let failed = |e: csv::Error| {
            Error::new(ErrorKind::InvalidArgument, "the file to import can't be read").with_source(e)
        };
        // Lines end with LF; a CR before it is cut off the last cell, as the reader's own way with CR LF miscounts lines.
        let mut table = csv::ReaderBuilder::new()
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(reader);
        let names: Vec<String> =
            table.headers().map_err(failed)?.iter().map(|n| without_cr(n).to_owned()).collect();
        let mut record = csv::StringRecord::new();
        self.import(caller, account_id, options, on_event, || {
            match table.read_record(&mut record) {
                Ok(false) => return Ok(None),
                Ok(true) => {}
                // Text that is not UTF-8 is the line's fault, anything else the file's.
                Err(e) if matches!(e.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    let line = e.position().map_or(0, csv::Position::line);
                    return Ok(Some(Row { line, members: Err("must be UTF-8".to_owned()) }));
                }
                Err(e) => return Err(failed(e)),
            }
            let line = record.position().map_or(0, csv::Position::line);
            Ok(Some(Row { line, members: members(&names, &record) }))
        })
    }
}

fn members(names: &[String], record: &csv::StringRecord) -> Result<Map<String, Value>, String> {
    if record.len() > names.len() {
        return Err("has more cells than the first line".to_owned());
    }
    if record.as_slice().len() > RECORD_MAX {
        return Err("has more than 64 KiB".to_owned());
    }
    let mut members = Map::new();
    let mut labels = Map::new();
    let cells = record.iter().map(without_cr);
    for (name, cell) in names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        if let Some(label) = name.strip_prefix("label.") {
            labels.insert(label.to_owned(), Value::from(cell));
        } else {
            members.insert(name.clone(), value(name, cell));
        }
    }
    if !labels.is_empty() {
        members.insert("labels".to_owned(), Value::Object(labels));
    }
    Ok(members)
}

fn without_cr(cell: &str) -> &str {
    cell.strip_suffix('\r').unwrap_or(cell)
}

fn value(name: &str, cell: &str) -> Value {
    match (name, cell) {
        ("resources", "all") => Value::from("all"),
        ("disabled", "true" | "false") => Value::from(cell == "true"),
        (name, cell) if LISTS.contains(&name) => cell.split(';').map(str::trim).collect(),
        (_, cell) => Value::from(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_members() {
        let names = ["digest", "name", "permissions", "label.team", "disabled", "role"].map(String::from);
        let read = |cells: &[&str]| members(&names, &csv::StringRecord::from(cells.to_vec()));
        let expected = serde_json::json!({
            "digest": "d", "name": "a, b", "permissions": ["A:READ", "B"], "labels": {"team": "x"}, "disabled": true,
        });
        assert_eq!(Value::Object(read(&["d", "a, b", "A:READ; B", "x", "true", ""]).unwrap()), expected);
        assert_eq!(Value::Object(read(&["d"]).unwrap()), serde_json::json!({"digest": "d"}));
        assert!(read(&["1", "2", "3", "4", "5", "6", "7"]).is_err());
    }
}
