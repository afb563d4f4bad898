//! The policy document as TOML has it, before anything is checked against anything else.
//!
//! Every struct refuses fields that it does not know. Nothing is required here: what is missing is reported by the
//! compiler, which knows where and why. The JSON Schema is generated from these types, and their comments are its
//! descriptions.

mod kind;
mod lifecycle;
mod operation;
mod plan;
#[cfg(feature = "schema")]
mod schema;
mod tenancy;
mod words;

pub(crate) use kind::{
    AlphabetDoc, BodyDoc, ChecksumWord, KindDoc, PrefixDoc, PresetDoc, ResourceCountWord, ResourcesDoc,
};
pub(crate) use lifecycle::{ExpiryDoc, KeysDoc, RotationDoc};
pub(crate) use operation::{CostDoc, MeterDoc, OperationDoc};
pub(crate) use plan::{
    Every, LimitDoc, LimitModeWord, PeriodDoc, PeriodTable, PeriodWord, PlanDoc, RateDoc, SlowDoc,
    ThresholdDoc, WeekdayWord,
};
#[cfg(feature = "schema")]
pub use schema::json_schema;
pub(crate) use tenancy::{CredentialsDoc, DomainsDoc, ParamDoc, TenancyDoc, TenantIdAlphabet};
pub(crate) use words::OneOrMany;

use crate::policy::knobs::{Block, CountOn, ErrorBody, McpUsageError, PlanChoice, PlanOn, PublicReasons};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A tenantkit policy: a product's whole key system as data.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Policy", extend("required" = ["name", "kinds"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Document {
    /// The product's name, 1 to 64 bytes. Required.
    pub(crate) name: Option<String>,
    /// The environments, each a world of its own for tenants, objects and counts. Left out: one, named `default`, that
    /// no key text shows.
    pub(crate) environments: BTreeMap<String, EnvironmentDoc>,
    /// The environment of a new key when none is named. Left out: it must be named, unless there is only one.
    pub(crate) default_environment: Option<String>,
    /// How keys arrive and what is stored of them.
    pub(crate) credentials: CredentialsDoc,
    /// The kinds of keys, at least one. Required.
    pub(crate) kinds: BTreeMap<String, KindDoc>,
    /// The kind of a new key when none is named. Left out: the first.
    pub(crate) default_kind: Option<String>,
    /// How requests name their tenant.
    pub(crate) tenancy: TenancyDoc,
    /// The life of a key.
    pub(crate) keys: KeysDoc,
    /// The permissions, group by group, as they are shown to people.
    pub(crate) permissions: Vec<GroupDoc>,
    /// Permissions that come with another one, transitively.
    pub(crate) implies: BTreeMap<String, Vec<String>>,
    /// Lists of permissions to start a key from.
    pub(crate) templates: BTreeMap<String, TemplateDoc>,
    /// The roles, highest rank first.
    pub(crate) roles: Vec<RoleDoc>,
    /// Roles that keys may hold. Left out: none.
    pub(crate) key_assignable_roles: Vec<String>,
    /// The role of a new key when none is named; one of `key_assignable_roles`.
    pub(crate) default_role: Option<String>,
    /// Roles that deserve a warning when a key gets them.
    pub(crate) warn_roles: Vec<String>,
    /// Types of the product's own objects that keys can be bound to, such as `agent`.
    pub(crate) resource_types: Vec<String>,
    /// Dimensions that the host passes with calls and that limits can count by, such as `provider`.
    pub(crate) dimensions: Vec<String>,
    /// How domains of origins are verified.
    pub(crate) domains: DomainsDoc,
    /// What requests do.
    pub(crate) operations: BTreeMap<String, OperationDoc>,
    /// What is counted.
    pub(crate) meters: BTreeMap<String, MeterDoc>,
    /// Named features that plans include or not.
    pub(crate) entitlements: Vec<String>,
    /// The contracts.
    pub(crate) plans: BTreeMap<String, PlanDoc>,
    /// The plan where none is named. Required where there are plans.
    pub(crate) default_plan: Option<String>,
    /// Limits that hold whatever the plan.
    pub(crate) limits: Vec<LimitDoc>,
    /// Rates that hold whatever the plan.
    pub(crate) rates: Vec<RateDoc>,
    /// How usage is judged, besides the limits themselves.
    pub(crate) usage: UsageDoc,
    /// What answers look like.
    pub(crate) http: HttpDoc,
    /// How the policy behaves over MCP.
    pub(crate) mcp: McpDoc,
    /// Names under which the command line shows itself.
    pub(crate) cli: CliDoc,
}

