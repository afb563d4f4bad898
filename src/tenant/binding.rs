//! What a key may act for: one binding per axis, chosen by preset and frozen into the key's record.
//!
//! | binding | parameter absent | parameter given |
//! |---|---|---|
//! | fixed | the fixed id | that id, nothing else |
//! | list | the default, else refused | an id of the list |
//! | open | the default, else refused | a registered id, or, where creation is on, any id |
//! | none | the axis does not exist | refused |
//! | optional (users only) | no user, where the operation is of org level | as open |

use crate::code::Code;
use crate::error::Error;
use crate::tenant::id::{IdSyntax, OrgId, UserId};
use crate::tenant::preset::{BindingShape, Preset};
use serde::{Deserialize, Serialize};

/// The greatest number of entries of a list binding.
pub const MAX_LIST_LEN: usize = 1_000;

/// The tenancy of one key, checked against its preset: invalid combinations cannot be built or read back.
///
/// INVARIANT: lists are sorted and without repeats, and the default of an open user binding names its org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawBindings")]
pub struct Bindings {
    preset: Preset,
    org: OrgBinding,
    user: UserBinding,
}

/// What a key allows on the org axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OrgBinding {
    /// The axis does not exist for this key.
    None,
    /// This org and no other.
    Fixed(OrgId),
    /// One of these orgs. An empty list allows none.
    List {
        /// The orgs, at most [`MAX_LIST_LEN`].
        orgs: Vec<OrgId>,
        /// The org meant by an absent parameter; one of `orgs`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<OrgId>,
    },
    /// Any org of the account.
    Open {
        /// Whether an unknown org is registered on first use; otherwise it is not found.
        create: bool,
        /// The org meant by an absent parameter, judged as if it had been given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<OrgId>,
    },
}

/// What a key allows on the user axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UserBinding {
    /// The axis does not exist for this key.
    None,
    /// This user and no other, in whichever org is resolved.
    Fixed(UserId),
    /// One of these users. An empty list allows none.
    List {
        /// Either users, each meant in every resolved org, or pairs of org and user; at most [`MAX_LIST_LEN`].
        entries: Vec<UserEntry>,
        /// The user meant by an absent parameter; one of `entries`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<UserEntry>,
    },
    /// Any user of the resolved org.
    Open {
        /// Whether an unknown user is registered on first use; otherwise it is not found.
        create: bool,
        /// The user meant by an absent parameter, in that user's org only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<UserEntry>,
    },
    /// As open; without the parameter an operation of org level runs without a user.
    Optional {
        /// Whether an unknown user is registered on first use; otherwise it is not found.
        create: bool,
    },
}

/// A user, in one org or in every resolved one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// The org the user belongs to; `None` stands for every resolved org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    /// The user.
    pub user: UserId,
}

/// What an operation acts on, and so which parameters it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Level {
    /// The account itself: no tenant parameter is accepted.
    Account,
    /// An org; a user may be present.
    Org,
    /// A user.
    User,
}

impl Bindings {
    /// Puts the two axes together under `preset`, sorts the lists and drops repeats.
    ///
    /// # Errors
    /// [`Code::BindingInvalid`] when the preset does not allow the combination (row T-30 among others), a default lies
    /// outside its binding, a pair names an org that the key cannot reach, or a list is too long.
    pub fn new(preset: Preset, org: OrgBinding, user: UserBinding) -> Result<Self, Error> {
        let mut bindings = Self { preset, org, user };
        bindings.normalise();
        bindings.check_preset()?;
        bindings.check_org()?;
        bindings.check_user()?;
        Ok(bindings)
    }

    /// Neither org nor user: what reads a tenant's counts is bound to.
    pub(crate) fn nobody() -> Self {
        Self { preset: Preset::Client, org: OrgBinding::None, user: UserBinding::None }
    }

    /// The preset the key was issued with.
    #[must_use]
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// The org axis.
    #[must_use]
    pub fn org(&self) -> &OrgBinding {
        &self.org
    }

    /// The user axis.
    #[must_use]
    pub fn user(&self) -> &UserBinding {
        &self.user
    }

    /// Checks every id against the syntax of the policy in force.
    ///
    /// # Errors
    /// [`Code::BindingInvalid`] when an id breaks a rule.
    pub fn check_ids(&self, syntax: &IdSyntax) -> Result<(), Error> {
        let orgs = self.org.ids().chain(self.user.entries().filter_map(|entry| entry.org.as_ref()));
        let texts = orgs.map(OrgId::as_str).chain(self.user.ids().map(UserId::as_str));
        for text in texts {
            syntax.check(text).map_err(|e| invalid(e.to_string()))?;
        }
        Ok(())
    }

    /// Checks what holds for publishable keys besides (row X-12): one org, and no user but a proved or the anonymous one.
    ///
    /// # Errors
    /// [`Code::BindingInvalid`].
    pub fn check_publishable(&self) -> Result<(), Error> {
        if self.org.shape() != BindingShape::Fixed {
            return Err(invalid("a publishable key is bound to one org; fix the org"));
        }
        if matches!(self.user, UserBinding::Fixed(_)) || self.user.default_entry().is_some() {
            return Err(invalid(
                "a publishable key acts for the anonymous user unless the request proves another; leave the fixed or default user out",
            ));
        }
        Ok(())
    }

    fn normalise(&mut self) {
        if let OrgBinding::List { orgs, .. } = &mut self.org {
            orgs.sort_unstable();
            orgs.dedup();
        }
        match &mut self.user {
            UserBinding::List { entries, .. } => {
                entries.sort_unstable();
                entries.dedup();
            }
            // Where only one org can be meant, it need not be spelled out.
            UserBinding::Open { default: Some(entry), .. } if entry.org.is_none() => {
                entry.org = match (&self.org, self.preset) {
                    (OrgBinding::Fixed(org), _) => Some(org.clone()),
                    (OrgBinding::Open { default, .. }, Preset::Flexible) => default.clone(),
                    _ => None,
                };
            }
            _ => {}
        }
    }

