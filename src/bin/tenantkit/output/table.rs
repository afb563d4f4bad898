//! Tables for people.

use super::{Cell, Column, Style, Tone};
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Color, ContentArrangement, Table};

/// One line per item under a head line.
pub(super) fn of_items<T>(items: &[T], columns: &[Column<T>], style: &Style) -> String {
    let shown: Vec<&Column<T>> = columns.iter().filter(|column| !column.is_detail).collect();
    let mut table = empty(style);
    let head = |text: &str| comfy_table::Cell::new(text.to_uppercase()).add_attribute(Attribute::Bold);
    table.set_header(shown.iter().map(|column| head(column.head)));
    for item in items {
        table.add_row(shown.iter().map(|column| drawn((column.cell)(item, style))));
    }
    finish(&table)
}

/// One line per field, its name before it.
pub(super) fn of_fields(fields: Vec<(&'static str, Cell)>, style: &Style) -> String {
    let mut table = empty(style);
    for (name, cell) in fields {
        let name = comfy_table::Cell::new(name).add_attribute(Attribute::Bold);
        table.add_row([name, drawn(cell)]);
    }
    finish(&table)
}

fn empty(style: &Style) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).force_no_tty();
    if style.color {
        table.enforce_styling();
    }
    if let Some(width) = style.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

fn drawn(cell: Cell) -> comfy_table::Cell {
    let drawn = comfy_table::Cell::new(cell.text);
    match cell.tone {
        Tone::Plain => drawn,
        Tone::Good => drawn.fg(Color::Green),
        Tone::Warn => drawn.fg(Color::Yellow),
        Tone::Bad => drawn.fg(Color::Red),
    }
}

/// The table without the blanks that fill its lines, and without its left margin.
fn finish(table: &Table) -> String {
    let line = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned() + "\n";
    table.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantkit::Timestamp;

    const PLAIN: Style = Style { color: false, unicode: false, width: None, now: Timestamp::EPOCH };
    const COLUMNS: [Column<(&str, &str)>; 2] = [
        Column::new("name", |item, _| Cell::new(item.0)),
        Column::new("state", |item, _| Cell::new(item.1).tone(Tone::Bad)),
    ];

    #[test]
    fn a_table_has_a_head_and_no_frame() {
        let text = of_items(&[("ci", "active"), ("a long name", "revoked")], &COLUMNS, &PLAIN);
        assert_eq!(text, "NAME         STATE\nci           active\na long name  revoked\n");
    }

    #[test]
    fn colour_is_only_where_it_was_asked_for() {
        let item = [("ci", "revoked")];
        assert!(!of_items(&item, &COLUMNS, &PLAIN).contains('\u{1b}'));
        assert!(of_items(&item, &COLUMNS, &Style { color: true, ..PLAIN }).contains('\u{1b}'));
    }

    #[test]
    fn the_narrowest_terminal_shows_everything() {
        for width in 1..30 {
            let narrow = Style { width: Some(width), ..PLAIN };
            let text = of_items(&[("name", "revoked")], &COLUMNS, &narrow);
            let letters: String = text.chars().filter(|c| c.is_ascii_lowercase()).collect();
            assert_eq!(letters.len(), "namerevoked".len(), "{width}: {text}");
        }
    }
}
