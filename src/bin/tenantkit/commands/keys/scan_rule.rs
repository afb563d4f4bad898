//! `keys scan-rule`: what secret scanners look for.

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Column};
use clap::Args;
use serde::Serialize;

/// Print the regular expressions that find this product's keys, for secret scanners
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  grep -rE \"$(tenantkit keys scan-rule --kind key --environment live)\" src
  tenantkit keys scan-rule --gitleaks >> .gitleaks.toml
  tenantkit keys scan-rule --json
")]
pub(crate) struct ScanRule {
    /// Keys of this kind only
    #[arg(long)]
    kind: Option<String>,
    /// Keys of this environment only
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// As rules for gitleaks
    #[arg(long)]
    gitleaks: bool,
}

#[derive(Serialize)]
struct Rule {
    id: String,
    kind: String,
    environment: String,
    /// What keys of this format begin with; nothing else does.
    prefix: String,
    regex: String,
}

const COLUMNS: &[Column<Rule>] = &[
    Column::new("id", |rule, _| Cell::new(&rule.id)),
    Column::new("kind", |rule, _| Cell::new(&rule.kind)),
    Column::new("environment", |rule, _| Cell::new(&rule.environment)),
    Column::new("prefix", |rule, _| Cell::new(&rule.prefix)),
    Column::new("regex", |rule, _| Cell::new(&rule.regex)),
];

impl ScanRule {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let policy = context.policy()?;
        let mut rules = Vec::new();
        for (format, kind, environment) in policy.formats().iter() {
            let name = |named: Option<&str>| named.unwrap_or_default().to_owned();
            let kind = name(policy.kinds().at(kind).map(|kind| &*kind.name));
            let environment =
                name(policy.environments().at(environment).map(|environment| &*environment.name));
            if self.kind.as_ref().is_some_and(|wanted| *wanted != kind)
                || self.environment.as_ref().is_some_and(|wanted| *wanted != environment)
            {
                continue;
            }
            let id = if environment == "default" {
                format!("{}-{kind}", policy.name())
            } else {
                format!("{}-{kind}-{environment}", policy.name())
            };
            rules.push(Rule {
                id,
                kind,
                environment,
                prefix: format.prefix().to_owned(),
                regex: format.scan_rule(),
            });
        }
        if rules.is_empty() {
            return Err(Failure::usage("the policy has no keys of this kind and environment"));
        }
        if self.gitleaks {
            context.out.data(rules.iter().map(|rule| gitleaks(policy.name(), rule)).collect::<String>())?;
        } else if context.out.is_for_people() {
            // Alone on stdout, one a line: to be handed to `grep -E -f -`.
            context.out.data(rules.iter().map(|rule| format!("{}\n", rule.regex)).collect::<String>())?;
        } else {
            context.out.list(&rules, COLUMNS)?;
        }
        Ok(Exit::Done)
    }
}

fn gitleaks(product: &str, rule: &Rule) -> String {
    format!(
        "[[rules]]\nid = \"{}\"\ndescription = \"{product} API key ({})\"\nregex = '''{}'''\nkeywords = [\"{}\"]\n\n",
        rule.id,
        rule.kind,
        rule.regex,
        rule.prefix.to_lowercase()
    )
}
