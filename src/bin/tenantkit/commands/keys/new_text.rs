//! The one showing of a key's text: on stdout, alone, so that it can be piped to where it belongs.

use super::view::{self, Key};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Column, Format};
use crate::secrets;
use serde::Serialize;
use tenantkit::{IssuedKey, KeyWarning};

/// What a program gets of a key that was made.
#[derive(Serialize)]
struct Made<'a> {
    /// The text; `null` in a dry run, and when the same act was done before.
    key: Option<&'a str>,
    #[serde(flatten)]
    record: &'a Key,
    warnings: &'a [KeyWarning],
    replayed: bool,
}

/// How the text is printed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// Alone.
    #[default]
    Text,
    /// As a line of a `.env` file.
    EnvLine,
}

/// A text that nobody can read is a key lost, and one that must be ended by hand.
///
/// # Errors
/// When stdout goes nowhere.
pub(super) fn check_stdout(context: &Context) -> Result<(), Failure> {
    if context.global.dry_run || !goes_nowhere() {
        return Ok(());
    }
    let message = "stdout is closed or goes to `/dev/null`, where the text of the new key would be lost; nothing was done";
    Err(Failure::usage(message).code("output_error").fix("send stdout to a file or a program"))
}

#[cfg(unix)]
fn goes_nowhere() -> bool {
    let null = rustix::fs::stat("/dev/null");
    match (rustix::fs::fstat(std::io::stdout()), null) {
        (Ok(stdout), Ok(null)) => {
            (stdout.st_dev, stdout.st_ino) == (null.st_dev, null.st_ino)
                || stdout.st_rdev == null.st_rdev && stdout.st_rdev != 0
        }
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    }
}

#[cfg(not(unix))]
fn goes_nowhere() -> bool {
    false
}

/// Prints a key that was made, its text on stdout and what a person should know beside it.
///
/// # Errors
/// When stdout does not take it; the failure names the key, for it exists.
pub(super) fn show(
    context: &Context,
    issued: IssuedKey,
    form: Form,
    what: &str,
    next: &str,
) -> Result<Exit, Failure> {
    let is_dry = context.global.dry_run;
    let key = Key { view: issued.view, usage: None };
    let text = issued.key.as_ref().filter(|_| !is_dry);
    let id = key.view.id;
    for warning in &issued.warnings {
        context.out.warn(format_args!("`{}` {}", warning.field, warning.message));
    }
    context.changed(format_args!("{what} `{}` ({id})", crate::output::inert(&key.view.name)));
    if context.out.is_for_people() {
        context.out.aside(view::fields(&key, context.out.style()));
        match text {
            Some(_) => context.out.note("its text follows on stdout; it is not shown again"),
            None if issued.replayed => {
                context.out.note("this act was done before under its operation id; the text was shown then")
            }
            None => {}
        }
    }
    let print = |text: Option<&str>| match (context.out.format(), text) {
        (Format::Table, None) => Ok(()),
        (Format::Table, Some(text)) if form == Form::EnvLine => {
            context.out.data(format!("{}={text}\n", context.names.key_env))
        }
        (Format::Table, Some(text)) => context.out.data(format!("{text}\n")),
        (_, text) => {
            let made =
                Made { key: text, record: &key, warnings: &issued.warnings, replayed: issued.replayed };
            context.out.one(&made, &columns(), |_| Vec::new())
        }
    };
    let printed = match text {
        Some(key) => secrets::with_text(key, |text| print(Some(text))),
        None => print(None),
    };
    if let Err(failure) = printed {
        let fix = format!(
            "nobody has its text: end it with `{program} keys revoke {id} --yes` or replace it with `{program} keys regenerate {id} --yes`",
            program = context.names.program
        );
        return Err(failure.but(format_args!("{what} `{id}`, but its text could not be printed")).fix(fix));
    }
    if context.out.is_for_people() && text.is_some() {
        context.out.note(next);
    }
    Ok(Exit::Done)
}

fn columns<'a>() -> [Column<Made<'a>>; 4] {
    [
        Column::new("key", |made, _| Cell::option(made.key)),
        Column::new("id", |made, _| Cell::new(made.record.view.id.to_string())),
        Column::new("name", |made, _| Cell::new(&made.record.view.name)),
        Column::new("expires at", |made, style| Cell::instant(made.record.view.expires_at, style)),
    ]
}