/// One environment.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Environment"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EnvironmentDoc {
    /// What people see, such as `Production`. Left out: the name.
    pub(crate) label: Option<String>,
    /// For trying out: never billed, and where `reveal = "test_only"` allows to show a key again.
    pub(crate) sandbox: bool,
}

/// Permissions that are shown together.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PermissionGroup", extend("required" = ["group"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GroupDoc {
    /// The heading. Required.
    pub(crate) group: Option<String>,
    /// The permissions, such as `FLOWS:READ`. At most 256 in all groups together.
    pub(crate) names: Vec<String>,
}

/// A role.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Role", extend("required" = ["name"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RoleDoc {
    /// The name, as records and management calls give it. Required.
    pub(crate) name: Option<String>,
    /// What people see. Left out: the name.
    pub(crate) label: Option<String>,
    /// What the role may do: permissions, `X:*` for all below X, `*` for all. Empty is nothing.
    pub(crate) permissions: Vec<String>,
}

/// A list of permissions to start a key from.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Template", extend("required" = ["permissions"])))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TemplateDoc {
    /// What people see. Left out: the name.
    pub(crate) label: Option<String>,
    /// Recorded with each key made from it; raise it with each change. From 1.
    pub(crate) version: Option<u32>,
    /// The permissions: names, `X:*`, `*`, at least one. Required.
    pub(crate) permissions: Vec<String>,
}

/// How usage is judged.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Usage"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UsageDoc {
    /// When units count, unless an operation says otherwise.
    pub(crate) count_on: CountOn,
    /// What an exhausted limit does.
    pub(crate) on_exhausted: OnExhaustedDoc,
    /// The status of an exhausted limit, unless a plan says otherwise: 429, 402 or 403. Default 429.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = [429, 402, 403])))]
    pub(crate) exhausted_status: Option<u16>,
    /// Whose record names the plan. A key's own plan wins wherever it has one.
    pub(crate) plan_on: PlanOn,
    /// Who may choose a plan other than the default.
    pub(crate) plan_choice: PlanChoice,
}

/// What an exhausted limit does.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "OnExhausted"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OnExhaustedDoc {
    /// Which operations it stops.
    pub(crate) block: Block,
}

/// What answers look like.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Http"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpDoc {
    /// The form of error bodies.
    pub(crate) error_body: ErrorBody,
    /// The page about a code, with `{code}` where its name goes: `https://docs.example.com/errors/{code}`.
    pub(crate) docs_url: Option<String>,
    /// Which reasons an outsider may learn.
    pub(crate) public_reasons: PublicReasons,
    /// Headers that repeat the `RateLimit` fields under names of the product's own. Each is sent only if it is named.
    pub(crate) headers: HeadersDoc,
}

/// Headers that repeat the `RateLimit` fields under names of the product's own.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Headers"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HeadersDoc {
    /// The amount of the tightest quota.
    pub(crate) quota_limit: Option<String>,
    /// What remains of it.
    pub(crate) quota_remaining: Option<String>,
    /// Seconds until it begins anew.
    pub(crate) quota_reset: Option<String>,
    /// The state of a threshold with `action = "header"`.
    pub(crate) quota_warning: Option<String>,
    /// The burst of the tightest rate.
    pub(crate) rate_limit: Option<String>,
    /// What remains of it.
    pub(crate) rate_remaining: Option<String>,
    /// Seconds until more is available.
    pub(crate) rate_reset: Option<String>,
}

/// How the policy behaves over MCP.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Mcp"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct McpDoc {
    /// How an exhausted limit travels.
    pub(crate) usage_error: McpUsageError,
    /// The operation under which methods that are never charged are judged, such as `initialize` and `tools/list`.
    pub(crate) free_operation: Option<String>,
}

/// Names under which the command line shows itself.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Cli"))]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CliDoc {
    /// The program. Default `tenantkit`.
    pub(crate) program: Option<String>,
    /// The variable that holds a key. Default `TENANTKIT_API_KEY`.
    pub(crate) key_env: Option<String>,
    /// The variable that holds an org id. Default `TENANTKIT_ORG_ID`.
    pub(crate) org_env: Option<String>,
    /// The flag that names an org. Default `--org`.
    pub(crate) org_flag: Option<String>,
}
