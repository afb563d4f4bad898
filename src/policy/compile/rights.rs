//! Permissions, roles and templates.

use super::bounds;
use super::names::{self, MAX_LABEL_CHARS, MAX_NAME_BYTES};
use super::report::Report;
use crate::permission::{Catalogue, MAX_PERMISSIONS, PermissionError, PermissionSet, check_entry};
use crate::policy::document::{Document, RoleDoc};
use crate::policy::model::{PermissionGroup, Role, Table, Template};
use crate::policy::text::read::short;
use crate::policy::text::{At, Place};

/// What people and keys may do, by name.
pub(super) struct Rights {
    pub(super) catalogue: Catalogue,
    pub(super) groups: Box<[PermissionGroup]>,
    pub(super) roles: Table<Role>,
    /// Whether some role may be held by keys.
    pub(super) assignable: bool,
    pub(super) default_role: Option<u16>,
    pub(super) templates: Table<Template>,
}

pub(super) fn compile(report: &mut Report<'_, '_>, document: &Document) -> Rights {
    let (groups, catalogue) = catalogue(report, document);
    let roles = roles(report, document, &catalogue);
    let root = At::Root;
    let default_role = document.default_role.as_deref().and_then(|name| {
        let at = root.key("default_role");
        let index = names::position(report, &at, name, "role", roles.names())?;
        if !roles.at(index).is_some_and(|role| role.key_assignable) {
            report.value(
                &at,
                format!("keys may not hold `{name}`; name it in `key_assignable_roles` or take another"),
            );
        }
        Some(index)
    });
    Rights {
        templates: templates(report, document, &catalogue),
        assignable: roles.iter().any(|role| role.key_assignable),
        catalogue,
        groups,
        roles,
        default_role,
    }
}

/// The bits of a list of grants; each fault where it stands.
pub(super) fn grants(
    report: &mut Report<'_, '_>,
    at: &At<'_>,
    catalogue: &Catalogue,
    grants: &[String],
) -> PermissionSet {
    let mut set = PermissionSet::default();
    for (i, grant) in names::at_most(report, at, grants, MAX_PERMISSIONS).iter().enumerate() {
        match catalogue.grant(grant) {
            Some(bits) => set = set.union(&bits),
            None => report.unknown(&at.index(i), Place::Value, "permission", grant, catalogue.iter()),
        }
    }
    set
}

/// The permissions by name, as the compiled policy keeps them.
pub(super) fn written(grants: &[String]) -> Box<[Box<str>]> {
    grants.iter().map(|grant| grant.as_str().into()).collect()
}

fn catalogue(report: &mut Report<'_, '_>, document: &Document) -> (Box<[PermissionGroup]>, Catalogue) {
    let root = At::Root;
    let at = root.key("permissions");
    let mut groups = Vec::new();
    let mut all: Vec<Box<str>> = Vec::new();
    for (i, group) in names::at_most(report, &at, &document.permissions, bounds::GROUPS).iter().enumerate() {
        let here = at.index(i);
        match &group.group {
            Some(heading) if !(1..=MAX_LABEL_CHARS).contains(&heading.chars().count()) => {
                report.value(&here.key("group"), format!("a heading has 1 to {MAX_LABEL_CHARS} characters"));
            }
            Some(_) => {}
            None => {
                report.missing(&here, "group", "give the heading under which these permissions are shown")
            }
        }
        for (j, name) in group.names.iter().enumerate() {
            let spot = here.key("names");
            let spot = spot.index(j);
            if let Err(e) = check_entry(name) {
                report.value(&spot, format!("`{}` is none: {e}", short(name)));
            } else if all.iter().any(|known| **known == **name) {
                report.value(&spot, format!("`{name}` is in the catalogue twice; name it once"));
            } else if all.len() == MAX_PERMISSIONS {
                report.value(&spot, format!("a policy has at most {} permissions", MAX_PERMISSIONS));
            } else {
                all.push(name.as_str().into());
            }
        }
        let heading = group.group.as_deref().unwrap_or_default().into();
        groups.push(PermissionGroup { name: heading, permissions: written(&group.names) });
    }
    let implies = implies(report, document, &all);
    let complain = |e: PermissionError| report.value(&at, e.to_string());
    let catalogue = Catalogue::new(all, implies).map_err(complain).unwrap_or_default();
    (groups.into(), catalogue)
}

