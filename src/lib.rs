//! Embeddable multi-tenant API keys, tenancy and exact plan limits.

pub mod audit;
pub mod clock;
pub mod code;
pub mod domain;
pub mod entropy;
pub mod error;
pub mod resource;
pub mod tenant;
