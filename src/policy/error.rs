//! What is wrong with a policy: every fault at once, each with its line, what is allowed and what was probably meant.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The most faults that are reported of one document.
pub const MAX_ERRORS: usize = 100;
/// The longest stretch of a source line that is shown, in characters.
const MAX_SHOWN: usize = 120;

/// One fault of a policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyError {
    line: usize,
    column: usize,
    width: usize,
    field: String,
    message: String,
    allowed: Vec<String>,
    suggestion: Option<String>,
    shown: String,
    caret: Range<usize>,
}

/// All faults of a policy document, in the order of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyErrors {
    file: Option<PathBuf>,
    errors: Vec<PolicyError>,
    omitted: usize,
}

impl PolicyError {
    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The column behind the last marked character.
    #[must_use]
    pub fn end_column(&self) -> usize {
        self.column + self.width
    }

    /// The field, such as `plans.FREE.limits[0].amount`; empty when the text is not TOML.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong, and what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The words that would have been accepted, where there is a list of them.
    #[must_use]
    pub fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// The word that was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    pub(crate) fn in_text(text: &str, span: Range<usize>, field: String, message: String) -> Self {
        let start = floor_boundary(text, span.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line_text = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        let end = floor_boundary(text, span.end.max(start)).min(line_start + line_text.len());
        let width = text.get(start..end).unwrap_or_default().chars().count().max(1);
        let (shown, caret) = window(line_text, column, width);
        Self {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            width,
            field,
            message,
            allowed: Vec::new(),
            suggestion: None,
            shown,
            caret,
        }
    }

    pub(crate) fn at_start(message: String) -> Self {
        Self::in_text("", 0..0, String::new(), message)
    }

    /// Adds the words that are allowed here.
    pub(crate) fn allow<S: AsRef<str>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.allowed = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// Adds the word that was probably meant.
    pub(crate) fn suggest(mut self, word: Option<impl Into<String>>) -> Self {
        self.suggestion = word.map(Into::into);
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, file: Option<&Path>) -> fmt::Result {
        let file = file.map_or_else(|| "policy".into(), |path| path.display().to_string());
        write!(f, "{file}:{}:{}: {}", self.line, self.column, self.message)?;
        if let Some(word) = &self.suggestion {
            write!(f, "; did you mean `{word}`?")?;
        }
        if !self.shown.is_empty() {
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            let indent = " ".repeat(self.caret.start);
            let carets = "^".repeat(self.caret.len().max(1));
            write!(f, "\n{margin} |\n{number} | {}\n{margin} | {indent}{carets}", self.shown)?;
        }
        if !self.field.is_empty() {
            write!(f, "\n  field: {}", self.field)?;
        }
        if !self.allowed.is_empty() {
            let words: Vec<String> = self.allowed.iter().take(40).map(|word| format!("`{word}`")).collect();
            let more = self.allowed.len().saturating_sub(40);
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            write!(f, "\n  allowed: {}{rest}", words.join(", "))?;
        }
        Ok(())
    }
}

impl PolicyErrors {
    /// At least one fault, and how many more there are.
    pub(crate) fn new(mut errors: Vec<PolicyError>, omitted: usize) -> Self {
        errors.sort_by_key(|error| (error.line, error.column));
        errors.dedup();
        Self { file: None, errors, omitted }
    }

    /// The faults, at least one and at most [`MAX_ERRORS`], by line and column.
    pub fn iter(&self) -> std::slice::Iter<'_, PolicyError> {
        self.errors.iter()
    }

    /// How many more there are.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// The same faults, shown with the name of the file they are in.
    #[must_use]
    pub fn in_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }
}

impl<'a> IntoIterator for &'a PolicyErrors {
    type Item = &'a PolicyError;
    type IntoIter = std::slice::Iter<'a, PolicyError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, None)
    }
}

