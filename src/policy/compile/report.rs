//! Collects what is wrong, and says it in one way.

use crate::policy::error::{MAX_ERRORS, PolicyError, PolicyErrors};
use crate::policy::text::nearest::nearest;
use crate::policy::text::read::short;
use crate::policy::text::{At, Place, Source};

/// The faults found so far in one document.
pub(crate) struct Report<'s, 'i> {
    source: &'s Source<'i>,
    errors: Vec<PolicyError>,
    omitted: usize,
}

impl<'s, 'i> Report<'s, 'i> {
    pub(crate) fn new(source: &'s Source<'i>, errors: Vec<PolicyError>) -> Self {
        Self { source, errors, omitted: 0 }
    }

    pub(crate) fn source(&self) -> &'s Source<'i> {
        self.source
    }

    /// Whether nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    pub(crate) fn into_errors(self) -> PolicyErrors {
        PolicyErrors::new(self.errors, self.omitted)
    }

    /// A fault of the value at `at`.
    pub(crate) fn value(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.push(|source| source.error(at, Place::Value, message));
    }

    /// A fault of the name of the member at `at`.
    pub(crate) fn name(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.push(|source| source.error(at, Place::Name, message));
    }

    /// The member `field` is needed in `at`.
    pub(crate) fn missing(&mut self, at: &At<'_>, field: &str, hint: &str) {
        self.missing_one_of(at, &[field], hint);
    }

    /// One of these members is needed in `at`; the first is named. Silent if one is there, or a misspelt one: that has been
    /// complained about already.
    pub(crate) fn missing_one_of(&mut self, at: &At<'_>, fields: &[&str], hint: &str) {
        let Some(first) = fields.first() else { return };
        if fields.iter().any(|field| self.source.has(&at.key(field))) || self.has_misspelt(at, fields) {
            return;
        }
        let here = at.key(first);
        self.push(|source| source.error(&here, Place::Value, format!("`{first}` is missing; {hint}")));
    }

    fn has_misspelt(&self, at: &At<'_>, fields: &[&str]) -> bool {
        let table = at.to_string();
        let inside = |error: &PolicyError| match error.field().rsplit_once('.') {
            Some((parent, _)) => parent == table,
            None => table.is_empty(),
        };
        self.errors
            .iter()
            .any(|error| error.suggestion().is_some_and(|word| fields.contains(&word)) && inside(error))
    }

    /// The word at `at` names nothing: `what` says what it should have named, `known` what there is.
    pub(crate) fn unknown<'w>(
        &mut self,
        at: &At<'_>,
        place: Place,
        what: &str,
        found: &str,
        known: impl IntoIterator<Item = &'w str>,
    ) {
        self.push(|source| {
            let words: Vec<&str> = known.into_iter().collect();
            let none = if words.is_empty() { ", and the policy has none" } else { "" };
            let message = format!("there is no {what} `{}`{none}", short(found));
            source.error(at, place, message).suggest(nearest(found, words.iter().copied())).allow(words)
        });
    }

    /// The word at `at` is none of `words`.
    pub(crate) fn not_one_of(&mut self, at: &At<'_>, found: &str, words: &[&str]) {
        self.push(|source| {
            let message = format!("`{}` is not one of the words allowed here", short(found));
            source
                .error(at, Place::Value, message)
                .suggest(nearest(found, words.iter().copied()))
                .allow(words)
        });
    }

    /// After [`MAX_ERRORS`] faults the rest are only counted: finding a line and a near word costs time.
    fn push(&mut self, error: impl FnOnce(&Source<'i>) -> PolicyError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error(self.source));
        } else {
            self.omitted += 1;
        }
    }
}
