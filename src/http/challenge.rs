//! `WWW-Authenticate` (RFC 9110 section 11.6.1, RFC 6750 section 3): what a caller lacks.

use super::refusal::Refusal;
use crate::code::Code;

/// The challenge of a refusal, if it has one: every 401, and a missing permission.
///
/// There is no `resource_metadata`: it would send clients into a login that no server here can end.
pub(crate) fn of(refusal: &Refusal<'_>) -> Option<String> {
    match (refusal.code, refusal.status) {
        (Code::MissingCredential, _) => Some("Bearer".to_owned()),
        (_, 401) => Some("Bearer error=\"invalid_token\"".to_owned()),
        (Code::InsufficientPermission, _) => {
            let missing = refusal.details.missing_permissions.join(" ");
            Some(format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", quotable(&missing)))
        }
        _ => None,
    }
}

/// What may stand between the quotes of `scope` (RFC 6749 section 3.3). Permissions hold nothing else by their grammar.
fn quotable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect()
}
