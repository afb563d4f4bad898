//! `vectors run`: the shared test vectors, against this build.

use crate::context::Context;
use crate::failure::{Exit, Failure};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;
use tenantkit::Mode;
use tenantkit::vectors::{Setup, Store};

/// Run test vectors
#[derive(Debug, Subcommand)]
pub(crate) enum Vectors {
    Run(Run),
}

/// Run the vectors in files and folders, and say which do not hold
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit vectors run tests/vectors
  tenantkit vectors run tests/vectors/tenancy --on sqlite --mode strict
")]
pub(crate) struct Run {
    /// Files and folders of `.json`
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The store to run them on
    #[arg(long, value_name = "STORE", value_enum, default_value = "memory")]
    on: On,
    /// Whether records are cached
    #[arg(long, value_name = "MODE", value_enum, default_value = "fenced")]
    mode: Caching,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum On {
    /// In memory
    Memory,
    /// A SQLite database in a folder of its own, removed afterwards
    Sqlite,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Caching {
    /// Answer from the cache while it is current
    Fenced,
    /// Read the store on each check
    Strict,
}

#[derive(Serialize)]
struct Outcome {
    passed: usize,
    failures: Vec<Failed>,
}

#[derive(Serialize)]
struct Failed {
    file: String,
    step: Option<usize>,
    verb: Option<String>,
    what: String,
}

impl Vectors {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Run(run) = self;
        let store = match run.on {
            On::Memory => Store::Memory,
            On::Sqlite => Store::Sqlite,
        };
        let mode = match run.mode {
            Caching::Fenced => Mode::Fenced,
            Caching::Strict => Mode::Strict,
        };
        let report = tenantkit::vectors::run(&run.paths, Setup { store, mode })?;
        let failures = report.failures.iter().map(|failure| Failed {
            file: failure.file.display().to_string(),
            step: failure.step.as_ref().map(|(index, _)| *index),
            verb: failure.step.as_ref().map(|(_, verb)| verb.clone()),
            what: failure.what.clone(),
        });
        let outcome = Outcome { passed: report.passed, failures: failures.collect() };
        context.out.report(&outcome, |_| format!("{report}\n"))?;
        if report.is_ok() {
            return Ok(Exit::Done);
        }
        Err(Failure::new("vectors_failed", format!("{} vectors do not hold", report.failures.len())))
    }
}
