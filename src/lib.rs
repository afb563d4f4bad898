//! Embeddable multi-tenant API keys, tenancy and exact plan limits.

pub mod address;
pub mod audit;
pub mod clock;
pub mod code;
pub mod credential;
pub mod decision;
pub mod domain;
pub mod entropy;
pub mod error;
pub mod headers;
pub mod key;
mod ledger;
pub mod limit;
pub mod observer;
pub mod origin;
pub mod permission;
pub mod policy;
pub mod resource;
pub mod seal;
pub mod store;
pub mod tenant;
