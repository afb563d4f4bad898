//! `policy`: the document checked, described and explained.

use crate::commands::keys::explain::Explain;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::error::Error as _;
use std::fmt::Write;
use std::path::PathBuf;
use tenantkit::Policy as Compiled;
use tenantkit::policy::PolicyErrors;

/// Check and explain policies
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Check(Check),
    Explain(Explain),
    Schema(Schema),
}

/// Check a policy file: every fault with its line, what is allowed and what was probably meant
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit policy check policy.toml
  tenantkit policy check policy.toml --json
")]
pub(crate) struct Check {
    /// The file; without it the policy in force
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Print the JSON Schema of policy files, for editors
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit policy schema > policy.schema.json
")]
pub(crate) struct Schema {}

#[derive(Serialize)]
struct Verdict {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Contents>,
    faults: Vec<Fault>,
    /// Faults that are not listed.
    omitted: usize,
}

/// What a valid policy holds.
#[derive(Serialize)]
struct Contents {
    name: String,
    digest: String,
    environments: Vec<String>,
    kinds: Vec<String>,
    roles: Vec<String>,
    templates: Vec<String>,
    operations: Vec<String>,
    meters: Vec<String>,
    plans: Vec<String>,
    limits: usize,
    rates: usize,
}

#[derive(Serialize)]
struct Fault {
    line: usize,
    column: usize,
    end_column: usize,
    field: String,
    message: String,
    allowed: Vec<String>,
    suggestion: Option<String>,
}

impl Policy {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Check(command) => command.run(context),
            Self::Explain(command) => command.run(context),
            Self::Schema(_) => {
                context.out.data(tenantkit::policy::json_schema())?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Check {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let read = self.file.map(Compiled::from_file);
        let policy = match &read {
            Some(read) => read.as_ref(),
            None => context.policy_or_fault(),
        };
        match policy {
            Ok(policy) => {
                let contents = Contents::of(policy);
                let words = contents.in_words();
                let verdict = Verdict { valid: true, policy: Some(contents), faults: Vec::new(), omitted: 0 };
                context.out.report(&verdict, |_| words)?;
                Ok(Exit::Done)
            }
            Err(error) => {
                // A file that can't be read has no faults to list.
                if let Some(faults) = error.source().and_then(|source| source.downcast_ref::<PolicyErrors>())
                {
                    let listed = faults.iter().map(Fault::of).collect();
                    let verdict =
                        Verdict { valid: false, policy: None, faults: listed, omitted: faults.omitted() };
                    context.out.report(&verdict, |_| String::new())?;
                }
                Err(Failure::policy(error).fix("mend the lines that are named and check again"))
            }
        }
    }
}

impl Contents {
    fn of(policy: &Compiled) -> Self {
        fn list<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
            names.map(str::to_owned).collect()
        }
        Self {
            name: policy.name().to_owned(),
            digest: data_encoding::HEXLOWER.encode(policy.digest()),
            environments: list(policy.environments().names()),
            kinds: list(policy.kinds().names()),
            roles: list(policy.roles().names()),
            templates: list(policy.templates().names()),
            operations: list(policy.operations().names()),
            meters: list(policy.meters().names()),
            plans: list(policy.plans().names()),
            limits: policy.limits().len(),
            rates: policy.rates().len(),
        }
    }

    fn in_words(&self) -> String {
        let mut text = format!("valid: `{}`\n", self.name);
        let lists = [
            ("environments", &self.environments),
            ("kinds", &self.kinds),
            ("roles", &self.roles),
            ("templates", &self.templates),
            ("operations", &self.operations),
            ("meters", &self.meters),
            ("plans", &self.plans),
        ];
        for (title, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            let _ = writeln!(text, "  {title:12}  {}", names.join(", "));
        }
        let _ = writeln!(text, "  {:12}  {} limits, {} rates", "bounds", self.limits, self.rates);
        text
    }
}

impl Fault {
    fn of(fault: &tenantkit::policy::PolicyError) -> Self {
        Self {
            line: fault.line(),
            column: fault.column(),
            end_column: fault.end_column(),
            field: fault.field().to_owned(),
            message: fault.message().to_owned(),
            allowed: fault.allowed().to_vec(),
            suggestion: fault.suggestion().map(str::to_owned),
        }
    }
}
