//! The rules of a policy that belong to no kind, operation or plan.

use super::table::Named;
use crate::credential::Carriers;
use crate::domain::DomainMethod;
use crate::headers::HeaderName;
use crate::permission::PermissionSet;
use crate::policy::knobs::{
    Absent, Block, CountOn, DigestScheme, ErrorBody, ExtraParam, LastUsedOn, McpUsageError, Need, Owner,
    PlanChoice, PlanOn, PublicReasons, Removal, TemplateLink, Tombstone, UnknownTenant,
};
use crate::tenant::IdSyntax;
use crate::tenant::resolve::ForeignOrg;

/// A world of its own for tenants, objects and counts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Environment {
    /// Position in [`super::Policy::environments`].
    pub index: u16,
    /// Its name, at most 32 bytes; `default` in a policy without environments.
    pub name: Box<str>,
    /// What people see, such as `Production`.
    pub label: Box<str>,
    /// For trying out: counted apart, never billed, and the only place for `reveal = "test_only"`.
    pub sandbox: bool,
}

/// A named set of permissions for people and keys. Roles are listed from the highest rank to the lowest.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Role {
    /// Position in [`super::Policy::roles`]; a smaller index is a higher rank.
    pub index: u16,
    /// Its name.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// Its permissions, resolved.
    pub permissions: PermissionSet,
    /// Its permissions as written.
    pub grants: Box<[Box<str>]>,
    /// Whether keys may hold it.
    pub key_assignable: bool,
    /// Whether giving it to a key deserves a warning (MS-34).
    pub warn: bool,
}

/// A named list of permissions to start a key from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Template {
    /// Its name.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// Recorded with each key that is made from it.
    pub version: u32,
    /// Its permissions, resolved.
    pub permissions: PermissionSet,
    /// Its permissions as written.
    pub grants: Box<[Box<str>]>,
}

/// Permissions that are shown together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PermissionGroup {
    /// The heading.
    pub name: Box<str>,
    /// The permissions, by name.
    pub permissions: Box<[Box<str>]>,
}

/// How credentials arrive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CredentialRules {
    /// The carriers, in the order in which they are read, and what another Bearer value means.
    pub carriers: Carriers,
    /// How a key is digested.
    pub digest: DigestScheme,
}

/// How a request names its tenant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TenancyRules {
    /// Names of the org id; a carrier without a name is not read.
    pub org_param: ParamNames,
    /// Names of the user id.
    pub user_param: ParamNames,
    /// Names of the proof of the user id; the carriers of the user id.
    pub proof_param: ParamNames,
    /// What an id looks like.
    pub id_syntax: IdSyntax,
    /// Whether bindings get defaults.
    pub absent: Absent,
    /// What a contradicting parameter means.
    pub extra_param: ExtraParam,
    /// The status for an org that a fixed or list binding does not hold.
    pub foreign_org: ForeignOrg,
    /// Whether open bindings may register unknown tenants. `KnownOnly` forbids it to every key.
    pub unknown_tenant: UnknownTenant,
    /// Orgs per account and environment that may be created by requests; `None` is no cap.
    pub max_orgs: Option<u64>,
    /// Users per org that may be created by requests; `None` is no cap.
    pub max_users_per_org: Option<u64>,
}

/// Where a parameter is read from, and under which name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParamNames {
    /// The name in the query string.
    pub query: Option<Box<str>>,
    /// The header.
    pub header: Option<HeaderName>,
    /// The name of the placeholder in route patterns.
    pub path: Option<Box<str>>,
}

/// The life of a key from creation to removal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lifecycle {
    /// Who a key belongs to.
    pub owner: Owner,
    /// Longest name, in characters.
    pub name_max_chars: u16,
    /// Whether names are unique among the keys of an account.
    pub unique_names: bool,
    /// Labels a key may carry besides its name.
    pub labels: Box<[Box<str>]>,
    /// Keys per account; `None` is no cap.
    pub max_keys: Option<u64>,
    /// Whether keys may create, change and end keys.
    pub keys_manage_keys: bool,
    /// Whether keys expire.
    pub expiry: ExpiryRule,
    /// How keys are replaced.
    pub rotation: RotationRule,
    /// The verbs that end a key.
    pub removal: Removal,
    /// Whether surfaces ask before they end a key.
    pub confirm_removal: bool,
    /// What stays of a deleted key.
    pub tombstone: Tombstone,
    /// Whether templates are copied or followed.
    pub template_link: TemplateLink,
    /// Which calls count as use.
    pub last_used_on: LastUsedOn,
}

