//! The org axis of the truth table.

use super::{Directory, ExtraParam, ForeignOrg, Parameter, Stop, TenantRequest, TenantStatus, refuse};
use crate::code::Code;
use crate::tenant::binding::OrgBinding;
use crate::tenant::row::{OrgCase, Row};
use crate::tenant::within::lists_org;

pub(super) struct OrgChoice<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) create: bool,
    pub(super) ignored: bool,
    pub(super) row: Option<Row>,
}

impl<'a> TenantRequest<'a> {
    pub(super) fn org<D: Directory>(&self, directory: &D) -> Result<OrgChoice<'a>, Stop<D::Error>> {
        let case = |case| Row::of_org(self.bindings, case, self.user_id.is_some());
        let foreign = |code| match self.rules.foreign_org {
            ForeignOrg::Forbidden => code,
            ForeignOrg::NotFound => Code::OrgNotFound,
        };
        let refuse_org = |code, at| refuse(code, case(at), Some(Parameter::OrgId));
        let ignores = self.rules.extra_param == ExtraParam::Ignore;
        match (self.bindings.org(), self.org_id) {
            (OrgBinding::None, None) => Ok(OrgChoice { id: None, create: false, ignored: false, row: None }),
            (OrgBinding::None, Some(_)) if ignores => {
                Ok(OrgChoice { id: None, create: false, ignored: true, row: None })
            }
            (OrgBinding::None, Some(_)) => refuse_org(Code::OrgUnexpected, OrgCase::Unexpected),

            (OrgBinding::Fixed(fixed), given) => {
                let ignored = given.is_some_and(|given| fixed != given);
                if ignored && !ignores {
                    return refuse_org(foreign(Code::OrgMismatch), OrgCase::Mismatch);
                }
                self.accept_org(fixed.as_str(), OrgCase::Accepted, ignored, directory)
            }

            (OrgBinding::List { default: None, .. }, None) => {
                refuse_org(Code::OrgRequired, OrgCase::Required)
            }
            (OrgBinding::List { default: Some(default), .. }, None) => {
                self.accept_org(default.as_str(), OrgCase::Default, false, directory)
            }
            (OrgBinding::List { orgs, .. }, Some(given)) if lists_org(orgs, given) => {
                self.accept_org(given, OrgCase::Accepted, false, directory)
            }
            (OrgBinding::List { .. }, Some(_)) => {
                refuse_org(foreign(Code::OrgNotAllowed), OrgCase::NotAllowed)
            }

            (OrgBinding::Open { default: None, .. }, None) => {
                refuse_org(Code::OrgRequired, OrgCase::Required)
            }
            (OrgBinding::Open { create, default: Some(default) }, None) => {
                self.find_org(default.as_str(), *create, OrgCase::Default, directory)
            }
            (OrgBinding::Open { create, .. }, Some(given)) => {
                self.find_org(given, *create, OrgCase::Accepted, directory)
            }
        }
    }

    /// An org that a binding names: only its state is looked up.
    fn accept_org<D: Directory>(
        &self,
        id: &'a str,
        case: OrgCase,
        ignored: bool,
        directory: &D,
    ) -> Result<OrgChoice<'a>, Stop<D::Error>> {
        let given = (self.org_id.is_some() && !ignored).then_some(Parameter::OrgId);
        match directory.org(id)? {
            TenantStatus::Suspended => refuse(Code::OrgSuspended, Row::X06, given),
            TenantStatus::Deleted => refuse(Code::TenantDeleted, Row::X07, given),
            TenantStatus::Unknown | TenantStatus::Active => {
                let row = Row::of_chosen_org(self.bindings, case);
                Ok(OrgChoice { id: Some(id), create: false, ignored, row })
            }
        }
    }

    /// An org under an open binding: it is registered, or will be, or is not found.
    fn find_org<D: Directory>(
        &self,
        id: &'a str,
        create: bool,
        case: OrgCase,
        directory: &D,
    ) -> Result<OrgChoice<'a>, Stop<D::Error>> {
        let given = self.org_id.map(|_| Parameter::OrgId);
        let refuse_org = |code, at| refuse(code, Row::of_org(self.bindings, at, false), given);
        let chosen = |create, case| {
            let row = Row::of_chosen_org(self.bindings, case);
            Ok(OrgChoice { id: Some(id), create, ignored: false, row })
        };
        match directory.org(id)? {
            TenantStatus::Active => chosen(false, case),
            TenantStatus::Suspended => refuse(Code::OrgSuspended, Row::X06, given),
            TenantStatus::Deleted if create => refuse(Code::TenantDeleted, Row::X07, given),
            TenantStatus::Deleted => refuse(Code::OrgNotFound, Row::X07, given),
            TenantStatus::Unknown if !create => refuse_org(Code::OrgNotFound, OrgCase::NotFound),
            TenantStatus::Unknown if directory.org_cap_reached()? => {
                refuse_org(Code::TenantLimitReached, OrgCase::CapReached)
            }
            TenantStatus::Unknown => chosen(true, OrgCase::Created),
        }
    }
}
