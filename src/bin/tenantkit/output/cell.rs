//! What stands in one field of a table.

use super::{Style, inert, time};
use tenantkit::Timestamp;

/// A column: its name in the head line, and what it shows of an item.
pub(crate) struct Column<T> {
    /// The head for people; programs get it with `_` for each space.
    pub(crate) head: &'static str,
    /// What it shows.
    pub(crate) cell: fn(&T, &Style) -> Cell,
    /// Whether only programs get it, in CSV.
    pub(crate) is_detail: bool,
}

impl<T> Column<T> {
    /// A column for everybody.
    pub(crate) const fn new(head: &'static str, cell: fn(&T, &Style) -> Cell) -> Self {
        Self { head, cell, is_detail: false }
    }

    /// A column that tables for people leave out.
    pub(crate) const fn detail(head: &'static str, cell: fn(&T, &Style) -> Cell) -> Self {
        Self { head, cell, is_detail: true }
    }
}

/// A text for people, and what programs get instead if that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) exact: Option<String>,
    pub(crate) tone: Tone,
}

/// How a cell is coloured; its words say the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As all else.
    #[default]
    Plain,
    /// In order.
    Good,
    /// Deserves a look.
    Warn,
    /// Needs something done.
    Bad,
}

impl Cell {
    /// A text that may come from a tenant: shown inert.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        let exact = text.as_ref();
        let text = inert(exact);
        let exact = (text != exact).then(|| exact.to_owned());
        Self { text, exact, tone: Tone::Plain }
    }

    /// A text or nothing; nothing is a dash for people and an empty field for programs.
    pub(crate) fn option(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(
            || Self { text: "-".to_owned(), exact: Some(String::new()), tone: Tone::Plain },
            Self::new,
        )
    }

    /// A list, separated by spaces.
    pub(crate) fn words<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Self {
        let words: Vec<S> = words.into_iter().collect();
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        Self::option(Some(words.join(" ")).filter(|text| !text.is_empty()))
    }

    /// An instant: how far away for people, then exactly; for programs exactly.
    pub(crate) fn instant(instant: Option<Timestamp>, style: &Style) -> Self {
        let Some(instant) = instant else { return Self::option(None::<&str>) };
        let text = format!("{} ({})", time::relative(instant, style.now), time::to_the_second(instant));
        Self { text, exact: Some(instant.to_string()), tone: Tone::Plain }
    }

    /// What programs get instead of the text.
    pub(crate) fn exactly(mut self, exact: impl ToString) -> Self {
        self.exact = Some(exact.to_string());
        self
    }

    pub(crate) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// What programs get.
    pub(crate) fn plain(&self) -> &str {
        self.exact.as_deref().unwrap_or(&self.text)
    }
}
