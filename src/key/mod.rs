//! Keys: their text, its shape and its digest.
//!
//! In reading order: [`mod@format`] says which texts are keys of a policy and makes new ones, over an [`alphabet`];
//! [`secret`] holds a plaintext key between its making and its one showing; [`digest`] is what is stored and looked up
//! instead; [`id`] is the public name of a key, and [`record`] the stored row.

pub mod alphabet;
pub mod digest;
pub mod format;
pub mod id;
pub mod record;
pub mod secret;
