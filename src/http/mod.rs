//! The one mapping to HTTP: status, headers and body of every answer, as values.
//!
//! # Reading order
//! [`response`] turns a [`Decision`](crate::decision::Decision) into an [`HttpResponse`], [`error_response`] an
//! [`Error`](crate::error::Error); every adapter in every language copies what they say and adds no rule of its own. What an
//! answer says is put together in `refusal`, written down by `body` and `challenge`, and counted out by [`ratelimit`].
//! [`route`] finds the operation that a method and a path mean, [`identity`] carries an allowed caller on to the next
//! server, [`cors`] answers browsers, and [`mcp`] guards servers of the Model Context Protocol.
//!
//! Nothing here needs a feature, a runtime or a web framework. The feature `tower` adds `http::tower`, a layer
//! for any tower service; `axum-08` adds extractors for axum 0.8.

#[cfg(feature = "axum-08")]
pub mod axum;
mod body;
mod challenge;
pub mod cors;
pub mod identity;
pub mod mcp;
pub mod ratelimit;
mod refusal;
mod response;
pub mod route;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(test)]
mod tests;

pub use response::{HttpResponse, code_response, denial_response, error_response, grant_response, response};
