//! From a method and a path to an operation, its tenant and its resource.
//!
//! The policy's routes are matched segment by segment on the path as sent, decoded once. Whatever two programs could
//! read differently (`//`, `.` and `..`, encoded slashes, backslashes) means no operation.

use crate::policy::Policy;
use crate::policy::model::Operation;
use std::borrow::Cow;

/// The longest `type:id` that can be judged, in bytes.
const RESOURCE_LEN_MAX: usize = 255;

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
    let call = RoutedCall::new(policy, operation, found.params);
    // Nothing has a longer name.
    call.resource.as_ref().is_none_or(|resource| resource.len() <= RESOURCE_LEN_MAX).then_some(call)
}

impl<'p, 'r> RoutedCall<'p, 'r> {
    /// What the placeholders of a route to this operation say, by the names that the policy gives them.
    pub(crate) fn new<'n>(
        policy: &Policy,
        operation: &'p Operation,
        params: impl IntoIterator<Item = (&'n str, Cow<'r, str>)>,
    ) -> Self {
        let mut call = Self { operation, org_id: None, user_id: None, resource: None };
        let tenancy = policy.tenancy();
        for (name, value) in params {
            if tenancy.org_param.path.as_deref() == Some(name) {
                call.org_id = Some(value);
            } else if tenancy.user_param.path.as_deref() == Some(name) {
                call.user_id = Some(value);
            } else if let Some(kind) = operation.resource.as_deref().filter(|kind| names_resource(name, kind))
            {
                call.resource = Some(format!("{kind}:{value}"));
            }
        }
        call
    }
}

fn names_resource(placeholder: &str, kind: &str) -> bool {
    matches!(placeholder.strip_prefix(kind), Some("" | "Id" | "_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        name = "test"
        resource_types = ["agent"]
        [tenancy.org_param]
        path = "orgId"
        [tenancy.user_param]
        query = "user_id"
        [kinds.api]
        native = "tk"
        [kinds.api.presets.client]
        org = ["fixed"]
        user = ["none"]
        [operations."servers.read"]
        level = "org"
        routes = ["GET /orgs/{orgId}/servers/{serverId}", "GET /agents/{agent}/servers"]
        [operations."agents.read"]
        level = "org"
        resource = "agent"
        routes = ["GET /orgs/{orgId}/agents/{agentId}", "PUT /orgs/{orgId}/agents/{agent_id}", "POST /users/{user_id}/{agent}"]
    "#;

    #[test]
    fn placeholders_name_tenant_and_resource() {
        let policy = Policy::parse(POLICY).unwrap_or_else(|errors| panic!("{errors}"));
        let long = &*format!("/orgs/o/agents/{}", "a".repeat(250));
        let cases = [
            ("GET", "/orgs/o%201/servers/s", Some(("servers.read", Some("o 1"), None))),
            ("GET", "/agents/a/servers", Some(("servers.read", None, None))),
            ("GET", "/orgs/o/agents/a%3Ab", Some(("agents.read", Some("o"), Some("agent:a:b")))),
            ("PUT", "/orgs/o/agents/a", Some(("agents.read", Some("o"), Some("agent:a")))),
            ("POST", "/users/u/a", Some(("agents.read", None, Some("agent:a")))),
            ("POST", "/orgs/o/agents/a", None),
            ("GET", long, None),
            ("GET", "/orgs/o/agents/", None),
            ("GET", "/orgs/o//agents/a", None),
            ("GET", "/orgs/o/../agents/a", None),
            ("GET", "/orgs/o/%2e%2e/a", None),
            ("GET", "/orgs/o%2Fx/agents/a", None),
            ("GET", "/orgs/o%5cx/agents/a", None),
        ];
        for (method, path, expected) in cases {
            let found = find(&policy, method, path);
            let found = found.as_ref().map(|call| {
                assert_eq!(call.user_id, None, "the policy reads no user from the path");
                (&*call.operation.name, call.org_id.as_deref(), call.resource.as_deref())
            });
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
