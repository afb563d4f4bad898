//! What the engine answers: a [`Decision`] allows with a [`Grant`] or denies with a [`Denial`]. Both own everything they
//! say, and hold their ids inline, so an allowed call from the cache allocates nothing.

mod limits;
mod texts;

pub(crate) use limits::LimitStates;
pub use limits::{LimitKind, LimitState};
pub(crate) use texts::{Span, Texts};

use crate::clock::Timestamp;
use crate::code::Code;
use crate::key::id::KeyId;
use crate::limit::BucketKey;
use crate::policy::Policy;
use crate::tenant::TenantScope;
use crate::tenant::resolve::Warning;
use std::fmt;

/// Most limits, rates included, that one call can meet.
pub const LIMITS_PER_CALL_MAX: usize = 8;

/// The answer to one request.
#[must_use = "a decision that nobody looks at lets everybody in"]
#[derive(Debug)]
// Both live on the caller's stack for the length of one request; boxing one would cost the hot path an allocation.
#[allow(clippy::large_enum_variant)]
pub enum Decision {
    /// Go ahead, as this tenant.
    Allow(Grant),
    /// Refused, and why.
    Deny(Denial),
}

impl Decision {
    /// Whether the request may go ahead.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// The HTTP status of the answer: 200 for an allow.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Allow(_) => 200,
            Self::Deny(denial) => denial.status,
        }
    }

    /// The grant of an allowed request.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Allow(grant) => Some(grant),
            Self::Deny(_) => None,
        }
    }

    /// The denial of a refused request.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Allow(_) => None,
            Self::Deny(denial) => Some(denial),
        }
    }

    /// The grant, or the denial as the error of a `?`.
    ///
    /// # Errors
    /// The denial of a refused request.
    #[allow(clippy::result_large_err)]
    pub fn into_result(self) -> Result<Grant, Denial> {
        match self {
            Self::Allow(grant) => Ok(grant),
            Self::Deny(denial) => Err(denial),
        }
    }

    /// The limits the call met, in the order they were judged.
    #[must_use]
    pub fn limits(&self) -> &[LimitState] {
        match self {
            Self::Allow(grant) => grant.limits.as_slice(),
            Self::Deny(denial) => denial.limits.as_slice(),
        }
    }
}

/// Leave to go ahead. Not `Clone`: its units can be given back once.
#[must_use = "the grant says as which tenant to act"]
pub struct Grant {
    pub(crate) who: Identity,
    /// Names of the limits.
    pub(crate) texts: Texts,
    pub(crate) decided_at: Timestamp,
    pub(crate) policy_revision: u32,
    pub(crate) cost: u64,
    pub(crate) delay_ms: u64,
    pub(crate) flags: Flags,
    pub(crate) limits: LimitStates,
    pub(crate) entitlements: u64,
    pub(crate) warning: Option<Warning>,
    pub(crate) charges: Option<Box<Charges>>,
}

impl Grant {
    /// Who calls: key, tenant, environment and plan.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.who
    }

    /// The key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.who.key_id
    }

    /// The tenant to act as.
    #[must_use]
    pub fn scope(&self) -> &TenantScope {
        &self.who.scope
    }

    /// The account to act as.
    #[must_use]
    pub fn account_id(&self) -> &str {
        self.who.account_id()
    }

    /// The org to act as, if the call has one.
    #[must_use]
    pub fn org_id(&self) -> Option<&str> {
        self.who.org_id()
    }

    /// The user to act as; `None` for a call of org or account level and for the shared anonymous user.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.who.user_id()
    }

    /// The environment to act in.
    #[must_use]
    pub fn environment(&self) -> &str {
        self.who.environment()
    }

    /// The plan in force, if the policy has plans.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        self.who.plan()
    }

    /// When the decision was made.
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }

    /// The revision of the policy that decided.
    #[must_use]
    pub fn policy_revision(&self) -> u32 {
        self.policy_revision
    }

    /// Units charged on each limit of the call.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// How long the host should wait before it serves the call, in milliseconds: the slow mode of a plan. Usually 0.
    #[must_use]
    pub fn delay_ms(&self) -> u64 {
        self.delay_ms
    }

    /// The limits the call met, with what remains of each.
    #[must_use]
    pub fn limits(&self) -> &[LimitState] {
        self.limits.as_slice()
    }

    /// The name of one of [`Grant::limits`].
    #[must_use]
    pub fn limit_name(&self, state: &LimitState) -> &str {
        self.texts.text(state.name)
    }

    /// What happened besides the allow.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// Whether the call created its org or user.
    #[must_use]
    pub fn created(&self) -> bool {
        self.flags.has(Flags::TENANT_CREATED)
    }

    /// Whether some soft limit is past what the plan includes.
    #[must_use]
    pub fn over_included(&self) -> bool {
        self.flags.has(Flags::OVER_INCLUDED)
    }

    /// Whether this answers an operation id that was charged before.
    #[must_use]
    pub fn replayed(&self) -> bool {
        self.flags.has(Flags::REPLAYED)
    }

    /// A parameter that was ignored by the policy's word (row X-16).
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        self.warning
    }

    /// Whether the plan in force includes a feature (row RS-06). `policy` is the one that decided.
    #[must_use]
    pub fn has_entitlement(&self, policy: &Policy, name: &str) -> bool {
        let bit = policy.entitlements().iter().position(|known| **known == *name);
        bit.is_some_and(|bit| self.entitlements >> bit & 1 == 1)
    }

    /// The limit with the smallest share left.
    #[must_use]
    pub fn tightest(&self) -> Option<&LimitState> {
        // Shares are compared as fractions: remaining_a / quota_a < remaining_b / quota_b.
        self.limits().iter().filter(|l| l.quota.is_some()).min_by(|a, b| {
            let left = |x: &LimitState, y: &LimitState| {
                u128::from(x.remaining.unwrap_or(u64::MAX)) * u128::from(y.quota.unwrap_or(1).max(1))
            };
            left(a, b).cmp(&left(b, a))
        })
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("identity", &self.who)
            .field("cost", &self.cost)
            .field("flags", &self.flags)
            .field("limits", &self.limits.as_slice())
            .finish_non_exhaustive()
    }
}

