//! The policy: a product's key system as data. TOML in, validated once, immutable.

mod document;
mod error;
pub mod knobs;
pub mod model;
mod text;

#[cfg(feature = "schema")]
pub use document::json_schema;
pub use error::{MAX_ERRORS, PolicyError, PolicyErrors};
pub use knobs::*;
pub use model::Policy;