impl fmt::Display for PolicyErrors {
    /// One block per fault, as compilers print them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            error.write(f, self.file.as_deref())?;
        }
        if self.omitted > 0 {
            write!(f, "\n\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}
impl std::error::Error for PolicyErrors {}

impl From<PolicyErrors> for Error {
    fn from(errors: PolicyErrors) -> Self {
        let count = errors.errors.len() + errors.omitted;
        let detail = format!("{count} {}\n{errors}", if count == 1 { "fault" } else { "faults" });
        Error::new(ErrorKind::InvalidPolicy, "the policy is not valid")
            .with_detail(detail)
            .with_source(errors)
    }
}

/// The part of a line around a column, with the columns of the caret in it. Control and direction characters are
/// replaced, so that what is shown is what stands there.
fn window(line: &str, column: usize, width: usize) -> (String, Range<usize>) {
    let from = column.saturating_sub(MAX_SHOWN / 2).min(line.chars().count().saturating_sub(MAX_SHOWN));
    let visible = |c: char| match c {
        '\t' => ' ',
        c if c.is_control()
            || ('\u{200b}'..='\u{202e}').contains(&c)
            || ('\u{2060}'..='\u{2069}').contains(&c) =>
        {
            char::REPLACEMENT_CHARACTER
        }
        c => c,
    };
    let shown: String = line.chars().skip(from).take(MAX_SHOWN).map(visible).collect();
    let start = column - from;
    let end = (start + width).min(MAX_SHOWN).max(start + 1);
    (shown.trim_end().to_owned(), start..end)
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_as_compilers_show_it() {
        let text = "name = \"x\"\n\tamout = 50 # é\n";
        let error =
            PolicyError::in_text(text, 12..17, "limits[0].amout".into(), "unknown field `amout`".into())
                .allow(["name", "amount"])
                .suggest(Some("amount"));
        let errors = PolicyErrors::new(vec![error], 0).in_file("acme.toml");
        let expected = "acme.toml:2:2: unknown field `amout`; did you mean `amount`?\n  \
                        |\n2 |  amout = 50 # é\n  |  ^^^^^\n  field: limits[0].amout\n  allowed: `name`, `amount`";
        assert_eq!(errors.to_string(), expected);
    }

    #[test]
    fn a_long_list_of_words_is_cut() {
        let words = (0..45).map(|i| format!("word{i}"));
        let error = PolicyError::in_text("x", 0..1, String::new(), "here".into()).allow(words);
        assert_eq!(error.allowed().len(), 45);
        assert!(error.to_string().ends_with("`word39` and 5 more"), "{error}");
    }

    #[test]
    fn as_an_error_of_the_library_it_says_how_many_there_are() {
        let fault = |line| PolicyError::in_text("\n\n\n", line..line, String::new(), "here".into());
        for (faults, says) in [(vec![fault(0)], "1 fault\n"), (vec![fault(0), fault(1)], "2 faults\n")] {
            let error = Error::from(PolicyErrors::new(faults, 0));
            assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
            assert!(error.detail().unwrap().starts_with(says), "{error}");
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_fault() {
        let text = format!("{}é!{}", "a".repeat(5_000), "b".repeat(5_000));
        let error = PolicyError::in_text(&text, 5_002..5_003, String::new(), "here".into());
        assert_eq!(error.column(), 5_002);
        assert_eq!(error.shown.chars().count(), MAX_SHOWN);
        assert_eq!(error.shown.chars().nth(error.caret.start), Some('!'));
    }

    #[test]
    fn nothing_in_a_line_can_forge_another_or_turn_it_around() {
        let error = PolicyError::in_text("a = \"\u{202e}\u{1b}[2J\"", 4..5, String::new(), "here".into());
        assert!(!error.to_string().contains(['\u{202e}', '\u{1b}']));
    }

    #[test]
    fn spans_outside_the_text_do_no_harm() {
        for span in [0..0, 5..90, 90..95, 1..2, usize::MAX - 1..usize::MAX] {
            let error = PolicyError::in_text("é\nx", span, String::new(), "here".into());
            assert!(error.line() >= 1 && error.column() >= 1);
        }
    }
}
