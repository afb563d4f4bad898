//! Operations: what requests do, what that needs, what it costs, and how requests get there.

use super::bounds;
use super::kinds::Kinds;
use super::names::{self, MAX_NAME_BYTES};
use super::report::Report;
use super::rights::{Rights, written};
use super::vocabulary::Vocabulary;
use crate::limit::Units;
use crate::permission::PermissionSet;
use crate::policy::document::{CostDoc, Document, OperationDoc};
use crate::policy::knobs::{KindClass, Need};
use crate::policy::model::routes::RouteError;
use crate::policy::model::{Cost, Lifecycle, McpIndex, McpNames, NameIndex, Operation, Route, Router, Table};
use crate::policy::text::read::short;
use crate::policy::text::{At, Place};
use crate::tenant::Level;

/// The longest name of an MCP tool, resource or prompt, in bytes.
const MAX_MCP_NAME_BYTES: usize = 512;

/// The operations and the ways to them.
pub(super) struct Operations {
    pub(super) table: Table<Operation>,
    pub(super) router: Router,
    pub(super) mcp_names: McpIndex,
}

/// What an operation may name.
struct Context<'a> {
    document: &'a Document,
    words: &'a Vocabulary,
    rights: &'a Rights,
    kinds: &'a Kinds,
    lifecycle: &'a Lifecycle,
}

pub(super) fn compile(
    report: &mut Report<'_, '_>,
    document: &Document,
    words: &Vocabulary,
    rights: &Rights,
    kinds: &Kinds,
    lifecycle: &Lifecycle,
) -> Operations {
    let root = At::Root;
    let at = root.key("operations");
    let context = Context { document, words, rights, kinds, lifecycle };
    let members = names::in_order(report, &at, &document.operations, bounds::OPERATIONS);
    let mut ways = Ways { names: members.iter().map(|(name, _)| *name).collect(), ..Ways::default() };
    let mut operations = Vec::new();
    for (index, (name, operation)) in (0..).zip(&members) {
        let here = at.key(name);
        names::check_name(report, &here, Place::Name, name, MAX_NAME_BYTES);
        let mut compiled = compile_operation(report, &here, operation, &context);
        compiled.index = index;
        compiled.name = (*name).into();
        compiled.label = names::label(report, &here, operation.label.as_deref(), name);
        compiled.routes = ways.routes(report, &here.key("routes"), &operation.routes, index);
        compiled.mcp = ways.mcp_names(report, &here, operation, index);
        operations.push(compiled);
    }
    Operations { table: Table::new(operations), router: ways.router, mcp_names: ways.mcp }
}

/// Everything but what the operation is called and how requests get there.
fn compile_operation(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    operation: &OperationDoc,
    context: &Context<'_>,
) -> Operation {
    let Context { document, words, rights, .. } = context;
    if operation.level.is_none() {
        report.missing(at, "level", "say whom it acts for: `account`, `org` or `user`");
    }
    let permissions = needed(report, &at.key("permission"), rights, &operation.permission);
    let kinds = accepted_kinds(report, at, operation, context);
    check_holders(report, at, operation, kinds, context);
    let entitlements = {
        let here = at.key("entitlement");
        names::bits(report, &here, &operation.entitlement, "entitlement", words.entitlement_names())
    };
    let resource = operation.resource.as_deref().map(|name| {
        names::position(report, &at.key("resource"), name, "resource type", words.resource_type_names());
        name.into()
    });
    let environment = operation.environment.as_deref().and_then(|name| {
        let known = words.environments.names();
        names::position(report, &at.key("environment"), name, "environment", known)
    });
    names::bits(report, &at.key("dimensions"), &operation.dimensions, "dimension", words.dimension_names());
    let costs = costs(report, at, operation, words);
    let variable = variable(report, at, operation, words, &costs);
    Operation {
        index: 0,
        name: Box::default(),
        label: Box::default(),
        level: operation.level.unwrap_or(Level::User),
        public: operation.public,
        kinds,
        permissions,
        permission_names: written(&operation.permission),
        entitlements,
        resource,
        environment,
        dimensions: written(&operation.dimensions),
        costs: costs.into(),
        variable,
        count_on: operation.count_on.unwrap_or(document.usage.count_on),
        manages_keys: operation.manages_keys,
        routes: Box::default(),
        mcp: McpNames::default(),
    }
}

