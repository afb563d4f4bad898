//! `keys options`: what may be chosen for a new key.

use crate::context::{Context, Missing};
use crate::failure::{Exit, Failure};
use crate::output::time;
use clap::Args;
use std::fmt::Write;
use tenantkit::Options;
use tenantkit::policy::Need;

/// Show what may be chosen for a new key: kinds, environments, roles, permissions, templates, plans
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys options
  tenantkit keys options --json
")]
pub(crate) struct ShowOptions {}

impl ShowOptions {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Make, |session| {
            let options = session.authority.options(&context.caller(), context.account())?;
            context.out.report(&options, |_| in_words(&options))?;
            Ok(Exit::Done)
        })
    }
}

fn in_words(options: &Options) -> String {
    let mut text = String::new();
    kinds(&mut text, options);
    if options.environments.iter().any(|environment| &*environment.name != "default") {
        section(
            &mut text,
            "environments",
            options
                .environments
                .iter()
                .map(|environment| (&environment.name, labelled(&environment.name, &environment.label))),
        );
    }
    let roles = options
        .roles
        .iter()
        .map(|role| (&role.name, labelled(&role.name, &role.label) + &role.permissions.join(" ")));
    section(&mut text, "roles, highest first", roles);
    section(
        &mut text,
        "permissions",
        options.groups.iter().map(|group| (&group.name, group.permissions.join(" "))),
    );
    let templates = options.templates.iter().map(|template| {
        let label = labelled(&template.name, &template.label);
        (&template.name, format!("{label}version {}: {}", template.version, template.permissions.join(" ")))
    });
    section(&mut text, "templates", templates);
    let plans = options.plans.iter().map(|plan| {
        (&plan.name, labelled(&plan.name, &plan.label) + if plan.default { "the default" } else { "" })
    });
    section(&mut text, "plans", plans);
    section(&mut text, "labels", options.labels.iter().map(|label| (label, String::new())));
    let _ = writeln!(text, "expiry\n  {}", expiry(options));
    let _ = writeln!(
        text,
        "rotation\n  the old key works at most {}",
        time::length(i64::from(options.max_grace_s))
    );
    text
}

fn kinds(text: &mut String, options: &Options) {
    let kinds = options.kinds.iter().map(|kind| {
        let presets: Vec<&str> = kind.presets.iter().map(|preset| preset.name).collect();
        let mut words =
            format!("{}{}, for {}", labelled(&kind.name, &kind.label), kind.class.word(), presets.join(", "));
        if kind.role != Need::None {
            let default =
                kind.default_role.as_deref().map_or(String::new(), |role| format!(" (default {role})"));
            let _ = write!(words, "; role {}{default}", kind.role.word());
        }
        if kind.permissions != Need::None {
            let _ = write!(words, "; permissions {}", kind.permissions.word());
        }
        if !kind.resource_types.is_empty() {
            let how_many = if kind.one_resource { "one" } else { "a list of" };
            let _ = write!(words, "; {how_many} {}", kind.resource_types.join(" or "));
        }
        if kind.origins.is_some() {
            words += "; origins";
        }
        (&kind.name, words)
    });
    section(text, "kinds", kinds);
}

fn section<'a>(text: &mut String, title: &str, lines: impl Iterator<Item = (&'a Box<str>, String)>) {
    let lines: Vec<(&Box<str>, String)> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let _ = writeln!(text, "{title}");
    for (name, words) in lines {
        let line = format!("  {name:width$}  {words}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// What people see, where that is not the name itself.
fn labelled(name: &str, label: &str) -> String {
    if name == label { String::new() } else { format!("{label}; ") }
}

fn expiry(options: &Options) -> String {
    let length = |seconds: u32| time::length(i64::from(seconds));
    let longest =
        options.max_lifetime_s.map_or(String::new(), |seconds| format!(", at most {}", length(seconds)));
    let default = options
        .default_lifetime_s
        .map_or(String::new(), |seconds| format!(", {} if none is chosen", length(seconds)));
    format!("{}{longest}{default}", options.expiry.word())
}
