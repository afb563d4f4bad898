//! Embeddable multi-tenant API keys, tenancy and exact plan limits.

pub mod clock;
pub mod code;
pub mod entropy;
pub mod error;
pub mod key;
pub mod tenant;
