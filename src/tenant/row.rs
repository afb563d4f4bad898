//! Rows of the truth table: which one decided a request, for `explain`, answers to the host and the audit trail.
//!
//! The rows name decisions, they do not make them. Where the table has no row of its own, the nearest stands: the default
//! of an open binding is reported as that of a list, and a proof that a secret kind asks for as row X-12.

use crate::tenant::binding::{Bindings, OrgBinding, UserBinding};
use crate::tenant::preset::Preset;
use crate::tenant::resolve::TenantRequest;
use std::fmt;

/// The id of a row, such as `T-14` or `X-06`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(&'static str);

/// How the org axis was judged.
#[derive(Clone, Copy)]
pub(crate) enum OrgCase {
    /// By the parameter, or the only org there is.
    Accepted,
    Default,
    Created,
    Required,
    Unexpected,
    Mismatch,
    NotAllowed,
    NotFound,
    CapReached,
}

/// How the user axis was judged.
#[derive(Clone, Copy)]
pub(crate) enum UserCase {
    /// By the parameter, or the only user there is.
    Accepted,
    Default,
    Created,
    Nobody,
    Required,
    Unexpected,
    Mismatch,
    NotAllowed,
    NotFound,
    CapReached,
}

impl Row {
    pub(crate) const X06: Self = Self("X-06");
    pub(crate) const X07: Self = Self("X-07");
    pub(crate) const X12: Self = Self("X-12");
    pub(crate) const X14: Self = Self("X-14");
    pub(crate) const X16: Self = Self("X-16");
    /// The operation needs an axis that the key does not have: what all rows assume to be otherwise.
    pub(crate) const LEVEL: Self = Self("level");

    /// The row's id.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The row of a refused org.
    pub(crate) fn of_org(bindings: &Bindings, case: OrgCase, user_given: bool) -> Self {
        use OrgCase as C;
        let create = matches!(bindings.org(), OrgBinding::Open { create: true, .. });
        Self(match (bindings.preset(), case) {
            (Preset::Solo, C::Mismatch) if user_given => "T-08",
            (Preset::Solo, C::Mismatch) => "T-03",
            (Preset::Solo, _) => "T-10",
            (Preset::Client, _) => "T-29",
            (_, C::Mismatch) => "T-32",
            (_, C::NotAllowed) => "T-36",
            (_, C::NotFound) => "T-39",
            (_, C::CapReached) => "T-43",
            (_, C::Required | C::Unexpected) => match bindings.org() {
                OrgBinding::List { .. } => "T-33",
                _ if create => "T-40",
                _ => "T-37",
            },
            (_, C::Accepted | C::Default | C::Created) => return Self::chosen_org(bindings.org(), case),
        })
    }

    /// The row that chose the org, for the preset whose table has the axes apart.
    pub(crate) fn of_chosen_org(bindings: &Bindings, case: OrgCase) -> Option<Self> {
        (bindings.preset() == Preset::Platform).then(|| Self::chosen_org(bindings.org(), case))
    }

    fn chosen_org(binding: &OrgBinding, case: OrgCase) -> Self {
        Self(match (binding, case) {
            (OrgBinding::Fixed(_) | OrgBinding::None, _) => "T-31",
            (_, OrgCase::Created) => "T-42",
            (_, OrgCase::Default) => "T-34",
            (OrgBinding::List { .. }, _) => "T-35",
            (OrgBinding::Open { create: false, .. }, _) => "T-38",
            (OrgBinding::Open { create: true, .. }, _) => "T-41",
        })
    }

