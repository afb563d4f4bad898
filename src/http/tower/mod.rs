//! The guard as a tower layer: it judges each request before the service behind it sees it.
//!
//! [`GuardLayer`] is for plain HTTP, [`McpLayer`] for servers of the Model Context Protocol. Both answer refusals
//! themselves, put [`TenantScope`](crate::tenant::TenantScope), `Arc<`[`Grant`](crate::decision::Grant)`>` and
//! [`RequestId`] into the request's extensions, and add the `RateLimit` headers to allowed answers. They work with any tower service, any error type and any async runtime
//! ([`Runtime`]): what the cache knows is decided at once, and only the rest moves to a thread that may block.

mod admission;
mod body;
mod events;
mod facts;
mod guard;
mod handler;
mod mcp;
mod mcp_judge;
mod runtime;
mod settings;
mod settle;

#[cfg(feature = "axum-08")]
pub(crate) use body::add_headers;
pub use body::{BufferedBody, GuardBody};
pub use guard::{Guard, GuardLayer};
pub use handler::HandlerGuard;
pub use mcp::{McpGuard, McpLayer};
#[cfg(feature = "axum-08")]
pub use runtime::TokioRuntime;
pub use runtime::{BoxFuture, Runtime, Work};
pub use settings::RequestId;
