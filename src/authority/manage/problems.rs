//! What is wrong with a management request: everything at once, each with what is allowed and what was probably meant.

use crate::code::Code;
use crate::error::{Error, FieldError};
use crate::policy::nearest;

/// Words listed in a message; of longer lists only the nearest is named.
const LISTED_MAX: usize = 12;

/// Collects faults.
#[derive(Default)]
pub(super) struct Problems {
    fields: Vec<FieldError>,
    codes: Vec<Code>,
}

impl Problems {
    /// A fault without a code of its own.
    pub(super) fn field(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.coded(Code::ValidationError, field, message);
    }

    /// A fault that has a code of its own, such as `unknown_role`.
    pub(super) fn coded(&mut self, code: Code, field: impl Into<String>, message: impl Into<String>) {
        self.fields.push(FieldError::new(field, message));
        if !self.codes.contains(&code) {
            self.codes.push(code);
        }
    }

    /// An error as one fault of `field`: its code and, where it has one, its detail.
    pub(super) fn error(&mut self, field: impl Into<String>, error: &Error) {
        self.coded(error.code(), field, error.detail().unwrap_or(error.message()));
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Nothing, or one error about all faults: the code that they share, else `validation_error`.
    pub(super) fn finish(self) -> Result<(), Error> {
        match &*self.codes {
            [] => Ok(()),
            [code] => Err(Error::refused(*code).with_fields(self.fields)),
            _ => Err(Error::invalid_fields(self.fields)),
        }
    }
}

/// `is not known`, the word that was probably meant, and the words there are, unless they are many. The word that was
/// given is not repeated: it may be a secret in the wrong place.
pub(super) fn unknown_word<'a>(given: &str, words: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut message = String::from("is not known");
    if let Some(word) = nearest(given, words.clone()) {
        message += &format!("; did you mean `{word}`?");
    }
    let count = words.clone().count();
    if (1..=LISTED_MAX).contains(&count) {
        message += &format!("; allowed: {}", listed(words));
    } else if count == 0 {
        message += "; the policy has none";
    }
    message
}

/// The words in backticks, separated by commas.
pub(super) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shared_code_is_kept_and_several_become_a_validation_error() {
        let check = |codes: &[Code], expected: Option<Code>| {
            let mut problems = Problems::default();
            codes.iter().for_each(|code| problems.coded(*code, "field", "is wrong"));
            let error = problems.finish().err();
            assert_eq!(error.as_ref().map(Error::code), expected, "{codes:?}");
            assert_eq!(error.map_or(0, |error| error.fields().len()), codes.len());
        };
        check(&[], None);
        check(&[Code::UnknownRole], Some(Code::UnknownRole));
        check(&[Code::UnknownRole, Code::UnknownRole], Some(Code::UnknownRole));
        check(&[Code::UnknownRole, Code::UnknownPlan], Some(Code::ValidationError));
        check(&[Code::UnknownRole, Code::ValidationError], Some(Code::ValidationError));
    }

    #[test]
    fn the_given_word_is_not_repeated() {
        let words = ["viewer", "developer", "admin"];
        let message = unknown_word("develper", words.into_iter());
        assert_eq!(
            message,
            "is not known; did you mean `developer`?; allowed: `viewer`, `developer`, `admin`"
        );
        assert!(!unknown_word("rsk_0123456789", words.into_iter()).contains("rsk_"));
        assert_eq!(unknown_word("x", [].into_iter()), "is not known; the policy has none");
    }
}
