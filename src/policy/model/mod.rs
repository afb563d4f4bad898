//! The compiled policy: immutable, validated, names resolved to indexes and bit sets. Everything else reads this.

pub mod index;
pub mod kind;
pub mod operation;
pub mod plan;
pub mod routes;
pub mod rules;
pub mod table;

pub(crate) use index::{ChargeRow, Charges, McpIndex, NameIndex};
pub use kind::{Kind, OriginRule, PermissionRule, PresetRule, ResourceCount, ResourceRule, RoleRule};
pub use operation::{Cost, McpNames, Operation, Route};
pub use plan::{
    Charge, Dimension, Filter, LimitDef, LimitMode, Meter, PeriodRule, Plan, RateCharge, RateDef, Threshold,
};
pub use routes::{RouteMatch, Router};
pub use rules::{
    CliNames, CredentialRules, DomainRules, Environment, ExpiryRule, HeaderNames, HttpRules, Lifecycle,
    McpRules, ParamNames, PermissionGroup, Role, RotationRule, Template, TenancyRules, UsageRules,
};
pub use table::{Named, Table};

use crate::key::format::FormatSet;
use crate::permission::Catalogue;

/// A product's whole key system, validated.
///
/// Made by [`Policy::parse`] and never changed: a reload makes another one. Sections are read through the accessors;
/// indexes inside one policy never leave their table.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) name: Box<str>,
    pub(crate) digest: [u8; 32],
    pub(crate) environments: Table<Environment>,
    pub(crate) default_environment: Option<u16>,
    pub(crate) formats: FormatSet,
    pub(crate) kinds: Table<Kind>,
    pub(crate) default_kind: u16,
    pub(crate) permissions: Catalogue,
    pub(crate) groups: Box<[PermissionGroup]>,
    pub(crate) roles: Table<Role>,
    pub(crate) templates: Table<Template>,
    pub(crate) resource_types: Box<[Box<str>]>,
    pub(crate) dimensions: Box<[Box<str>]>,
    pub(crate) operations: Table<Operation>,
    pub(crate) meters: Table<Meter>,
    pub(crate) entitlements: Box<[Box<str>]>,
    pub(crate) plans: Table<Plan>,
    pub(crate) limits: Box<[LimitDef]>,
    pub(crate) rates: Box<[RateDef]>,
    pub(crate) charges: Charges,
    pub(crate) router: Router,
    pub(crate) mcp_names: McpIndex,
    pub(crate) credentials: CredentialRules,
    pub(crate) tenancy: TenancyRules,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) usage: UsageRules,
    pub(crate) domains: DomainRules,
    pub(crate) http: HttpRules,
    pub(crate) mcp: McpRules,
    pub(crate) cli: CliNames,
}

impl Policy {
    /// The product's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the document's text.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The environments; at least one.
    #[must_use]
    pub fn environments(&self) -> &Table<Environment> {
        &self.environments
    }