/// An operation needs permissions one by one, and only what it names: what a permission implies, and what a wildcard
/// stands for, is for those who hold it.
fn needed(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    rights: &Rights,
    permissions: &[String],
) -> PermissionSet {
    let mut set = PermissionSet::EMPTY;
    for (i, name) in names::at_most(report, at, permissions, bounds::NEEDED).iter().enumerate() {
        let here = at.index(i);
        match rights.catalogue.need(name) {
            Some(bit) => set = set.union(&bit),
            None if rights.catalogue.grant(name).is_some() => {
                let message =
                    format!("an operation needs permissions by name; list what `{}` stands for", short(name));
                report.value(&here, message);
            }
            None => report.unknown(&here, Place::Value, "permission", name, rights.catalogue.iter()),
        }
    }
    set
}

/// The kinds that may call it, one bit each.
fn accepted_kinds(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    operation: &OperationDoc,
    context: &Context<'_>,
) -> u64 {
    let kinds = context.kinds;
    let people_only = operation.manages_keys && !context.lifecycle.keys_manage_keys;
    let Some(list) = &operation.kinds else {
        let class = if operation.public { KindClass::Publishable } else { KindClass::Secret };
        return if people_only { 0 } else { kinds.of_class(class) };
    };
    let here = at.key("kinds");
    let set = names::bits(report, &here, list, "kind", kinds.table.names());
    for (i, name) in list.iter().enumerate() {
        if !operation.public && kinds.table.named(name).is_some_and(|kind| kind.is_publishable()) {
            let message =
                format!("`{name}` is publishable, so it calls public operations only; set `public = true`");
            report.value(&here.index(i), message);
        }
    }
    if people_only && !list.is_empty() {
        let message =
            "keys do not manage keys here; leave `kinds` out, or set `keys.keys_manage_keys = true`";
        report.value(&here, message);
    }
    set
}

/// A kind that can hold neither a role nor permissions could never call what needs one.
fn check_holders(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    operation: &OperationDoc,
    kinds: u64,
    context: &Context<'_>,
) {
    let is_known = |name: &String| context.rights.catalogue.need(name).is_some();
    if operation.permission.is_empty() || !operation.permission.iter().all(is_known) {
        return;
    }
    let holds_nothing = |need: Need, permissions: Need| need == Need::None && permissions == Need::None;
    let without = context
        .kinds
        .table
        .iter()
        .find(|kind| kind.bit() & kinds != 0 && holds_nothing(kind.role.need, kind.permissions.need));
    if let Some(kind) = without {
        let message = format!(
            "keys of kind `{}` hold neither a role nor permissions, so they could never call this; list other `kinds` or let them hold some",
            kind.name
        );
        report.value(&at.key("permission"), message);
    }
}

fn costs(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    operation: &OperationDoc,
    words: &Vocabulary,
) -> Vec<Cost> {
    let here = at.key("cost");
    let mut costs = Vec::new();
    let mut push = |report: &mut Report<'_, '_>, spot: &At<'_>, meter: Option<u16>, units: u64| {
        if Units::new(units).is_none() {
            report.value(spot, format!("a cost is at most {} units", Units::MAX));
        }
        let is_variable = |meter| operation.variable.as_deref() == words.meters.at(meter).map(|m| &*m.name);
        // A cost of 0 counts nothing, unless the call may name another.
        costs.extend(meter.filter(|&m| units > 0 || is_variable(m)).map(|meter| Cost { meter, units }));
    };
    match &operation.cost {
        None | Some(CostDoc::Units(0)) => {}
        Some(CostDoc::Units(units)) => match words.only_meter() {
            Some(meter) => push(report, &here, Some(meter), *units),
            None if words.meters.is_empty() => {
                report.value(
                    &here,
                    "the policy has no meter to count on; add one, such as `[meters.requests]`",
                );
            }
            None => {
                let message = "the policy has more than one meter; say which, as in `{ tokens = 1 }`";
                report.value(&here, message);
            }
        },
        Some(CostDoc::PerMeter(per_meter)) => {
            for (name, units) in per_meter {
                let spot = here.key(name);
                let meter = words.meters.index(name);
                if meter.is_none() {
                    report.unknown(&spot, Place::Name, "meter", name, words.meters.names());
                }
                push(report, &spot, meter, *units);
            }
        }
    }
    // A meter that only calls name has no cost of its own.
    if let Some(meter) = operation.variable.as_deref().and_then(|name| words.meters.index(name))
        && !costs.iter().any(|cost| cost.meter == meter)
    {
        costs.push(Cost { meter, units: 0 });
    }
    costs.sort_by_key(|cost| cost.meter);
    costs
}

