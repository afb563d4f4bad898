//! What a refusal tells its caller, before it takes a form.

use super::ratelimit;
use crate::code::Code;
use crate::decision::{Denial, LimitKind, LimitState, Reason};
use crate::error::{Error, FieldError};
use crate::policy::Policy;
use crate::policy::knobs::PublicReasons;
use serde::Serialize;
use std::borrow::Cow;

/// A refusal as its caller may see it.
pub(crate) struct Refusal<'a> {
    pub(crate) code: Code,
    pub(crate) status: u16,
    pub(crate) message: Cow<'a, str>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) retryable: bool,
    pub(crate) docs: Option<String>,
    pub(crate) details: Details<'a>,
}

/// What the caller may know besides code and message. Never the key, never anything of another tenant.
#[derive(Default, Serialize)]
pub(crate) struct Details<'a> {
    /// The parameter that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<&'a str>,
    /// The headers in which a key is accepted, for a caller that sent none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) carriers: Vec<String>,
    /// The invalid fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) fields: &'a [FieldError],
    /// All permissions that are missing.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) missing_permissions: &'a [Box<str>],
    /// The limit that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<LimitDetails<'a>>,
    /// How long to wait, where no header can say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_s: Option<u64>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<&'a str>,
}

/// The limit that refused. What is left of a limit wider than the key is not for its holder unless the policy exposes it.
#[derive(Serialize)]
pub(crate) struct LimitDetails<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: LimitKind,
    pub(crate) reason: Reason,
    pub(crate) unit: &'a str,
    pub(crate) asked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) available: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resets_at: Option<String>,
    #[serde(skip)]
    pub(crate) window_s: Option<u64>,
}

impl<'a> Refusal<'a> {
    /// What the caller of a refused request may see.
    pub(crate) fn of_denial(policy: &'a Policy, denial: &'a Denial, request_id: Option<&'a str>) -> Self {
        let code = public_code(denial.code(), policy.http().public_reasons);
        let mut refusal = Self::of_code(policy, code, request_id);
        // INVARIANT: nothing of the denial reaches the answer to an invalid key, so that unknown, wrong, revoked, deleted
        // and disabled keys cannot be told apart (A-42, INV-08).
        if refusal.hides_caller() {
            return refusal;
        }
        refusal.status = denial.http_status();
        refusal.details.parameter = denial.parameter();
        refusal.details.missing_permissions = denial.missing_permissions();
        if code == Code::MissingCredential {
            refusal.details.carriers =
                policy.credentials().carriers.iter().map(ToString::to_string).collect();
        }
        if let Some(state) = denial.refusing_limit() {
            refusal.set_limit(denial, state);
        }
        refusal.retry_after_s = ratelimit::retry_after_s(denial, request_id).or(refusal.retry_after_s);
        refusal.retryable = refusal.retry_after_s.is_some();
        refusal
    }

    /// What the caller of a call that could not be decided, or of a refused management call, may see.
    pub(crate) fn of_error(policy: &'a Policy, error: &'a Error, request_id: Option<&'a str>) -> Self {
        let code = public_code(error.code(), policy.http().public_reasons);
        let mut refusal = Self::of_code(policy, code, request_id);
        if code != Code::StoreUnavailable {
            refusal.details.fields = error.fields();
            refusal.details.fix = error.detail();
        }
        refusal
    }

    /// A refusal of which nothing but the code is known.
    pub(crate) fn of_code(policy: &'a Policy, code: Code, request_id: Option<&'a str>) -> Self {
        // A store that does not answer is asked again soon: one second is the least that helps.
        let retry_after_s = (code.http_status() == 503).then_some(1);
        Self {
            code,
            status: code.http_status(),
            message: Cow::Borrowed(code.text()),
            request_id,
            retry_after_s,
            retryable: retry_after_s.is_some(),
            docs: policy.http().docs_url.as_deref().map(|url| url.replace("{code}", code.name())),
            details: Details::default(),
        }
    }

    /// Whether the answer must not depend on who called.
    pub(crate) fn hides_caller(&self) -> bool {
        self.code == Code::InvalidKey
    }

    fn set_limit(&mut self, denial: &'a Denial, state: &'a LimitState) {
        let shown = |value: Option<u64>| value.filter(|_| state.exposed);
        let resets_at = state.resets_at.map(|at| at.to_string());
        if let (Code::UsageLimitReached, Some(at)) = (self.code, &resets_at) {
            self.message = format!("{}; it resets at {at}", self.message).into();
        }
        self.details.limit = Some(LimitDetails {
            name: denial.limit_name(state),
            kind: state.kind,
            reason: denial.reason(),
            unit: denial.texts.text(state.unit),
            asked: denial.asked(),
            quota: shown(state.quota),
            used: shown(Some(state.used)),
            available: shown(Some(denial.available())),
            resets_at,
            window_s: state.window_s,
        });
    }
}

impl Details<'_> {
    /// Whether there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.parameter.is_none()
            && self.carriers.is_empty()
            && self.fields.is_empty()
            && self.missing_permissions.is_empty()
            && self.limit.is_none()
            && self.retry_after_s.is_none()
            && self.fix.is_none()
    }
}

/// The code an outsider may learn.
fn public_code(code: Code, reasons: PublicReasons) -> Code {
    match (code, reasons) {
        (Code::KeyExpired, PublicReasons::None) => Code::InvalidKey,
        _ => code,
    }
}