/// A refusal: what, why for the host, and what the caller may be told.
pub struct Denial {
    pub(crate) code: Code,
    pub(crate) reason: Reason,
    /// Known once the key is proved; never shown to the outside for `invalid_key`.
    pub(crate) who: Option<Box<Identity>>,
    pub(crate) texts: Texts,
    pub(crate) decided_at: Timestamp,
    pub(crate) status: u16,
    pub(crate) row: &'static str,
    pub(crate) parameter: Option<&'static str>,
    pub(crate) missing: Vec<Box<str>>,
    pub(crate) refusing_limit: Option<u8>,
    pub(crate) asked: u64,
    pub(crate) available: u64,
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) limits: LimitStates,
}

impl Denial {
    /// A refusal with this code and nothing else known.
    pub(crate) fn new(code: Code, now: Timestamp) -> Self {
        Self {
            code,
            reason: Reason::None,
            who: None,
            texts: Texts::new(),
            decided_at: now,
            status: code.http_status(),
            row: "",
            parameter: None,
            missing: Vec::new(),
            refusing_limit: None,
            asked: 0,
            available: 0,
            retry_after_ms: None,
            limits: LimitStates::new(),
        }
    }

    /// The stable code the caller sees.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The true reason, for the host and the audit trail; the public answer may hide it (row A-42).
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The HTTP status: that of the code, or what the plan chose for an exhausted limit.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.status
    }

    /// When the decision was made.
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }

    /// Who called, if the key was proved.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.who.as_deref()
    }

    /// The row of the truth table that refused, such as `T-14`; empty where no row applies.
    #[must_use]
    pub fn row(&self) -> &'static str {
        self.row
    }

    /// The request parameter that is at fault: `org_id`, `user_id`, `user_proof`.
    #[must_use]
    pub fn parameter(&self) -> Option<&'static str> {
        self.parameter
    }

    /// All permissions that the operation needs and the key lacks.
    #[must_use]
    pub fn missing_permissions(&self) -> &[Box<str>] {
        &self.missing
    }

    /// The limits the call met.
    #[must_use]
    pub fn limits(&self) -> &[LimitState] {
        self.limits.as_slice()
    }

    /// The limit that refused.
    #[must_use]
    pub fn refusing_limit(&self) -> Option<&LimitState> {
        self.refusing_limit.and_then(|i| self.limits.as_slice().get(usize::from(i)))
    }

    /// The name of one of [`Denial::limits`].
    #[must_use]
    pub fn limit_name(&self, state: &LimitState) -> &str {
        self.texts.text(state.name)
    }

    /// Units the call asked for on the limit that refused.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Units that were left on it.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.available
    }

    /// How long to wait before the same call can succeed, in milliseconds; `None` when waiting does not help.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("code", &self.code.name())
            .field("reason", &self.reason)
            .field("row", &self.row)
            .field("identity", &self.who)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.text())
    }
}

impl std::error::Error for Denial {}

