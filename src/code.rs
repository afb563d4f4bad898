//! The one table of codes: name, number, HTTP status and public text of everything the engine can refuse or fail with.
//!
//! Numbers and names are frozen: they are never reused or changed, new ones are appended. The public texts hold no
//! presented value, no foreign id and nothing of the store.

macro_rules! codes {
    ($( $number:literal $variant:ident $name:literal $status:literal $text:literal; )*) => {
        /// What was refused, as a stable code. [`Code::name`] is what callers see and compare.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Code {
            $( #[doc = concat!("`", $name, "`, HTTP ", stringify!($status), ": ", $text, ".")] $variant = $number, )*
        }

        impl Code {
            /// All codes, by number.
            pub const ALL: &'static [Code] = &[ $( Code::$variant, )* ];

            /// The code's name as it stands in error bodies, such as `user_required`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Code::$variant => $name, )* }
            }

            /// The HTTP status the code answers with, unless a plan chooses another for an exhausted limit.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $( Code::$variant => $status, )* }
            }

            /// The fixed public text: what is wrong and, where there is something to do, what to do.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $( Code::$variant => $text, )* }
            }
        }
    };
}

codes! {
    1011 MissingCredential "missing_credential" 401 "no API key was presented; send it in one of the accepted headers";
    1012 CredentialConflict "credential_conflict" 400 "more than one credential was presented; send exactly one";
    1021 InvalidKey "invalid_key" 401 "the API key is not valid";
    1031 KeyExpired "key_expired" 401 "the API key has expired; use its successor or create a new one";
    1041 EnvironmentMismatch "environment_mismatch" 403 "the API key belongs to another environment than this endpoint";
    1051 IpNotAllowed "ip_not_allowed" 403 "the API key may not be used from this address";
    1061 SecretKeyInBrowser "secret_key_in_browser" 403 "a secret key was sent by a browser; use a publishable key there and replace this one";
    1062 OriginRequired "origin_required" 403 "this key works only from a web page that sends its Origin";
    1063 OriginNotAllowed "origin_not_allowed" 403 "the page's origin is not one of the key's allowed origins";
    1064 DomainNotVerified "domain_not_verified" 403 "the domain of the origin is not verified; verify it first";
    1071 OrgInvalid "org_invalid" 400 "the org id is not well formed";
    1072 UserInvalid "user_invalid" 400 "the user id is not well formed";
    1073 OrgDuplicate "org_duplicate" 400 "the org id was given more than once; give it once";
    1074 UserDuplicate "user_duplicate" 400 "the user id was given more than once; give it once";
    1075 TenantConflict "tenant_conflict" 400 "path, query and header name different tenants; make them agree";
    1081 AccountSuspended "account_suspended" 403 "the account is suspended";
    1082 OrgRequired "org_required" 400 "this key needs an org id";
    1083 OrgUnexpected "org_unexpected" 400 "this call takes no org id; leave it out";
    1084 OrgMismatch "org_mismatch" 403 "the key belongs to another org";
    1085 OrgNotAllowed "org_not_allowed" 403 "the key may not act for this org";
    1086 OrgNotFound "org_not_found" 404 "there is no such org";
    1087 OrgSuspended "org_suspended" 403 "the org is suspended";
    1088 TenantDeleted "tenant_deleted" 403 "this tenant was deleted; an administrator must release its id first";
    1089 TenantLimitReached "tenant_limit_reached" 403 "no more tenants can be created under this account";
    1091 UserRequired "user_required" 400 "this key needs a user id";
    1092 UserUnexpected "user_unexpected" 400 "this call takes no user id; leave it out";
    1093 UserProofInvalid "user_proof_invalid" 403 "the user id is not proved; sign it in your backend, at most 5 minutes ago";
    1094 UserMismatch "user_mismatch" 403 "the key belongs to another user";
    1095 UserNotAllowed "user_not_allowed" 403 "the key may not act for this user";
    1096 UserNotFound "user_not_found" 404 "there is no such user";
    1097 UserSuspended "user_suspended" 403 "the user is suspended";
    1101 KindNotAllowed "kind_not_allowed" 403 "this kind of key may not call this operation";
    1111 InsufficientPermission "insufficient_permission" 403 "the key lacks a permission that this operation needs";
    1121 ResourceNotAllowed "resource_not_allowed" 403 "the key is not bound to this resource";
    1131 EntitlementRequired "entitlement_required" 403 "the plan does not include this feature; change the plan";
    1141 RateLimited "rate_limited" 429 "too many requests; wait and try again";
    1151 UsageLimitReached "usage_limit_reached" 429 "the plan's usage limit is reached";
    1201 ValidationError "validation_error" 400 "the request is not valid";
    1202 UnknownPlan "unknown_plan" 400 "there is no such plan";
    1203 UnknownRole "unknown_role" 400 "there is no such role, or keys may not hold it";
    1204 UnknownPermission "unknown_permission" 400 "there is no such permission";
    1205 OriginInvalid "origin_invalid" 400 "an origin is scheme, host and optional port, nothing else";
    1206 BindingInvalid "binding_invalid" 400 "the tenant binding does not fit the key's preset";
    1207 PlanNotAllowed "plan_not_allowed" 403 "this plan may not be chosen here";
    1208 GrantExceedsCreator "grant_exceeds_creator" 403 "nobody grants more than they have";
    1209 KeyLimitReached "key_limit_reached" 403 "the account has as many keys as it may have";
    1210 KeyNotFound "key_not_found" 404 "there is no such key";
    1211 ResourceNotFound "resource_not_found" 404 "there is no such resource";
    1212 RotationInProgress "rotation_in_progress" 409 "this key is being replaced already; finish or cancel that rotation";
    1213 NameConflict "name_conflict" 409 "another key has this name; names are unique here";
    1214 VersionConflict "version_conflict" 409 "the record has changed since it was read; read it again and repeat the change";
    1251 ProviderRateLimited "provider_rate_limited" 429 "the provider behind this operation asks to wait";
    1252 SessionNotFound "session_not_found" 404 "there is no such session; start a new one";
    1253 StoreUnavailable "store_unavailable" 503 "the request could not be decided just now; try again";
    1254 OperationConflict "operation_conflict" 409 "this operation id was used for something else; use a new one";
}

impl Code {
    /// The frozen number, as the C ABI carries it.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The code with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The code with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_found_again() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{} is out of order", pair[1]);
        }
        for &code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(code));
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
    }

    #[test]
    fn texts_follow_the_house_rules() {
        for &code in Code::ALL {
            let text = code.text();
            assert!(!text.ends_with('.'), "`{code}` ends with a period");
            assert!(text.starts_with(char::is_lowercase), "`{code}` starts with a capital");
        }
    }
}
