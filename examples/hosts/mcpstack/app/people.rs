//! People: who a token belongs to, and what they are in which organisation. A real product asks its identity provider.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tenantkit::Person;

/// Tokens and the people they belong to.
#[derive(Default)]
pub struct People {
    by_token: Mutex<HashMap<String, Person>>,
}

impl People {
    /// Makes a token known.
    pub fn add(&self, token: &str, person: Person) {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), person);
    }

    /// Whose token this is.
    pub fn sign_in(&self, token: &str) -> Option<Person> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}
