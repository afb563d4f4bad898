//! What a caller asks for when a key is to be made.

use super::json;
use super::spec::{Chosen, OrgSpec, ResourceSpec, UserSpec};
use crate::error::Error;
use crate::key::id::KeyId;
use crate::key::record::Owner;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A request for a new key. Only the account and the name are needed; all else has a default in the policy.
///
/// The account is set by the host, never read from a request body (INV-09).
///
/// ```
/// # use tenantkit::NewKey;
/// let new = NewKey::new("acme", "ci-smoke-prod").role("developer").expires_at("2027-06-30");
/// let same = NewKey::from_json("acme", br#"{"name":"ci-smoke-prod","role":"developer","expires_at":"2027-06-30"}"#)?;
/// assert_eq!(new, same);
/// # Ok::<(), tenantkit::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct NewKey {
    #[serde(skip)]
    pub(crate) account_id: Box<str>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) kind: Option<Box<str>>,
    pub(crate) environment: Option<Box<str>>,
    pub(crate) preset: Option<Box<str>>,
    pub(crate) org_id: Option<Box<str>>,
    pub(crate) user_id: Option<Box<str>>,
    pub(crate) org: Option<OrgSpec>,
    pub(crate) user: Option<UserSpec>,
    pub(crate) owner: Option<Owner>,
    pub(crate) role: Option<Box<str>>,
    #[serde(rename = "roleKey")]
    pub(crate) role_key: Option<Box<str>>,
    pub(crate) permissions: Option<Vec<Box<str>>>,
    pub(crate) template: Option<Box<str>>,
    pub(crate) resources: Option<ResourceSpec>,
    #[serde(alias = "allowedOrigins")]
    pub(crate) origins: Option<Vec<Box<str>>>,
    pub(crate) ip_allow: Chosen<Vec<Box<str>>>,
    pub(crate) plan: Option<Box<str>>,
    pub(crate) labels: BTreeMap<Box<str>, Box<str>>,
    pub(crate) expires_at: Chosen<Box<str>>,
    pub(crate) like: Option<KeyId>,
}

impl NewKey {
    /// A key of `account_id` with this name.
    pub fn new(account_id: impl Into<Box<str>>, name: impl Into<Box<str>>) -> Self {
        Self { account_id: account_id.into(), name: Some(name.into()), ..Self::default() }
    }

    /// A key with the attributes of another one of the account (row RT-19); what is set besides takes their place.
    pub fn like(account_id: impl Into<Box<str>>, id: KeyId) -> Self {
        Self { account_id: account_id.into(), like: Some(id), ..Self::default() }
    }

    /// Reads a request body. Members besides those of this type are refused, the account among them.
    ///
    /// # Errors
    /// `validation_error` that names every member that is unknown or of the wrong type.
    pub fn from_json(account_id: impl Into<Box<str>>, body: &[u8]) -> Result<Self, Error> {
        let new: Self = json::read(body, MEMBERS)?;
        Ok(Self { account_id: account_id.into(), ..new })
    }

    /// The name, for the owner's reference only.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The kind; the policy's first if not given.
    pub fn kind(mut self, kind: impl Into<Box<str>>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// The environment, such as `live`.
    pub fn environment(mut self, environment: impl Into<Box<str>>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// The tenancy preset: `solo`, `client`, `platform` or `flexible`.
    pub fn preset(mut self, preset: impl Into<Box<str>>) -> Self {
        self.preset = Some(preset.into());
        self
    }

    /// The org that the key is issued for: its one org where the binding is fixed, its default where the policy gives
    /// one.
    pub fn org_id(mut self, org_id: impl Into<Box<str>>) -> Self {
        self.org_id = Some(org_id.into());
        self
    }

    /// The user that the key is issued for.
    pub fn user_id(mut self, user_id: impl Into<Box<str>>) -> Self {
        self.user_id = Some(user_id.into());
        self
    }

    /// The org binding in full.
    pub fn org(mut self, org: OrgSpec) -> Self {
        self.org = Some(org);
        self
    }

    /// The user binding in full.
    pub fn user(mut self, user: UserSpec) -> Self {
        self.user = Some(user);
        self
    }

    /// Who the key belongs to, where that is not what the policy says.
    pub fn owner(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// The role.
    pub fn role(mut self, role: impl Into<Box<str>>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// Exactly these permissions; an empty list is none.
    pub fn permissions<T: Into<Box<str>>>(mut self, permissions: impl IntoIterator<Item = T>) -> Self {
        self.permissions = Some(permissions.into_iter().map(Into::into).collect());
        self
    }

    /// The permissions of a template.
    pub fn template(mut self, template: impl Into<Box<str>>) -> Self {
        self.template = Some(template.into());
        self
    }

    /// The resources, each as `type:id`.
    pub fn resources<T: Into<Box<str>>>(mut self, resources: impl IntoIterator<Item = T>) -> Self {
        self.resources = Some(ResourceSpec::List(resources.into_iter().map(Into::into).collect()));
        self
    }

    /// Every resource, also future ones.
    pub fn all_resources(mut self) -> Self {
        self.resources = Some(ResourceSpec::all());
        self
    }

    /// Origins it may be used from.
    pub fn origins<T: Into<Box<str>>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        self.origins = Some(origins.into_iter().map(Into::into).collect());
        self
    }

    /// Networks it may be used from, in CIDR notation; an empty list is none at all.
    pub fn ip_allow<T: Into<Box<str>>>(mut self, networks: impl IntoIterator<Item = T>) -> Self {
        self.ip_allow = Chosen::Value(networks.into_iter().map(Into::into).collect());
        self
    }

    /// The plan.
    pub fn plan(mut self, plan: impl Into<Box<str>>) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// A label.
    pub fn label(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Its end: an RFC 3339 instant, or a date, which means the end of that day in UTC.
    pub fn expires_at(mut self, instant: impl Into<Box<str>>) -> Self {
        self.expires_at = Chosen::Value(instant.into());
        self
    }

    /// No end, also where the policy has a default lifetime.
    pub fn never_expires(mut self) -> Self {
        self.expires_at = Chosen::Null;
        self
    }
}

/// The members of a request body, and what each must be.
pub(super) const MEMBERS: &[(&str, &str)] = &[
    ("name", "text"),
    ("kind", "text, one of the policy's kinds"),
    ("environment", "text, one of the policy's environments"),
    ("preset", "one of `solo`, `client`, `platform`, `flexible`"),
    ("org_id", "text"),
    ("user_id", "text"),
    ("org", super::spec::ORG_FORMS),
    ("user", super::spec::USER_FORMS),
    ("owner", "`{\"type\": \"account\"}`, or `org` or `user` with an `id`"),
    ("role", "text, one of the policy's roles"),
    ("roleKey", "text, one of the policy's roles"),
    ("permissions", "a list of permissions"),
    ("template", "text, one of the policy's templates"),
    ("resources", "`\"all\"` or a list of `type:id`"),
    ("origins", "a list of origins such as `https://app.example.com`"),
    ("allowedOrigins", "a list of origins such as `https://app.example.com`"),
    ("ip_allow", "`null` or a list of networks such as `192.0.2.0/24`"),
    ("plan", "text, one of the policy's plans"),
    ("labels", "an object of texts"),
    ("expires_at", "`null`, an RFC 3339 instant or a date"),
    ("like", "the id of a key"),
];
