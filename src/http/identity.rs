//! `X-Tenantkit-*`: an allowed caller, carried on to the server behind.
//!
//! The server behind believes these headers, so whatever a client sends under such a name is removed first
//! ([`is_identity_header`]), in any case and with `-` or `_`, which some servers take for the same character.

use crate::decision::Identity;

/// The headers that carry an identity, each on every allow.
pub const NAMES: [&str; 6] = [
    "X-Tenantkit-Account",
    "X-Tenantkit-Org",
    "X-Tenantkit-User",
    "X-Tenantkit-Environment",
    "X-Tenantkit-Key",
    "X-Tenantkit-Plan",
];

/// What every name of ours begins with, in lower case.
const PREFIX: &str = "x-tenantkit-";

/// All identity headers, in the order of [`NAMES`]; empty where the caller has no such id.
///
/// Ids are percent-encoded: every byte but the visible ASCII characters, and `%` itself. An id of plain characters
/// stands as it is. Without the encoding an id that begins or ends with a space would arrive as another id, because HTTP
/// trims header values.
#[must_use]
pub fn headers(identity: &Identity) -> [(&'static str, String); 6] {
    let values = [
        identity.account_id(),
        identity.org_id().unwrap_or(""),
        identity.user_id().unwrap_or(""),
        identity.environment(),
        &identity.key_id().to_string(),
        identity.plan().unwrap_or(""),
    ]
    .map(encode);
    let mut values = values.into_iter();
    NAMES.map(|name| (name, values.next().unwrap_or_default()))
}

/// Whether a header of this name claims an identity and must not come from outside.
#[must_use]
pub fn is_identity_header(name: &str) -> bool {
    let mut bytes = name.bytes().map(|b| if b == b'_' { b'-' } else { b.to_ascii_lowercase() });
    PREFIX.bytes().all(|expected| bytes.next() == Some(expected))
}

fn encode(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::id::KeyId;
    use crate::tenant::{ScopeUser, TenantScope};
    use proptest::prelude::*;

    fn decode(text: &str) -> String {
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).unwrap()
    }

    fn values(org: Option<&str>, user: ScopeUser<'_>) -> Vec<String> {
        let scope = TenantScope::new("acme", "live", org, user);
        let identity = Identity::new(KeyId::from_bytes([0; 16]), scope, Some("FREE"));
        headers(&identity).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn every_header_is_there_and_empty_without_a_value() {
        let key = format!("X-Tenantkit-Key: key_{}", "0".repeat(26));
        assert_eq!(
            values(Some("org_1"), ScopeUser::Named("ann@example.com")),
            [
                "X-Tenantkit-Account: acme",
                "X-Tenantkit-Org: org_1",
                "X-Tenantkit-User: ann@example.com",
                "X-Tenantkit-Environment: live",
                &key,
                "X-Tenantkit-Plan: FREE",
            ]
        );
        assert_eq!(values(None, ScopeUser::Anonymous)[1..3], ["X-Tenantkit-Org: ", "X-Tenantkit-User: "]);
    }

    #[test]
    fn no_two_ids_arrive_as_one() {
        for (id, header) in [(" a", "%20a"), ("a ", "a%20"), ("a", "a"), ("%20a", "%2520a"), ("é", "%C3%A9")]
        {
            assert_eq!(values(Some(id), ScopeUser::None)[1], format!("X-Tenantkit-Org: {header}"));
        }
    }

    #[test]
    fn names_are_recognised_in_any_spelling() {
        for name in
            ["x-tenantkit-org", "X-TENANTKIT-ORG", "X_Tenantkit_Org", "x-tenantkit_anything", "x-tenantkit-"]
        {
            assert!(is_identity_header(name), "{name}");
        }
        for name in ["x-tenantkit", "tenantkit-org", "x-tenant-kit-org", "org", ""] {
            assert!(!is_identity_header(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_id_decodes_to_itself(id in "\\PC{1,40}") {
            let text = encode(&id);
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic()));
            prop_assert_eq!(decode(&text), id);
        }
    }
}
