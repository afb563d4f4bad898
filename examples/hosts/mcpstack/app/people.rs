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
    /// The people that `MCPSTACK_PEOPLE` names, as `token=account/user/organisation/role` with spaces between them.
    pub fn from_environment() -> Self {
        let people = Self::default();
        for entry in std::env::var("MCPSTACK_PEOPLE").unwrap_or_default().split_whitespace() {
            let parts = entry.split_once('=').map(|(token, who)| (token, who.split('/').collect::<Vec<_>>()));
            match parts.as_ref().map(|(token, who)| (*token, who.as_slice())) {
                Some((token, [account, user, org, role])) => {
                    people.add(token, Person::new(*account, *user).member_of(*org, *role));
                }
                _ => eprintln!("MCPSTACK_PEOPLE: an entry is `token=account/user/organisation/role`"),
            }
        }
        people
    }

    /// Makes a token known.
    pub fn add(&self, token: &str, person: Person) {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), person);
    }

    /// Whose token this is.
    pub fn sign_in(&self, token: &str) -> Option<Person> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}
