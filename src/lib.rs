//! Embeddable multi-tenant API keys, tenancy and exact plan limits.

pub mod address;
pub mod audit;
mod authority;
pub mod clock;
pub mod code;
pub mod credential;
pub mod decision;
pub mod domain;
pub mod entropy;
pub mod error;
pub mod headers;
pub mod http;
pub mod key;
mod ledger;
pub mod limit;
pub mod observer;
pub mod origin;
pub mod permission;
pub mod policy;
mod records;
pub mod resource;
pub mod seal;
pub mod store;
pub mod tenant;
#[cfg(feature = "conformance")]
pub mod vectors;

pub use authority::*;
pub use clock::Timestamp;
pub use code::Code;
pub use decision::{Decision, Denial, Grant};
pub use error::{Error, ErrorKind};
pub use policy::Policy;
