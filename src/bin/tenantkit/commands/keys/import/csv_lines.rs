//! CSV rows as JSON lines, each at the number of its row in the file.

use crate::failure::Failure;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::rc::Rc;

/// Members whose values are lists: in a row, words separated by spaces.
const LISTS: [&str; 4] = ["permissions", "resources", "origins", "ip_allow"];

/// Reads rows, and is read as JSON lines.
pub(super) struct CsvLines<R> {
    rows: csv::Reader<R>,
    head: csv::StringRecord,
    faults: Faults,
    /// Lines handed out so far.
    lines: u64,
    buffer: Vec<u8>,
    read: usize,
}

/// What is wrong with rows that are no row of the head line, by line.
#[derive(Clone, Default)]
pub(super) struct Faults(Rc<RefCell<BTreeMap<u64, String>>>);

impl Faults {
    pub(super) fn take(&self, line: u64) -> Option<String> {
        self.0.borrow_mut().remove(&line)
    }
}

impl<R: Read> CsvLines<R> {
    pub(super) fn new(source: R, faults: Faults) -> Result<Self, Failure> {
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(source);
        let unreadable =
            |e: csv::Error| Failure::new("file_error", format!("the head line can't be read: {e}"));
        let head = rows.headers().map_err(unreadable)?.clone();
        if !head.iter().any(|name| name == "digest") {
            return Err(Failure::usage("the head line has no column `digest`"));
        }
        Ok(Self { rows, head, faults, lines: 0, buffer: Vec::new(), read: 0 })
    }

    /// Puts the next row into the buffer, behind as many line ends as lead to its line.
    fn fill(&mut self) -> std::io::Result<()> {
        self.buffer.clear();
        self.read = 0;
        let mut row = csv::StringRecord::new();
        let next = self.rows.read_record(&mut row);
        let line = row.position().map_or(self.lines + 1, csv::Position::line);
        let json = match next {
            Ok(false) => return Ok(()),
            Ok(true) if row.len() != self.head.len() => {
                let reason = format!("has {} fields, but the head line has {}", row.len(), self.head.len());
                self.faults.0.borrow_mut().insert(line, reason);
                "not a row".to_owned()
            }
            Ok(true) => object(&self.head, &row).to_string(),
            Err(e) => return Err(std::io::Error::other(e)),
        };
        while self.lines + 1 < line {
            self.buffer.push(b'\n');
            self.lines += 1;
        }
        self.buffer.extend_from_slice(json.as_bytes());
        self.buffer.push(b'\n');
        self.lines += 1;
        Ok(())
    }
}

impl<R: Read> BufRead for CsvLines<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.read >= self.buffer.len() {
            self.fill()?;
        }
        Ok(self.buffer.get(self.read..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.read += count;
    }
}

impl<R: Read> Read for CsvLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// The members of a row; an empty field is no member.
fn object(head: &csv::StringRecord, row: &csv::StringRecord) -> Value {
    let mut members = Map::new();
    let mut labels = Map::new();
    for (name, field) in head.iter().zip(row).filter(|(_, field)| !field.is_empty()) {
        if let Some(label) = name.strip_prefix("label.") {
            labels.insert(label.to_owned(), field.into());
        } else {
            members.insert(name.to_owned(), value(name, field));
        }
    }
    if !labels.is_empty() {
        members.insert("labels".to_owned(), labels.into());
    }
    members.into()
}

fn value(name: &str, field: &str) -> Value {
    match field {
        "true" | "false" if name == "disabled" => Value::Bool(field == "true"),
        "all" if name == "resources" => field.into(),
        _ if LISTS.contains(&name) => field.split_whitespace().collect(),
        _ => field.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_objects_at_their_own_lines() {
        let text = "digest,name,permissions,label.env,disabled,resources\n\
                    aa,ci,A:B C:D,prod,true,all\n\
                    \n\
                    bb,\"two\nlines\",,,,agent:1 agent:2\n\
                    cc,short\n\
                    dd,last,,,,\n";
        let faults = Faults::default();
        let mut lines = String::new();
        CsvLines::new(text.as_bytes(), faults.clone()).unwrap().read_to_string(&mut lines).unwrap();
        let lines: Vec<&str> = lines.split('\n').collect();
        assert_eq!(
            lines[1],
            r#"{"digest":"aa","disabled":true,"labels":{"env":"prod"},"name":"ci","permissions":["A:B","C:D"],"resources":"all"}"#
        );
        // After empty lines a row counts from the first of them: the reader skips them with the row.
        let bb = lines.iter().position(|line| line.contains("bb")).unwrap();
        assert_eq!(
            (bb, lines[bb]),
            (2, r#"{"digest":"bb","name":"two\nlines","resources":["agent:1","agent:2"]}"#)
        );
        assert_eq!(lines[5], "not a row");
        assert!(faults.take(6).unwrap().contains("2 fields"));
        assert_eq!(lines[6], r#"{"digest":"dd","name":"last"}"#);
    }

    #[test]
    fn a_head_line_is_needed() {
        assert!(CsvLines::new(&b"aa,bb\n"[..], Faults::default()).is_err());
    }
}
