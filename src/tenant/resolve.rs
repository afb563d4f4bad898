//! The truth table: which tenant a request acts for, as one function of values.
//!
//! [`resolve`] is called once the key is proved and the parameters are well formed. It judges the account, then the
//! org, then the user, and answers with the first refusal. It reads nothing but its arguments and a [`Directory`], which
//! it asks only where a row allows a look-up: fixed and list bindings accept or refuse an id by themselves, so their
//! answer to a foreign id is the same whether or not such a tenant exists, and only the state of the accepted one is
//! looked up. Nothing is created here; the answer says what has to be once every later check has passed (row X-08).
//!
//! A default is judged as if it had been given. An id that a fixed or list binding names is the administrator's word
//! and need not be registered.

mod org;
mod user;

pub use crate::policy::knobs::ExtraParam;

use crate::code::Code;
use crate::tenant::binding::{Bindings, Level};
use crate::tenant::row::Row;
use crate::tenant::scope::{ScopeUser, TenantScope};

/// What [`resolve`] judges. The ids are those of the declared parameters, after the check of their syntax.
#[derive(Clone, Copy, Debug)]
pub struct TenantRequest<'a> {
    /// What the key may act for.
    pub bindings: &'a Bindings,
    /// Whether the key is a secret or made to be published.
    pub class: KeyClass,
    /// The level of the operation.
    pub level: Level,
    /// The state of the key's account.
    pub account: TenantStatus,
    /// The org parameter.
    pub org_id: Option<&'a str>,
    /// The user parameter.
    pub user_id: Option<&'a str>,
    /// What is known about the proof of the user parameter.
    pub user_proof: UserProof,
    /// The policy's words.
    pub rules: ResolveRules,
}

/// The words of the policy that change rows of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolveRules {
    /// What a parameter that contradicts a fixed or none binding does.
    pub extra_param: ExtraParam,
    /// How an org outside a fixed or list binding is answered.
    pub foreign_org: ForeignOrg,
}

/// How an org outside a fixed or list binding is answered (row A-15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForeignOrg {
    /// 403 `org_mismatch` or `org_not_allowed`.
    #[default]
    Forbidden,
    /// 404 `org_not_found`.
    NotFound,
}

/// Whether a key is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// Its holder is trusted with the tenants it may act for.
    Secret,
    /// Everybody can read it, so only a proved user id is believed (row X-12).
    Publishable,
}

/// What is known about the proof of a given user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserProof {
    /// The kind of key asks for none.
    NotAsked,
    /// One is asked for and the request has a good one.
    Valid,
    /// One is asked for, and it is missing or bad.
    Invalid,
}

/// The state of an account, org or user in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantStatus {
    /// Never registered, or released after a deletion.
    Unknown,
    /// In use.
    Active,
    /// Refused until resumed.
    Suspended,
    /// Gone, its id not released.
    Deleted,
}

/// The registry of one account in the key's environment.
///
/// # Errors
/// An error means that the question could not be answered; [`resolve`] passes it on and decides nothing.
pub trait Directory {
    /// Why a question could not be answered.
    type Error;

    /// The state of an org.
    ///
    /// # Errors
    /// When it could not be told.
    fn org(&self, org_id: &str) -> Result<TenantStatus, Self::Error>;

    /// The state of a user of `org_id`, or of the account where the key has no org axis.
    ///
    /// # Errors
    /// When it could not be told.
    fn user(&self, org_id: Option<&str>, user_id: &str) -> Result<TenantStatus, Self::Error>;

    /// Whether the account has as many orgs as requests may create.
    ///
    /// # Errors
    /// When it could not be told.
    fn org_cap_reached(&self) -> Result<bool, Self::Error>;

    /// Whether the org has as many users as requests may create.
    ///
    /// # Errors
    /// When it could not be told.
    fn user_cap_reached(&self, org_id: Option<&str>) -> Result<bool, Self::Error>;
}

/// The answer of [`resolve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Resolution<'a> {
    /// The tenant is known; later checks follow.
    Resolved(Resolved<'a>),
    /// The request is refused.
    Refused(Refused),
}

