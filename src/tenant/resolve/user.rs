//! The user axis of the truth table.

use super::{
    Directory, ExtraParam, KeyClass, Parameter, Stop, TenantRequest, TenantStatus, UserProof, refuse,
};
use crate::code::Code;
use crate::tenant::binding::{Level, UserBinding, UserEntry};
use crate::tenant::row::{Row, UserCase};
use crate::tenant::scope::ScopeUser;
use crate::tenant::within::lists_user;

pub(super) struct UserChoice<'a> {
    pub(super) user: ScopeUser<'a>,
    pub(super) create: bool,
    pub(super) ignored: bool,
    pub(super) row: Row,
}

impl<'a> TenantRequest<'a> {
    /// Whether a given user may be believed comes before whether the key may act for it: a bad proof learns nothing.
    pub(super) fn user<D: Directory>(
        &self,
        org: Option<&'a str>,
        directory: &D,
    ) -> Result<UserChoice<'a>, Stop<D::Error>> {
        // The parameter names an axis that the key does not have, so whether it is proved does not matter.
        if let (UserBinding::None, Some(_)) = (self.bindings.user(), self.user_id) {
            return match self.rules.extra_param {
                ExtraParam::Ignore => Ok(self.without_user(true)),
                ExtraParam::Reject => self.refuse_user(Code::UserUnexpected, UserCase::Unexpected),
            };
        }
        match (self.user_id, self.class, self.user_proof) {
            (None, KeyClass::Publishable, _) => Ok(self.without_user(false)),
            (Some(_), KeyClass::Publishable, UserProof::NotAsked) => {
                refuse(Code::UserUnexpected, Row::X12, Some(Parameter::UserId))
            }
            (Some(_), _, UserProof::Invalid) => {
                refuse(Code::UserProofInvalid, Row::X12, Some(Parameter::UserProof))
            }
            (None, KeyClass::Secret, _) => self.absent_user(org, directory),
            (Some(given), KeyClass::Secret, UserProof::NotAsked) | (Some(given), _, UserProof::Valid) => {
                self.given_user(org, given, directory)
            }
        }
    }

    fn given_user<D: Directory>(
        &self,
        org: Option<&'a str>,
        given: &'a str,
        directory: &D,
    ) -> Result<UserChoice<'a>, Stop<D::Error>> {
        match self.bindings.user() {
            UserBinding::None => self.refuse_user(Code::UserUnexpected, UserCase::Unexpected),
            UserBinding::Fixed(fixed) if fixed == given => {
                self.accept_user(org, given, UserCase::Accepted, false, directory)
            }
            UserBinding::Fixed(fixed) => match (self.rules.extra_param, self.class) {
                (ExtraParam::Reject, _) => self.refuse_user(Code::UserMismatch, UserCase::Mismatch),
                (ExtraParam::Ignore, KeyClass::Secret) => {
                    self.accept_user(org, fixed.as_str(), UserCase::Accepted, true, directory)
                }
                // What came was a proof for another user, so the fixed one is not proved.
                (ExtraParam::Ignore, KeyClass::Publishable) => Ok(self.without_user(true)),
            },
            UserBinding::List { entries, .. } if lists_user(entries, org, given) => {
                self.accept_user(org, given, UserCase::Accepted, false, directory)
            }
            UserBinding::List { .. } => self.refuse_user(Code::UserNotAllowed, UserCase::NotAllowed),
            UserBinding::Open { create, .. } | UserBinding::Optional { create } => {
                self.find_user(org, given, *create, UserCase::Accepted, directory)
            }
        }
    }

    fn absent_user<D: Directory>(
        &self,
        org: Option<&'a str>,
        directory: &D,
    ) -> Result<UserChoice<'a>, Stop<D::Error>> {
        match self.bindings.user() {
            UserBinding::None => Ok(self.without_user(false)),
            UserBinding::Fixed(fixed) => {
                self.accept_user(org, fixed.as_str(), UserCase::Accepted, false, directory)
            }
            // A default from a plain list of users holds in every resolved org (row T-47).
            UserBinding::List { default: Some(entry), .. } if entry.org.is_none() || lives_in(entry, org) => {
                self.accept_user(org, entry.user.as_str(), UserCase::Default, false, directory)
            }
            UserBinding::Open { create, default: Some(entry) } if lives_in(entry, org) => {
                self.find_user(org, entry.user.as_str(), *create, UserCase::Default, directory)
            }
            UserBinding::Optional { .. } if self.level != Level::User => Ok(self.without_user(false)),
            UserBinding::List { .. } | UserBinding::Open { .. } | UserBinding::Optional { .. } => {
                self.refuse_user(Code::UserRequired, UserCase::Required)
            }
        }
    }

    fn refuse_user<T, E>(&self, code: Code, case: UserCase) -> Result<T, Stop<E>> {
        refuse(code, Row::of_user(self, case), Some(Parameter::UserId))
    }

    /// Nobody, or with a publishable key the anonymous user.
    fn without_user(&self, ignored: bool) -> UserChoice<'a> {
        let (user, row) = match self.class {
            KeyClass::Secret => (ScopeUser::None, Row::of_user(self, UserCase::Nobody)),
            KeyClass::Publishable => (ScopeUser::Anonymous, Row::X12),
        };
        UserChoice { user, create: false, ignored, row }
    }

    /// A user that a binding names: only its state is looked up.
    fn accept_user<D: Directory>(
        &self,
        org: Option<&'a str>,
        id: &'a str,
        case: UserCase,
        ignored: bool,
        directory: &D,
    ) -> Result<UserChoice<'a>, Stop<D::Error>> {
        let given = (self.user_id.is_some() && !ignored).then_some(Parameter::UserId);
        match directory.user(org, id)? {
            TenantStatus::Suspended => refuse(Code::UserSuspended, Row::X06, given),
            TenantStatus::Deleted => refuse(Code::TenantDeleted, Row::X07, given),
            TenantStatus::Unknown | TenantStatus::Active => {
                let row = Row::of_user(self, case);
                Ok(UserChoice { user: ScopeUser::Named(id), create: false, ignored, row })
            }
        }
    }

    /// A user under an open binding: it is registered, or will be, or is not found.
    fn find_user<D: Directory>(
        &self,
        org: Option<&'a str>,
        id: &'a str,
        create: bool,
        case: UserCase,
        directory: &D,
    ) -> Result<UserChoice<'a>, Stop<D::Error>> {
        let given = self.user_id.map(|_| Parameter::UserId);
        let refuse_user = |code, at| refuse(code, Row::of_user(self, at), given);
        let chosen = |create, case| {
            let row = Row::of_user(self, case);
            Ok(UserChoice { user: ScopeUser::Named(id), create, ignored: false, row })
        };
        match directory.user(org, id)? {
            TenantStatus::Active => chosen(false, case),
            TenantStatus::Suspended => refuse(Code::UserSuspended, Row::X06, given),
            TenantStatus::Deleted if create => refuse(Code::TenantDeleted, Row::X07, given),
            TenantStatus::Deleted => refuse(Code::UserNotFound, Row::X07, given),
            TenantStatus::Unknown if !create => refuse_user(Code::UserNotFound, UserCase::NotFound),
            TenantStatus::Unknown if directory.user_cap_reached(org)? => {
                refuse_user(Code::TenantLimitReached, UserCase::CapReached)
            }
            TenantStatus::Unknown => chosen(true, UserCase::Created),
        }
    }
}

/// A default user belongs to one org and is used only there (row T-64).
fn lives_in(entry: &UserEntry, org: Option<&str>) -> bool {
    entry.org.as_ref().is_some_and(|home| org.is_some_and(|org| home == org))
}
