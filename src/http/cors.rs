//! Cross-origin requests (the Fetch standard) for operations that browsers may call.
//!
//! A preflight carries no key, so it is answered from the policy alone (row A-16). `Access-Control-Allow-Origin` is
//! always `*`: no origin is reflected and no cookie accepted. Which pages may use a key is judged, with the key, on the
//! request itself.

use super::response::HttpResponse;
use crate::policy::Policy;
use std::borrow::Cow;

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE_S: u32 = 600;

/// The answer to a preflight for a request with this method and path, if it means an operation that browsers may call;
/// otherwise `None`, and the request is refused like any that names no operation.
///
/// A preflight is an `OPTIONS` request with `Access-Control-Request-Method`, which is `method` here.
#[must_use]
pub fn preflight(policy: &Policy, method: &str, path: &str) -> Option<HttpResponse> {
    let (operation, _) = policy.operation_for_route(method, path)?;
    if !operation.public {
        return None;
    }
    let headers = [
        ("Access-Control-Allow-Origin", "*".to_owned()),
        ("Access-Control-Allow-Methods", method.to_owned()),
        ("Access-Control-Allow-Headers", request_headers(policy)),
        ("Access-Control-Max-Age", MAX_AGE_S.to_string()),
        ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers".to_owned()),
    ];
    let headers = headers.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
    Some(HttpResponse { status: 204, headers, body: None })
}

/// The headers that let a page read the answer to an operation that browsers may call; none for any other.
#[must_use]
pub fn answer_headers(policy: &Policy, operation: &str) -> &'static [(&'static str, &'static str)] {
    if !policy.operation(operation).is_some_and(|operation| operation.public) {
        return &[];
    }
    &[
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate"),
        ("Vary", "Origin"),
    ]
}

/// The headers a page may send: those of the carriers and of the tenant parameters.
fn request_headers(policy: &Policy) -> String {
    let mut names = vec!["Content-Type"];
    for carrier in policy.credentials().carriers.iter() {
        names.push(carrier.header().as_str());
    }
    let tenancy = policy.tenancy();
    for param in [&tenancy.org_param, &tenancy.user_param, &tenancy.proof_param] {
        names.extend(param.header.as_ref().map(|name| name.as_str()));
    }
    names.join(", ")
}
