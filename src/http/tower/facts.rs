//! What a guard knows of one request, in a form that may move to another thread.

use super::settings::Settings;
use crate::authority::Request;
use crate::http::route::RoutedCall;
use crate::policy::Policy;
use crate::policy::model::Operation;
use http::HeaderMap;
use http::request::Parts;
use std::net::IpAddr;
use std::sync::Arc;

/// One request, owned, without the operation: one request may mean several.
pub(crate) struct Facts {
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) org_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) environment: Option<Arc<str>>,
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) request_id: Option<String>,
    pub(crate) operation_id: Option<String>,
    pub(crate) dimensions: Vec<(String, String)>,
    /// Units of an operation whose cost varies.
    pub(crate) cost: Option<u64>,
}

impl Facts {
    /// What headers, query and settings say.
    pub(crate) fn of_parts(parts: &Parts, settings: &Settings) -> Self {
        Self {
            headers: parts.headers.clone(),
            query: parts.uri.query().map(str::to_owned),
            org_id: None,
            user_id: None,
            resource: None,
            environment: settings.environment.clone(),
            client_ip: settings.client_ip.as_ref().and_then(|find| find(parts)),
            request_id: (settings.request_id)(parts),
            operation_id: settings.takes_operation_ids.then(|| operation_id(&parts.headers)).flatten(),
            dimensions: settings.dimensions.as_ref().map(|find| find(parts)).unwrap_or_default(),
            cost: settings.cost.as_ref().and_then(|find| find(parts)),
        }
    }

    /// Adds what the route's placeholders say.
    pub(crate) fn set_route(&mut self, call: RoutedCall<'_, '_>) {
        self.org_id = call.org_id.map(Into::into);
        self.user_id = call.user_id.map(Into::into);
        self.resource = call.resource;
    }

    /// Adds what the placeholders of another router's route say.
    pub(crate) fn set_placeholders(
        &mut self,
        policy: &Policy,
        operation: &str,
        placeholders: &[(&str, &str)],
    ) {
        if let Some(operation) = policy.operation(operation) {
            let params = placeholders.iter().map(|(name, value)| (*name, (*value).into()));
            self.set_route(RoutedCall::new(policy, operation, params));
        }
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Lends the request to `judge`, as this operation.
    pub(crate) fn with_request<T>(&self, operation: &str, judge: impl FnOnce(&Request<'_>) -> T) -> T {
        let dimensions: Vec<(&str, &str)> =
            self.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.with_dimensions(operation, &dimensions, judge)
    }

    /// The same about an operation that is not called now: a dimension that only a call has is left open.
    pub(crate) fn with_request_about<T>(
        &self,
        operation: &Operation,
        judge: impl FnOnce(&Request<'_>) -> T,
    ) -> T {
        let given = |name: &str| self.dimensions.iter().find(|(known, _)| *known == *name);
        let dimensions: Vec<(&str, &str)> = operation
            .dimensions
            .iter()
            .map(|name| (&**name, given(name).map_or("-", |(_, value)| value.as_str())))
            .collect();
        self.with_dimensions(&operation.name, &dimensions, judge)
    }

    fn with_dimensions<T>(
        &self,
        operation: &str,
        dimensions: &[(&str, &str)],
        judge: impl FnOnce(&Request<'_>) -> T,
    ) -> T {
        self.with_headers(|headers| {
            let mut request = Request::new(operation).headers(headers).dimensions(dimensions);
            request.query = self.query.as_deref();
            request.org_id = self.org_id.as_deref();
            request.user_id = self.user_id.as_deref();
            request.resource = self.resource.as_deref();
            request.environment = self.environment.as_deref();
            request.client_ip = self.client_ip;
            request.request_id = self.request_id.as_deref();
            request.operation_id = self.operation_id.as_deref();
            request.cost = self.cost;
            judge(&request)
        })
    }

    /// Lends the header lines.
    pub(crate) fn with_headers<T>(&self, read: impl FnOnce(&[(&str, &[u8])]) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        read(&headers)
    }
}

/// The client's id of the operation: the value of the one `Idempotency-Key` line, as sent.
fn operation_id(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all("idempotency-key").iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && (1..=255).contains(&value.len())).then(|| value.to_owned())
}
