//! Questions that only the host can answer, asked in management calls.

use crate::error::Error;
use crate::resource::Resource;
use std::sync::Arc;

/// Asks the host whether a plan may be chosen, where the policy says `plan_choice = "hook"`.
pub(crate) type PlanHook = Arc<dyn Fn(&PlanQuestion<'_>) -> Result<bool, Error> + Send + Sync>;

/// Asks the host whether a resource exists before a key is bound to it.
pub(crate) type ResourceHook = Arc<dyn Fn(&ResourceQuestion<'_>) -> Result<bool, Error> + Send + Sync>;

/// What a plan hook is asked: may this caller choose this plan?
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlanQuestion<'a> {
    /// The account.
    pub account_id: &'a str,
    /// Who chooses: the administrator's name, the key's id or the person's.
    pub actor: &'a str,
    /// The plan, which the policy has.
    pub plan: &'a str,
}

/// What a resource hook is asked: does this resource exist, where the key would use it?
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResourceQuestion<'a> {
    /// The account.
    pub account_id: &'a str,
    /// The environment of the key.
    pub environment: &'a str,
    /// The one org of the key, if it has one.
    pub org_id: Option<&'a str>,
    /// The resource.
    pub resource: &'a Resource,
}

/// The host's answers.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) plan: Option<PlanHook>,
    pub(crate) resource: Option<ResourceHook>,
}
