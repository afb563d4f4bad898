//! A parsed TOML document that can be asked where something stands.

use super::At;
use crate::policy::error::{MAX_ERRORS, PolicyError, PolicyErrors};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The longest document, in bytes.
pub(crate) const MAX_POLICY_BYTES: usize = 1 << 20;

/// A document's text and its tree.
pub(crate) struct Source<'i> {
    text: &'i str,
    root: DeTable<'i>,
}

/// Which part of a member an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its name.
    Name,
    /// What it holds.
    Value,
}

impl<'i> Source<'i> {
    /// Parses `text`; every syntax error that can be told apart.
    pub(crate) fn parse(text: &'i str) -> Result<Self, PolicyErrors> {
        if text.len() > MAX_POLICY_BYTES {
            let message = format!("a policy has at most 1 MiB; this one has {} bytes", text.len());
            return Err(PolicyErrors::new(vec![PolicyError::at_start(message)], 0));
        }
        let (root, faults) = DeTable::parse_recoverable(text);
        if faults.is_empty() {
            return Ok(Self { text, root: root.into_inner() });
        }
        let errors = faults.iter().take(MAX_ERRORS).map(|fault| {
            let span = fault.span().unwrap_or(0..0);
            PolicyError::in_text(text, span, String::new(), format!("this is not TOML: {}", fault.message()))
        });
        let omitted = faults.len().saturating_sub(MAX_ERRORS);
        Err(PolicyErrors::new(errors.collect(), omitted))
    }

    pub(crate) fn root(&self) -> &DeTable<'i> {
        &self.root
    }

    /// The bytes of what stands at `at`; of the nearest table around it if it is not there.
    pub(crate) fn span(&self, at: &At<'_>, place: Place) -> Range<usize> {
        match self.find(at) {
            Ok(node) => match (place, node.name) {
                (Place::Name, Some(name)) => name,
                _ => node.value,
            },
            Err(around) => around,
        }
    }

    /// Whether something stands at `at`.
    pub(crate) fn has(&self, at: &At<'_>) -> bool {
        self.find(at).is_ok()
    }

    /// Whether a table or array with something in it stands at `at`.
    pub(crate) fn has_members(&self, at: &At<'_>) -> bool {
        self.find(at).is_ok_and(|node| match node.inner {
            Inner::Table(table) => !table.is_empty(),
            Inner::Array(array) => !array.is_empty(),
            Inner::Leaf => false,
        })
    }

    /// Where the member named at `at` begins: members in the order of the text compare by it.
    pub(crate) fn position(&self, at: &At<'_>) -> usize {
        self.span(at, Place::Name).start
    }

    fn find(&self, at: &At<'_>) -> Result<Node<'_, 'i>, Range<usize>> {
        match at {
            At::Root => Ok(Node { name: None, value: 0..0, inner: Inner::Table(&self.root) }),
            At::Key(parent, key) => {
                let parent = self.find(parent)?;
                let Inner::Table(table) = parent.inner else { return Err(parent.around()) };
                let (name, value) = table.get_key_value(*key).ok_or(parent.around())?;
                Ok(Node { name: Some(name.span()), value: value.span(), inner: Inner::of(value) })
            }
            At::Index(parent, index) => {
                let parent = self.find(parent)?;
                let Inner::Array(array) = parent.inner else { return Err(parent.around()) };
                let value = array.get(*index).ok_or(parent.around())?;
                Ok(Node { name: None, value: value.span(), inner: Inner::of(value) })
            }
        }
    }

    /// An error about what stands at `at`.
    pub(crate) fn error(&self, at: &At<'_>, place: Place, message: impl Into<String>) -> PolicyError {
        // A list that is written as its only element has no index.
        let field = match at {
            At::Index(list, _) if !self.has(at) => *list,
            _ => at,
        };
        PolicyError::in_text(self.text, self.span(at, place), field.to_string(), message.into())
    }

    /// An error about these bytes.
    pub(crate) fn error_in(&self, span: Range<usize>, field: String, message: String) -> PolicyError {
        PolicyError::in_text(self.text, span, field, message)
    }
}

struct Node<'s, 'i> {
    name: Option<Range<usize>>,
    value: Range<usize>,
    inner: Inner<'s, 'i>,
}

#[derive(Clone, Copy)]
enum Inner<'s, 'i> {
    Table(&'s DeTable<'i>),
    Array(&'s [Spanned<DeValue<'i>>]),
    Leaf,
}

impl<'s, 'i> Inner<'s, 'i> {
    fn of(value: &'s Spanned<DeValue<'i>>) -> Self {
        match value.get_ref() {
            DeValue::Table(table) => Inner::Table(table),
            DeValue::Array(array) => Inner::Array(array),
            _ => Inner::Leaf,
        }
    }
}

impl Node<'_, '_> {
    /// Where to point when something is missing in this node: a table's name, else its braces.
    fn around(&self) -> Range<usize> {
        match (&self.name, self.inner) {
            (Some(name), Inner::Table(_)) => name.clone(),
            _ => self.value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_missing_things_have_a_place() {
        let text = "name = 'x'\n[plans.FREE]\nlimits = [{ amount = 5 }]\n";
        let source = Source::parse(text).unwrap();
        let root = At::Root;
        let plans = root.key("plans");
        let plan = plans.key("FREE");
        let limits = plan.key("limits");
        let limit = limits.index(0);
        let shown = |at: &At<'_>, place| &text[source.span(at, place)];
        assert_eq!(shown(&root.key("name"), Place::Name), "name");
        assert_eq!(shown(&root.key("name"), Place::Value), "'x'");
        assert_eq!(shown(&limit.key("amount"), Place::Value), "5");
        assert_eq!(shown(&limit.key("meter"), Place::Value), "{ amount = 5 }");
        assert_eq!(shown(&plan.key("label"), Place::Value), "FREE");
        assert_eq!(source.span(&root.key("kinds"), Place::Value), 0..0);
        assert!(source.has(&limit) && !source.has(&limits.index(1)));
    }

    #[test]
    fn every_syntax_error_is_found() {
        let errors = Source::parse("a = \nb = 1\nc = [1,\nd = = 2\n").err().unwrap();
        assert!(errors.iter().count() >= 2, "{errors}");
        assert_eq!(errors.iter().next().unwrap().line(), 1);
    }

    #[test]
    fn a_huge_document_is_refused_unread() {
        assert!(Source::parse(&" ".repeat(MAX_POLICY_BYTES)).is_ok());
        let errors = Source::parse(&"\u{1}".repeat(MAX_POLICY_BYTES + 1)).err().unwrap();
        assert!(errors.to_string().contains("at most 1 MiB"), "{errors}");
    }
}
