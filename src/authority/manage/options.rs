//! What a caller may choose when it makes a key: the form's contents (row RT-12).

use super::act::Act;
use super::caller::Caller;
use crate::authority::Authority;
use crate::error::Error;
use crate::origin::OriginMatch;
use crate::policy::knobs::{BindingForm, KindClass, Need};
use crate::policy::model::{Kind, ResourceCount};
use serde::Serialize;

/// What a caller may choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Options {
    /// The kinds; the one taken by default first.
    pub kinds: Vec<KindOptions>,
    /// The environments.
    pub environments: Vec<EnvironmentOption>,
    /// Permissions by group, as far as the caller may give them.
    pub groups: Vec<GroupOption>,
    /// Templates that the caller may give.
    pub templates: Vec<TemplateOption>,
    /// Roles that the caller may give, the highest first.
    pub roles: Vec<RoleOption>,
    /// Plans that the caller may choose.
    pub plans: Vec<PlanOption>,
    /// Labels a key may carry.
    pub labels: Vec<Box<str>>,
    /// Whether keys expire.
    pub expiry: Need,
    /// The longest lifetime in seconds.
    pub max_lifetime_s: Option<u32>,
    /// The lifetime in seconds when none is chosen.
    pub default_lifetime_s: Option<u32>,
    /// The longest overlap of a rotation in seconds.
    pub max_grace_s: u32,
}

/// An environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EnvironmentOption {
    /// Its name.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// For trying out: counted apart and never billed.
    pub sandbox: bool,
    /// Whether it is taken by default.
    pub default: bool,
}

/// Permissions that are shown together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GroupOption {
    /// The heading.
    pub name: Box<str>,
    /// The permissions that the caller may give.
    pub permissions: Vec<Box<str>>,
}

/// A kind, and what its keys may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KindOptions {
    /// Its name.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// Secret or publishable.
    pub class: KindClass,
    /// The presets; the one taken by default first.
    pub presets: Vec<PresetOption>,
    /// Whether its keys hold a role.
    pub role: Need,
    /// The role taken by default.
    pub default_role: Option<Box<str>>,
    /// Whether permissions or a template are chosen.
    pub permissions: Need,
    /// The permissions taken by default.
    pub default_permissions: Vec<Box<str>>,
    /// The types of resources its keys are bound to; empty for none.
    pub resource_types: Vec<Box<str>>,
    /// Whether a key has exactly one resource.
    pub one_resource: bool,
    /// Whether a key may stand for all resources.
    pub all_resources: bool,
    /// How origins are compared; `null` where keys have none.
    pub origins: Option<OriginMatch>,
    /// Whether keys may carry a list of addresses.
    pub ip_allow: bool,
}

