//! Bindings and resources in the form in which a request says them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a key may act for on the org axis, as a request says it.
///
/// In JSON: `"none"`, `{"fixed": "org_1"}`, `{"list": {"ids": ["org_1"], "default": "org_1"}}`,
/// `{"open": {"create": true}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OrgSpec {
    /// The key has no org axis.
    None,
    /// This org.
    Fixed(Box<str>),
    /// One of these.
    List {
        /// The orgs; read as `orgs` too, which is what answers call them.
        #[serde(alias = "orgs")]
        ids: Vec<Box<str>>,
        /// The one meant by an absent parameter.
        #[serde(default)]
        default: Option<Box<str>>,
    },
    /// Any.
    Open {
        /// Whether unknown orgs are registered on first use; the policy's word if not given.
        #[serde(default)]
        create: Option<bool>,
        /// The one meant by an absent parameter.
        #[serde(default)]
        default: Option<Box<str>>,
    },
}

/// What a key may act for on the user axis, as a request says it; in JSON as [`OrgSpec`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UserSpec {
    /// The key has no user axis.
    None,
    /// This user.
    Fixed(Box<str>),
    /// One of these.
    List {
        /// The users, or pairs of org and user.
        entries: Vec<UserRef>,
        /// The one meant by an absent parameter.
        #[serde(default)]
        default: Option<UserRef>,
    },
    /// Any.
    Open {
        /// Whether unknown users are registered on first use; the policy's word if not given.
        #[serde(default)]
        create: Option<bool>,
        /// The one meant by an absent parameter.
        #[serde(default)]
        default: Option<UserRef>,
    },
    /// Any, or none where the operation is of org level.
    Optional {
        /// Whether unknown users are registered on first use; the policy's word if not given.
        #[serde(default)]
        create: Option<bool>,
    },
}

/// A user, in one org or in every one that the key resolves to: `"user_1"`, or as answers have it
/// `{"org": "org_1", "user": "user_1"}`, where `org` may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UserRef {
    /// In every resolved org.
    User(Box<str>),
    /// In this org, or in every resolved one.
    InOrg {
        /// The org.
        #[serde(default)]
        org: Option<Box<str>>,
        /// The user.
        user: Box<str>,
    },
}

/// Resources as a request says them: `"all"` or a list of `type:id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum ResourceSpec {
    Word(Box<str>),
    List(Vec<Box<str>>),
}

pub(super) const ORG_FORMS: &str = "`\"none\"`, `{\"fixed\": ID}`, `{\"list\": {\"ids\": [ID], \"default\": ID}}` or \
     `{\"open\": {\"create\": BOOL, \"default\": ID}}`";
pub(super) const USER_FORMS: &str = "`\"none\"`, `{\"fixed\": ID}`, `{\"list\": {\"entries\": [ID], \"default\": ID}}`, \
     `{\"open\": {\"create\": BOOL, \"default\": ID}}` or `{\"optional\": {\"create\": BOOL}}`";

impl ResourceSpec {
    pub(super) fn all() -> Self {
        Self::Word("all".into())
    }
}

impl UserRef {
    pub(super) fn parts(&self) -> (Option<&str>, &str) {
        match self {
            Self::User(user) => (None, user),
            Self::InOrg { org, user } => (org.as_deref(), user),
        }
    }
}

/// A member that may be absent, `null` or have a value: three things, and none stands for another (INV-15).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Chosen<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Chosen<T> {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Serialize> Serialize for Chosen<T> {
    /// For fingerprints only, where the three stay three: an absent member is an object that no value of it can be.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.collect_map([("absent", true)]),
            Self::Null => serializer.serialize_none(),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Chosen<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}
