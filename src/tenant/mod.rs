//! Tenancy: which account, org and user a request acts for.
//!
//! A key belongs to one account. Org and user are two axes; on each the key has a binding, and the parameters of a
//! request may only choose inside it. Read [`binding`] for what a key may be bound to, [`scope`] for what a request
//! ends up with, and [`id`] for what an id looks like.

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