/// A preset and the forms of its bindings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PresetOption {
    /// Its name.
    pub name: &'static str,
    /// Forms of the org binding; the one taken by default first.
    pub org: Vec<BindingForm>,
    /// Forms of the user binding; the one taken by default first.
    pub user: Vec<BindingForm>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RoleOption {
    /// Its name.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// Its permissions.
    pub permissions: Vec<Box<str>>,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TemplateOption {
    /// Its name.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// Its version.
    pub version: u32,
    /// Its permissions.
    pub permissions: Vec<Box<str>>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlanOption {
    /// Its name.
    pub name: Box<str>,
    /// What people see.
    pub label: Box<str>,
    /// Whether it is taken by default.
    pub default: bool,
}

impl Authority {
    /// What this caller may choose for a new key.
    ///
    /// # Errors
    /// When the caller can't be judged, or a hook of the host fails.
    pub fn options(&self, caller: &Caller, account_id: &str) -> Result<Options, Error> {
        self.look(caller, account_id, "options.get", |act| {
            let policy = act.policy();
            let lifecycle = policy.lifecycle();
            let default_kind = policy.default_kind().map(|kind| kind.index);
            let mut kinds: Vec<&Kind> = policy.kinds().iter().collect();
            kinds.sort_by_key(|kind| Some(kind.index) != default_kind);
            Ok(Options {
                kinds: kinds.into_iter().map(|kind| kind_options(act, kind)).collect(),
                environments: environments(act),
                groups: groups(act),
                templates: templates(act),
                roles: roles(act),
                plans: plans(act)?,
                labels: lifecycle.labels.to_vec(),
                expiry: lifecycle.expiry.need,
                max_lifetime_s: lifecycle.expiry.max_lifetime_s,
                default_lifetime_s: lifecycle.expiry.default_lifetime_s,
                max_grace_s: lifecycle.rotation.max_grace_s,
            })
        })
    }
}

fn kind_options(act: &Act<'_>, kind: &Kind) -> KindOptions {
    let presets = kind.presets.iter().map(|rule| PresetOption {
        name: rule.preset.name(),
        org: rule.org.to_vec(),
        user: rule.user.to_vec(),
    });
    let default_role = kind.role.default.and_then(|index| act.policy().roles().at(index));
    KindOptions {
        name: kind.name.clone(),
        label: kind.label.clone(),
        class: kind.class,
        presets: presets.collect(),
        role: kind.role.need,
        default_role: default_role.map(|role| role.name.clone()),
        permissions: kind.permissions.need,
        default_permissions: kind.permissions.default.to_vec(),
        resource_types: kind.resources.types.to_vec(),
        one_resource: kind.resources.count == ResourceCount::One,
        all_resources: kind.resources.all,
        origins: kind.origins.listed.then_some(kind.origins.matching),
        ip_allow: kind.ip_lists,
    }
}

fn environments(act: &Act<'_>) -> Vec<EnvironmentOption> {
    let default = act.policy().default_environment().map(|environment| environment.index);
    let environments = act.policy().environments().iter();
    environments
        .map(|environment| EnvironmentOption {
            name: environment.name.clone(),
            label: environment.label.clone(),
            sandbox: environment.sandbox,
            default: default == Some(environment.index),
        })
        .collect()
}

fn groups(act: &Act<'_>) -> Vec<GroupOption> {
    let catalogue = act.policy().permissions();
    let may_give = |name: &str| catalogue.grant(name).is_some_and(|set| act.rights.may_permit(&set));
    let groups = act.policy().permission_groups().iter();
    groups
        .map(|group| GroupOption {
            name: group.name.clone(),
            permissions: group.permissions.iter().filter(|name| may_give(name)).cloned().collect(),
        })
        .collect()
}

fn templates(act: &Act<'_>) -> Vec<TemplateOption> {
    let templates =
        act.policy().templates().iter().filter(|template| act.rights.may_permit(&template.permissions));
    templates
        .map(|template| TemplateOption {
            name: template.name.clone(),
            label: template.label.clone(),
            version: template.version,
            permissions: template.grants.to_vec(),
        })
        .collect()
}

fn roles(act: &Act<'_>) -> Vec<RoleOption> {
    let roles = act.policy().roles().iter().filter(|role| role.key_assignable && act.rights.may_assign(role));
    roles
        .map(|role| RoleOption {
            name: role.name.clone(),
            label: role.label.clone(),
            permissions: role.grants.to_vec(),
        })
        .collect()
}

fn plans(act: &Act<'_>) -> Result<Vec<PlanOption>, Error> {
    let default = super::plan::default_plan(act.policy());
    let mut plans = Vec::new();
    for plan in act.policy().plans() {
        match act.check_plan_choice(&plan.name) {
            Ok(()) => plans.push(PlanOption {
                name: plan.name.clone(),
                label: plan.label.clone(),
                default: default == Some(&*plan.name),
            }),
            Err(error) if error.code() == crate::code::Code::PlanNotAllowed => {}
            Err(error) => return Err(error),
        }
    }
    Ok(plans)
}