fn implies(report: &mut Report<'_, '_>, document: &Document, all: &[Box<str>]) -> Vec<(usize, usize)> {
    let root = At::Root;
    let at = root.key("implies");
    let known = all.iter().map(|name| &**name);
    let mut pairs = Vec::new();
    for (name, implied) in &document.implies {
        let here = at.key(name);
        let from = known.clone().position(|candidate| candidate == name);
        if from.is_none() {
            report.unknown(&here, Place::Name, "permission", name, known.clone());
        }
        for (i, target) in names::at_most(report, &here, implied, MAX_PERMISSIONS).iter().enumerate() {
            match known.clone().position(|candidate| candidate == target) {
                Some(to) => pairs.extend(from.map(|from| (from, to))),
                None => report.unknown(&here.index(i), Place::Value, "permission", target, known.clone()),
            }
        }
    }
    pairs
}

fn roles(report: &mut Report<'_, '_>, document: &Document, catalogue: &Catalogue) -> Table<Role> {
    let root = At::Root;
    let at = root.key("roles");
    let listed = names::at_most(report, &at, &document.roles, bounds::ROLES);
    let names: Vec<&str> = listed.iter().filter_map(|role| role.name.as_deref()).collect();
    let mut bits = |field: &str, list: &[String]| {
        names::bits(report, &root.key(field), list, "role", names.iter().copied())
    };
    let assignable = bits("key_assignable_roles", &document.key_assignable_roles);
    let warned = bits("warn_roles", &document.warn_roles);
    let mut roles: Vec<Role> = Vec::new();
    for (i, RoleDoc { name, label, permissions }) in listed.iter().enumerate() {
        let here = at.index(i);
        let Some(name) = name else {
            report.missing(&here, "name", "give the role a name");
            continue;
        };
        names::check_name(report, &here.key("name"), Place::Value, name, MAX_NAME_BYTES);
        if roles.iter().any(|role| *role.name == **name) {
            report.value(&here.key("name"), format!("there is a role `{}` already", short(name)));
        }
        let position = names.iter().position(|known| known == name).unwrap_or(0);
        let has = |set: u64| set >> position & 1 == 1;
        roles.push(Role {
            index: u16::try_from(roles.len()).unwrap_or(u16::MAX),
            name: name.as_str().into(),
            label: names::label(report, &here, label.as_deref(), name),
            permissions: grants(report, &here.key("permissions"), catalogue, permissions),
            grants: written(permissions),
            key_assignable: has(assignable),
            warn: has(warned),
        });
    }
    Table::new(roles)
}

fn templates(report: &mut Report<'_, '_>, document: &Document, catalogue: &Catalogue) -> Table<Template> {
    let root = At::Root;
    let at = root.key("templates");
    let mut templates = Vec::new();
    for (name, template) in names::in_order(report, &at, &document.templates, bounds::TEMPLATES) {
        let here = at.key(name);
        names::check_name(report, &here, Place::Name, name, MAX_NAME_BYTES);
        if template.permissions.is_empty() {
            report.missing(&here, "permissions", "a template of nothing gives keys nothing");
        }
        let version = template.version.unwrap_or(1);
        if version == 0 {
            report.value(&here.key("version"), "versions begin at 1");
        }
        templates.push(Template {
            name: name.into(),
            label: names::label(report, &here, template.label.as_deref(), name),
            version,
            permissions: grants(report, &here.key("permissions"), catalogue, &template.permissions),
            grants: written(&template.permissions),
        });
    }
    Table::new(templates)
}
