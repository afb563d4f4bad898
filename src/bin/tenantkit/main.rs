//! `tenantkit`: keys, tenants, limits and policies of a product, from the command line.
//!
//! In reading order: `names` looks at the command line before it is read, `cli` says what may be written, `context` is
//! what commands work with, `commands` are they, one module per group. `output` and `failure` are what is printed;
//! `secrets` and `prompt` are what is asked for.
//!
//! The program is a caller of the library like any other: it holds no rule of its own.

mod cli;
mod commands;
mod context;
mod dry_run;
mod failure;
mod names;
mod output;
mod prompt;
mod secrets;

use clap::FromArgMatches;
use cli::{Cli, Commands};
use context::Context;
use failure::{Exit, Failure};
use names::Early;
use output::Format;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let early = Early::read(&arguments);
    let (format, names) = (early.format, early.names.clone());
    match run(arguments, early) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.tell(format, &names);
            failure.status().into()
        }
    }
}

fn run(arguments: Vec<OsString>, early: Early) -> Result<Exit, Failure> {
    early.refuse_keys(&arguments)?;
    let mut command = cli::command(&early.names);
    let matches = match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => return unread(&error, early.format),
    };
    let Cli { global, command } =
        Cli::from_arg_matches(&matches).map_err(|e| Failure::usage(e.to_string()))?;
    let context = Context::new(global, early);
    match command {
        Commands::Init(command) => command.run(&context),
        Commands::Policy(command) => command.run(&context),
        Commands::Keys(command) => command.run(&context),
        Commands::Tenants(command) => command.run(&context),
        Commands::Usage(command) => command.run(&context),
        Commands::Check(command) => command.run(&context),
        Commands::Audit(command) => command.run(&context),
        Commands::Vectors(command) => command.run(&context),
        Commands::Doctor(command) => command.run(&context),
        Commands::Demo(command) => command.run(&context),
        Commands::Completions(command) => command.run(&context),
        Commands::Reference => {
            context.out.data(commands::reference::markdown(&cli::command(&context.names)))?;
            Ok(Exit::Done)
        }
    }
}

/// Help and version are data; all else is a command line that can't be read.
fn unread(error: &clap::Error, format: Format) -> Result<Exit, Failure> {
    if !error.use_stderr() {
        return error.print().map(|()| Exit::Done).map_err(|e| Failure::stdout(&e));
    }
    if format == Format::Table {
        output::say(&hide_long_values(error));
        return Ok(Exit::Usage);
    }
    let text = hide_long_values(error);
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    Err(Failure::usage(text.split("\n\nUsage").next().unwrap_or(text).trim()))
}

/// The complaint without what may be a secret that was put into the wrong place.
fn hide_long_values(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue};
    /// Words of commands and options are shorter.
    const SHOWN_MAX: usize = 24;
    let mut text = error.to_string();
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        if let Some(ContextValue::String(value)) = error.get(kind)
            && value.len() > SHOWN_MAX
            && !value.starts_with("--")
        {
            text = text.replace(value.as_str(), "...");
        }
    }
    text
}
