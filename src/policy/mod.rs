//! The policy: a product's key system as data. TOML in, validated once, immutable.

pub mod knobs;
pub mod model;

pub use model::Policy;
