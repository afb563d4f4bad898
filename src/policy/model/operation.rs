//! Operations: what a request does, what it needs and what it costs.

use super::table::Named;
use crate::permission::PermissionSet;
use crate::policy::knobs::CountOn;
use crate::tenant::Level;

/// Something that requests do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Operation {
    /// Position in [`super::Policy::operations`].
    pub index: u16,
    /// Its name.
    pub name: Box<str>,
    /// What people see; the name where the policy gives none.
    pub label: Box<str>,
    /// Whom it acts for.
    pub level: Level,
    /// Whether publishable kinds may call it.
    pub public: bool,
    /// The kinds that may call it, one bit each ([`super::Kind::bit`]). No bit: only people.
    pub kinds: u64,
    /// The permissions it needs, all of them.
    pub permissions: PermissionSet,
    /// The same by name, as written.
    pub permission_names: Box<[Box<str>]>,
    /// The entitlements the plan must have, one bit each ([`super::Policy::entitlements`]).
    pub entitlements: u64,
    /// The type of the resource that the request must name and the key must be bound to.
    pub resource: Option<Box<str>>,
    /// The environment the key must belong to.
    pub environment: Option<u16>,
    /// Dimensions that the host passes with the call, such as `provider`.
    pub dimensions: Box<[Box<str>]>,
    /// Units per meter; a meter that is not here, or with 0, is not counted.
    pub costs: Box<[Cost]>,
    /// Which of [`Operation::costs`] a cost given with the call replaces.
    pub variable: Option<u16>,
    /// When units count.
    pub count_on: CountOn,
    /// Whether it creates, changes or ends keys. Where keys do not manage keys, no kind may call it.
    pub manages_keys: bool,
    /// HTTP routes that mean this operation.
    pub routes: Box<[Route]>,
    /// MCP tools, resources and prompts that mean this operation.
    pub mcp: McpNames,
}

/// Units that one call counts on one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// The meter, an index into [`super::Policy::meters`].
    pub meter: u16,
    /// Units, at most 2^53 - 1.
    pub units: u64,
}

/// A method and a path pattern such as `GET /v1/flows/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The method in upper case; `None` for any (`*`).
    pub method: Option<Box<str>>,
    /// The pattern as written.
    pub path: Box<str>,
}

/// The names by which MCP requests reach an operation; `*` stands for every name that no operation lists.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct McpNames {
    /// Tools.
    pub tools: Box<[Box<str>]>,
    /// Resource URIs.
    pub resources: Box<[Box<str>]>,
    /// Prompts.
    pub prompts: Box<[Box<str>]>,
}

impl Operation {
    /// Whether it can count anything: some cost is above 0, or the call may name one.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.variable.is_some() || self.costs.iter().any(|cost| cost.units > 0)
    }

    /// Whether keys of the kind with this bit may call it.
    #[must_use]
    pub fn accepts(&self, kind_bit: u64) -> bool {
        self.kinds & kind_bit != 0
    }
}

impl Named for Operation {
    fn name(&self) -> &str {
        &self.name
    }
}
