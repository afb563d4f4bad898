//! [`TenantScope`]: whom an allowed request acts for.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

/// How many bytes of ids a scope holds without an allocation.
const INLINE_LEN: usize = 256;

/// What a request acts on: account, environment and, where the operation has them, org and user.
///
/// Only the crate makes one, from the key's record and the declared parameters, so holding one means that a key was
/// allowed to act for it. It borrows nothing, and is copied without an allocation while its ids have at most 256 bytes
/// in all.
#[derive(Clone)]
pub struct TenantScope {
    /// All ids, one after the other: account, environment, org, user.
    ids: Ids,
    account_end: usize,
    environment_end: usize,
    org_end: usize,
    has_org: bool,
    user: UserSlot,
}

/// The user part of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeUser<'a> {
    /// The scope has no user.
    None,
    /// This user.
    Named(&'a str),
    /// The anonymous user that all callers of a publishable key share, and that no id can name (row X-12).
    Anonymous,
}

impl TenantScope {
    /// INVARIANT: called only with what [`resolve`](crate::tenant::resolve::resolve) or a management call accepted.
    pub(crate) fn new(
        account_id: &str,
        environment: &str,
        org_id: Option<&str>,
        user: ScopeUser<'_>,
    ) -> Self {
        let (user_id, slot) = match user {
            ScopeUser::None => ("", UserSlot::None),
            ScopeUser::Named(id) => (id, UserSlot::Named),
            ScopeUser::Anonymous => ("", UserSlot::Anonymous),
        };
        let org = org_id.unwrap_or_default();
        let account_end = account_id.len();
        let environment_end = account_end + environment.len();
        Self {
            ids: Ids::concat([account_id, environment, org, user_id]),
            account_end,
            environment_end,
            org_end: environment_end + org.len(),
            has_org: org_id.is_some(),
            user: slot,
        }
    }

    /// The account that the key belongs to.
    #[must_use]
    pub fn account_id(&self) -> &str {
        self.ids.slice(0, self.account_end)
    }

    /// The environment that the key belongs to; `default` where the policy has none.
    #[must_use]
    pub fn environment(&self) -> &str {
        self.ids.slice(self.account_end, self.environment_end)
    }

    /// The org, where the key and the operation have one.
    #[must_use]
    pub fn org_id(&self) -> Option<&str> {
        self.has_org.then(|| self.ids.slice(self.environment_end, self.org_end))
    }

    /// The user's id; `None` for no user and for the anonymous one.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match self.user() {
            ScopeUser::Named(id) => Some(id),
            ScopeUser::None | ScopeUser::Anonymous => None,
        }
    }

    /// The user, with no user and the anonymous one told apart.
    #[must_use]
    pub fn user(&self) -> ScopeUser<'_> {
        match self.user {
            UserSlot::None => ScopeUser::None,
            UserSlot::Named => ScopeUser::Named(self.ids.slice(self.org_end, self.ids.len())),
            UserSlot::Anonymous => ScopeUser::Anonymous,
        }
    }

    /// Whether the request acts for the shared anonymous user of its org.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user == UserSlot::Anonymous
    }

    /// A text that no other scope has, and that is no beginning of another's: the prefix for a host's own storage keys.
    ///
    /// Each part stands after its length, so separators inside an id mean nothing:
    /// `4:acme4:live5:org_1-` is account `acme`, environment `live`, org `org_1` and no user. A missing part is `-`,
    /// the anonymous user `*`.
    #[must_use]
    pub fn namespace(&self) -> String {
        let mut text = String::with_capacity(self.ids.len() + 16);
        push_part(&mut text, self.account_id());
        push_part(&mut text, self.environment());
        match self.org_id() {
            Some(org) => push_part(&mut text, org),
            None => text.push('-'),
        }
        match self.user() {
            ScopeUser::Named(user) => push_part(&mut text, user),
            ScopeUser::None => text.push('-'),
            ScopeUser::Anonymous => text.push('*'),
        }
        text
    }

    /// The storage key of `name` in the host's `namespace`, such as `connections`, for this scope. Two keys are equal
    /// only when scope, namespace and name are, and none is the beginning of another.
    #[must_use]
    pub fn storage_key(&self, namespace: &str, name: &str) -> String {
        let mut text = self.namespace();
        push_part(&mut text, namespace);
        push_part(&mut text, name);
        text
    }

    fn parts(&self) -> (&str, &str, Option<&str>, ScopeUser<'_>) {
        (self.account_id(), self.environment(), self.org_id(), self.user())
    }
}

impl PartialEq for TenantScope {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for TenantScope {}

impl Hash for TenantScope {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for TenantScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantScope")
            .field("account_id", &self.account_id())
            .field("environment", &self.environment())
            .field("org_id", &self.org_id())
            .field("user", &self.user())
            .finish()
    }
}

/// For people, such as `acme/org_1/user_1 in live`; unprintable characters are escaped. For a storage key use
/// [`TenantScope::namespace`].
impl fmt::Display for TenantScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.account_id().escape_debug())?;
        match self.org_id() {
            Some(org) => write!(f, "{}/", org.escape_debug())?,
            None => f.write_str("-/")?,
        }
        match self.user() {
            ScopeUser::Named(user) => write!(f, "{}", user.escape_debug())?,
            ScopeUser::None => f.write_str("-")?,
            ScopeUser::Anonymous => f.write_str("(anonymous)")?,
        }
        write!(f, " in {}", self.environment().escape_debug())
    }
}

/// `{account_id, environment, org_id, user_id, anonymous}`; a missing id is null.
impl Serialize for TenantScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("TenantScope", 5)?;
        map.serialize_field("account_id", self.account_id())?;
        map.serialize_field("environment", self.environment())?;
        map.serialize_field("org_id", &self.org_id())?;
        map.serialize_field("user_id", &self.user_id())?;
        map.serialize_field("anonymous", &self.is_anonymous())?;
        map.end()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UserSlot {
    None,
    Named,
    Anonymous,
}

/// Text that lies inside the value while it is short.
#[derive(Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "the large variant is the common one, and the point of the type"
)]
enum Ids {
    Inline { bytes: [u8; INLINE_LEN], len: usize },
    Heap(Box<str>),
}

impl Ids {
    fn concat(parts: [&str; 4]) -> Self {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut bytes = [0; INLINE_LEN];
        let mut len = 0;
        for part in parts {
            let Some(room) = bytes.get_mut(len..len + part.len()) else {
                let mut text = String::with_capacity(total);
                text.extend(parts);
                return Self::Heap(text.into());
            };
            room.copy_from_slice(part.as_bytes());
            len += part.len();
        }
        Self::Inline { bytes, len }
    }

    fn len(&self) -> usize {
        match self {
            Self::Inline { len, .. } => *len,
            Self::Heap(text) => text.len(),
        }
    }

    /// INVARIANT: `start` and `end` are borders between whole strings. If that ever broke, the empty text comes out,
    /// which is no valid id.
    fn slice(&self, start: usize, end: usize) -> &str {
        match self {
            Self::Inline { bytes, .. } => {
                bytes.get(start..end).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
            }
            Self::Heap(text) => text.get(start..end).unwrap_or_default(),
        }
    }
}

fn push_part(text: &mut String, part: &str) {
    // Writing to a `String` cannot fail.
    let _ = write!(text, "{}:{part}", part.len());
}

#[cfg(test)]
mod tests;
