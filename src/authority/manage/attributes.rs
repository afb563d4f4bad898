//! The single attributes of a key, each checked against the policy. New keys, edits and imports go through the same
//! functions; what is wrong is collected, never repaired.

use super::problems::{Problems, listed, unknown_word};
use super::spec::{Chosen, ResourceSpec};
use crate::address::{InvalidNetwork, MAX_NETWORKS, Network};
use crate::clock::Timestamp;
use crate::code::Code;
use crate::domain::{DomainClaim, VerifiedDomain, is_host_verified};
use crate::key::record::TemplateUse;
use crate::origin::OriginPattern;
use crate::policy::Policy;
use crate::policy::knobs::{EmptyOrigins, Need};
use crate::policy::model::{Kind, ResourceCount};
use crate::resource::ResourceBinding;
use std::collections::BTreeMap;

/// Origins of one key.
const ORIGINS_MAX: usize = 100;
/// Permissions named for one key.
const PERMISSIONS_MAX: usize = 256;
/// Characters of a label's value.
const LABEL_MAX_CHARS: usize = 255;

/// The policy and kind that attributes are judged by.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) policy: &'a Policy,
    pub(super) kind: &'a Kind,
    pub(super) now: Timestamp,
}

/// Permissions of a key, and where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Permissions {
    pub(super) names: Vec<Box<str>>,
    pub(super) template: Option<TemplateUse>,
}

