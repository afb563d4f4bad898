//! What a caller asks to be changed of a key.

use super::json;
use super::plan::PlanChange;
use super::spec::{Chosen, OrgSpec, ResourceSpec, UserSpec};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A change of a key's attributes. What is not named stays as it is.
///
/// ```
/// # use tenantkit::KeyEdit;
/// let edit = KeyEdit::default().name("ci").role("viewer").expires_at("2027-06-30");
/// let same = KeyEdit::from_json(br#"{"name":"ci","role":"viewer","expires_at":"2027-06-30"}"#)?;
/// assert_eq!(edit, same);
/// # Ok::<(), tenantkit::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct KeyEdit {
    pub(crate) name: Option<Box<str>>,
    pub(crate) labels: Option<BTreeMap<Box<str>, Box<str>>>,
    pub(crate) preset: Option<Box<str>>,
    pub(crate) org_id: Option<Box<str>>,
    pub(crate) user_id: Option<Box<str>>,
    pub(crate) org: Option<OrgSpec>,
    pub(crate) user: Option<UserSpec>,
    pub(crate) role: Chosen<Box<str>>,
    pub(crate) permissions: Option<Vec<Box<str>>>,
    pub(crate) template: Option<Box<str>>,
    pub(crate) resources: Option<ResourceSpec>,
    #[serde(alias = "allowedOrigins")]
    pub(crate) origins: Option<Vec<Box<str>>>,
    pub(crate) ip_allow: Chosen<Vec<Box<str>>>,
    pub(crate) expires_at: Chosen<Box<str>>,
    pub(crate) plan: Option<Box<str>>,
    pub(crate) amounts: BTreeMap<Box<str>, Option<u64>>,
    pub(crate) standard: Vec<Box<str>>,
}

impl KeyEdit {
    /// Reads a request body.
    ///
    /// # Errors
    /// `validation_error` that names every member that is unknown or of the wrong type.
    pub fn from_json(body: &[u8]) -> Result<Self, Error> {
        json::read(body, MEMBERS)
    }

    /// Another name.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// These labels in place of all that it has.
    pub fn labels<N: Into<Box<str>>, V: Into<Box<str>>>(
        mut self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.labels = Some(labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Another preset; org and user binding are worked out anew.
    pub fn preset(mut self, preset: impl Into<Box<str>>) -> Self {
        self.preset = Some(preset.into());
        self
    }

    /// The org that the key is for, where bindings are worked out anew.
    pub fn org_id(mut self, org_id: impl Into<Box<str>>) -> Self {
        self.org_id = Some(org_id.into());
        self
    }

    /// The user that the key is for, where bindings are worked out anew.
    pub fn user_id(mut self, user_id: impl Into<Box<str>>) -> Self {
        self.user_id = Some(user_id.into());
        self
    }

    /// Another org binding.
    pub fn org(mut self, org: OrgSpec) -> Self {
        self.org = Some(org);
        self
    }

    /// Another user binding.
    pub fn user(mut self, user: UserSpec) -> Self {
        self.user = Some(user);
        self
    }

    /// Another role.
    pub fn role(mut self, role: impl Into<Box<str>>) -> Self {
        self.role = Chosen::Value(role.into());
        self
    }

    /// Exactly these permissions; an empty list is none.
    pub fn permissions<T: Into<Box<str>>>(mut self, permissions: impl IntoIterator<Item = T>) -> Self {
        self.permissions = Some(permissions.into_iter().map(Into::into).collect());
        self
    }

    /// The permissions of a template as it is now.
    pub fn template(mut self, template: impl Into<Box<str>>) -> Self {
        self.template = Some(template.into());
        self
    }

    /// Exactly these resources, each as `type:id`.
    pub fn resources<T: Into<Box<str>>>(mut self, resources: impl IntoIterator<Item = T>) -> Self {
        self.resources = Some(ResourceSpec::List(resources.into_iter().map(Into::into).collect()));
        self
    }

    /// Every resource, also future ones.
    pub fn all_resources(mut self) -> Self {
        self.resources = Some(ResourceSpec::all());
        self
    }

    /// Exactly these origins.
    pub fn origins<T: Into<Box<str>>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        self.origins = Some(origins.into_iter().map(Into::into).collect());
        self
    }

    /// Exactly these networks; an empty list is none at all.
    pub fn ip_allow<T: Into<Box<str>>>(mut self, networks: impl IntoIterator<Item = T>) -> Self {
        self.ip_allow = Chosen::Value(networks.into_iter().map(Into::into).collect());
        self
    }

    /// Any address.
    pub fn any_ip(mut self) -> Self {
        self.ip_allow = Chosen::Null;
        self
    }

    /// Another end: an RFC 3339 instant, or a date, which means the end of that day in UTC.
    pub fn expires_at(mut self, instant: impl Into<Box<str>>) -> Self {
        self.expires_at = Chosen::Value(instant.into());
        self
    }

    /// No end.
    pub fn never_expires(mut self) -> Self {
        self.expires_at = Chosen::Null;
        self
    }

    /// Another plan; secret and counts stay.
    pub fn plan(mut self, plan: impl Into<Box<str>>) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// Another amount of one limit for this key alone; `None` is unlimited.
    pub fn amount(mut self, limit: impl Into<Box<str>>, units: Option<u64>) -> Self {
        self.amounts.insert(limit.into(), units);
        self
    }

    /// The change of the plan, if there is one.
    pub(super) fn plan_change(&self) -> Option<PlanChange> {
        let change = PlanChange {
            plan: self.plan.clone(),
            amounts: self.amounts.clone(),
            standard: self.standard.clone(),
        };
        Some(change).filter(|change| *change != PlanChange::default())
    }
}

/// The members of a request body, and what each must be.
const MEMBERS: &[(&str, &str)] = &[
    ("name", "text"),
    ("labels", "an object of texts"),
    ("preset", "one of `solo`, `client`, `platform`, `flexible`"),
    ("org_id", "text"),
    ("user_id", "text"),
    ("org", super::spec::ORG_FORMS),
    ("user", super::spec::USER_FORMS),
    ("role", "`null` or text, one of the policy's roles"),
    ("permissions", "a list of permissions"),
    ("template", "text, one of the policy's templates"),
    ("resources", "`\"all\"` or a list of `type:id`"),
    ("origins", "a list of origins such as `https://app.example.com`"),
    ("allowedOrigins", "a list of origins such as `https://app.example.com`"),
    ("ip_allow", "`null` or a list of networks such as `192.0.2.0/24`"),
    ("expires_at", "`null`, an RFC 3339 instant or a date"),
    ("plan", "text, one of the policy's plans"),
    ("amounts", "an object of limits with `null` or a number of units"),
    ("standard", "a list of limits"),
];
