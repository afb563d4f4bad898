//! What the program prints: data on stdout in the form that was asked for, everything else on stderr.

pub(crate) mod bar;
pub(crate) mod cell;
mod csv;
mod table;
pub(crate) mod time;

pub(crate) use cell::{Cell, Column, Tone};

use crate::failure::Failure;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use tenantkit::Timestamp;

/// The form of data on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and bars, for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated values with a head line.
    Csv,
}

/// How text for people looks here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether colours may be used: only on a terminal, and only beside words that say the same.
    pub(crate) color: bool,
    /// Whether the locale can show more than ASCII.
    pub(crate) unicode: bool,
    /// The width that tables fit into; `None` when nobody looks, so that no line is cut.
    pub(crate) width: Option<u16>,
    /// What relative times refer to.
    pub(crate) now: Timestamp,
}

/// The two streams.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    format: Format,
    quiet: bool,
    style: Style,
}

impl Out {
    pub(crate) fn new(format: Format, quiet: bool, now: Timestamp) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let style = Style {
            color: is_terminal && wants_color(&variable),
            unicode: is_utf8(&variable),
            width: if is_terminal || variable("COLUMNS").is_some() { width(&variable) } else { None },
            now,
        };
        Self { format, quiet, style }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn style(&self) -> &Style {
        &self.style
    }

    /// Whether tables are printed: what is for people only belongs into no other form.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// Prints many things of one sort.
    pub(crate) fn list<T: Serialize>(&self, items: &[T], columns: &[Column<T>]) -> Result<(), Failure> {
        match self.format {
            Format::Table if items.is_empty() => Ok(()),
            Format::Table => self.data(table::of_items(items, columns, &self.style)),
            Format::Json => self.data(pretty(&items)?),
            Format::Jsonl => {
                let lines: Result<Vec<String>, Failure> = items.iter().map(compact).collect();
                self.data(lines?.concat())
            }
            Format::Csv => self.data(csv::of_items(items, columns, &self.style)?),
        }
    }

    /// Prints one thing: as fields for people, as an object for programs.
    pub(crate) fn one<T: Serialize>(
        &self,
        item: &T,
        columns: &[Column<T>],
        fields: impl FnOnce(&Style) -> Vec<(&'static str, Cell)>,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.data(table::of_fields(fields(&self.style), &self.style)),
            Format::Json => self.data(pretty(item)?),
            Format::Jsonl => self.data(compact(item)?),
            Format::Csv => self.data(csv::of_items(std::slice::from_ref(item), columns, &self.style)?),
        }
    }

    /// Prints one thing that has no columns: lines for people, an object for programs.
    pub(crate) fn report<T: Serialize>(
        &self,
        item: &T,
        text: impl FnOnce(&Style) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.data(text(&self.style)),
            Format::Json => self.data(pretty(item)?),
            Format::Jsonl => self.data(compact(item)?),
            Format::Csv => self.data(csv::of_object(item)?),
        }
    }

    /// Prints a table of fields on stderr: what a person wants to see beside the data.
    pub(crate) fn aside(&self, fields: Vec<(&'static str, Cell)>) {
        if !self.quiet {
            let plain = Style { color: false, ..self.style };
            say(&table::of_fields(fields, &plain));
        }
    }

    /// Writes data to stdout as it is.
    pub(crate) fn data(&self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()).map_err(|e| Failure::stdout(&e))
    }

    /// Says on stderr what happened and what to do next, unless `--quiet`.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            say(&format!("{text}\n"));
        }
    }

    /// Says on stderr what deserves attention, also with `--quiet`.
    pub(crate) fn warn(&self, text: impl Display) {
        say(&format!("warning: {text}\n"));
    }
}

/// Writes to stderr; a stderr that is gone is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The text without characters that move the cursor, hide or turn around what stands beside them.
pub(crate) fn inert(text: &str) -> String {
    let shown = |c: char| match c {
        c if c.is_control() => '\u{fffd}',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            '\u{fffd}'
        }
        c => c,
    };
    text.chars().map(shown).collect()
}

fn pretty<T: Serialize + ?Sized>(item: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(item).map(|text| text + "\n").map_err(|e| Failure::internal(&e))
}

fn compact<T: Serialize + ?Sized>(item: &T) -> Result<String, Failure> {
    serde_json::to_string(item).map(|text| text + "\n").map_err(|e| Failure::internal(&e))
}

/// A variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn wants_color(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb")
}

/// Whether the locale is one of UTF-8: the first of the three variables that is set decides.
fn is_utf8(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// `COLUMNS`, else what the terminal says.
fn width(variable: &dyn Fn(&str) -> Option<String>) -> Option<u16> {
    let named = variable("COLUMNS").and_then(|columns| columns.parse().ok());
    named.or_else(|| comfy_table::Table::new().width()).filter(|width| *width > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn colour_is_off_where_it_is_not_wanted() {
        assert!(wants_color(&given(&[("TERM", "xterm")])));
        assert!(!wants_color(&given(&[("TERM", "dumb")])));
        assert!(!wants_color(&given(&[("TERM", "xterm"), ("NO_COLOR", "1")])));
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(is_utf8(&given(&[("LANG", "de_DE.UTF-8")])));
        assert!(is_utf8(&given(&[("LC_ALL", "C.utf8"), ("LANG", "C")])));
        assert!(!is_utf8(&given(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")])));
        assert!(!is_utf8(&given(&[])));
    }

    #[test]
    fn text_of_tenants_moves_no_cursor() {
        assert_eq!(inert("a\u{1b}[2Jb\nc\u{202e}d é"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d é");
    }
}
