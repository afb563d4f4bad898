//! Tenancy: which account, org and user a request acts for.
//!
//! A key belongs to one account. Org and user are two axes; on each the key has a binding, and the parameters of a
//! request may only choose inside it. In reading order: [`binding`] is what a key may be bound to, [`preset`] which
//! combinations there are, [`params`] how a request names its tenant, [`resolve`] the truth table that judges it,
//! [`scope`] what comes out, and [`proof`] how a user id is vouched for. What an id looks like is in [`id`].

pub mod binding;
pub mod id;
pub mod params;
pub mod preset;
pub mod proof;
pub mod resolve;
pub mod row;
pub mod scope;
mod within;

pub use binding::{Bindings, Level, OrgBinding, UserBinding, UserEntry};
pub use id::{AccountId, IdError, IdSyntax, OrgId, UserId};
pub use preset::{BindingShape, Preset};
pub use scope::{ScopeUser, TenantScope};