fn variable(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    operation: &OperationDoc,
    words: &Vocabulary,
    costs: &[Cost],
) -> Option<u16> {
    let Some(name) = operation.variable.as_deref() else { return (costs.len() == 1).then_some(0) };
    let meter = names::position(report, &at.key("variable"), name, "meter", words.meters.names())?;
    costs.iter().position(|cost| cost.meter == meter).and_then(|position| u16::try_from(position).ok())
}

/// The ways that lead to operations; each leads to one.
#[derive(Default)]
struct Ways<'d> {
    names: Vec<&'d str>,
    router: Router,
    mcp: McpIndex,
}

impl Ways<'_> {
    fn name(&self, operation: u16) -> &str {
        self.names.get(usize::from(operation)).copied().unwrap_or_default()
    }

    fn routes(
        &mut self,
        report: &mut Report<'_, '_>,
        at: &At<'_>,
        routes: &[String],
        operation: u16,
    ) -> Box<[Route]> {
        let mut compiled = Vec::new();
        for (i, text) in names::at_most(report, at, routes, bounds::ROUTES).iter().enumerate() {
            let here = at.index(i);
            let Some((method, path)) = split_route(text) else {
                let message = format!(
                    "`{}` is no route; write a method and a path, as in `GET /v1/flows/{{id}}`",
                    short(text)
                );
                report.value(&here, message);
                continue;
            };
            match self.router.insert(method, path, operation) {
                Ok(()) => compiled.push(Route { method: method.map(Into::into), path: path.into() }),
                Err(RouteError::Malformed(reason)) => report.value(&here, reason),
                Err(RouteError::Taken { operation: other }) => {
                    let message = format!(
                        "`{}` has this route already; a request means one operation",
                        self.name(other)
                    );
                    report.value(&here, message);
                }
            }
        }
        compiled.into()
    }

    fn mcp_names(
        &mut self,
        report: &mut Report<'_, '_>,
        at: &At<'_>,
        operation: &OperationDoc,
        index: u16,
    ) -> McpNames {
        let names = &self.names;
        let mut list = |field: &str, list: &[String], known: &mut NameIndex| {
            let at = at.key(field);
            for (i, name) in names::at_most(report, &at, list, bounds::MCP_NAMES).iter().enumerate() {
                let here = at.index(i);
                if !(1..=MAX_MCP_NAME_BYTES).contains(&name.len()) || name.contains(char::is_control) {
                    report.value(
                        &here,
                        format!("a name has 1 to {MAX_MCP_NAME_BYTES} bytes without control characters"),
                    );
                } else if name.len() > 1 && name.contains('*') {
                    report.value(&here, "`*` stands alone, for every name that no operation lists");
                } else if let Err(other) = known.insert(name, index) {
                    let other = names.get(usize::from(other)).copied().unwrap_or_default();
                    report
                        .value(&here, format!("`{other}` has this name already; a call means one operation"));
                }
            }
            written(list)
        };
        McpNames {
            tools: list("tools", &operation.tools, &mut self.mcp.tools),
            resources: list("mcp_resources", &operation.mcp_resources, &mut self.mcp.resources),
            prompts: list("prompts", &operation.prompts, &mut self.mcp.prompts),
        }
    }
}

/// `GET /path` or `* /path`.
fn split_route(text: &str) -> Option<(Option<&str>, &str)> {
    let (method, path) = text.split_once(' ')?;
    match method {
        "*" => Some((None, path)),
        _ => {
            let plain = (1..=16).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_uppercase());
            plain.then_some((Some(method), path))
        }
    }
}