    fn check_preset(&self) -> Result<(), Error> {
        let (org, user) = (self.org.shape(), self.user.shape());
        if !self.preset.org_shapes().contains(&org) {
            return Err(invalid(self.preset.advice("org", org, self.preset.org_shapes())));
        }
        if !self.preset.user_shapes().contains(&user) {
            return Err(invalid(self.preset.advice("user", user, self.preset.user_shapes())));
        }
        if self.preset == Preset::Flexible {
            let complete = matches!(self.org, OrgBinding::Open { create: true, default: Some(_) })
                && matches!(self.user, UserBinding::Open { create: true, default: Some(_) });
            if !complete {
                return Err(invalid("a flexible key is open with creation and has a default on both axes"));
            }
        }
        Ok(())
    }

    fn check_org(&self) -> Result<(), Error> {
        let OrgBinding::List { orgs, default } = &self.org else { return Ok(()) };
        check_len("orgs", orgs.len())?;
        match default {
            Some(default) if !orgs.contains(default) => {
                Err(invalid("the default org must be one of the list"))
            }
            _ => Ok(()),
        }
    }

    fn check_user(&self) -> Result<(), Error> {
        match &self.user {
            UserBinding::List { entries, default } => {
                check_len("entries", entries.len())?;
                let paired = entries.iter().filter(|entry| entry.org.is_some()).count();
                if paired != 0 && paired != entries.len() {
                    return Err(invalid("a user list holds users, or pairs of org and user, not both"));
                }
                if entries.iter().filter_map(|entry| entry.org.as_ref()).any(|org| !self.org.names(org)) {
                    return Err(invalid("a pair of the user list names an org outside the org binding"));
                }
                match default {
                    Some(default) if !entries.contains(default) => {
                        Err(invalid("the default user must be one of the list"))
                    }
                    _ => Ok(()),
                }
            }
            UserBinding::Open { default: Some(default), .. } => match (&default.org, &self.org) {
                (None, _) => Err(invalid("the default user must name its org")),
                // The default user of a flexible key lives in its default org (rows T-60 to T-64).
                (Some(org), OrgBinding::Open { default: Some(home), .. })
                    if self.preset == Preset::Flexible && org != home =>
                {
                    Err(invalid("the default user of a flexible key belongs to its default org"))
                }
                (Some(org), binding) if !binding.names(org) => {
                    Err(invalid("the default user belongs to an org outside the org binding"))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl OrgBinding {
    /// The binding without its ids.
    #[must_use]
    pub const fn shape(&self) -> BindingShape {
        match self {
            Self::None => BindingShape::None,
            Self::Fixed(_) => BindingShape::Fixed,
            Self::List { .. } => BindingShape::List,
            Self::Open { .. } => BindingShape::Open,
        }
    }

    /// Every org the binding names, a default among them.
    pub fn ids(&self) -> impl Iterator<Item = &OrgId> {
        let (one, list): (Option<&OrgId>, &[OrgId]) = match self {
            Self::None => (None, &[]),
            Self::Fixed(org) => (Some(org), &[]),
            Self::List { orgs, default } => (default.as_ref(), orgs),
            Self::Open { default, .. } => (default.as_ref(), &[]),
        };
        one.into_iter().chain(list)
    }

    /// Whether the binding could accept `org` at all.
    fn names(&self, org: &OrgId) -> bool {
        match self {
            Self::None => false,
            Self::Fixed(fixed) => fixed == org,
            Self::List { orgs, .. } => orgs.binary_search(org).is_ok(),
            Self::Open { .. } => true,
        }
    }
}

impl UserBinding {
    /// The binding without its ids.
    #[must_use]
    pub const fn shape(&self) -> BindingShape {
        match self {
            Self::None => BindingShape::None,
            Self::Fixed(_) => BindingShape::Fixed,
            Self::List { .. } => BindingShape::List,
            Self::Open { .. } => BindingShape::Open,
            Self::Optional { .. } => BindingShape::Optional,
        }
    }

    /// Every user the binding names, a default among them.
    pub fn ids(&self) -> impl Iterator<Item = &UserId> {
        let fixed = if let Self::Fixed(user) = self { Some(user) } else { None };
        fixed.into_iter().chain(self.entries().map(|entry| &entry.user))
    }

    /// Every entry of the list, then the default.
    fn entries(&self) -> impl Iterator<Item = &UserEntry> {
        let list: &[UserEntry] = if let Self::List { entries, .. } = self { entries } else { &[] };
        list.iter().chain(self.default_entry())
    }

    pub(crate) fn default_entry(&self) -> Option<&UserEntry> {
        match self {
            Self::List { default, .. } | Self::Open { default, .. } => default.as_ref(),
            Self::None | Self::Fixed(_) | Self::Optional { .. } => None,
        }
    }
}

/// The stored form, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBindings {
    preset: Preset,
    org: OrgBinding,
    user: UserBinding,
}

impl TryFrom<RawBindings> for Bindings {
    type Error = Error;

    fn try_from(raw: RawBindings) -> Result<Self, Error> {
        Self::new(raw.preset, raw.org, raw.user)
    }
}

fn check_len(field: &str, len: usize) -> Result<(), Error> {
    if len > MAX_LIST_LEN {
        return Err(invalid(format!("`{field}` has {len} entries; at most {MAX_LIST_LEN} are allowed")));
    }
    Ok(())
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::refused(Code::BindingInvalid).with_detail(detail)
}

#[cfg(test)]
pub(in crate::tenant) mod tests;
