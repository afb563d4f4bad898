//! The names that other sections use: environments, meters, entitlements, resource types, dimensions.

use super::bounds;
use super::names::{self, MAX_ENVIRONMENT_BYTES, MAX_NAME_BYTES};
use super::report::Report;
use crate::policy::document::{Document, MeterDoc};
use crate::policy::model::{Environment, Meter, Table};
use crate::policy::text::{At, Place};

/// Words that name a part of a subject, so that no dimension may.
const SUBJECTS: [&str; 4] = ["key", "user", "org", "account"];

/// What a policy declares by name.
pub(super) struct Vocabulary {
    pub(super) environments: Table<Environment>,
    pub(super) default_environment: Option<u16>,
    pub(super) meters: Table<Meter>,
    pub(super) entitlements: Box<[Box<str>]>,
    pub(super) resource_types: Box<[Box<str>]>,
    pub(super) dimensions: Box<[Box<str>]>,
    /// Whether the document lists environments: if not, no key text shows one.
    pub(super) has_environments: bool,
}

impl Vocabulary {
    pub(super) fn compile(report: &mut Report<'_, '_>, document: &Document) -> Self {
        let root = At::Root;
        let environments = environments(report, document);
        let default_environment = match &document.default_environment {
            Some(name) => {
                let at = root.key("default_environment");
                names::position(report, &at, name, "environment", environments.names())
            }
            None => (environments.len() == 1).then_some(0),
        };
        let entitlements = &document.entitlements;
        Self {
            default_environment,
            meters: meters(report, document),
            entitlements: names::declare(
                report,
                &root.key("entitlements"),
                entitlements,
                bounds::ENTITLEMENTS,
            ),
            resource_types: resource_types(report, &document.resource_types),
            dimensions: dimensions(report, &document.dimensions),
            has_environments: !document.environments.is_empty(),
            environments,
        }
    }

    /// The only meter, where there is one.
    pub(super) fn only_meter(&self) -> Option<u16> {
        (self.meters.len() == 1).then_some(0)
    }

    pub(super) fn entitlement_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entitlements.iter().map(|name| &**name)
    }

    pub(super) fn dimension_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.dimensions.iter().map(|name| &**name)
    }

    pub(super) fn resource_type_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.resource_types.iter().map(|name| &**name)
    }
}

fn environments(report: &mut Report<'_, '_>, document: &Document) -> Table<Environment> {
    let root = At::Root;
    let at = root.key("environments");
    let mut environments = Vec::new();
    let members = names::in_order(report, &at, &document.environments, bounds::ENVIRONMENTS);
    for (index, (name, environment)) in (0..).zip(members) {
        let here = at.key(name);
        names::check_name(report, &here, Place::Name, name, MAX_ENVIRONMENT_BYTES);
        environments.push(Environment {
            index,
            name: name.into(),
            label: names::label(report, &here, environment.label.as_deref(), name),
            sandbox: environment.sandbox,
        });
    }
    if environments.is_empty() {
        environments.push(Environment {
            index: 0,
            name: "default".into(),
            label: "Default".into(),
            sandbox: false,
        });
    }
    Table::new(environments)
}

fn meters(report: &mut Report<'_, '_>, document: &Document) -> Table<Meter> {
    let root = At::Root;
    let at = root.key("meters");
    let mut meters = Vec::new();
    for (index, (name, meter)) in (0..).zip(names::in_order(report, &at, &document.meters, bounds::METERS)) {
        let here = at.key(name);
        names::check_name(report, &here, Place::Name, name, MAX_NAME_BYTES);
        let MeterDoc { label, unit } = meter;
        if let Some(unit) = unit {
            names::check_name(report, &here.key("unit"), Place::Value, unit, MAX_NAME_BYTES);
        }
        meters.push(Meter {
            index,
            name: name.into(),
            label: names::label(report, &here, label.as_deref(), name),
            unit: unit.as_deref().unwrap_or(name).into(),
        });
    }
    Table::new(meters)
}

/// Resource types stand before a colon in `agent:a_1`, so they have none.
fn resource_types(report: &mut Report<'_, '_>, types: &[String]) -> Box<[Box<str>]> {
    let root = At::Root;
    let at = root.key("resource_types");
    let is_type = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    for (i, name) in types.iter().enumerate() {
        if !name.bytes().all(is_type) {
            report.value(&at.index(i), "a resource type has lower-case letters, digits, `_` and `-` only");
        }
    }
    names::declare(report, &at, types, bounds::RESOURCE_TYPES)
}

fn dimensions(report: &mut Report<'_, '_>, dimensions: &[String]) -> Box<[Box<str>]> {
    let root = At::Root;
    let at = root.key("dimensions");
    for (i, name) in dimensions.iter().enumerate() {
        if SUBJECTS.contains(&name.as_str()) {
            report.value(&at.index(i), format!("`{name}` is part of every subject already; leave it out"));
        }
    }
    names::declare(report, &at, dimensions, bounds::DIMENSIONS)
}
