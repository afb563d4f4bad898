//! Why a request would be decided as it would: the steps in order, the row of the truth table, the limits. Nothing is
//! charged or created (row N-10).

use super::call::{Call, Stop, Want};
use super::charge::Next;
use super::registry::Source;
use super::{Authority, Caller, Request};
use crate::code::Code;
use crate::decision::{Decision, LimitState};
use crate::error::Error;
use crate::key::id::KeyId;
use crate::records::Noted;
use crate::tenant::AccountId;
use serde::Serialize;

/// A decision, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether the request would be allowed.
    pub allowed: bool,
    /// The code of the refusal.
    pub code: Option<Code>,
    /// What the refusal says, and what to do.
    pub message: Option<&'static str>,
    /// The row of the truth table that decided the tenant, such as `T-14`; empty before that step.
    pub row: &'static str,
    /// The org that was resolved.
    pub org_id: Option<Box<str>>,
    /// The user that was resolved.
    pub user_id: Option<Box<str>>,
    /// Whether an org or user would be created.
    pub would_create: bool,
    /// Permissions or entitlements that are missing, all at once.
    pub missing: Vec<Box<str>>,
    /// The steps, in the order in which they are judged.
    pub steps: Vec<ExplainedStep>,
    /// The limits that the call meets.
    pub limits: Vec<ExplainedLimit>,
}

/// One step of the judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExplainedStep {
    /// Its name, such as `org`.
    pub step: &'static str,
    /// How it came out.
    pub outcome: StepOutcome,
}

/// How a step came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Nothing to refuse.
    Passed,
    /// It refused the request: the answer.
    Refused,
    /// An earlier step had refused.
    NotReached,
}

/// One limit, as it stands before the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExplainedLimit {
    /// Its name.
    pub name: Box<str>,
    /// Units used.
    pub used: u64,
    /// Units of the window; `None` is unlimited.
    pub quota: Option<u64>,
    /// Units left.
    pub remaining: Option<u64>,
    /// When more is available; `None` for a lifetime.
    pub resets_at: Option<crate::Timestamp>,
    /// Whether each process counts for itself.
    pub per_process: bool,
}

/// The steps, each with the codes that it refuses with.
const STEPS: [(&str, &[Code]); 12] = [
    ("standing", &[Code::InvalidKey, Code::KeyExpired]),
    ("environment", &[Code::EnvironmentMismatch]),
    ("address", &[Code::IpNotAllowed]),
    (
        "origin",
        &[Code::SecretKeyInBrowser, Code::OriginRequired, Code::OriginNotAllowed, Code::DomainNotVerified],
    ),
    (
        "parameters",
        &[Code::OrgInvalid, Code::UserInvalid, Code::OrgDuplicate, Code::UserDuplicate, Code::TenantConflict],
    ),
    (
        "tenant",
        &[
            Code::AccountSuspended,
            Code::OrgRequired,
            Code::OrgUnexpected,
            Code::OrgMismatch,
            Code::OrgNotAllowed,
            Code::OrgNotFound,
            Code::OrgSuspended,
            Code::TenantDeleted,
            Code::TenantLimitReached,
            Code::UserRequired,
            Code::UserUnexpected,
            Code::UserProofInvalid,
            Code::UserMismatch,
            Code::UserNotAllowed,
            Code::UserNotFound,
            Code::UserSuspended,
        ],
    ),
    ("kind", &[Code::KindNotAllowed]),
    ("permission", &[Code::InsufficientPermission]),
    ("resource", &[Code::ResourceNotAllowed]),
    ("entitlement", &[Code::EntitlementRequired]),
    ("rate", &[Code::RateLimited]),
    ("usage", &[Code::UsageLimitReached]),
];

impl Authority {
    /// Explains what would become of `request` if the key with this id had sent it; a credential in the request is not
    /// read.
    ///
    /// # Errors
    /// `key_not_found`, an unknown operation, or the store does not answer.
    pub fn explain(
        &self,
        caller: &Caller,
        account_id: &str,
        id: &KeyId,
        request: &Request<'_>,
    ) -> Result<Explanation, Error> {
        self.key(caller, account_id, id)?;
        let inner = &self.inner;
        let not_found = || Error::refused(Code::KeyNotFound);
        let stored = inner.store.key_by_id(&AccountId::from_stored(account_id), id)?.ok_or_else(not_found)?;
        let engine = inner.engine.load();
        let (scheme, digest) = (stored.record.scheme, stored.record.digest);
        let entry = engine.records.load_key(scheme, &digest, Noted::Nothing)?.ok_or_else(not_found)?;
        let call = Call::new(&engine, request, Want::Inspect, self.now(), inner.seal_key.as_ref())?;
        let judged = match call.judge(&entry, Source::Store(&engine.records, Noted::Nothing)) {
            Ok(judged) => judged,
            Err(stop) => {
                return Stop::into_decision(Err(stop)).map(|decision| Explanation::new(&decision, "", false));
            }
        };
        let (row, creates) = (judged.row.name(), judged.create_org || judged.create_user);
        let next = inner.charge_local(&call, judged);
        let decided = next.and_then(|next| match next {
            Next::Done(decision) => Ok(decision),
            Next::Ask(pending) => inner.charge(*pending).map(|(decision, _)| decision),
        });
        Stop::into_decision(decided).map(|decision| Explanation::new(&decision, row, creates))
    }
}

impl Explanation {
    fn new(decision: &Decision, row: &'static str, would_create: bool) -> Self {
        let denial = decision.denial();
        let code = denial.map(|denial| denial.code());
        let refused = code.and_then(|code| STEPS.iter().position(|(_, codes)| codes.contains(&code)));
        let outcome = |i: usize| match refused {
            Some(at) if i == at => StepOutcome::Refused,
            Some(at) if i > at => StepOutcome::NotReached,
            _ => StepOutcome::Passed,
        };
        let identity = decision.grant().map(|grant| grant.identity()).or(denial.and_then(|d| d.identity()));
        let name = |state: &LimitState| match decision {
            Decision::Allow(grant) => grant.limit_name(state).into(),
            Decision::Deny(denial) => denial.limit_name(state).into(),
        };
        Self {
            allowed: decision.is_allowed(),
            code,
            message: code.map(Code::text),
            row: denial.map(|denial| denial.row()).filter(|row| !row.is_empty()).unwrap_or(row),
            org_id: identity.and_then(|who| who.org_id()).map(Into::into),
            user_id: identity.and_then(|who| who.user_id()).map(Into::into),
            would_create: would_create && decision.is_allowed(),
            missing: denial.map_or_else(Vec::new, |denial| denial.missing_permissions().to_vec()),
            steps: STEPS
                .iter()
                .enumerate()
                .map(|(i, (step, _))| ExplainedStep { step, outcome: outcome(i) })
                .collect(),
            limits: decision
                .limits()
                .iter()
                .map(|state| ExplainedLimit {
                    name: name(state),
                    used: state.used,
                    quota: state.quota,
                    remaining: state.remaining,
                    resets_at: state.resets_at,
                    per_process: state.per_process,
                })
                .collect(),
        }
    }
}