/// Why, more exactly than the code; numbers as the C ABI carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// Nothing to add to the code.
    None = 0,
    /// The text is no key of this policy; the store was not asked.
    Malformed = 1,
    /// Well formed, but no such key.
    Unknown = 2,
    /// The key was revoked.
    Revoked = 3,
    /// The key is disabled.
    Disabled = 4,
    /// Nothing is left of the limit.
    Exhausted = 11,
    /// Something is left, but less than asked for.
    Insufficient = 12,
    /// The rate.
    Rate = 13,
    /// The units exist but are held by other calls for a moment.
    Contended = 14,
    /// The clock moved over a period's edge twice in one call.
    ClockUnsettled = 15,
}

/// Facts about a decision, one bit each; the same bits in every language.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u32);

impl Flags {
    /// Trying again later may help.
    pub const RETRYABLE: Self = Self(1);
    /// At least one limit applies.
    pub const LIMITED: Self = Self(2);
    /// Units were charged.
    pub const CHARGED: Self = Self(4);
    /// Units came from a local chunk.
    pub const LEASED: Self = Self(8);
    /// The store was away and the policy lets this limit go on.
    pub const DEGRADED: Self = Self(16);
    /// Past what the plan includes.
    pub const OVER_INCLUDED: Self = Self(32);
    /// The operation id was charged before.
    pub const REPLAYED: Self = Self(64);
    /// The org or user was created by this call.
    pub const TENANT_CREATED: Self = Self(128);
    /// Decided without asking the store for records.
    pub const FROM_CACHE: Self = Self(256);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(Flags, &str); 9] = [
            (Flags::RETRYABLE, "retryable"),
            (Flags::LIMITED, "limited"),
            (Flags::CHARGED, "charged"),
            (Flags::LEASED, "leased"),
            (Flags::DEGRADED, "degraded"),
            (Flags::OVER_INCLUDED, "over_included"),
            (Flags::REPLAYED, "replayed"),
            (Flags::TENANT_CREATED, "tenant_created"),
            (Flags::FROM_CACHE, "from_cache"),
        ];
        f.debug_set().entries(NAMES.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| name)).finish()
    }
}

/// Who calls: the key, the tenant it acts for and its plan. Made only by the engine from the key's record and the
/// parameters it declares (INV-18).
pub struct Identity {
    pub(crate) key_id: KeyId,
    pub(crate) scope: TenantScope,
    plan: PlanName,
}

/// A plan's name, inline: at most 64 bytes. Empty is none.
struct PlanName {
    bytes: [u8; PLAN_NAME_LEN_MAX],
    len: u8,
}

const PLAN_NAME_LEN_MAX: usize = 64;

impl Identity {
    /// Copies what is borrowed from the record once.
    pub(crate) fn new(key_id: KeyId, scope: TenantScope, plan: Option<&str>) -> Self {
        let mut name = PlanName { bytes: [0; PLAN_NAME_LEN_MAX], len: 0 };
        let plan = plan.unwrap_or("");
        if let Some(target) = name.bytes.get_mut(..plan.len()) {
            target.copy_from_slice(plan.as_bytes());
            name.len = u8::try_from(plan.len()).unwrap_or(0);
        }
        Self { key_id, scope, plan: name }
    }

    /// The key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The tenant.
    #[must_use]
    pub fn scope(&self) -> &TenantScope {
        &self.scope
    }

    /// The account.
    #[must_use]
    pub fn account_id(&self) -> &str {
        self.scope.account_id()
    }

    /// The org, if any.
    #[must_use]
    pub fn org_id(&self) -> Option<&str> {
        self.scope.org_id()
    }

    /// The user, if any.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.scope.user_id()
    }

    /// Whether the call acts as the shared anonymous user of a publishable key (row X-12).
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.scope.is_anonymous()
    }

    /// The environment.
    #[must_use]
    pub fn environment(&self) -> &str {
        self.scope.environment()
    }

    /// The plan, if the policy has plans.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        let name = self.plan.bytes.get(..usize::from(self.plan.len)).filter(|name| !name.is_empty())?;
        std::str::from_utf8(name).ok()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("key_id", &self.key_id)
            .field("scope", &self.scope)
            .field("plan", &self.plan())
            .finish()
    }
}

/// Units an unkeyed grant can still give back: where they were charged.
#[derive(Debug)]
pub(crate) struct Charges {
    pub(crate) units: Vec<ChargedUnits>,
}

/// Units of one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChargedUnits {
    pub(crate) bucket: BucketKey,
    pub(crate) life: u64,
    pub(crate) units: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ninth_limit_is_left_out() {
        let mut states = LimitStates::new();
        for _ in 0..9 {
            states.push(LimitState::EMPTY);
        }
        assert_eq!(states.as_slice().len(), LIMITS_PER_CALL_MAX);
    }
}
