//! Which operation a message means.

use super::message::{Message, MessageKind};
use crate::policy::Policy;
use crate::policy::model::Operation;

/// What a message asks for under a policy.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum McpCall<'p> {
    /// An operation that may cost something: a tool, or a resource or prompt that the policy names.
    Charged(&'p Operation),
    /// Everything else, judged as the policy's free operation: `initialize`, `ping`, lists, notifications, responses and
    /// what a client may ask without using anything up.
    Free(&'p Operation),
    /// A tool that the policy does not know. The caller is judged as for [`McpCall::Free`] first, so that strangers
    /// learn nothing.
    UnknownTool(&'p Operation),
    /// The policy names no free operation, so nothing but its tools can be called.
    Nothing,
}

/// What `message` asks for. The policy maps names: an exact entry first, then the one for all others.
#[must_use]
pub fn find<'p>(policy: &'p Policy, message: &Message) -> McpCall<'p> {
    let named = match (&message.kind, message.method.as_str(), message.name.as_deref()) {
        (MessageKind::Request(_), "tools/call", name) => {
            match name.and_then(|tool| policy.operation_for_tool(tool)) {
                Some(operation) => return McpCall::Charged(operation),
                None => return free(policy).map_or(McpCall::Nothing, McpCall::UnknownTool),
            }
        }
        (MessageKind::Request(_), "resources/read", Some(uri)) => policy.operation_for_mcp_resource(uri),
        (MessageKind::Request(_), "prompts/get", Some(name)) => policy.operation_for_prompt(name),
        _ => None,
    };
    match named {
        Some(operation) => McpCall::Charged(operation),
        None => free(policy).map_or(McpCall::Nothing, McpCall::Free),
    }
}

/// The operation under which methods that are never charged are judged.
#[must_use]
pub fn free(policy: &Policy) -> Option<&Operation> {
    policy.mcp().free_operation.and_then(|index| policy.operations().at(index))
}

impl<'p> McpCall<'p> {
    /// The operation to judge the caller by.
    #[must_use]
    pub fn operation(self) -> Option<&'p Operation> {
        match self {
            Self::Charged(operation) | Self::Free(operation) | Self::UnknownTool(operation) => {
                Some(operation)
            }
            Self::Nothing => None,
        }
    }
}
