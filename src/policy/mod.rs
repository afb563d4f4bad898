//! The policy: a product's key system as data. TOML in, validated once, immutable.

mod error;
pub mod knobs;
pub mod model;
mod text;

pub use error::{MAX_ERRORS, PolicyError, PolicyErrors};
pub use model::Policy;
