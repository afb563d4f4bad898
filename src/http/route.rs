//! From a method and a path to an operation, its tenant and its resource.
//!
//! The policy's routes are matched segment by segment on the path as sent, decoded once. Whatever two programs could
//! read differently (`//`, `.` and `..`, encoded slashes, backslashes) means no operation.

use crate::policy::Policy;
use crate::policy::model::Operation;
use std::borrow::Cow;

/// What a request's method and path mean under a policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoutedCall<'p, 'r> {
    /// The operation.
    pub operation: &'p Operation,
    /// The org id, where the policy reads it from the path and the route has its placeholder.
    pub org_id: Option<Cow<'r, str>>,
    /// The user id, likewise.
    pub user_id: Option<Cow<'r, str>>,
    /// The resource as `type:id`, where the operation acts on one and the route has a placeholder for it.
    pub resource: Option<String>,
}

/// The operation that this method and path mean; `None` if no route matches. `path` is as sent, without the query.
///
/// The placeholder of an operation's resource has the name of the resource's type, alone or followed by `Id` or `_id`:
/// `{agent}`, `{agentId}` or `{agent_id}` for the type `agent`.
#[must_use]
pub fn find<'p, 'r>(policy: &'p Policy, method: &str, path: &'r str) -> Option<RoutedCall<'p, 'r>> {
    let (operation, found) = policy.operation_for_route(method, path)?;
    let tenancy = policy.tenancy();
    let param =
        |name: &str| found.params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let resource = operation.resource.as_deref().and_then(|kind| {
        let (_, id) = found.params.iter().find(|(name, _)| names_resource(name, kind))?;
        Some(format!("{kind}:{id}"))
    });
    Some(RoutedCall {
        operation,
        org_id: tenancy.org_param.path.as_deref().and_then(param),
        user_id: tenancy.user_param.path.as_deref().and_then(param),
        resource,
    })
}

fn names_resource(placeholder: &str, kind: &str) -> bool {
    matches!(placeholder.strip_prefix(kind), Some("" | "Id" | "_id"))
}