    /// The environment of this name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.named(name)
    }

    /// The environment of a new key when none is named; `None` where one must be named.
    #[must_use]
    pub fn default_environment(&self) -> Option<&Environment> {
        self.default_environment.and_then(|index| self.environments.at(index))
    }

    /// The exact texts that are keys, with the indexes of their kinds and environments.
    #[must_use]
    pub fn formats(&self) -> &FormatSet {
        &self.formats
    }

    /// The kinds of keys; at least one.
    #[must_use]
    pub fn kinds(&self) -> &Table<Kind> {
        &self.kinds
    }

    /// The kind of this name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.named(name)
    }

    /// The kind of a new key when none is named.
    #[must_use]
    pub fn default_kind(&self) -> Option<&Kind> {
        self.kinds.at(self.default_kind)
    }

    /// The roles, highest rank first.
    #[must_use]
    pub fn roles(&self) -> &Table<Role> {
        &self.roles
    }

    /// The role of this name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.named(name)
    }

    /// The templates.
    #[must_use]
    pub fn templates(&self) -> &Table<Template> {
        &self.templates
    }

    /// The template of this name.
    #[must_use]
    pub fn template(&self, name: &str) -> Option<&Template> {
        self.templates.named(name)
    }

    /// The permissions and what they imply.
    #[must_use]
    pub fn permissions(&self) -> &Catalogue {
        &self.permissions
    }

    /// The permissions as they are shown, group by group.
    #[must_use]
    pub fn permission_groups(&self) -> &[PermissionGroup] {
        &self.groups
    }

    /// The operations.
    #[must_use]
    pub fn operations(&self) -> &Table<Operation> {
        &self.operations
    }

    /// The operation of this name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.named(name)
    }

    /// The operation that an HTTP request means, and the placeholders of its route. `path` is as sent, without query.
    #[must_use]
    pub fn operation_for_route<'r>(
        &self,
        method: &str,
        path: &'r str,
    ) -> Option<(&Operation, RouteMatch<'_, 'r>)> {
        let found = self.router.find(method, path)?;
        Some((self.operations.at(found.operation)?, found))
    }

    /// The operation that a call of this MCP tool means: an exact entry first, then the one for all other tools.
    #[must_use]
    pub fn operation_for_tool(&self, name: &str) -> Option<&Operation> {
        self.mcp_names.tools.find(name).and_then(|index| self.operations.at(index))
    }

    /// The operation that reading this MCP resource means.
    #[must_use]
    pub fn operation_for_mcp_resource(&self, uri: &str) -> Option<&Operation> {
        self.mcp_names.resources.find(uri).and_then(|index| self.operations.at(index))
    }

    /// The operation that getting this MCP prompt means.
    #[must_use]
    pub fn operation_for_prompt(&self, name: &str) -> Option<&Operation> {
        self.mcp_names.prompts.find(name).and_then(|index| self.operations.at(index))
    }

    /// The meters.
    #[must_use]
    pub fn meters(&self) -> &Table<Meter> {
        &self.meters
    }

    /// The plans; none where the product has no plans.
    #[must_use]
    pub fn plans(&self) -> &Table<Plan> {
        &self.plans
    }

    /// The plan of this name.
    #[must_use]
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.named(name)
    }

    /// Names of the entitlements; the position is the bit in [`Plan::entitlements`].
    #[must_use]
    pub fn entitlements(&self) -> &[Box<str>] {
        &self.entitlements
    }

    /// All limits, those of every plan and those of none.
    #[must_use]
    pub fn limits(&self) -> &[LimitDef] {
        &self.limits
    }

    /// All rates, those of every plan and those of none.
    #[must_use]
    pub fn rates(&self) -> &[RateDef] {
        &self.rates
    }

    /// The limits that a call of `operation` under `plan` can meet, narrowest subject first: at most 8 with the rates.
    /// Kind, environment and user are still to be asked of each limit's filter.
    #[must_use]
    pub fn charges(&self, plan: Option<u16>, operation: &Operation) -> &[Charge] {
        self.charges.row(plan, operation.index).map_or(&[], |row| &row.limits)
    }

    /// The rates that a call of `operation` under `plan` can meet, narrowest subject first.
    #[must_use]
    pub fn rate_charges(&self, plan: Option<u16>, operation: &Operation) -> &[RateCharge] {
        self.charges.row(plan, operation.index).map_or(&[], |row| &row.rates)
    }

    /// The limits of a plan and those that hold whatever the plan.
    pub fn limits_under(&self, plan: Option<u16>) -> impl Iterator<Item = &LimitDef> {
        self.limits.iter().filter(move |limit| limit.plan.is_none() || limit.plan == plan)
    }

    /// The rates of a plan and those that hold whatever the plan.
    pub fn rates_under(&self, plan: Option<u16>) -> impl Iterator<Item = &RateDef> {
        self.rates.iter().filter(move |rate| rate.plan.is_none() || rate.plan == plan)
    }

    /// Types of resources that keys can be bound to.
    #[must_use]
    pub fn resource_types(&self) -> &[Box<str>] {
        &self.resource_types
    }

    /// Dimensions that hosts pass with calls.
    #[must_use]
    pub fn dimensions(&self) -> &[Box<str>] {
        &self.dimensions
    }

    /// How credentials arrive.
    #[must_use]
    pub fn credentials(&self) -> &CredentialRules {
        &self.credentials
    }

    /// How a request names its tenant.
    #[must_use]
    pub fn tenancy(&self) -> &TenancyRules {
        &self.tenancy
    }

    /// The life of a key.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// How usage is judged.
    #[must_use]
    pub fn usage(&self) -> &UsageRules {
        &self.usage
    }

    /// How domains are verified.
    #[must_use]
    pub fn domains(&self) -> &DomainRules {
        &self.domains
    }

    /// What answers look like.
    #[must_use]
    pub fn http(&self) -> &HttpRules {
        &self.http
    }

    /// How the policy behaves over MCP.
    #[must_use]
    pub fn mcp(&self) -> &McpRules {
        &self.mcp
    }

    /// Names for the command line.
    #[must_use]
    pub fn cli(&self) -> &CliNames {
        &self.cli
    }
}
