//! The request that is to be decided, from flags or from JSON.

use super::{Check, Facts};
use crate::commands::keys::body;
use crate::context::Context;
use crate::failure::Failure;
use crate::secrets;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use tenantkit::http::route;
use tenantkit::key::secret::ApiKey;
use tenantkit::{Policy, Request};

/// A request as JSON gives it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    operation: Option<String>,
    method: Option<String>,
    path: Option<String>,
    tool: Option<String>,
    key: Option<String>,
    headers: Vec<(String, String)>,
    query: Option<String>,
    org_id: Option<String>,
    user_id: Option<String>,
    cost: Option<u64>,
    resource: Option<String>,
    environment: Option<String>,
    origin: Option<String>,
    client_ip: Option<IpAddr>,
    request_id: Option<String>,
    operation_id: Option<String>,
    dimensions: BTreeMap<String, String>,
}

/// What was given, with the key out of its way.
pub(crate) struct Given {
    body: Body,
    key: Option<ApiKey>,
}

impl Given {
    pub(super) fn read(check: &Check, context: &Context) -> Result<Self, Failure> {
        let mut body = match &check.request {
            Some(source) => from_json(&zeroize::Zeroizing::new(body(source)?))?,
            None => from_flags(check, context)?,
        };
        if body.operation_id.is_none() {
            body.operation_id = context.global.operation_id.clone();
        }
        let key = match body.key.take() {
            Some(text) => Some(ApiKey::new(text)),
            // Headers say who calls, or that nobody does.
            None if !body.headers.is_empty() => None,
            None if check.request.as_deref() == Some("-") => secrets::api_key(None, &context.names.key_env)?,
            None => secrets::api_key(check.key.as_deref(), &context.names.key_env)?,
        };
        Ok(Self { body, key })
    }

    /// A request for an operation, without a credential.
    pub(crate) fn of_operation(operation: &str, facts: &Facts, context: &Context) -> Self {
        let body = Body { operation: Some(operation.to_owned()), ..from_facts(facts, context) };
        Self { body, key: None }
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.body.request_id.as_deref()
    }

    /// Judges the request by `decide`.
    pub(crate) fn with_request<T>(
        &self,
        policy: &Policy,
        context: &Context,
        decide: impl FnOnce(&Request<'_>) -> Result<T, tenantkit::Error>,
    ) -> Result<T, Failure> {
        let body = &self.body;
        let (path, query) = match body.path.as_deref().map(|path| path.split_once('?').unwrap_or((path, "")))
        {
            Some((path, query)) => {
                (path, Some(query).filter(|query| !query.is_empty()).or(body.query.as_deref()))
            }
            None => ("", body.query.as_deref()),
        };
        let routed = match &body.method {
            Some(method) => match route::find(policy, method, path) {
                Some(routed) => Some(routed),
                None => return Err(unknown("route", policy, &context.names.program)),
            },
            None => None,
        };
        let operation = match (&routed, &body.tool, &body.operation) {
            (Some(routed), _, _) => Some(routed.operation),
            (None, Some(tool), _) => policy.operation_for_tool(tool),
            (None, None, Some(name)) => policy.operation(name),
            (None, None, None) => {
                return Err(Failure::usage("name the operation, a `--route`, a `--tool` or a `--request`"));
            }
        };
        let operation = operation.ok_or_else(|| unknown("operation", policy, &context.names.program))?;
        let headers: Vec<(&str, &[u8])> =
            body.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let dimensions: Vec<(&str, &str)> =
            body.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let routed_org = routed.as_ref().and_then(|routed| routed.org_id.as_deref());
        let routed_user = routed.as_ref().and_then(|routed| routed.user_id.as_deref());
        let routed_resource = routed.as_ref().and_then(|routed| routed.resource.as_deref());

        let mut request = Request::new(&operation.name).headers(&headers).dimensions(&dimensions);
        if let Some(query) = query {
            request = request.query(query);
        }
        if let Some(org) = body.org_id.as_deref().or(routed_org) {
            request = request.org_id(org);
        }
        if let Some(user) = body.user_id.as_deref().or(routed_user) {
            request = request.user_id(user);
        }
        if let Some(resource) = body.resource.as_deref().or(routed_resource) {
            request = request.resource(resource);
        }
        if let Some(units) = body.cost {
            request = request.cost(units);
        }
        if let Some(environment) = &body.environment {
            request = request.environment(environment);
        }
        if let Some(origin) = &body.origin {
            request = request.origin(origin);
        }
        if let Some(ip) = body.client_ip {
            request = request.client_ip(ip);
        }
        if let Some(id) = &body.request_id {
            request = request.request_id(id);
        }
        if let Some(id) = &body.operation_id {
            request = request.operation_id(id);
        }
        match &self.key {
            Some(key) => Ok(secrets::with_text(key, |text| decide(&request.key(text)))?),
            None => Ok(decide(&request)?),
        }
    }
}

fn from_json(text: &[u8]) -> Result<Body, Failure> {
    // The text may hold a key, which the reader's complaint would repeat in part.
    serde_json::from_slice(text).map_err(|e| {
        let message = format!("the request can't be read as JSON at line {}, column {}", e.line(), e.column());
        Failure::usage(message).code("validation_error").fix(
            "its members are operation, or method and path, or tool; key or headers; query, org_id, user_id, cost, resource, \
             environment, origin, client_ip, request_id, operation_id, dimensions",
        )
    })
}

fn from_flags(check: &Check, context: &Context) -> Result<Body, Failure> {
    let route = check.route.as_deref().map(|route| {
        let form = || Failure::usage("a route is a method and a path: `--route 'GET /v1/flows'`");
        route.split_once(' ').ok_or_else(form)
    });
    let (method, path) = route.transpose()?.map(|(m, p)| (m.to_owned(), p.to_owned())).unzip();
    Ok(Body {
        operation: check.operation.clone(),
        method,
        path,
        tool: check.tool.clone(),
        request_id: check.request_id.clone(),
        ..from_facts(&check.facts, context)
    })
}

fn from_facts(facts: &Facts, context: &Context) -> Body {
    Body {
        query: facts.query.clone(),
        org_id: context.org(&facts.org),
        user_id: facts.user.clone(),
        cost: facts.cost,
        resource: facts.resource.clone(),
        environment: facts.environment.clone(),
        origin: facts.origin.clone(),
        client_ip: facts.ip,
        dimensions: facts.dimensions.iter().cloned().collect(),
        ..Body::default()
    }
}

fn unknown(what: &str, policy: &Policy, program: &str) -> Failure {
    let names: Vec<&str> = policy.operations().names().take(20).collect();
    let message = format!("the policy has no such {what}; its operations are {}", names.join(", "));
    Failure::usage(message)
        .code("unknown_operation")
        .fix(format!("`{program} policy check` lists all operations"))
}