/// Whether keys have an end, and how far away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiryRule {
    /// Never, possibly, always.
    pub need: Need,
    /// Seconds from creation when the issuer names no instant.
    pub default_lifetime_s: Option<u32>,
    /// The most seconds from creation.
    pub max_lifetime_s: Option<u32>,
}

/// How a key is replaced by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationRule {
    /// The longest overlap in seconds, at most 7 days; 0 allows only replacement at once.
    pub max_grace_s: u32,
    /// The overlap when none is named.
    pub default_grace_s: u32,
    /// Whether the successor goes on with the count.
    pub carry_usage: bool,
    /// The age in seconds at which a key is listed as due.
    pub reminder_s: Option<u32>,
}

/// How usage is judged, besides the limits themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageRules {
    /// When units count, unless an operation says otherwise.
    pub count_on: CountOn,
    /// What an exhausted limit stops.
    pub block: Block,
    /// Whose record names the plan.
    pub plan_on: PlanOn,
    /// Who may choose a plan other than the default.
    pub plan_choice: PlanChoice,
    /// The plan where none is named, an index into [`super::Policy::plans`].
    pub default_plan: Option<u16>,
}

/// How domains are verified.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DomainRules {
    /// The methods offered, in order of preference.
    pub methods: Box<[DomainMethod]>,
    /// Seconds after which a domain is looked at again; `None` never.
    pub recheck_s: Option<u32>,
}

/// What answers look like.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpRules {
    /// The form of error bodies.
    pub error_body: ErrorBody,
    /// The address of the page about a code; `{code}` stands for it.
    pub docs_url: Option<Box<str>>,
    /// Which reasons an outsider may learn.
    pub public_reasons: PublicReasons,
    /// Extra headers under names of the product's own.
    pub headers: HeaderNames,
}

/// Headers that repeat the `RateLimit` fields under older names; `None` is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderNames {
    /// The amount of the tightest quota.
    pub quota_limit: Option<HeaderName>,
    /// What remains of it.
    pub quota_remaining: Option<HeaderName>,
    /// Seconds until it begins anew.
    pub quota_reset: Option<HeaderName>,
    /// The state of a threshold with `action = "header"`.
    pub quota_warning: Option<HeaderName>,
    /// The burst of the tightest rate.
    pub rate_limit: Option<HeaderName>,
    /// What remains of it.
    pub rate_remaining: Option<HeaderName>,
    /// Seconds until more is available.
    pub rate_reset: Option<HeaderName>,
}

/// How the policy behaves over MCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpRules {
    /// How an exhausted limit travels.
    pub usage_error: McpUsageError,
    /// The operation under which methods that are never charged are judged, such as `initialize` and `tools/list`.
    pub free_operation: Option<u16>,
}

/// Names under which the command line shows itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CliNames {
    /// The program.
    pub program: Box<str>,
    /// The variable that holds a key.
    pub key_env: Box<str>,
    /// The variable that holds an org id.
    pub org_env: Box<str>,
    /// The flag that names an org, with its dashes.
    pub org_flag: Box<str>,
}

impl Environment {
    /// This environment as one bit, for the filters of limits.
    #[must_use]
    pub fn bit(&self) -> u64 {
        1u64.checked_shl(u32::from(self.index)).unwrap_or(0)
    }
}

impl ParamNames {
    /// Whether the parameter is never read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.query.is_none() && self.header.is_none() && self.path.is_none()
    }
}

impl Named for Environment {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Role {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Template {
    fn name(&self) -> &str {
        &self.name
    }
}
