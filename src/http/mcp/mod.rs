//! The guard for servers of the Model Context Protocol: one endpoint, many operations.
//!
//! Two eras meet on it. From protocol version 2026-07-28 on, every POST stands alone and repeats its method and name in
//! headers; before, a client initializes a session and sends no such headers. Both are served.
//!
//! # Reading order
//! [`message`] reads the one JSON-RPC message of a POST, bounded and without duplicate keys. [`headers`] compares it with
//! the headers. [`call`] says which operation of the policy it means, and what is never charged. [`answer`] writes
//! refusals so that both the client program and the model behind it can read them. [`listing`] keeps what a caller may
//! not use out of its lists. [`session`] ties a session to the caller that opened it.
//!
//! All of it is values in, values out, and knows no MCP library. `http::tower::McpLayer` puts it in front of any MCP
//! server that is a tower service.

pub mod answer;
pub mod call;
pub mod headers;
pub mod listing;
pub mod message;
pub mod session;

#[cfg(test)]
mod tests;
