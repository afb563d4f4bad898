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

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        name = "test"
        [tenancy.org_param]
        header = "X-Org-Id"
        [tenancy.user_param]
        header = "X-User-Id"
        [kinds.public]
        class = "publishable"
        native = "pk"
        [kinds.public.presets.client]
        org = ["fixed"]
        user = ["none"]
        [kinds.secret]
        native = "sk"
        [kinds.secret.presets.client]
        org = ["fixed"]
        user = ["none"]
        [operations.chat]
        level = "user"
        public = true
        routes = ["POST /chat"]
        [operations.list]
        level = "org"
        routes = ["GET /chat"]
    "#;

    #[test]
    fn only_public_operations_are_opened_to_browsers() {
        let policy = Policy::parse(POLICY).unwrap_or_else(|errors| panic!("{errors}"));
        let answer = preflight(&policy, "POST", "/chat").unwrap();
        assert_eq!((answer.status, &answer.body), (204, &None));
        let headers: Vec<String> =
            answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            [
                "Access-Control-Allow-Origin: *",
                "Access-Control-Allow-Methods: POST",
                "Access-Control-Allow-Headers: Content-Type, authorization, x-api-key, x-org-id, x-user-id, x-user-proof",
                "Access-Control-Max-Age: 600",
                "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            ]
        );
        for (method, path) in [("GET", "/chat"), ("POST", "/other"), ("OPTIONS", "/chat")] {
            assert_eq!(preflight(&policy, method, path), None, "{method} {path}");
        }
        assert_eq!(answer_headers(&policy, "chat").len(), 3);
        assert!(answer_headers(&policy, "list").is_empty() && answer_headers(&policy, "none").is_empty());
    }
}