/// The tenant of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The org, if there is one.
    pub org_id: Option<&'a str>,
    /// The user, nobody, or the anonymous one.
    pub user: ScopeUser<'a>,
    /// Whether the org has to be registered when the request is allowed.
    pub create_org: bool,
    /// Whether the user has to be registered when the request is allowed.
    pub create_user: bool,
    /// The row that decided.
    pub row: Row,
    /// The row that chose the org, for presets whose table has rows of its own for it.
    pub org_row: Option<Row>,
    /// A parameter that was ignored by the policy's word.
    pub warning: Option<Warning>,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code to answer with.
    pub code: Code,
    /// The row that decided.
    pub row: Row,
    /// The parameter at fault: one that is missing, or was given and cannot be followed.
    pub parameter: Option<Parameter>,
}

/// A request parameter of tenancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// The org id.
    OrgId,
    /// The user id.
    UserId,
    /// The proof of the user id.
    UserProof,
}

/// Parameters that contradicted the key and were ignored (row X-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The org parameter.
    OrgIgnored,
    /// The user parameter.
    UserIgnored,
    /// Both.
    BothIgnored,
}

/// Finds the tenant of a request, or the reason to refuse it.
///
/// # Errors
/// Those of the directory, unchanged.
pub fn resolve<'a, D: Directory>(
    request: &TenantRequest<'a>,
    directory: &D,
) -> Result<Resolution<'a>, D::Error> {
    match judge(request, directory) {
        Ok(resolved) => Ok(Resolution::Resolved(resolved)),
        Err(Stop::Refused(refused)) => Ok(Resolution::Refused(refused)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Account, level, org, user, and last whether what was found is enough: the first refusal is the answer.
fn judge<'a, D: Directory>(
    request: &TenantRequest<'a>,
    directory: &D,
) -> Result<Resolved<'a>, Stop<D::Error>> {
    match request.account {
        TenantStatus::Unknown | TenantStatus::Active => {}
        TenantStatus::Suspended => return refuse(Code::AccountSuspended, Row::X06, None),
        TenantStatus::Deleted => return refuse(Code::TenantDeleted, Row::X07, None),
    }
    if request.level == Level::Account {
        return request.account_level();
    }
    let org = request.org(directory)?;
    let user = request.user(org.id, directory)?;
    let missing = match request.level {
        Level::Account => false,
        Level::Org => org.id.is_none(),
        Level::User => user.user == ScopeUser::None,
    };
    if missing {
        // No parameter could help, so this is about the kind of key (step 10 of the order of checks).
        return refuse(Code::KindNotAllowed, Row::LEVEL, None);
    }
    let warning = match (org.ignored, user.ignored) {
        (false, false) => None,
        (true, false) => Some(Warning::OrgIgnored),
        (false, true) => Some(Warning::UserIgnored),
        (true, true) => Some(Warning::BothIgnored),
    };
    Ok(Resolved {
        org_id: org.id,
        user: user.user,
        create_org: org.create,
        create_user: user.create,
        row: if warning.is_some() { Row::X16 } else { user.row },
        org_row: org.row,
        warning,
    })
}

impl<'a> TenantRequest<'a> {
    /// Row X-14: the account itself, which no parameter may name a part of.
    fn account_level<E>(&self) -> Result<Resolved<'a>, Stop<E>> {
        if self.org_id.is_some() {
            return refuse(Code::OrgUnexpected, Row::X14, Some(Parameter::OrgId));
        }
        if self.user_id.is_some() {
            return refuse(Code::UserUnexpected, Row::X14, Some(Parameter::UserId));
        }
        Ok(Resolved {
            org_id: None,
            user: ScopeUser::None,
            create_org: false,
            create_user: false,
            row: Row::X14,
            org_row: None,
            warning: None,
        })
    }
}

impl Resolved<'_> {
    /// The scope in full: account and environment are the key's own.
    #[must_use]
    pub(crate) fn scope(&self, account_id: &str, environment: &str) -> TenantScope {
        TenantScope::new(account_id, environment, self.org_id, self.user)
    }

    /// Whether the shared anonymous user acts.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user == ScopeUser::Anonymous
    }
}

impl Parameter {
    /// The name that answers give the parameter, whatever the policy calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrgId => "org_id",
            Self::UserId => "user_id",
            Self::UserProof => "user_proof",
        }
    }
}

enum Stop<E> {
    Refused(Refused),
    Failed(E),
}

impl<E> From<E> for Stop<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

fn refuse<T, E>(code: Code, row: Row, parameter: Option<Parameter>) -> Result<T, Stop<E>> {
    Err(Stop::Refused(Refused { code, row, parameter }))
}

#[cfg(test)]
mod tests;