    /// The row that judged the user, and with it the request.
    pub(crate) fn of_user(request: &TenantRequest<'_>, case: UserCase) -> Self {
        Self(match request.bindings.preset() {
            Preset::Solo => solo(request, case),
            Preset::Client => client(request.bindings.user(), case, request.user_id.is_some()),
            Preset::Platform => platform(request.bindings.user(), case),
            Preset::Flexible => flexible(request, case),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn solo(request: &TenantRequest<'_>, case: UserCase) -> &'static str {
    let refused = matches!(case, UserCase::Mismatch);
    match (request.bindings.org(), request.org_id, request.user_id) {
        (OrgBinding::None, _, _) if refused => "T-11",
        (OrgBinding::None, _, _) => "T-09",
        (_, None, _) if refused => "T-05",
        (_, Some(_), _) if refused => "T-07",
        (_, None, None) => "T-01",
        (_, Some(_), None) => "T-02",
        (_, None, Some(_)) => "T-04",
        (_, Some(_), Some(_)) => "T-06",
    }
}

fn client(binding: &UserBinding, case: UserCase, given: bool) -> &'static str {
    use UserCase as C;
    match (binding, case) {
        (UserBinding::Fixed(_), C::Mismatch) => "T-14",
        (UserBinding::Fixed(_), _) if given => "T-13",
        (UserBinding::Fixed(_), _) => "T-12",
        (UserBinding::List { .. }, C::Required) => "T-15",
        (UserBinding::List { .. }, C::Default) => "T-16",
        (UserBinding::List { .. }, C::NotAllowed) => "T-18",
        (UserBinding::List { .. }, _) => "T-17",
        (UserBinding::Open { .. }, C::Default) => "T-23",
        (UserBinding::Open { create: false, .. }, C::Required) => "T-19",
        (UserBinding::Open { create: false, .. }, C::NotFound) => "T-21",
        (UserBinding::Open { create: false, .. }, _) => "T-20",
        (UserBinding::Open { create: true, .. }, C::Required) => "T-22",
        (UserBinding::Open { create: true, .. }, C::Created) => "T-25",
        (UserBinding::Open { create: true, .. }, C::CapReached) => "T-26",
        (UserBinding::Open { create: true, .. }, _) => "T-24",
        (UserBinding::None, C::Unexpected) => "T-28",
        (UserBinding::None | UserBinding::Optional { .. }, _) => "T-27",
    }
}

fn platform(binding: &UserBinding, case: UserCase) -> &'static str {
    use UserCase as C;
    match (binding, case) {
        (UserBinding::Fixed(_), C::Mismatch) => "T-45",
        (UserBinding::Fixed(_), _) => "T-44",
        (UserBinding::List { .. }, C::Required) => "T-46",
        (UserBinding::List { .. } | UserBinding::Open { .. }, C::Default) => "T-47",
        (UserBinding::List { .. }, C::NotAllowed) => "T-49",
        (UserBinding::List { .. }, _) => "T-48",
        (UserBinding::Open { create: false, .. }, C::Required) => "T-50",
        (UserBinding::Open { create: false, .. }, C::NotFound) => "T-52",
        (UserBinding::Open { create: false, .. }, _) => "T-51",
        (UserBinding::Open { create: true, .. }, C::Required) => "T-53",
        (UserBinding::Open { create: true, .. }, C::Created) => "T-55",
        (UserBinding::Open { create: true, .. }, C::CapReached) => "T-56",
        (UserBinding::Open { create: true, .. }, _) => "T-54",
        (UserBinding::Optional { .. }, C::Required) => "T-58",
        (UserBinding::Optional { .. }, C::Nobody) | (UserBinding::None, _) => "T-57",
        (UserBinding::Optional { .. }, _) => "T-59",
    }
}

fn flexible(request: &TenantRequest<'_>, case: UserCase) -> &'static str {
    match (case, request.org_id, request.user_id) {
        (UserCase::CapReached, _, _) => "T-56",
        (UserCase::Required, _, _) => "T-64",
        (_, None, None) => "T-60",
        (_, Some(_), None) => "T-61",
        (_, None, Some(_)) => "T-62",
        (_, Some(_), Some(_)) => "T-63",
    }
}
