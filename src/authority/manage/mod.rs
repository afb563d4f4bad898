//! Management: everything an owner does with keys, tenants and domains, and the trail it leaves.
//!
//! In reading order: `caller` is who acts, `rights` what that one may do, and `act` how every change is written.
//! `new_key`, `compose`, `bind` and `attributes` turn a request into a record, `issue` makes the key. `find` looks keys
//! up; `update`, `rotate` and `end` change and end them; `tenants` and `domains` keep the registry; `trail` reads the
//! audit chain; `import` takes keys over from elsewhere by their digests.

mod act;
mod attributes;
mod bind;
mod caller;
mod compose;
mod domains;
mod edit;
mod end;
mod find;
mod import;
#[cfg(feature = "cli")]
mod import_csv;
mod issue;
mod json;
mod new_key;
mod options;
mod plan;
mod problems;
mod proof;
mod registry;
mod rights;
mod rotate;
mod spec;
mod tenants;
mod trail;
mod update;
mod view;

pub use caller::{Caller, Person};
pub use domains::{DomainRequest, DomainView, Lookup};
pub use edit::KeyEdit;
pub use end::EndedByValue;
pub use find::PAGE_MAX;
pub use import::{ImportEvent, ImportOptions, ImportReport, RefusedLine};
pub use issue::IssuedKey;
pub use new_key::NewKey;
pub use options::{
    EnvironmentOption, GroupOption, KindOptions, Options, PlanOption, PresetOption, RoleOption,
    TemplateOption,
};
pub use plan::PlanChange;
pub use registry::TenantView;
pub use rotate::Rotation;
pub use spec::{OrgSpec, UserRef, UserSpec};
pub use tenants::{TenantEdit, TenantName};
pub use update::KeyChanged;
pub use view::{KeyStatus, KeyView, PlanLimit, PlanView, RevocationView};

use crate::key::id::KeyId;
use serde::Serialize;

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T, C = KeyId> {
    /// What was found; a page may be shorter than asked for although there is more.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<C>,
}

/// A page of keys.
pub type KeyPageView = Page<KeyView>;

/// A key with permissions it has never needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OverGranted {
    /// The key.
    pub key: KeyView,
    /// What it holds and no call of it has needed.
    pub never_needed: Vec<Box<str>>,
}

/// Something about a key that is allowed and deserves a word all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyWarning {
    /// The field concerned.
    pub field: &'static str,
    /// What to think of.
    pub message: String,
}

impl KeyWarning {
    fn high_role(role: &str, least: Option<&str>) -> Self {
        let instead = least
            .filter(|least| *least != role)
            .map_or(String::new(), |least| format!("; `{least}` is the least"));
        let message =
            format!("gives a key the role `{role}`; use the lowest role that does the work{instead}");
        Self { field: "role", message }
    }
}