impl Rules<'_> {
    /// A name of 1 to the policy's number of characters, none of them a control character (row RT-06).
    pub(super) fn name(&self, name: &str, problems: &mut Problems) -> Box<str> {
        let max = usize::from(self.policy.lifecycle().name_max_chars);
        if name.is_empty() || name.chars().count() > max {
            problems.field("name", format!("must have 1 to {max} characters"));
        } else if name.chars().any(char::is_control) {
            problems.field("name", "must have no control characters");
        }
        name.into()
    }

    /// Labels that the policy knows.
    pub(super) fn labels(
        &self,
        labels: &BTreeMap<Box<str>, Box<str>>,
        problems: &mut Problems,
    ) -> BTreeMap<Box<str>, Box<str>> {
        let known = &self.policy.lifecycle().labels;
        for (name, value) in labels {
            if !known.contains(name) {
                problems.field("labels", unknown_word(name, known.iter().map(|label| &**label)));
            } else if value.is_empty()
                || value.chars().count() > LABEL_MAX_CHARS
                || value.chars().any(char::is_control)
            {
                problems.field(
                    format!("labels.{name}"),
                    format!("must have 1 to {LABEL_MAX_CHARS} characters, none of them control characters"),
                );
            }
        }
        labels.clone()
    }

    /// A role that keys may hold; none where the kind has none (rows MS-06, A-13).
    pub(super) fn role(&self, role: Option<&str>, problems: &mut Problems) -> Option<Box<str>> {
        let rule = &self.kind.role;
        match (role, rule.need) {
            (None, Need::None | Need::Optional) => None,
            (None, _) => {
                problems.field("role", format!("is needed; allowed: {}", listed(self.assignable_roles())));
                None
            }
            (Some(_), Need::None) => {
                problems.field("role", "keys of this kind have no role; leave it out");
                None
            }
            (Some(name), _) => {
                if self.policy.role(name).is_none_or(|role| !role.key_assignable) {
                    problems.coded(Code::UnknownRole, "role", unknown_word(name, self.assignable_roles()));
                }
                Some(name.into())
            }
        }
    }

    fn assignable_roles(&self) -> impl Iterator<Item = &str> + Clone {
        self.policy.roles().iter().filter(|role| role.key_assignable).map(|role| &*role.name)
    }

    /// The role of a new key that names none.
    pub(super) fn default_role(&self) -> Option<&str> {
        self.kind.role.default.and_then(|index| self.policy.roles().at(index)).map(|role| &*role.name)
    }

    /// Single permissions or a template; with neither what the policy gives by default. An empty list is nothing.
    pub(super) fn permissions(
        &self,
        given: Option<&[Box<str>]>,
        template: Option<&str>,
        problems: &mut Problems,
    ) -> Permissions {
        let rule = &self.kind.permissions;
        match (given, template) {
            (None, None) if rule.need == Need::Required && rule.default.is_empty() => {
                problems.field("permissions", "are needed: name some, or a `template`");
                Permissions::default()
            }
            (None, None) => Permissions { names: rule.default.to_vec(), template: None },
            _ if rule.need == Need::None => {
                let field = if given.is_some() { "permissions" } else { "template" };
                problems.field(field, "keys of this kind have no permissions of their own; leave it out");
                Permissions::default()
            }
            (Some(_), Some(_)) => {
                problems.field("template", "can't be given together with `permissions`; give one of them");
                Permissions::default()
            }
            (Some(names), None) => {
                Permissions { names: self.single_permissions(names, problems), template: None }
            }
            (None, Some(name)) => self.template(name, problems),
        }
    }

    fn single_permissions(&self, names: &[Box<str>], problems: &mut Problems) -> Vec<Box<str>> {
        if names.len() > PERMISSIONS_MAX {
            problems.field("permissions", format!("may name at most {PERMISSIONS_MAX}"));
            return Vec::new();
        }
        let catalogue = self.policy.permissions();
        let mut kept: Vec<Box<str>> = Vec::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            if catalogue.grant(name).is_none() {
                let message = unknown_word(name, catalogue.iter());
                problems.coded(Code::UnknownPermission, format!("permissions[{i}]"), message);
            } else if !kept.contains(name) {
                kept.push(name.clone());
            }
        }
        kept
    }

    /// The permissions of a template as they are now (row A-35).
    pub(super) fn template(&self, name: &str, problems: &mut Problems) -> Permissions {
        let Some(template) = self.policy.template(name) else {
            problems.field(
                "template",
                unknown_word(name, self.policy.templates().names().collect::<Vec<_>>().into_iter()),
            );
            return Permissions::default();
        };
        let link = TemplateUse { name: template.name.clone(), version: template.version };
        // By the names of single permissions, which go on meaning what they mean today.
        Permissions { names: self.policy.permissions().names(&template.permissions), template: Some(link) }
    }

    /// Resources of the types that the kind allows.
    pub(super) fn resources(&self, given: Option<&ResourceSpec>, problems: &mut Problems) -> ResourceBinding {
        let rule = &self.kind.resources;
        let types = || listed(rule.types.iter().map(|t| &**t));
        match (rule.count, given) {
            (ResourceCount::None, None) => ResourceBinding::None,
            (ResourceCount::None, Some(_)) => {
                problems.field("resources", "keys of this kind are not bound to resources; leave it out");
                ResourceBinding::None
            }
            (ResourceCount::One, None) => {
                problems
                    .field("resources", format!("is needed: exactly one, as `type:id`; types: {}", types()));
                ResourceBinding::None
            }
            // An empty list reaches nothing; absence never means all.
            (_, None) => ResourceBinding::list::<&str>([]).unwrap_or_default(),
            (_, Some(ResourceSpec::Word(word))) => {
                if &**word == "all" && rule.all {
                    return ResourceBinding::All;
                }
                let all = if rule.all { "`\"all\"` or " } else { "" };
                problems.field("resources", format!("must be {all}a list of `type:id`; types: {}", types()));
                ResourceBinding::None
            }
            (count, Some(ResourceSpec::List(texts))) => {
                let list = ResourceBinding::list(texts).unwrap_or_else(|e| {
                    problems.field("resources", e.to_string());
                    ResourceBinding::None
                });
                if list.iter().any(|resource| rule.types.iter().all(|t| **t != *resource.kind())) {
                    problems.field(
                        "resources",
                        format!("has a type that keys of this kind don't have; types: {}", types()),
                    );
                }
                if count == ResourceCount::One && texts.len() != 1 {
                    problems.field("resources", format!("must be exactly one `type:id`; types: {}", types()));
                }
                list
            }
        }
    }

    /// Origins in their normal form.
    pub(super) fn origins(&self, given: Option<&[Box<str>]>, problems: &mut Problems) -> Vec<Box<str>> {
        let rule = &self.kind.origins;
        let given = given.unwrap_or_default();
        if !rule.listed {
            if !given.is_empty() {
                problems.field("origins", "keys of this kind have no origins; leave it out");
            }
            return Vec::new();
        }
        if given.is_empty() && rule.empty == EmptyOrigins::RefuseCreate {
            problems.coded(
                Code::OriginInvalid,
                "origins",
                "must name at least one origin, such as `https://app.example.com`",
            );
        }
        if given.len() > ORIGINS_MAX {
            problems.field("origins", format!("may name at most {ORIGINS_MAX}"));
            return Vec::new();
        }
        let mut kept: Vec<Box<str>> = Vec::with_capacity(given.len());
        for (i, text) in given.iter().enumerate() {
            let entered = OriginPattern::enter(text, rule.matching).and_then(|pattern| {
                if self.kind.is_publishable() { Ok(pattern) } else { pattern.for_secret_kind() }
            });
            match entered.map(|pattern| pattern.to_string().into_boxed_str()) {
                Ok(text) if kept.contains(&text) => {}
                Ok(text) => kept.push(text),
                Err(error) => problems.coded(Code::OriginInvalid, format!("origins[{i}]"), error.to_string()),
            }
        }
        kept
    }

    /// The origins, as stored, whose hosts are not verified for `claim`, where the kind demands it (row MS-13).
    pub(super) fn unverified<'o>(
        &self,
        origins: &'o [Box<str>],
        claim: &DomainClaim,
        domains: &[VerifiedDomain],
    ) -> Vec<&'o str> {
        if !self.kind.origins.verified {
            return Vec::new();
        }
        let recheck_s = self.policy.domains().recheck_s;
        let is_verified = |text: &str| {
            let pattern = OriginPattern::from_stored(text).ok();
            // `*` names no host that anybody could have verified.
            let host = pattern.as_ref().and_then(OriginPattern::host);
            host.is_some_and(|host| is_host_verified(domains, claim, host, recheck_s))
        };
        origins.iter().map(|text| &**text).filter(|text| !is_verified(text)).collect()
    }

    /// Networks in CIDR notation.
    pub(super) fn networks(
        &self,
        given: &Chosen<Vec<Box<str>>>,
        problems: &mut Problems,
    ) -> Option<Vec<Box<str>>> {
        let Chosen::Value(texts) = given else { return None };
        if !self.kind.ip_lists {
            problems.field("ip_allow", "keys of this kind have no list of addresses; leave it out");
            return None;
        }
        if texts.len() > MAX_NETWORKS {
            problems.field("ip_allow", format!("may name at most {MAX_NETWORKS}"));
            return None;
        }
        let mut kept: Vec<Box<str>> = Vec::with_capacity(texts.len());
        for (i, text) in texts.iter().enumerate() {
            match text.parse::<Network>() {
                Ok(network) => kept.push(network.to_string().into()),
                // The library's own text would repeat what was given.
                Err(InvalidNetwork::HostBits { network, .. }) => {
                    let message =
                        format!("has bits set after its prefix; write `{network}` or another length");
                    problems.field(format!("ip_allow[{i}]"), message);
                }
                Err(_) => {
                    let message =
                        "must be a network such as `192.0.2.0/24` or `2001:db8::/32`, or one address";
                    problems.field(format!("ip_allow[{i}]"), message);
                }
            }
        }
        Some(kept)
    }

    /// The end of a key that begins at `from`: in the future, and within the policy's bounds (row A-37).
    pub(super) fn expiry(
        &self,
        given: &Chosen<Box<str>>,
        from: Timestamp,
        problems: &mut Problems,
    ) -> Option<Timestamp> {
        let rule = self.policy.lifecycle().expiry;
        let after = |seconds: Option<u32>| seconds.map(|seconds| from.plus_seconds(i64::from(seconds)));
        let expires_at = match given {
            Chosen::Absent => after(rule.default_lifetime_s),
            Chosen::Null => None,
            Chosen::Value(text) => {
                let instant = Timestamp::parse(text);
                if instant.is_none() {
                    problems.field(
                        "expires_at",
                        "must be an RFC 3339 instant such as `2027-06-30T12:00:00Z`, or a date",
                    );
                    return None;
                }
                instant
            }
        };
        self.check_expiry(expires_at, from, problems);
        expires_at
    }

    /// Whether a key that begins at `from` may end then.
    pub(super) fn check_expiry(
        &self,
        expires_at: Option<Timestamp>,
        from: Timestamp,
        problems: &mut Problems,
    ) {
        let rule = self.policy.lifecycle().expiry;
        let Some(at) = expires_at else {
            if rule.need == Need::Required || rule.max_lifetime_s.is_some() {
                problems.field("expires_at", "is needed: keys of this policy expire");
            }
            return;
        };
        if rule.need == Need::None {
            problems.field("expires_at", "keys of this policy do not expire; leave it out");
        } else if at <= self.now {
            problems.field("expires_at", "must lie in the future");
        } else if let Some(max) = rule.max_lifetime_s.map(|seconds| from.plus_seconds(i64::from(seconds)))
            && at > max
        {
            problems.field("expires_at", format!("must be no later than {max}"));
        }
    }

    /// A plan of the policy that keys of this kind may have.
    pub(super) fn plan(&self, name: &str, problems: &mut Problems) {
        if self.policy.plan(name).is_none() {
            let plans: Vec<&str> = self.policy.plans().names().collect();
            problems.coded(Code::UnknownPlan, "plan", unknown_word(name, plans.into_iter()));
        }
    }

    /// What deserves a word although it is allowed (row MS-34).
    pub(super) fn warnings(&self, role: Option<&str>) -> Vec<super::KeyWarning> {
        let high = role.and_then(|name| self.policy.role(name)).filter(|role| role.warn);
        high.map(|role| super::KeyWarning::high_role(&role.name, self.default_role())).into_iter().collect()
    }
}
